package render

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// from is a Kustomization with more under its postBuild.
func from(references, more string) string {
	return shopKustomization("  postBuild:\n    substituteFrom: [" + references + "]\n" + more)
}

// values is a ConfigMap of the Kustomization's namespace.
func values(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: flux-system}\ndata: {" + data + "}\n"
}

// variableTree is a shop whose ConfigMap says what its variables are.
func variableTree(manifest string, more ...string) (fstest.MapFS, Source) {
	tree := files(append([]string{
		"clusters/shop.yaml", manifest, "shop/kustomization.yaml", "resources: [a.yaml]\n",
		"shop/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: \"${v}/${w:=none}\"}\n",
	}, more...)...)
	var holders []string
	for i := 0; i < len(more); i += 2 {
		holders = append(holders, more[i])
	}
	return tree, Source{Kind: tier.Kustomize, Path: "shop", Namespace: "shop", Flux: &Flux{
		Namespace: "flux-system", Name: "shop", File: "clusters/shop.yaml", ConfigMaps: holders,
	}}
}

// TestFluxVariables: ADR 0025. The values come from the files of the commit, in the order in which the
// controller takes them, and the files are part of what the render depends on.
func TestFluxVariables(t *testing.T) {
	const a, b = "{kind: ConfigMap, name: a}", "{kind: ConfigMap, name: b}"
	for _, tt := range []struct {
		name, manifest string
		more           []string
		want           string
	}{
		{"one", from(a, ""), []string{"x.yaml", values("a", "v: one")}, "one/none"},
		{"the later wins", from(a+", "+b, ""), []string{"x.yaml", values("a", "v: one, w: one") + "---\n" + values("b", "v: two")}, "two/one"},
		{"whatever the order of files", from(a+", "+b, ""), []string{"x.yaml", values("b", "v: two"), "y.yaml", values("a", "v: one")}, "two/none"},
		{"what the Kustomization says wins", from(a, "    substitute: {v: own}\n"), []string{"x.yaml", values("a", "v: one, w: one")}, "own/one"},
		{"optional, and not there", from(a+", {kind: ConfigMap, name: b, optional: true}", ""), []string{"x.yaml", values("a", "v: one")}, "one/none"},
		{"line ends go", from(a, ""), []string{"x.yaml", values("a", `v: "one\ntwo\n"`)}, "onetwo/none"},
		{"nothing in it: nothing is substituted", from(a, ""), []string{"x.yaml", values("a", "")}, "${v}/${w:=none}"},
		{"unless always", from(a, "    substituteStrategy: Always\n"), []string{"x.yaml", values("a", "")}, "/none"},
		{"always, from nowhere", shopKustomization("  postBuild: {substituteStrategy: Always}\n"), nil, "/none"},
		{"of another namespace, or kind", from(a, ""), []string{
			"x.yaml", values("a", "v: one") + "---\n" + strings.ReplaceAll(values("a", "v: two"), "flux-system", "shop") +
				"---\n" + strings.ReplaceAll(values("a", "v: three"), "ConfigMap", "Secret"),
		}, "one/none"},
		{"without a namespace", from(a, ""), []string{"x.yaml", strings.ReplaceAll(values("a", "v: one"), ", namespace: flux-system", "")}, "one/none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, src := variableTree(tt.manifest, tt.more...)
			got := render(t, tree, src)
			data, _ := got.Objects[0].Content["data"].(map[string]any)
			if diff := cmp.Diff(tt.want, data["v"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, file := range src.Flux.ConfigMaps {
				if !slices.Contains(got.Closure.Files, file) {
					t.Errorf("the render does not depend on %s", file)
				}
			}
		})
	}
}

func TestFluxVariablesRefused(t *testing.T) {
	const a = "{kind: ConfigMap, name: a}"
	for _, tt := range []struct {
		name   string
		more   []string
		reason Reason
		want   string
	}{
		{"not there", []string{"x.yaml", values("b", "")}, PathMissing, `clusters/shop.yaml: holds a Flux Kustomization with variables from the ConfigMap "a" of flux-system, which is in none of the files that via.flux.substituteFrom names`},
		{"no such file", []string{"y.yaml", ""}, PathMissing, "y.yaml: is not in the repository at this commit; it is to be a file of ConfigMaps"},
		{"outside", []string{"../y.yaml", ""}, OutsideTree, "a file of ConfigMaps is no clean path inside the repository"},
		{"twice", []string{"x.yaml", values("a", "") + "---\n" + values("a", "")}, Ambiguous, `x.yaml:6: holds the ConfigMap "a" of flux-system once more`},
		{"twice in two files", []string{"x.yaml", values("a", ""), "z.yaml", values("a", "")}, Ambiguous, `z.yaml:1: holds the ConfigMap "a" of flux-system once more`},
		{"no text", []string{"x.yaml", values("a", "v: 1")}, Malformed, "x.yaml:1: holds a ConfigMap with a value that is no text: quote it"},
		{"no map", []string{"x.yaml", strings.ReplaceAll(values("a", ""), "{}", "[]")}, Malformed, "x.yaml:1: holds a ConfigMap without a name, or whose data is no map"},
		{"encrypted", []string{"x.yaml", values("a", "v: x") + "sops: {}\n"}, Encrypted, "x.yaml:1: holds a ConfigMap encrypted with SOPS, which only its engine can read"},
		{"no name that Flux takes", []string{"x.yaml", values("a", "a-b: x")}, Unsupported, "shop: is built with a variable whose name Flux does not take"},
		{"structure that breaks", []string{"x.yaml", values("a", `v: '"'`)}, Unbuildable, "shop: is no resource any more once its variables are substituted: quote them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, src := variableTree(from(a, ""), tt.more...)
			if tt.more[1] == "" {
				delete(tree, tt.more[0])
			}
			got := refusal(t, DefaultLimits(), tree, src)
			if got.Reason != tt.reason || got.Error() != tt.want {
				t.Errorf("refused: %s: %s\nwant %s: %s", got.Reason, got.Error(), tt.reason, tt.want)
			}
		})
	}
}

