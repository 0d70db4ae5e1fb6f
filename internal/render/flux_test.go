package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/tier"
)

// readFluxCase reads a file of testdata/flux. Its first line holds renderer, path, namespace, the
// Kustomization, and its manifest or a dash.
func readFluxCase(t *testing.T, file string) (*txtar.Archive, fstest.MapFS, Source) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(archive.Comment), "\n")
	words := strings.Fields(first)
	if len(words) != 5 {
		t.Fatalf("%s: the first line must hold renderer, path, namespace, Kustomization and manifest", file)
	}
	owner, name, _ := strings.Cut(words[3], "/")
	flux := &Flux{Namespace: owner, Name: name, File: strings.TrimPrefix(words[4], "-")}
	tree := fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name != "want" {
			tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return archive, tree, Source{Kind: tier.Render(words[0]), Path: words[1], Namespace: words[2], Flux: flux}
}

func TestFluxCases(t *testing.T) {
	files, err := filepath.Glob("testdata/flux/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, tree, source := readFluxCase(t, file)
			want := &archive.Files[len(archive.Files)-1]
			if want.Name != "want" {
				t.Fatal("the last file must be what is wanted")
			}
			got := describe(t, render(t, tree, source))
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("rendered (-want +got):\n%s", diff)
			}
		})
	}
}

// shopKustomization is a manifest of the Kustomization flux-system/shop with more under its spec.
func shopKustomization(more string) string {
	return "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: shop, namespace: flux-system}\nspec:\n" +
		"  interval: 1m\n  prune: true\n  path: ./shop\n  sourceRef: {kind: GitRepository, name: apps}\n" + more
}

func TestFluxRefuses(t *testing.T) {
	const holds = "clusters/shop.yaml:1: holds a Flux Kustomization "
	for _, tt := range []struct {
		name, manifest string
		reason         Reason
		want           string
	}{
		{"no manifest", "", PathMissing, "clusters/shop.yaml: is not in the repository at this commit; it is to be the manifest of the Flux Kustomization"},
		{"another one", strings.ReplaceAll(shopKustomization(""), "name: shop,", "name: other,"), PathMissing, "clusters/shop.yaml: holds no Flux Kustomization flux-system/shop, which is to deliver the source"},
		{"of another namespace", strings.ReplaceAll(shopKustomization(""), "flux-system", "play"), PathMissing, "clusters/shop.yaml: holds no Flux Kustomization flux-system/shop, which is to deliver the source"},
		{"twice", shopKustomization("") + "---\n" + shopKustomization(""), Ambiguous, "clusters/shop.yaml: holds the Flux Kustomization flux-system/shop more than once"},
		{"another path", strings.ReplaceAll(shopKustomization(""), "./shop", "./other"), Unsupported, holds + "with another path than the source's"},
		{"an unknown source", strings.ReplaceAll(shopKustomization(""), "GitRepository", "Tape"), Unsupported, holds + "that takes a source of a kind that is not known"},
		{"decryption", shopKustomization("  decryption: {provider: sops}\n"), Unsupported, holds + "with decryption: what it makes is in no commit; deliver encrypted Secrets by a Kustomization of their own, to a tier that does not ask for proofs, or by an operator"},
		{"ignore rules", shopKustomization("  ignore: [{paths: [/data]}]\n"), Unsupported, holds + "with ignore: the fields that it names are applied as they happen to be in the cluster; leave them out of the manifests, then they are nobody's to apply"},
		{"substituteFrom a Secret", shopKustomization("  postBuild: {substituteFrom: [{kind: Secret, name: a, optional: true}]}\n"), Unsupported, holds + "with postBuild.substituteFrom of a Secret: what stands in it is in no commit; take what is no secret from a ConfigMap, and have the rest read by who runs"},
		{"substituteFrom, and no file", shopKustomization("  postBuild: {substituteFrom: [{kind: ConfigMap, name: a}]}\n"), Unsupported, holds + "with postBuild.substituteFrom, and the source does not say which files hold these ConfigMaps; name them in via.flux.substituteFrom"},
		{"owner labels", shopKustomization("  commonMetadata: {labels: {kustomize.toolkit.fluxcd.io/name: other}}\n"), Unsupported, holds + "whose commonMetadata sets the labels that name its owner"},
		{"a field of tomorrow", shopKustomization("  rewrite: all\n"), Unsupported, holds + `that is not understood: unknown field "rewrite"`},
		{"a remote component", shopKustomization("  components: [\"https://example.com/x\"]\n"), Remote, "shop/kustomization.yaml: components[0] names something outside the repository; put a copy into it, so that it is reviewed"},
		{"a bad variable", shopKustomization("  postBuild: {substitute: {a-b: c}}\n"), Unsupported, "shop: is built with a variable whose name Flux does not take"},
		{"structure that breaks", shopKustomization("  postBuild: {substitute: {v: \"[\"}}\n"), Unbuildable, "shop: is no resource any more once its variables are substituted: quote them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := files("shop/kustomization.yaml", "resources: [a.yaml]\n", "shop/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: \"${v}\"}\n")
			if tt.manifest != "" {
				tree["clusters/shop.yaml"] = &fstest.MapFile{Data: []byte(tt.manifest)}
			}
			got := refusal(t, DefaultLimits(), tree, Source{
				Kind: tier.Kustomize, Path: "shop", Namespace: "shop",
				Flux: &Flux{Namespace: "flux-system", Name: "shop", File: "clusters/shop.yaml"},
			})
			if got.Reason != tt.reason || got.Error() != tt.want {
				t.Errorf("refused %s: %s\nwant %s: %s", got.Reason, got.Error(), tt.reason, tt.want)
			}
		})
	}
}

