package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Deliveries knows what was delivered.
type Deliveries interface {
	// Delivered are the commits that a namespace admitted of a source, newest first.
	Delivered(key change.SourceKey) ([]change.Delivered, change.Found)
}

// Nudge asks Flux to try again what it was refused, once it would be admitted: an approval that comes
// late needs no new commit and no waiting for the next interval. It writes one annotation, which asks
// for nothing but another look at what Git says. Without the right to write it nothing is lost: Flux
// tries again by itself.
type Nudge struct {
	Client client.Client
	World  func() *tier.World
	Proofs Archive
	Marks  Deliveries
	Now    func() time.Time
	Log    logr.Logger

	asked map[change.SourceKey]string // the commit that was asked for last
}

// Run asks for every source with a commit that is admissible and was not delivered, once for each
// commit. What could not be asked for now is an error, and is asked for by the next call. It must not
// be called by two at a time.
func (n *Nudge) Run(ctx context.Context) error {
	world := n.World()
	if world == nil {
		return nil
	}
	bindings := slices.Collect(maps.Values(world.Bindings))
	if world.Cluster != nil {
		bindings = append(bindings, *world.Cluster)
	}
	var problems []error
	for _, b := range bindings {
		for _, s := range b.Sources {
			if _, ours := fluxKinds[s.Via.Engine]; ours {
				problems = append(problems, n.source(ctx, world, b, s))
			}
		}
	}
	return errors.Join(problems...)
}

func (n *Nudge) source(ctx context.Context, world *tier.World, b tier.Binding, s tier.Source) error {
	t, ok := world.Tiers[b.Tier]
	if !ok || t.Lane == tier.Open {
		return nil
	}
	key := change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}
	commit := n.waiting(key, t.Name, world.PolicyDigest(t, b, s))
	if commit == "" || n.asked[key] == commit {
		return nil
	}
	kind := fluxKinds[s.Via.Engine]
	err := n.ask(ctx, kind, b.Namespace, s.Via.Owner)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		n.Log.V(1).Info("there is no such object to ask", "kind", kind.Kind, "name", s.Via.Owner)
	case apierrors.IsForbidden(err):
		n.Log.Info("Flux is not asked to try again: this needs the right to patch its object", "kind", kind.Kind, "name", s.Via.Owner, "why", err.Error())
	case err != nil:
		return err
	}
	if n.asked == nil {
		n.asked = map[change.SourceKey]string{}
	}
	n.asked[key] = commit
	return nil
}

// waiting is the newest commit of a source that its tier admits, if it was not delivered yet.
func (n *Nudge) waiting(key change.SourceKey, tierName, digest string) string {
	delivered, known := n.Marks.Delivered(key)
	if known == change.CouldNotTell {
		return ""
	}
	for _, p := range n.Proofs.Known(key) {
		admissible := !p.Revoked && slices.ContainsFunc(p.Judgements, func(j change.Judgement) bool {
			return j.Tier == tierName && j.PolicyDigest == digest && j.Admissible == change.Present
		})
		if !admissible {
			continue
		}
		if len(delivered) > 0 && delivered[0].Height >= p.Height {
			return ""
		}
		return p.Commit
	}
	return ""
}

// fluxKinds are the kinds of Flux that deliver, by the engine that a source names.
var fluxKinds = map[string]schema.GroupVersionKind{
	"Flux":        {Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"},
	"HelmRelease": {Group: "helm.toolkit.fluxcd.io", Version: "v2", Kind: "HelmRelease"},
}

// ask writes the annotation by which Flux is asked to reconcile now.
func (n *Nudge) ask(ctx context.Context, kind schema.GroupVersionKind, namespace, owner string) error {
	if at, name, qualified := strings.Cut(owner, "/"); qualified {
		namespace, owner = at, name
	}
	k := &unstructured.Unstructured{}
	k.SetGroupVersionKind(kind)
	k.SetNamespace(namespace)
	k.SetName(owner)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{tier.TriggerAnnotation: n.Now().UTC().Format(time.RFC3339Nano)},
	}})
	if err != nil {
		return fmt.Errorf("asking %s %s/%s to try again: %w", kind.Kind, namespace, owner, err)
	}
	if err := n.Client.Patch(ctx, k, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("asking %s %s/%s to try again: %w", kind.Kind, namespace, owner, err)
	}
	return nil
}
