package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// helm renders the chart in a directory with Helm's own libraries, as `helm upgrade --install` does on
// a cluster that tells it nothing: templates, hooks and the definitions in crds/.
//
// A chart is a program. What it may not depend on is made to differ between two passes, and functions
// that answer from outside of the chart are traps: only what comes out the same both times, and sprang
// none of them, is rendered (T-35). A trap is sprung when it is called, in whatever text it stands, so
// that neither tpl nor a helper hides it, and a library that nobody calls does no harm.
func helm(v *view, c *collector, src Source) error {
	h, err := readChart(v, c, src)
	if err != nil {
		return err
	}
	first, err := h.pass(pass{revision: 1})
	if err != nil {
		return err
	}
	second, err := h.pass(pass{revision: 2, reverse: true})
	if err != nil {
		return err
	}
	if at, same := sameObjects(first, second); !same {
		return h.unstable(first, at)
	}
	c.objects = first
	return nil
}

// pass is one render of a chart.
type pass struct {
	revision int  // of the release; the first is its installation
	reverse  bool // in which order maps give their keys
}

// unstable says why two passes differ, with a third that differs from the first in one thing alone.
func (h *helmChart) unstable(first []Object, at string) error {
	third, err := h.pass(pass{revision: 1, reverse: true})
	if err != nil {
		return err
	}
	why := "on whether and how often the release was installed before (.Release.IsInstall, .IsUpgrade or .Revision)"
	if _, same := sameObjects(first, third); !same {
		why = "on chance or on the order in which maps are walked; sort what `keys` and `values` give"
	}
	return refuse(Unbindable, h.src.Path, "renders %s differently from one time to the next: it depends %s", at, why)
}

// sameObjects compares what two passes made; where they differ it says in which object, and where in it.
func sameObjects(a, b []Object) (at string, same bool) {
	if len(a) != len(b) {
		return "other objects", false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return "other objects", false
		}
		if !reflect.DeepEqual(a[i].Content, b[i].Content) {
			return cut(difference(a[i].Content, b[i].Content, "")) + " of " + a[i].ID.String(), false
		}
	}
	return "", true
}

// helmChart is a chart that was read, with everything that decides what it renders to.
type helmChart struct {
	v      *view
	c      *collector
	src    Source
	files  []*archive.BufferedFile
	values [][]byte
	from   []releaseValues // of a HelmRelease, over all other values
	inline json.RawMessage // of a HelmRelease, over from
	common fluxMetadata    // of a HelmRelease
}

// namespace is that of the release.
func (h *helmChart) namespace() string {
	if n := h.src.Helm.Namespace; n != "" {
		return n
	}
	return h.src.Namespace
}

// load makes the chart anew: rendering changes it.
func (h *helmChart) load() (*chart.Chart, map[string]any, error) {
	files := make([]*archive.BufferedFile, len(h.files))
	for i, f := range h.files {
		files[i] = &archive.BufferedFile{Name: f.Name, Data: f.Data}
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, nil, refuse(Malformed, h.src.Path, "is no chart that helm can load; run `helm lint` on it to see why")
	}
	values := map[string]any{}
	for _, text := range h.values {
		more, err := loader.LoadValues(strings.NewReader(string(text)))
		if err != nil {
			return nil, nil, refuse(Malformed, "", "the values are no map")
		}
		values = loader.MergeMaps(values, more)
	}
	released, err := h.compose()
	if err != nil {
		return nil, nil, err
	}
	return loaded, loader.MergeMaps(values, released), h.vet(loaded)
}

// vet refuses a chart that helm would not install, or would fetch something for.
func (h *helmChart) vet(loaded *chart.Chart) error {
	file := path.Join(h.src.Path, "Chart.yaml")
	if t := loaded.Metadata.Type; t != "" && t != "application" {
		return refuse(Unsupported, file, "is a library chart, which helm does not install")
	}
	vendored := map[string]bool{}
	for _, d := range loaded.Dependencies() {
		vendored[d.Name()] = true
	}
	for i, d := range loaded.Metadata.Dependencies {
		if d != nil && !vendored[d.Name] {
			return refuse(Remote, file, "dependencies[%d] is not in charts/; run `helm dependency build` and commit what it fetches", i)
		}
	}
	if h.src.Helm.KubeVersion == "" || loaded.Metadata.KubeVersion == "" {
		return nil
	}
	if version, err := common.ParseKubeVersion(h.src.Helm.KubeVersion); err == nil && !chartutil.IsCompatibleRange(loaded.Metadata.KubeVersion, version.String()) {
		return refuse(Unsupported, file, "asks for another kubeVersion than the source names")
	}
	return nil
}