func TestFluxManifestOutsideOfTheTree(t *testing.T) {
	for _, file := range []string{"../shop.yaml", "/shop.yaml", "clusters/../shop.yaml", "./shop.yaml", "clusters//shop.yaml"} {
		got := refusal(t, DefaultLimits(), files("shop/kustomization.yaml", "resources: []\n", "shop.yaml", shopKustomization("")), Source{
			Kind: tier.Kustomize, Path: "shop", Namespace: "shop", Flux: &Flux{Namespace: "flux-system", Name: "shop", File: file},
		})
		if got.Reason != OutsideTree {
			t.Errorf("%s: refused %s: %v", file, got.Reason, got)
		}
	}
}

// A .sourceignore decides which manifests there are where no kustomization names them, and nothing
// where one does.
func TestFluxSourceIgnore(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
	for _, at := range []string{".sourceignore", "apps/.sourceignore", "apps/shop/.sourceignore", "apps/shop/sub/.sourceignore"} {
		tree := files("apps/shop/a.yaml", manifest, "apps/shop/sub/b.txt", "", at, "*.yaml\n")
		source := Source{Kind: tier.Plain, Path: "apps/shop", Namespace: "shop", Flux: &Flux{Namespace: "flux-system", Name: "shop"}}
		if got := refusal(t, DefaultLimits(), tree, source); got.Reason != Unsupported || got.File != at {
			t.Errorf("%s: refused %s: %v", at, got.Reason, got)
		}
		tree["apps/shop/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [a.yaml]\n")}
		source.Kind = tier.Kustomize
		if got := render(t, tree, source); len(got.Objects) != 1 {
			t.Errorf("%s: rendered %d objects", at, len(got.Objects))
		}
	}
}

// What the manifest says is read at the commit, so it is among what the render depended on.
func TestFluxManifestIsInTheClosure(t *testing.T) {
	tree := files("shop/kustomization.yaml", "resources: []\n", "clusters/shop.yaml", shopKustomization(""))
	got := render(t, tree, Source{Kind: tier.Kustomize, Path: "shop", Namespace: "shop", Flux: &Flux{Namespace: "flux-system", Name: "shop", File: "clusters/shop.yaml"}})
	if diff := cmp.Diff([]string{"clusters/shop.yaml", "shop/kustomization.yaml"}, got.Closure.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// FuzzFlux renders whatever stands in the manifest of a Kustomization: it never panics, and renders
// the same each time.
func FuzzFlux(f *testing.F) {
	for _, more := range []string{
		"", "  namePrefix: a\n", "  images: [{name: a, newTag: b}]\n", "  patches: [{patch: \"{}\"}]\n",
		"  postBuild: {substitute: {v: x}}\n", "  commonMetadata: {labels: {a: b}}\n", "  components: [.]\n",
	} {
		f.Add([]byte(shopKustomization(more)))
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		tree := fstest.MapFS{
			"shop/kustomization.yaml": {Data: []byte("resources: [a.yaml]\n")}, "clusters/shop.yaml": {Data: manifest},
			"shop/a.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: \"${v}\"}\n")},
		}
		source := Source{Kind: tier.Kustomize, Path: "shop", Namespace: "shop", Flux: &Flux{Namespace: "flux-system", Name: "shop", File: "clusters/shop.yaml"}}
		first, refused, err := New(DefaultLimits(), nil).Render(t.Context(), tree, source)
		if err != nil || refused != nil {
			return
		}
		again, _, err := New(DefaultLimits(), nil).Render(t.Context(), tree, source)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := yaml.Marshal(first.Objects)
		b, _ := yaml.Marshal(again.Objects)
		if diff := cmp.Diff(string(a), string(b)); diff != "" {
			t.Errorf("two renders differ:\n%s", diff)
		}
	})
}
