package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// listPage is how many objects one answer of the API server holds.
const listPage = 500

// lister lists live objects of any kind.
type lister struct {
	client dynamic.Interface
	mapper meta.RESTMapper
}

// List calls with the raw JSON of each object of a kind.
func (l *lister) List(ctx context.Context, kind change.Kind, namespace string, each func(raw []byte) error) error {
	mapping, err := l.mapper.RESTMapping(schema.GroupKind{Group: kind.Group, Kind: kind.Kind}, kind.Version)
	if err != nil {
		return fmt.Errorf("looking the kind up: %w", err)
	}
	var objects dynamic.ResourceInterface = l.client.Resource(mapping.Resource)
	if namespace != "" {
		objects = l.client.Resource(mapping.Resource).Namespace(namespace)
	}
	opts := metav1.ListOptions{Limit: listPage}
	for {
		page, err := objects.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("listing: %w", err)
		}
		for i := range page.Items {
			raw, err := page.Items[i].MarshalJSON()
			if err != nil {
				return fmt.Errorf("encoding: %w", err)
			}
			if err := each(raw); err != nil {
				return err
			}
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return nil
		}
	}
}

func newAuditor(in *install, l controller.Lister) *controller.Auditor {
	return &controller.Auditor{
		Lister: l, World: in.state.World, Types: in.types, Key: in.keys.digest, Proofs: in.index.Of, Delivered: in.deliveries.Delivered, Now: time.Now,
	}
}

// audit sweeps every gated binding.
func (p *proving) audit(ctx context.Context) error {
	if !p.ready.Load() {
		return nil
	}
	var sweeps []audited
	bindings := controller.Gated(p.state.World())
	for _, b := range bindings {
		sweep, err := p.auditor.Sweep(ctx, b)
		if err != nil {
			p.log.Error(err, "a namespace could not be audited", "namespace", b.Namespace)
			continue
		}
		if !sweep.Clean() {
			p.log.Info("live objects are not accounted for", "namespace", b.Namespace, "drifted", len(sweep.Drifted), "unread", sweep.Unread)
		}
		p.status.Swept(b, sweep)
		sweeps = append(sweeps, audited{Binding: b, Sweep: sweep})
	}
	p.statusBell.Ring()
	p.publish(ctx, bindings, sweeps)
	return p.tellOutages(ctx, sweeps)
}

// Audited is one binding and what an audit of it found.
type audited struct {
	Binding tier.Binding
	Sweep   controller.Sweep
}

// errNoKeys is why somebody who may not read Fairway's keys cannot audit.
var errNoKeys = errors.New("an audit compares digests whose key is in Fairway's own Secret: it needs the right to read it")

// auditCluster audits a cluster once, from outside: every gated binding, or those of one namespace. It
// reads Fairway's keys from the Secret in own, the namespace of the install, and writes nothing.
func auditCluster(ctx context.Context, kubeconfig, own, namespace string) ([]audited, error) {
	cluster, err := ask(kubeconfig)
	if err != nil {
		return nil, err
	}
	found, err := readKeys(ctx, cluster.client, own)
	if err != nil {
		return nil, errors.Join(errNoKeys, err)
	}
	id, err := cluster.clusterID(ctx)
	if err != nil {
		return nil, err
	}
	kinds, err := store.ReadCluster(ctx, cluster.client)
	if err != nil {
		return nil, err
	}
	sortKinds(&kinds)
	defined := newSchemas()
	if err := defined.define(kinds.CRDs); err != nil {
		return nil, err
	}
	world := store.Compile(kinds, store.Settings{Namespace: own, Sealed: true, Schema: defined.digest()}, nil)
	auditor, err := auditorOf(ctx, cluster, found, id, world)
	if err != nil {
		return nil, err
	}
	auditor.Types = func() canon.Types { return defined.current() }
	var all []audited
	for _, b := range controller.Gated(world) {
		if namespace != "" && b.Namespace != namespace {
			continue
		}
		sweep, err := auditor.Sweep(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("auditing namespace %q: %w", b.Namespace, err)
		}
		all = append(all, audited{Binding: b, Sweep: sweep})
	}
	return all, nil
}

// auditorOf reads the proofs and marks of a cluster once.
func auditorOf(ctx context.Context, cluster *connection, k keys, id string, world *tier.World) (*controller.Auditor, error) {
	mapper, err := apiutil.NewDynamicRESTMapper(cluster.config, cluster.http)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	index := store.NewIndex()
	archive := store.NewArchive(index, k, id)
	archive.Reindex(world)
	var proofs v1alpha1.ProvenCommitList
	if err := cluster.client.List(ctx, &proofs); err != nil {
		return nil, fmt.Errorf("listing proofs: %w", err)
	}
	for i := range proofs.Items {
		archive.Observe(&proofs.Items[i])
	}
	deliveries := store.NewDeliveries(cluster.client, archive.Proven)
	var marks v1alpha1.DeliveryList
	if err := cluster.client.List(ctx, &marks); err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	for i := range marks.Items {
		deliveries.Observe(&marks.Items[i])
	}
	deliveries.Synced()
	return &controller.Auditor{
		Lister: &lister{client: cluster.dynamic, mapper: mapper}, World: func() *tier.World { return world },
		Key: k.digest, Proofs: index.Of, Delivered: deliveries.Delivered, Now: time.Now,
	}, nil
}
