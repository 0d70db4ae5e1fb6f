package main

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/schema"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// syncPoll is how often it is asked whether everything has been read at the start.
const syncPoll = 20 * time.Millisecond

// watch registers for everything that decides. Nothing is shown before the cache starts.
func (in *install) watch(ctx context.Context) error {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	for _, register := range []func() (func() bool, error){
		func() (func() bool, error) { return watchKind(ctx, in, &v1alpha1.EnvironmentTier{}) },
		func() (func() bool, error) { return watchKind(ctx, in, &v1alpha1.TierBinding{}) },
		func() (func() bool, error) { return watchKind(ctx, in, &v1alpha1.Team{}) },
		func() (func() bool, error) { return watchKind(ctx, in, &v1alpha1.Repository{}) },
		func() (func() bool, error) { return watchKind(ctx, in, &v1alpha1.BreakGlass{}) },
		func() (func() bool, error) { return watchKind(ctx, in, &apiextensionsv1.CustomResourceDefinition{}) },
		func() (func() bool, error) { return watchKind(ctx, in, namespace) },
		func() (func() bool, error) {
			return controller.Watch(ctx, in.cache, &v1alpha1.ProvenCommit{},
				func(_, now *v1alpha1.ProvenCommit) { in.archive.Observe(now) },
				func(last *v1alpha1.ProvenCommit) { in.archive.Forget(last.Namespace, last.Name) })
		},
		func() (func() bool, error) {
			return controller.Watch(ctx, in.cache, &v1alpha1.Delivery{},
				func(_, now *v1alpha1.Delivery) { in.delivered(now) }, in.deliveries.Forget)
		},
	} {
		synced, err := register()
		if err != nil {
			return err
		}
		in.synced = append(in.synced, synced)
	}
	return nil
}

// watchKind rings for every change of a kind: for the world where it decides, and for the statuses
// anyway, since one that somebody changed must come back.
func watchKind[T client.Object](ctx context.Context, in *install, sample T) (func() bool, error) {
	return controller.Watch(ctx, in.cache, sample, func(before, now T) {
		in.statusBell.Ring()
		in.glassed(before, now)
		if any(before) == any(*new(T)) || decides(before, now) {
			in.worldBell.Ring()
		}
	}, func(T) {
		in.statusBell.Ring()
		in.worldBell.Ring()
	})
}

// glassed tells the roles of a change of a BreakGlass.
func (in *install) glassed(before, now client.Object) {
	was, had := before.(*v1alpha1.BreakGlass)
	is, ok := now.(*v1alpha1.BreakGlass)
	if had && ok && was != nil {
		hear(in, func(h hooks) func(before, now *v1alpha1.BreakGlass) { return h.glassed }, func(f func(before, now *v1alpha1.BreakGlass)) { f(was, is) })
	}
}

func decides(before, now client.Object) bool {
	switch now := now.(type) {
	case *metav1.PartialObjectMetadata:
		return controller.NamespaceDecides(before, now)
	case *v1alpha1.BreakGlass:
		was, ok := before.(*v1alpha1.BreakGlass)
		return !ok || controller.Decides(was, now) || (was.Status.ClosedAt == nil) != (now.Status.ClosedAt == nil)
	}
	return controller.Decides(before, now)
}

func (in *install) delivered(d *v1alpha1.Delivery) {
	if !in.deliveries.Observe(d) {
		in.log.Error(nil, "a Delivery is not believed: its name does not fit its key", "namespace", d.Namespace, "name", d.Name)
		return
	}
	hear(in, func(h hooks) func(*v1alpha1.Delivery) { return h.delivered }, func(f func(*v1alpha1.Delivery)) { f(d) })
	in.auditBell.Ring()
}

// begin waits until everything has been read, puts it in force, and keeps it current.
func (in *install) begin(ctx context.Context) error {
	ticker := time.NewTicker(syncPoll)
	defer ticker.Stop()
	for slices.ContainsFunc(in.synced, func(synced func() bool) bool { return !synced() }) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	in.deliveries.Synced()
	if in.archive.InNamespace(in.o.Namespace) {
		// A signed proof of a source of the cluster binding: the install was sealed once, whatever the
		// seal says.
		if err := in.seal.Set(ctx); err != nil {
			in.log.Error(err, "the latch is set in memory alone")
		}
	}
	in.worldBell.Ring()
	return in.worldBell.Run(ctx, 0, in.compile)
}

// compile puts the kinds in force as the cache has them; the first time, reviews are judged from then on.
func (in *install) compile(ctx context.Context) error {
	kinds, err := store.ReadCluster(ctx, in.cache)
	if err != nil {
		in.log.Error(err, "what decides cannot be read; what was read before stays in force")
		return err
	}
	sortKinds(&kinds)
	in.define(kinds.CRDs)
	sealing := slices.ContainsFunc(kinds.Bindings, func(b v1alpha1.TierBinding) bool {
		return b.Namespace == in.o.Namespace && b.Name == v1alpha1.ClusterBindingName
	})
	var failed error
	if sealing {
		if failed = in.seal.Set(ctx); failed != nil {
			in.log.Error(failed, "the latch is set in memory alone")
		}
	}
	world := store.Compile(kinds, store.Settings{Namespace: in.o.Namespace, System: in.o.Webhook.System, Sealed: in.seal.Sealed(), Schema: in.schemas.digest()}, in.state.World())
	world.Install.ProverUsers = slices.Concat(world.Install.ProverUsers, []string{in.me}, in.o.FairwayUsers)
	_, badKeys := signature.NewKeyring(world.People)
	for _, text := range badKeys {
		world.Problems = append(world.Problems, controller.KeyProblem+text)
	}
	in.archive.Reindex(world) // before the world: a proof that does not count in it must not be found in it
	in.judgeGlasses(kinds.BreakGlasses, world)
	in.ready.Store(true)
	in.statusBell.Ring()
	hear(in, func(h hooks) func(*tier.World) { return h.renewed }, func(f func(*tier.World)) { f(world) })
	return failed
}

// sortKinds puts in order what a cache lists in none: two of the same name cannot be, and digests are
// over lists.
func sortKinds(k *store.Kinds) {
	slices.SortFunc(k.CRDs, func(a, b apiextensionsv1.CustomResourceDefinition) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(k.Bindings, func(a, b v1alpha1.TierBinding) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	slices.SortFunc(k.BreakGlasses, func(a, b v1alpha1.BreakGlass) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
}

// define puts the custom kinds in force. One that cannot be read is left out, so that it alone is not
// bound; how a webhook converts versions says nothing about their shape, and changes with its
// certificates.
func (in *install) define(crds []apiextensionsv1.CustomResourceDefinition) {
	hear(in, func(h hooks) func([]apiextensionsv1.CustomResourceDefinition) { return h.defined },
		func(f func([]apiextensionsv1.CustomResourceDefinition)) { f(crds) })
	crds = slices.DeleteFunc(slices.Clone(crds), func(crd apiextensionsv1.CustomResourceDefinition) bool {
		if _, err := schema.FromCRDs(&crd); err != nil {
			in.log.Error(err, "a custom kind cannot be read; nothing of it is bound", "name", crd.Name)
			return true
		}
		return false
	})
	for i := range crds {
		crds[i].Spec.Conversion = nil
	}
	if err := in.schemas.define(crds); err != nil {
		in.log.Error(err, "custom kinds cannot be read; those before stay in force")
	}
}
