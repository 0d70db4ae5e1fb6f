package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/origin"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// sources renders the sources of a repository and digests what they make.
type sources struct {
	repo        *gitrepo.Repo
	mirrors     *mirrors
	install     tier.Install
	clusterTier *tier.Binding // the cluster binding, or nil
	schema      string        // digest of the custom kinds
	done        *renders      // nil: nothing is kept
}

// Render makes the digested objects of a source: for a namespace's binding what is in it and the
// Namespace itself, for the cluster binding the cluster scope, Fairway's kinds anywhere and what is in
// the namespaces that the cluster cannot start without.
func (s sources) Render(ctx context.Context, commit string, source tier.Source, namespace string) (prover.Rendered, error) {
	// Everything that decides the outcome; %#v quotes, so that no two of them can run into one.
	key := fmt.Sprintf("%#v", []any{commit, source, namespace, s.schema, s.install.Namespace, s.install.System, s.ofCluster(source, namespace)})
	if have, ok := s.done.get(key); ok {
		return have, nil
	}
	out, mayPass, err := s.render(ctx, commit, source, namespace)
	if err == nil {
		s.done.put(key, out, mayPass)
	}
	return out, err
}

// render renders a source. A refusal that may pass is no property of the commit.
func (s sources) render(ctx context.Context, commit string, source tier.Source, namespace string) (out prover.Rendered, mayPass bool, err error) {
	tree, err := s.repo.Tree(ctx, commit)
	if err != nil {
		return prover.Rendered{}, false, err
	}
	result, refusal, err := s.mirrors.renderer.Render(ctx, treeFS{tree}, renderSource(source, namespace))
	out = prover.Rendered{Closure: result.Closure}
	if out.Closure.Prefix == "" {
		out.Closure.Prefix = source.Path // of a tree that could not be read to the end
	}
	var unreadable *gitrepo.UnreadableError
	var limit *gitrepo.LimitError
	switch {
	case errors.As(err, &unreadable):
		out.Refusal = unreadable.Error()
	case errors.As(err, &limit):
		out.Refusal = limit.Error()
	case err != nil:
		return prover.Rendered{}, false, err
	case refusal != nil:
		out.Refusal, mayPass = refusal.Error(), refusal.MayPass
	default:
		out.Objects, out.Refusal = s.digest(result, source, namespace)
	}
	return out, mayPass, nil
}

// renderSource is what a source of a binding asks the renderer for.
func renderSource(source tier.Source, namespace string) render.Source {
	out := render.Source{
		Kind: source.Render, Path: source.Path, Namespace: namespace,
		Helm: render.Helm{Helm: source.Helm, Marked: source.Via.ByHelm()},
	}
	if owner, name, ok := origin.FluxOwner(source.Via, namespace); ok {
		by := &render.Flux{Namespace: owner, Name: name, File: source.Via.File, ConfigMaps: source.Via.ConfigMaps}
		if source.Via.Engine == origin.EngineHelmRelease {
			out.Helm.HelmRelease = by
		} else {
			out.Flux = by
		}
	}
	return out
}

func (s sources) digest(result render.Result, source tier.Source, namespace string) (objects []change.ProvenObject, refusal string) {
	schema := s.mirrors.schema()
	for _, o := range result.Objects {
		mine, refusal := s.belongs(o, source, namespace)
		if refusal != "" {
			return nil, refusal
		}
		if !mine || origin.AtTheEnd(source.Via, o.Content) {
			continue
		}
		// The engine adds its marks last, so they are part of what it applies.
		if err := origin.MarksOf(source.Via, o.ID, namespace).Add(o.Content); err != nil {
			return nil, fmt.Sprintf("%s cannot carry the marks of its engine: %v", o.ID, err)
		}
		d, err := canon.DigestManifest(o.Content, schema, s.mirrors.key)
		if err != nil {
			return nil, fmt.Sprintf("%s cannot be bound: %v", o.ID, err)
		}
		objects = append(objects, change.ProvenObject{ID: o.ID, Version: o.Version, Digest: d})
	}
	return objects, ""
}

// ofCluster reports whether a source is one of the cluster binding's.
func (s sources) ofCluster(source tier.Source, namespace string) bool {
	return s.clusterTier != nil && namespace == s.install.Namespace && slices.ContainsFunc(s.clusterTier.Sources, func(c tier.Source) bool {
		return c.Repository == source.Repository && c.Branch == source.Branch && c.Path == source.Path
	})
}

// belongs reports whether a binding's source may bring an object. The same rule holds in the gate.
func (s sources) belongs(o render.Object, source tier.Source, namespace string) (mine bool, refusal string) {
	if o.Place == render.PlaceUnknown {
		return false, fmt.Sprintf("nobody knows whether a %s lives in a namespace; its CustomResourceDefinition is not known", o.ID.Kind)
	}
	switch {
	case s.ofCluster(source, namespace):
		return o.Place == render.ClusterWide || o.ID.Group == "fairway.dev" || origin.Chained(o.ID.Group, o.ID.Kind) ||
			s.install.Unhooked(o.ID.Namespace), ""
	case o.Place == render.ClusterWide:
		return o.ID.Group == "" && o.ID.Kind == "Namespace" && o.ID.Name == namespace, ""
	}
	return o.Place == render.Here, ""
}
