package render

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// fuzzLimits are small, so that a bomb is small too.
func fuzzLimits() Limits {
	return Limits{
		Entries: 100, Files: 100, FileBytes: 1 << 16, Bytes: 1 << 18, Depth: 8, Document: 1 << 15,
		Nodes: 5_000, Nesting: 50, Objects: 100, Rendered: 1 << 20, Bases: 20, Time: 10 * time.Second,
	}
}

// FuzzPlain: no text makes a plain source panic or hang, what is accepted is what kubectl reads, and
// twice the same.
func FuzzPlain(f *testing.F) {
	for _, file := range cases(f) {
		for name, content := range readCase(f, file).tree {
			if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".json") {
				f.Add(content.Data)
			}
		}
	}
	for _, body := range documents {
		f.Add([]byte(configMap + body))
	}
	for _, s := range scalars {
		f.Add([]byte(configMap + "data: {k: " + s + "}\n"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tree := files("a.yaml", string(text))
		src := Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}
		renderer := New(fuzzLimits(), nil)
		result, refusal, err := renderer.Render(context.Background(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if refusal != nil {
			if len(result.Objects) > 0 {
				t.Error("refused, and yet there are objects")
			}
			return
		}
		want, err := asKubectl(text)
		if err != nil {
			t.Fatalf("accepted, and kubectl cannot read it: %v", err)
		}
		if len(want) != len(result.Objects) {
			t.Fatalf("%d objects, kubectl reads %d", len(result.Objects), len(want))
		}
		for _, o := range result.Objects {
			found := false
			for _, w := range want {
				w["metadata"].(map[string]any)["namespace"] = o.Content["metadata"].(map[string]any)["namespace"]
				if o.ID.Namespace == "" {
					delete(w["metadata"].(map[string]any), "namespace")
				}
				found = found || cmp.Equal(w, o.Content)
			}
			if !found {
				t.Errorf("kubectl does not read %v", o.Content)
			}
		}
		again, _, _ := renderer.Render(context.Background(), tree, src)
		if diff := cmp.Diff(result, again); diff != "" {
			t.Errorf("twice, and not the same:\n%s", diff)
		}
	})
}

// FuzzKustomization: no kustomization, and no file that it names, makes the render panic, hang or
// ask the network for anything.
func FuzzKustomization(f *testing.F) {
	for _, file := range cases(f) {
		tree := readCase(f, file).tree
		for name, content := range tree {
			if isKustomization(name[strings.LastIndexByte(name, '/')+1:]) {
				f.Add(content.Data, []byte(configMap), []byte("a: b"))
			}
		}
	}
	for _, k := range []string{
		"resources: [a, https://evil.example/x, github.com/evil/x]", "resources: [a]\npatches: [{path: b}]",
		"resources: [a]\npatchesStrategicMerge: [b]", "resources: [a]\nreplacements: [{path: b}]", "resources: [a]\nconfigurations: [b]",
		"configMapGenerator: [{name: c, files: [a, k=b], envs: [b]}]", "resources: [a]\nvars: [{name: V, objref: {kind: ConfigMap, name: a}}]",
		"resources: [a]\npatches: [{target: {kind: ConfigMap}, patch: '[{op: copy, from: /metadata, path: /data}]'}]",
		"resources: [a]\nreplacements: [{source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.x]}]}]",
		"resources: [a]\nsortOptions: {order: fifo}\nbuildMetadata: [originAnnotations, transformerAnnotations]\nlabels: [{pairs: {a: b}, includeSelectors: true}]",
	} {
		f.Add([]byte(k), []byte(configMap+"data: {x: &x {y: 1}, z: *x}"), []byte("- op: add\n  path: /data\n  value: {a: b}"))
	}
	tr := &trap{}
	before := http.DefaultTransport
	http.DefaultTransport = tr
	f.Cleanup(func() { http.DefaultTransport = before })
	f.Setenv("PATH", f.TempDir())
	renderer := New(fuzzLimits(), nil)
	f.Fuzz(func(t *testing.T, kustomization, a, b []byte) {
		if bytes.Count(kustomization, []byte("op")) > 20 || bytes.Count(kustomization, []byte("source")) > 20 {
			return // what grows by doubling is for the memory limit of the worker
		}
		tree := files("kustomization.yaml", string(kustomization), "a", string(a), "b", string(b))
		src := Source{Kind: tier.Kustomize, Path: ".", Namespace: "shop"}
		result, refusal, err := renderer.Render(context.Background(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if refusal != nil && len(result.Objects) > 0 {
			t.Error("refused, and yet there are objects")
		}
		if n := tr.http.Load(); n > 0 {
			t.Fatalf("%d requests to the network", n)
		}
		again, _, _ := renderer.Render(context.Background(), tree, src)
		if diff := cmp.Diff(result, again); diff != "" {
			t.Errorf("twice, and not the same:\n%s", diff)
		}
	})
}
