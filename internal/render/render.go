package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Source is what to render.
type Source struct {
	Kind      tier.Render
	Path      string // clean and relative, "." for the root of the tree
	Namespace string // that the source is delivered to
	Helm      Helm   // where Kind is tier.Chart
	Flux      *Flux  // the Kustomization of Flux that delivers it; nil: none does
}

// Helm is how a chart is rendered.
type Helm struct {
	tier.Helm
	// Marked: Helm itself applies what is rendered, so that the objects carry its marks.
	Marked bool
	// HelmRelease delivers the chart, with the values of its manifest; nil: none does.
	HelmRelease *Flux
}

// Result is what a source renders to.
type Result struct {
	// Objects are sorted by identity, no identity twice. They may be none: a directory without
	// manifests is a source that wants everything gone.
	Objects []Object
	// Closure is what the render depended on; after a refusal, until then.
	Closure change.Closure
}

// CRDs are the objects that define kinds. Schema is taken from them first (ruling 23).
func (r Result) CRDs() []Object {
	var crds []Object
	for _, o := range r.Objects {
		if isCRD(o) {
			crds = append(crds, o)
		}
	}
	return crds
}

// Renderer renders sources within limits. One Renderer serves any number of goroutines. Use one in
// a process: the kustomize library keeps state of its own for the whole process, so kustomizations
// (and charts, for the memory that they take) are rendered one after the other, and the Renderer is what queues them.
type Renderer struct {
	limits Limits
	scope  Scope
	turn   chan struct{} // holds a token while a kustomization is built
}

// New makes a Renderer. Scope may be nil: then only built-in kinds, and those that a render
// defines itself, are known.
func New(limits Limits, scope Scope) *Renderer {
	return &Renderer{limits: limits, scope: scope, turn: make(chan struct{}, 1)}
}

// Render makes the objects of a source from a tree. The same tree and source give the same result,
// value for value.
//
// The tree must report a symbolic link as fs.ModeSymlink and a submodule as fs.ModeIrregular, from
// ReadLinkFS or StatFS, and never follow one. It must not be changed or closed while Render runs;
// after an error, not before the last read from it has ended.
//
// A refusal says why the source does not render and comes with no objects and a nil error. An error
// means that nothing is known: the tree could not be read, or the time ran out. Ask again.
func (r *Renderer) Render(ctx context.Context, tree fs.FS, src Source) (Result, *Refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	if !fs.ValidPath(src.Path) || path.Clean(src.Path) != src.Path {
		return Result{}, &Refusal{Reason: OutsideTree, Detail: "the path of the source is not a clean path inside the repository"}, nil
	}
	build := r.buildPlain
	switch src.Kind {
	case tier.Plain, tier.Kustomize:
		if src.Flux != nil {
			build = r.alone(flux)
		} else if src.Kind == tier.Kustomize {
			build = r.alone(kustomize)
		}
	case tier.Chart:
		build = r.alone(helm)
	default:
		return Result{}, &Refusal{Reason: Unsupported, Detail: fmt.Sprintf("there is no renderer named %s", cut(string(src.Kind)))}, nil
	}
	result, err := build(ctx, tree, src)
	if err == nil {
		return result, nil, nil
	}
	refusal, err := split(err)
	if err != nil {
		err = fmt.Errorf("rendering %q: %w", src.Path, err)
	}
	return Result{Closure: result.Closure}, refusal, err
}

func (r *Renderer) buildPlain(ctx context.Context, tree fs.FS, src Source) (Result, error) {
	v := newView(ctx, tree, r.limits)
	objects, err := r.collect(v, src, func(c *collector) error { return plain(v, c, src.Path) })
	return Result{Objects: objects, Closure: v.closure(src.Path)}, err
}

// collect runs a renderer on a directory that is there. A panic of the tree's, or of ours, is an
// error, and stays here: kustomizations are built in a goroutine of their own.
func (r *Renderer) collect(v *view, src Source, run func(*collector) error) (objects []Object, err error) {
	defer func() {
		if recover() != nil { // what it says may repeat a value
			objects, err = nil, errors.New("the renderer panicked")
		}
	}()
	mode, err := v.kind(src.Path)
	if errors.Is(err, errMissing) {
		return nil, refuse(PathMissing, src.Path, "is not in the repository at this commit")
	}
	if err != nil {
		return nil, err
	}
	if !mode.IsDir() {
		v.files[src.Path] = true
		return nil, refuse(NotADirectory, src.Path, "is a file; the path of a source is a directory")
	}
	c := &collector{limits: r.limits, namespace: src.Namespace, scope: r.scope}
	if err := run(c); err != nil {
		return nil, err
	}
	return c.finish()
}
