package render

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/fairway-dev/fairway/internal/change"
)

// alone builds in a goroutine of its own, since the libraries cannot be interrupted: when the time runs
// out the caller goes on, and the next one waits until this one has ended.
func (r *Renderer) alone(build func(v *view, c *collector, src Source) error) func(context.Context, fs.FS, Source) (Result, error) {
	type outcome struct {
		result Result
		err    error
	}
	return func(ctx context.Context, tree fs.FS, src Source) (Result, error) {
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return Result{}, fmt.Errorf("waiting for the render before: %w", ctx.Err())
		}
		done := make(chan outcome, 1)
		go func() {
			defer func() { <-r.turn }()
			v := newView(ctx, tree, r.limits)
			objects, err := r.collect(v, src, func(c *collector) error { return build(v, c, src) })
			done <- outcome{Result{Objects: objects, Closure: v.closure(src.Path)}, err}
		}()
		select {
		case o := <-done:
			return o.result, o.err
		case <-ctx.Done():
			return Result{Closure: change.Closure{Prefix: src.Path}}, fmt.Errorf("building it: %w", ctx.Err())
		}
	}
}

// kustomize vets the kustomization in a directory, builds it, and reads what comes out the way
// kubectl, Flux and Argo CD do: as text.
func kustomize(v *view, c *collector, src Source) error {
	return kustomizeTo(v, c, src.Path, func(resmap.ResMap) error { return nil })
}

// kustomizeTo lets finish change what was built before it is read.
func kustomizeTo(v *view, c *collector, dir string, finish func(resmap.ResMap) error) error {
	t := &vetter{v: v, files: map[string]bool{}, loads: map[string]int{}}
	if _, err := t.base(dir, 0); err != nil {
		return err
	}
	text, err := run(&kustomizeFS{v: v, files: t.files, dirs: t.loads}, dir, finish)
	if err != nil {
		return err
	}
	r := reader{limits: v.limits, file: dir}
	values, err := r.values(text)
	if err != nil {
		return err
	}
	for _, value := range values {
		value.line = 0 // of the built text, which nobody sees
		if err := c.add(r, value, 0); err != nil {
			return err
		}
	}
	for i := range c.objects {
		c.objects[i].File = ""
	}
	return nil
}

// run builds a vetted kustomization. Files may be named from anywhere in the repository, as Flux
// allows it (kustomize's own default keeps to the directory); plugins are off.
func run(files *kustomizeFS, dir string, finish func(resmap.ResMap) error) (text []byte, err error) {
	defer refusePanic(dir, &err)
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionNone // objects are sorted later, in less time
	options.LoadRestrictions = types.LoadRestrictionsNone
	options.PluginConfig = types.DisabledPluginConfig()
	built, err := krusty.MakeKustomizer(options).Run(files, path.Join("/", dir))
	if files.err != nil {
		return nil, files.err
	}
	if err == nil {
		if err := finish(built); err != nil {
			return nil, err
		}
		text, err = asYAML(built)
	}
	if err != nil {
		return nil, refuse(Unbuildable, dir, "kustomize cannot build it: %s", cause(err))
	}
	return text, nil
}

func asYAML(built resmap.ResMap) ([]byte, error) {
	if built.Size() == 0 {
		return nil, nil
	}
	return built.AsYaml()
}

// cause says why kustomize failed, without a word of the source: its own messages repeat whole
// patches and generators. These are the ones that people meet.
func cause(err error) string {
	message := err.Error()
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
	}
	switch {
	case has("already registered id"):
		return "two resources have the same kind and name"
	case has("cycle detected"):
		return "a base contains the kustomization that uses it"
	case has("no matches for Id", "no resource matches strategic merge patch", "unable to find patch target"):
		return "a patch matches no resource"
	case has("must specify a target for JSON patch"):
		return "a JSON patch has no target"
	case has("unable to parse SM or JSON patch", "illegally qualifies as both"):
		return "a patch is neither a strategic merge patch nor a JSON patch"
	case has("nothing selected by", "multiple matches for selector", "in replacement target", "for replacement source"):
		return "a replacement finds no source, or no field to write to"
	case has("expected kind"):
		return "components must be of kind Component, and resources must not be"
	case has("kind should be", "apiVersion for"):
		return "the kind or apiVersion of a kustomization is wrong"
	case has("kustomization.yaml is empty"):
		return "a kustomization is empty"
	case has("missing metadata.name", "missing Resource metadata"):
		return "a resource has no name"
	case has("cannot merge or replace"):
		return "a generator merges with something that is not there"
	}
	return "run `kustomize build` on it to see why"
}
