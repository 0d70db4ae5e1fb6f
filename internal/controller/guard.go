package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/tier"
)

// EmergencyLease is the Lease in Fairway's own namespace that, while it is valid, has Fairway leave its
// webhook configuration as people put it. It is valid from renewTime for leaseDurationSeconds, and for
// EmergencyLimit at most. docs/emergency.md says how it is used.
const EmergencyLease = "fairway-emergency"

// retiring begins the holder of an EmergencyLease that a retirement made.
const retiring = "fairway-retire"

// Retiring is the holder of the EmergencyLease by which an install is retired: the one whose provers have a
// service account with a UID, so that the next install, which has another, is not held up. Without a UID it is
// every install in the namespace.
func Retiring(account string) string {
	if account == "" {
		return retiring
	}
	return retiring + "/" + account
}

// EmergencyLimit is the longest that one EmergencyLease holds.
const EmergencyLimit = 4 * time.Hour

// Guard keeps the webhook configuration as the world in force asks for it. It fails closed: a
// configuration that was changed or removed comes back; only an EmergencyLease keeps Fairway from it,
// and is told all the time that it does.
type Guard struct {
	Client client.Client // not cached: an old state would be restored over a new one
	Hooks  Hooks
	World  func() *tier.World
	// Bundle is the PEM bundle of the serving certificate's authority; nil leaves what is there, for
	// whoever else keeps it.
	Bundle func() ([]byte, error)
	// Answers reports whether the gates answer under a configuration. It is asked before one is made
	// that was not there: a configuration without a gate behind it stops the cluster.
	Answers func(ctx context.Context, client admissionv1.WebhookClientConfig) error
	// Tampered is told of each change that was not ours, and of the entries that it is in; Paused whether an
	// EmergencyLease is valid.
	Tampered func(what string, entries []string)
	Paused   func(bool)
	Now      func() time.Time
	// Account is the UID of the service account that it works by; empty: it has none.
	Account string

	mine int64 // generation of our last write; 0: none yet
}

// Reconcile brings the configuration up to date. An error is tried again.
func (g *Guard) Reconcile(ctx context.Context) error {
	paused, err := g.paused(ctx)
	if err != nil {
		return err
	}
	if g.Paused(paused); paused {
		return nil
	}
	var bundle []byte
	if g.Bundle != nil {
		if bundle, err = g.Bundle(); err != nil {
			return err
		}
	}
	want := Configure(g.World(), g.Hooks, bundle)
	live := &admissionv1.ValidatingWebhookConfiguration{}
	err = g.Client.Get(ctx, client.ObjectKey{Name: g.Hooks.Name}, live)
	switch {
	case apierrors.IsNotFound(err):
		return g.create(ctx, want)
	case err != nil:
		return fmt.Errorf("reading the webhook configuration: %w", err)
	}
	if g.Bundle == nil {
		keepBundles(want, live)
	}
	if equality.Semantic.DeepEqual(want.Webhooks, live.Webhooks) {
		g.mine = live.Generation
		return nil
	}
	if g.mine > 0 && live.Generation != g.mine {
		g.Tampered("changed", differing(want.Webhooks, live.Webhooks))
	}
	live.Webhooks = want.Webhooks
	if err := g.Client.Update(ctx, live); err != nil {
		return fmt.Errorf("writing the webhook configuration: %w", err)
	}
	g.mine = live.Generation
	return nil
}

// create makes the configuration, once the gates answer under it.
func (g *Guard) create(ctx context.Context, want *admissionv1.ValidatingWebhookConfiguration) error {
	if g.mine > 0 {
		g.Tampered("removed", nil)
		g.mine = 0
	}
	if err := g.Answers(ctx, want.Webhooks[0].ClientConfig); err != nil {
		return fmt.Errorf("the webhook configuration is not made before the gates answer: %w", err)
	}
	if err := g.Client.Create(ctx, want); err != nil {
		return fmt.Errorf("making the webhook configuration: %w", err)
	}
	g.mine = want.Generation
	return nil
}

// differing are the names of entries that are not as they should be, are missing, or are nobody's, sorted.
func differing(want, live []admissionv1.ValidatingWebhook) []string {
	names := map[string]bool{}
	for _, lists := range [][2][]admissionv1.ValidatingWebhook{{want, live}, {live, want}} {
		for _, entry := range lists[0] {
			same := func(other admissionv1.ValidatingWebhook) bool { return equality.Semantic.DeepEqual(entry, other) }
			if !slices.ContainsFunc(lists[1], same) {
				names[entry.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// keepBundles leaves to another who keeps the bundles what stands there; an entry that is new gets that
// of the others.
func keepBundles(want, live *admissionv1.ValidatingWebhookConfiguration) {
	for i := range want.Webhooks {
		for _, have := range live.Webhooks {
			if have.Name == want.Webhooks[i].Name || len(want.Webhooks[i].ClientConfig.CABundle) == 0 {
				want.Webhooks[i].ClientConfig.CABundle = bytes.Clone(have.ClientConfig.CABundle)
			}
		}
	}
}

// paused reports whether an EmergencyLease is valid. One that says nothing of its time is not.
func (g *Guard) paused(ctx context.Context) (bool, error) {
	var lease coordinationv1.Lease
	err := g.Client.Get(ctx, client.ObjectKey{Namespace: g.Hooks.Namespace, Name: EmergencyLease}, &lease)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for an emergency: %w", err)
	}
	s := lease.Spec
	if s.RenewTime == nil || s.LeaseDurationSeconds == nil {
		return false, nil
	}
	if s.HolderIdentity != nil && g.Account != "" {
		if of, is := strings.CutPrefix(*s.HolderIdentity, retiring+"/"); is && of != g.Account {
			return false, nil // of an install before this one
		}
	}
	lasts := min(time.Duration(*s.LeaseDurationSeconds)*time.Second, EmergencyLimit)
	since := g.Now().Sub(s.RenewTime.Time)
	return since >= -time.Minute && since < lasts, nil // clocks differ by a little
}

// Canary proves through the API server that enforcement is on: it tries, as a dry run, to keep a proof
// that nobody signed. It must be refused by Fairway, and by nobody else.
func Canary(ctx context.Context, c client.Client, forged client.Object) error {
	err := c.Create(ctx, forged, client.DryRunAll)
	if err == nil {
		return errors.New("a forged proof was admitted: nobody asked a gate")
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !bytes.Contains([]byte(status.Status().Message), []byte(hookSelf)) || !apierrors.IsForbidden(err) {
		return fmt.Errorf("a forged proof was refused, but not by a gate: %w", err)
	}
	return nil
}
