package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/origin"
	"github.com/fairway-dev/fairway/internal/tier"
)

// engines knows the objects by which engines are told what to deliver.
type engines struct {
	live  gate.Live
	world func() *tier.World
}

// Reaches says into which namespaces an object can have an engine deliver: those that it names, and
// those whose binding names it. What delivers the cluster binding reaches everywhere.
func (e engines) Reaches(kind change.Kind, raw []byte) (namespaces []string, everywhere, chained bool) {
	namespaces, everywhere, chained = origin.Reaches(kind, raw)
	feed, ok := origin.Feeds(kind, raw)
	if !ok {
		return namespaces, everywhere, chained
	}
	world := e.world()
	for _, engine := range feed.Engines {
		for _, at := range slices.Sorted(maps.Keys(world.Bindings)) {
			if world.Bindings[at].DeliveredBy(engine, feed.Namespace, feed.Name) {
				namespaces = append(namespaces, at)
			}
		}
		everywhere = everywhere || world.Cluster != nil && world.Cluster.DeliveredBy(engine, feed.Namespace, feed.Name)
	}
	return namespaces, everywhere, chained
}

// Repeats are the fields in which an object says again what its own spec says.
func (e engines) Repeats(kind change.Kind, raw []byte) []string { return origin.Repeats(kind, raw) }

// Claimed asks the Application or Kustomization that an object is marked with for the commits that it
// delivers.
func (e engines) Claimed(ctx context.Context, o change.Origin) []string {
	if owner, ok := strings.CutPrefix(o.Owner, "Kustomization "); ok && o.Engine == origin.EngineFlux {
		namespace, name, _ := strings.Cut(owner, "/")
		return e.attempted(ctx, namespace, name)
	}
	name, isApplication := strings.CutPrefix(o.Owner, "Application ")
	if !isApplication || o.Engine != origin.EngineArgoCD {
		return nil
	}
	namespace, rest, qualified := strings.Cut(name, "/")
	if qualified {
		name = rest
	} else {
		namespace = e.controlNamespace(name)
	}
	raw, found := e.live.Object(ctx, change.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}, namespace, name)
	if found != change.Present {
		return nil
	}
	return origin.Claimed(raw)
}

// attempted asks a Kustomization, and where it takes an OCI artifact that, for the commit that it delivers.
func (e engines) attempted(ctx context.Context, namespace, name string) []string {
	raw, found := e.live.Object(ctx, change.Kind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}, namespace, name)
	if found != change.Present {
		return nil
	}
	kind, namespace, name, ok := origin.Artifact(raw)
	if !ok {
		return origin.Attempted(raw)
	}
	raw, found = e.live.Object(ctx, kind, namespace, name)
	if found != change.Present {
		return nil
	}
	return origin.MadeOf(raw)
}

// controlNamespace is where the Argo CD of an Application runs, as the source says that it delivers.
func (e engines) controlNamespace(application string) string {
	for _, b := range e.world().Bindings {
		for _, s := range b.Sources {
			if at := s.Via.ArgoCD.Namespace; at != "" && s.Via.Owner == at+"/"+application {
				return at
			}
		}
	}
	return "argocd"
}
