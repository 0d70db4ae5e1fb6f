package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fieldChanges changes the fields of one object, one at a time.
type fieldChanges struct {
	lab     *serveLab
	schema  *apiextensionsv1.JSONSchemaProps
	live    *unstructured.Unstructured
	refused int
	same    int      // taken back by the API server
	invalid []string // to the API server
}

// each changes every leaf below a path. An "[]" in a path is a list of one item.
func (f *fieldChanges) each(schema *apiextensionsv1.JSONSchemaProps, path []string) {
	name, last := strings.Join(path, "."), path[len(path)-1]
	// A set's generators may hold generators, and each of them a template: the same fields again.
	if strings.Contains(name, "generators.[].") && (last == "template" || last == "generators") {
		return
	}
	if items := schema.Items; items != nil && items.Schema != nil && len(items.Schema.Properties) > 0 {
		f.each(items.Schema, append(slices.Clone(path), "[]"))
		return
	}
	if len(schema.Properties) == 0 {
		f.change(name, schema, path)
		return
	}
	for _, child := range slices.Sorted(maps.Keys(schema.Properties)) {
		of := schema.Properties[child]
		f.each(&of, append(slices.Clone(path), child))
	}
}

// change gives a leaf other values until the API server finds one valid.
func (f *fieldChanges) change(name string, schema *apiextensionsv1.JSONSchemaProps, path []string) {
	for _, value := range validFor(schema) {
		next := f.live.DeepCopy()
		next.Object, _ = with(f.schema, next.Object, path, value).(map[string]any)
		if f.write(name, next) {
			return
		}
	}
	f.invalid = append(f.invalid, name)
}

// metadata changes what every object has.
func (f *fieldChanges) metadata() {
	for name, change := range map[string]func(*unstructured.Unstructured){
		"a label": func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"a": "b"}) },
		"not reconciled": func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "argocd.argoproj.io/skip-reconcile": "true"})
		},
		"a finalizer": func(o *unstructured.Unstructured) { o.SetFinalizers([]string{"example.com/stay"}) },
		"an owner": func(o *unstructured.Unstructured) {
			o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "1"}})
		},
	} {
		next := f.live.DeepCopy()
		change(next)
		if !f.write(name, next) {
			f.invalid = append(f.invalid, name)
		}
	}
	err := f.lab.on("admin", f.live).Delete(f.lab.t.Context(), f.live.GetName(), metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	f.lab.refused(err, "")
}

// write replaces the object, and reports whether the API server found it valid.
func (f *fieldChanges) write(name string, next *unstructured.Unstructured) bool {
	if apiequality.Semantic.DeepEqual(next.Object, f.live.Object) {
		return false
	}
	t := f.lab.t
	stored, err := f.lab.on("admin", next).Update(t.Context(), next, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		return false
	case err != nil:
		f.lab.refused(err, "")
		f.refused++
	case withoutBooks(stored) == withoutBooks(f.live):
		f.same++
	default:
		t.Errorf("%s is changed by hand: %s", name, withoutBooks(stored))
	}
	return true
}

// withoutBooks is an object without what the API server keeps about it.
func withoutBooks(o *unstructured.Unstructured) string {
	o = o.DeepCopy()
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	o.SetGeneration(0)
	raw, _ := o.MarshalJSON()
	return string(raw)
}

// with is a value in which the leaf at a path is another one, with whatever else its schema requires on the way.
func with(schema *apiextensionsv1.JSONSchemaProps, at any, path []string, leaf any) any {
	if len(path) == 0 {
		return leaf
	}
	if path[0] == "[]" {
		var first any
		if list, ok := at.([]any); ok && len(list) > 0 {
			first = list[0]
		}
		return []any{with(schema.Items.Schema, first, path[1:], leaf)}
	}
	object, _ := at.(map[string]any)
	if object = maps.Clone(object); object == nil {
		object = map[string]any{}
	}
	fill(schema, object, path[0])
	of := schema.Properties[path[0]]
	object[path[0]] = with(&of, object[path[0]], path[1:], leaf)
	return object
}

// fill sets what a schema requires of an object, but for one field.
func fill(schema *apiextensionsv1.JSONSchemaProps, object map[string]any, except string) {
	for _, name := range schema.Required {
		of, known := schema.Properties[name]
		if _, there := object[name]; there || !known || name == except {
			continue
		}
		if some := validFor(&of); len(some) > 0 {
			object[name] = some[0]
		}
	}
}

// words are tried in turn where a schema asks for a text.
var words = []string{
	"other", "1h", "7m0s", "https://elsewhere.example.com/x.git", "oci://elsewhere.example.com/x", "1.2.3", "./elsewhere", "2026-01-01T00:00:00Z",
	"sha256:" + strings.Repeat("a", 64), strings.Repeat("a", 40), "apps/v1", "elsewhere", "7",
}

// validFor are some values that a schema may find valid, of several kinds where it says little.
func validFor(schema *apiextensionsv1.JSONSchemaProps) (all []any) {
	switch {
	case len(schema.Enum) > 0:
		for _, one := range schema.Enum {
			all = append(all, strings.Trim(string(one.Raw), `"`))
		}
	case schema.XIntOrString || schema.Type == "integer" || schema.Type == "number":
		all = []any{int64(7), int64(1), int64(600)}
	case schema.Type == "boolean":
		all = []any{true, false}
	case schema.Type == "string":
		pattern := regexp.MustCompile(schema.Pattern)
		for _, word := range words {
			if pattern.MatchString(word) {
				all = append(all, word)
			}
		}
	case schema.Type == "array":
		for _, one := range validFor(schema.Items.Schema) {
			all = append(all, []any{one})
		}
	case len(schema.Properties) > 0:
		object := map[string]any{}
		fill(schema, object, "")
		all = []any{object}
	case schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil:
		for _, one := range validFor(schema.AdditionalProperties.Schema) {
			all = append(all, map[string]any{"other": one})
		}
	default:
		all = []any{map[string]any{"other": "other"}, "other", []any{"other"}}
	}
	return all
}
