package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const equalityFolder = "testdata/equality"

// podAt says where each kind of the shells keeps its pod.
var podAt = map[string][]string{
	"Pod":                   nil,
	"PodTemplate":           {"template"},
	"ReplicationController": {"spec", "template"},
	"ReplicaSet":            {"spec", "template"},
	"Deployment":            {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"Job":                   {"spec", "template"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
}

// yamlDocuments are the documents of a file of the corpus, as JSON would hold them.
func yamlDocuments(t *testing.T, path string) (out []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Split(string(content), "\n---\n") {
		out = append(out, parseManifest(t, text))
	}
	return out
}

// workloads puts each pod spec into each kind, and into another shell of that kind each time, so that no
// two of them differ by their names alone.
func workloads(t *testing.T) (out []map[string]any) {
	t.Helper()
	shells := map[string][]map[string]any{}
	for _, s := range yamlDocuments(t, filepath.Join(equalityFolder, "shells.yaml")) {
		kind := s["kind"].(string)
		shells[kind] = append(shells[kind], s)
	}
	kinds := slices.Sorted(maps.Keys(shells))
	for i, pod := range yamlPods(t) {
		for k := range kinds {
			kind := kinds[(k+i)%len(kinds)] // whatever is tried once or twice is tried on all kinds
			shell := shells[kind][i%len(shells[kind])]
			out = append(out, workload(t, shell, pod["name"].(string), pod["spec"].(map[string]any)))
		}
	}
	return out
}

// yamlPods reads the pod specs, which are no objects.
func yamlPods(t *testing.T) (out []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(equalityFolder, "pods.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Split(string(content), "\n---\n") {
		wrapped := parseManifest(t, "apiVersion: x/v1\nkind: Wrapped\n"+text)
		out = append(out, wrapped)
	}
	return out
}

// workload is a shell with a pod in it.
func workload(t *testing.T, shell map[string]any, name string, pod map[string]any) map[string]any {
	t.Helper()
	m := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(shell)}
	kind := m.GetKind()
	name = strings.ToLower(kind) + "-" + name
	m.SetName(name)
	pod = runtime.DeepCopyJSON(pod)
	labels := map[string]any{"app": name}
	set := func(v any, at ...string) {
		if err := unstructured.SetNestedField(m.Object, v, at...); err != nil {
			t.Fatal(err)
		}
	}
	switch kind {
	case "Job", "CronJob":
		pod["restartPolicy"] = "Never"
		for _, c := range pod["containers"].([]any) {
			delete(c.(map[string]any), "resizePolicy") // nothing restarts in a pod that never does
		}
	case "DaemonSet":
		delete(pod, "resourceClaims")
		for _, c := range pod["containers"].([]any) {
			if r, ok := c.(map[string]any)["resources"].(map[string]any); ok {
				delete(r, "claims")
			}
		}
	case "ReplicationController":
		set(labels, "spec", "selector")
	}
	if slices.Contains([]string{"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"}, kind) {
		set(labels, "spec", "selector", "matchLabels")
	}
	at := podAt[kind]
	if len(at) > 0 {
		set(labels, append(slices.Clone(at), "metadata", "labels")...)
	}
	set(pod, append(slices.Clone(at), "spec")...)
	return m.Object
}

// equalityCorpus are all manifests that are held against the gate: those of namespaces, those of the
// cluster, and apart from them the custom kinds, which define what comes after them.
type equalityCorpus struct {
	namespaced, cluster []map[string]any
}

// newEqualityCorpus reads and makes the corpus. Objects that no webhook is ever shown, that every tier
// exempts (leases), or that are judged by more than their content (namespaces) are not in it.
func (l *serveLab) newEqualityCorpus() (c equalityCorpus) {
	l.t.Helper()
	all := workloads(l.t)
	for _, file := range []string{"objects.yaml", "custom.yaml", "cluster.yaml"} {
		all = append(all, yamlDocuments(l.t, filepath.Join(equalityFolder, file))...)
	}
	for _, file := range bindingFiles() {
		all = append(all, yamlDocuments(l.t, filepath.Join(bindingFolder, file))...)
	}
	var last, limits []map[string]any
	for _, m := range all {
		u := &unstructured.Unstructured{Object: m}
		gvk := u.GroupVersionKind()
		if gvk.Group == "admissionregistration.k8s.io" || gvk.Kind == "Lease" || gvk.Kind == "Namespace" {
			continue
		}
		mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		switch {
		case err != nil:
			l.t.Fatal(err)
		case gvk.Kind == "CustomResourceDefinition" || gvk.Kind == "APIService":
			last = append(last, m) // what is proven is judged anew by the kinds that there are
		case mapping.Scope.Name() == "root":
			c.cluster = append(c.cluster, m)
		case gvk.Kind == "ResourceQuota" || gvk.Kind == "LimitRange":
			u.SetNamespace("shop")
			limits = append(limits, m) // what comes after them is measured by them
		default:
			u.SetNamespace("shop")
			c.namespaced = append(c.namespaced, m)
		}
	}
	c.namespaced = append(c.namespaced, limits...)
	c.cluster = append(c.cluster, last...)
	return c
}

// all are the manifests of the corpus in the order in which they are applied.
func (c equalityCorpus) all() []map[string]any { return slices.Concat(c.namespaced, c.cluster) }

// variety counts the kinds of the corpus and the fields that it sets, each once for each kind.
func (c equalityCorpus) variety() (kinds, fields int) {
	seenKinds, seenFields := map[string]bool{}, map[string]bool{}
	for _, m := range c.all() {
		u := &unstructured.Unstructured{Object: m}
		kind := u.GroupVersionKind().String()
		seenKinds[kind] = true
		eachField(m, "", func(at string) { seenFields[kind+" "+at] = true })
	}
	return len(seenKinds), len(seenFields)
}

// eachField calls with each path of a value, items of a list under one name.
func eachField(v any, at string, call func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			here := at + "." + k
			call(here)
			eachField(x, here, call)
		}
	case []any:
		for _, x := range v {
			eachField(x, at+"[]", call)
		}
	}
}

// file is manifests as one file of a repository.
func file(t *testing.T, manifests []map[string]any) string {
	t.Helper()
	var text strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&text, "---\n%s", yamlOf(t, m))
	}
	return text.String()
}

func yamlOf(t *testing.T, m map[string]any) []byte {
	t.Helper()
	text, err := yaml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