// pass renders the chart once.
func (h *helmChart) pass(p pass) (objects []Object, err error) {
	defer refusePanic(h.src.Path, &err)
	if err := h.v.ctx.Err(); err != nil {
		return nil, fmt.Errorf("rendering the chart: %w", err)
	}
	loaded, values, err := h.load()
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, refuse(Malformed, h.src.Path, "has conditions, tags or import-values that helm cannot follow")
	}
	watch := &probe{reverse: p.reverse}
	options := common.ReleaseOptions{
		Name: h.src.Helm.Release, Namespace: h.namespace(), Revision: p.revision, IsInstall: p.revision == 1, IsUpgrade: p.revision > 1,
	}
	// The schema of the values may name addresses, and decides nothing about what is rendered.
	top, err := util.ToRenderValuesWithSchemaValidation(loaded, values, options, nil, true)
	if err != nil {
		return nil, refuse(Malformed, h.src.Path, "has values that helm cannot put together")
	}
	if top["Capabilities"], err = watch.capabilities(h.src.Helm.Helm); err != nil {
		return nil, err
	}
	texts, err := engine.Engine{CustomTemplateFuncs: watch.functions()}.RenderWithContext(h.v.ctx, loaded, top)
	if watch.asked != "" {
		file, line := h.where(err)
		return nil, &Refusal{Reason: Unbindable, File: file, Line: line, Detail: watch.refusal()}
	}
	if err != nil {
		file, line := h.where(err)
		return nil, &Refusal{Reason: Unbuildable, File: file, Line: line, Detail: "helm cannot render it; run `helm template` on the chart to see why"}
	}
	return h.read(loaded, texts)
}

// read makes objects of the texts of templates, in Helm's order.
func (h *helmChart) read(loaded *chart.Chart, texts map[string]string) ([]Object, error) {
	size := 0
	for name, text := range texts {
		if size += len(text); size > h.v.limits.Bytes {
			return nil, refuse(TooLarge, h.src.Path, "renders to more than %d bytes", h.v.limits.Bytes)
		}
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(texts, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, refuse(Malformed, h.src.Path, "renders to text that is not well-formed YAML; run `helm template` on it to see where")
	}
	c := &collector{limits: h.c.limits, namespace: h.c.namespace, fill: h.namespace(), scope: h.c.scope}
	for _, m := range manifests {
		if err := h.add(c, m.Name, m.Content); err != nil {
			return nil, err
		}
	}
	kept := len(c.objects)
	for _, hook := range hooks {
		if err := h.add(c, hook.Path, hook.Manifest); err != nil {
			return nil, err
		}
	}
	for _, o := range c.objects { // definitions go without
		mark(o.Content, "labels", h.common.Labels)
		mark(o.Content, "annotations", h.common.Annotations)
	}
	for _, o := range c.objects[:kept] {
		if err := h.mark(o); err != nil {
			return nil, err
		}
	}
	for _, crd := range loaded.CRDObjects() {
		if err := h.add(c, crd.Filename, string(crd.File.Data)); err != nil {
			return nil, err
		}
	}
	h.c.fill = c.fill
	return c.objects, nil
}

// add takes in the objects of one text.
func (h *helmChart) add(c *collector, name, text string) error {
	r := reader{limits: h.v.limits, file: h.file(name), strict: true}
	values, err := r.values([]byte(text))
	if err != nil {
		return unplaced(err)
	}
	for _, value := range values {
		if err := c.add(r, value, 0); err != nil {
			return unplaced(err)
		}
	}
	return nil
}

// unplaced takes the line off a refusal: it is one of the rendered text, which nobody sees.
func unplaced(err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		refusal.Line = 0
	}
	return err
}

// mark writes on an object what Helm writes on what it applies, if it does. Hooks and crds/ go without.
func (h *helmChart) mark(o Object) error {
	if !h.src.Helm.Marked {
		return nil
	}
	meta, _ := o.Content["metadata"].(map[string]any) // identify found a name in it
	for _, part := range []struct {
		name  string
		marks map[string]string
	}{
		{"labels", map[string]string{"app.kubernetes.io/managed-by": "Helm"}},
		{"annotations", map[string]string{
			"meta.helm.sh/release-name": h.src.Helm.Release, "meta.helm.sh/release-namespace": h.namespace(),
		}},
	} {
		there, isMap := meta[part.name].(map[string]any)
		if meta[part.name] != nil && !isMap {
			return refuse(Malformed, o.File, "renders %s whose metadata.%s is no map", o.ID, part.name)
		}
		if there == nil {
			there = map[string]any{}
		}
		for key, said := range part.marks {
			there[key] = said
		}
		meta[part.name] = there
	}
	return nil
}

// file is the file in the tree for the name that Helm gives a template: that of the chart comes first,
// whatever its directory is called. Of a chart in an archive it is the directory.
func (h *helmChart) file(name string) string {
	_, inside, _ := strings.Cut(name, "/")
	if at := path.Join(h.src.Path, inside); h.v.files[at] {
		return at
	}
	return h.src.Path
}

// place is where the engine says that something went wrong. Its messages repeat values, so that
// nothing else of them is used.
var templatePlace = regexp.MustCompile(`([A-Za-z0-9][^\s:()<>"]*/templates/[^\s:()<>"]+):([0-9]{1,6})`)

// where is the innermost place of the tree in an error of the engine.
func (h *helmChart) where(err error) (file string, line int) {
	if err == nil || errors.Is(err, context.Canceled) {
		return h.src.Path, 0
	}
	for _, m := range templatePlace.FindAllStringSubmatch(err.Error(), -1) {
		if at := h.file(m[1]); at != h.src.Path {
			file = at
			line, _ = strconv.Atoi(m[2])
		}
	}
	if file == "" {
		return h.src.Path, 0
	}
	return file, line
}
