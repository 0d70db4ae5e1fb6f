package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// mutants are the copies of an object that differ from it in one field: changed, removed, put in another
// order, or added. What is added is taken from other objects of the same kind, so that the API server
// takes most of it.
func mutants(m map[string]any, donors []map[string]any) []variant {
	out := variants(m)
	out = append(out, marked(m)...)
	out = append(out, lengthened(m)...)
	for _, d := range donors {
		out = append(out, grafted(m, d)...)
	}
	return out
}

// marked are the additions that every object can have.
func marked(m map[string]any) (out []variant) {
	for what, mark := range map[string]func(*unstructured.Unstructured){
		"a label":       func(u *unstructured.Unstructured) { u.SetLabels(merged(u.GetLabels(), "added", "x")) },
		"an annotation": func(u *unstructured.Unstructured) { u.SetAnnotations(merged(u.GetAnnotations(), "added", "x")) },
		"a finalizer":   func(u *unstructured.Unstructured) { u.SetFinalizers(append(u.GetFinalizers(), "example.com/added")) },
		"an owner": func(u *unstructured.Unstructured) {
			owner := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1"}
			_ = unstructured.SetNestedSlice(u.Object, []any{owner}, "metadata", "ownerReferences")
		},
	} {
		u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m)}
		mark(u)
		out = append(out, variant{"adding " + what, u.Object})
	}
	return out
}

// lengthened are the copies in which one list has one more item.
func lengthened(m map[string]any) (out []variant) {
	var visit func(v any, at string, set func(root map[string]any, v any, drop bool))
	visit = func(v any, at string, set func(map[string]any, any, bool)) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				where := strings.TrimPrefix(at+"."+k, ".")
				visit(v[k], where, func(root map[string]any, x any, drop bool) { change1(root, set, at, k, x, drop) })
			}
		case []any:
			for i := range v {
				visit(v[i], fmt.Sprintf("%s[%d]", at, i), func(root map[string]any, x any, _ bool) {
					l := slices.Clone(v)
					l[i] = x
					set(root, l, false)
				})
			}
			if len(v) > 0 {
				c := runtime.DeepCopyJSON(m)
				set(c, append(slices.Clone(v), another(v[len(v)-1])), false)
				out = append(out, variant{"adding an item to " + at, c})
			}
		}
	}
	visit(m, "", nil)
	return out
}

// another is an item like one, under another name.
func another(item any) any {
	switch v := item.(type) {
	case string:
		return v + "added"
	case map[string]any:
		v = runtime.DeepCopyJSON(v)
		for _, key := range []string{"name", "key", "path", "mountPath", "ip", "type"} {
			if s, ok := v[key].(string); ok {
				v[key] = s + "added"
				return v
			}
		}
		for _, key := range []string{"containerPort", "port"} {
			if n, ok := v[key].(int64); ok {
				v[key], v["name"] = n+1000, "added"
				return v
			}
		}
		return v
	}
	return item
}

// grafted are the copies that have one field of a donor that they lack, where they have the map that the
// field stands in.
func grafted(m, donor map[string]any) (out []variant) {
	var visit func(have, give map[string]any, at []string)
	visit = func(have, give map[string]any, at []string) {
		for _, k := range slices.Sorted(maps.Keys(give)) {
			here := append(slices.Clone(at), k)
			if len(here) == 1 && (k == "status" || k == "metadata") {
				continue
			}
			mine, has := have[k]
			if !has || mine == nil {
				c := runtime.DeepCopyJSON(m)
				if give[k] != nil && unstructured.SetNestedField(c, runtime.DeepCopyJSONValue(give[k]), here...) == nil {
					out = append(out, variant{"adding " + strings.Join(here, "."), c})
				}
				continue
			}
			a, aIsMap := mine.(map[string]any)
			b, bIsMap := give[k].(map[string]any)
			if aIsMap && bIsMap {
				visit(a, b, here)
			}
		}
	}
	visit(m, donor, nil)
	return out
}

var index = regexp.MustCompile(`\[\d+\]`)

// sieve lets the same change of the same field pass a few times only: of the thousands that the corpus
// gives most are of the same fields of pods.
type sieve struct {
	seen map[string]int
	most int
}

// new reports whether a change is worth trying. Fields of pods count together for all kinds with a
// template, whose objects take turns.
func (s *sieve) new(m map[string]any, how, what string) bool {
	kind := m["kind"].(string)
	key := kind + " " + what
	at, isWorkload := podAt[kind]
	if prefix := strings.Join(append(slices.Clone(at), "spec."), "."); isWorkload && strings.Contains(what, prefix) {
		key = "pod " + strings.Replace(what, prefix, "", 1)
	}
	key = how + " " + index.ReplaceAllString(key, "[]")
	s.seen[key]++
	return s.seen[key] <= s.most
}

// said is what an object says beside what each write of it makes anew: of two objects made by the same
// request it is the same. Addresses and node ports are picked when a Service is made, and then stay. A
// status is written by others in the meantime, but for the one kind that has it as content.
func said(u *unstructured.Unstructured, made bool) string {
	c := u.DeepCopy()
	if c.GetKind() != "Loose" {
		unstructured.RemoveNestedField(c.Object, "status")
	}
	for _, f := range []string{"managedFields", "uid", "creationTimestamp", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(c.Object, "metadata", f)
	}
	if made && c.GetKind() == "Service" {
		for _, f := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			unstructured.RemoveNestedField(c.Object, "spec", f)
		}
		ports, _, _ := unstructured.NestedFieldNoCopy(c.Object, "spec", "ports")
		list, _ := ports.([]any)
		for _, p := range list {
			delete(p.(map[string]any), "nodePort")
		}
	}
	raw, err := json.Marshal(c.Object)
	if err != nil {
		panic(err) // came from JSON
	}
	if uid := string(u.GetUID()); uid != "" {
		return strings.ReplaceAll(string(raw), uid, "UID")
	}
	return string(raw)
}

// hollow is what an object says without the lists and maps in which nothing is: an apply does not show
// which empty lists were sent.
func hollow(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err) // said made it
	}
	var prune func(v any) any
	prune = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if v[k] = prune(x); v[k] == nil {
					delete(v, k)
				}
			}
			if len(v) == 0 {
				return nil
			}
		case []any:
			for i, x := range v {
				v[i] = prune(x)
			}
			if len(v) == 0 {
				return nil
			}
		}
		return v
	}
	raw, err := json.Marshal(prune(v))
	if err != nil {
		panic(err) // came from JSON
	}
	return string(raw)
}