// TestFluxArtifacts: whoever fills an artifact, what arrives is held against the commit, and the path in it
// need not be the repository's. Nor does it matter where the Kustomization lives.
func TestFluxArtifacts(t *testing.T) {
	tree, src := variableTree(shopKustomization("  postBuild: {substitute: {v: one}}\n"))
	want := describe(t, render(t, tree, src))
	for _, kind := range []string{"OCIRepository", "Bucket", "ExternalArtifact"} {
		manifest := strings.ReplaceAll(shopKustomization("  kubeConfig: {secretRef: {name: spoke}}\n  postBuild: {substitute: {v: one}}\n"), "GitRepository", kind)
		tree, src := variableTree(strings.ReplaceAll(manifest, "./shop", "./"))
		if diff := cmp.Diff(want, describe(t, render(t, tree, src))); diff != "" {
			t.Errorf("from a %s (-want +got):\n%s", kind, diff)
		}
	}
}

// FuzzFluxVariables: no text in the place of a ConfigMap makes the render panic or hang, or differ from one
// time to the next.
func FuzzFluxVariables(f *testing.F) {
	for _, data := range []string{"v: one", "v: '${v}'", `v: "a\nb"`, "v: |-\n  x", "v: 1", "<<: *x", ""} {
		f.Add([]byte(values("a", data)))
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"v":"x"}}`))
	renderer := New(fuzzLimits(), nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		tree, src := variableTree(from("{kind: ConfigMap, name: a, optional: true}", ""), "x.yaml", string(text))
		result, refused, err := renderer.Render(context.Background(), tree, src)
		if err != nil {
			t.Fatal(err)
		}
		if refused != nil && len(result.Objects) > 0 {
			t.Error("refused, and yet there are objects")
		}
		again, _, _ := renderer.Render(context.Background(), tree, src)
		if diff := cmp.Diff(result, again); diff != "" {
			t.Errorf("twice, and not the same:\n%s", diff)
		}
	})
}
