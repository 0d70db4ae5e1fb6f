package render

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestAsKustomizeBuilds compares each case with kustomize itself, on a disk and without a guard.
func TestAsKustomizeBuilds(t *testing.T) {
	compared := 0
	for _, file := range cases(t) {
		c := readCase(t, file)
		if c.source.Kind != tier.Kustomize {
			continue
		}
		compared++
		dir := t.TempDir()
		if err := os.CopyFS(dir, c.tree); err != nil {
			t.Fatal(err)
		}
		options := krusty.MakeDefaultOptions()
		options.LoadRestrictions = types.LoadRestrictionsNone
		built, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, c.source.Path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		want, err := asKubectl(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		for _, o := range render(t, c.tree, c.source).Objects {
			got = append(got, o.Content)
		}
		for _, o := range append(append([]map[string]any{}, want...), got...) {
			delete(o["metadata"].(map[string]any), "namespace") // Render fills it in
		}
		if diff := cmp.Diff(byName(want), byName(got)); diff != "" {
			t.Errorf("%s (-kustomize +render):\n%s", file, diff)
		}
	}
	if compared < 3 {
		t.Errorf("%d cases compared", compared)
	}
}

// TestNothingStaysBehind: kustomize keeps state for the whole process. Whatever was rendered or
// refused before, a render comes out the same.
func TestNothingStaysBehind(t *testing.T) {
	renderer := New(DefaultLimits(), nil)
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, image: b}, {name: c, image: d}]}}}\n"
	tree := files("ok/kustomization.yaml", "resources: [a.yaml]\npatches: [{path: p.yaml}]", "ok/a.yaml", deployment,
		"ok/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: e}]}}}\n",
		"schema/kustomization.yaml", "resources: [../ok/a.yaml]\nopenapi: {path: s.json}",
		"schema/s.json", `{"definitions": {"v1.Deployment": {"x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]}}}`,
		"version/kustomization.yaml", "resources: [../ok/a.yaml]\nopenapi: {version: v1.0.0}",
		"crds/kustomization.yaml", "resources: [../ok/a.yaml]\ncrds: [s.json]", "crds/s.json", `{"a": {"Schema": {"properties": {"b": {"$ref": "a"}}}}}`,
		"broken/kustomization.yaml", "resources: [../ok/a.yaml]\npatches: [{patch: '- op: bad'}]")
	var first string
	for _, path := range []string{"ok", "schema", "ok", "version", "ok", "crds", "ok", "broken", "ok"} {
		result, refusal, err := renderer.Render(context.Background(), tree, Source{Kind: tier.Kustomize, Path: path, Namespace: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if (refusal == nil) != (path == "ok") {
			t.Fatalf("%s: refused %v", path, refusal)
		}
		if path != "ok" {
			continue
		}
		if got := describe(t, result); first == "" {
			first = got
		} else if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("another result (-first +now):\n%s", diff)
		}
	}
}

// stuck is a tree whose files cannot be opened until it is let go.
type stuck struct {
	fstest.MapFS
	asked, letGo chan struct{}
}

func (s stuck) Open(name string) (fs.File, error) {
	if filepath.Ext(name) == ".yaml" {
		s.asked <- struct{}{}
		<-s.letGo
	}
	return s.MapFS.Open(name)
}

// TestTimeRunsOut: a render that does not come back holds up its caller until its time runs out,
// the ones behind it until theirs does, and nobody once it has ended.
func TestTimeRunsOut(t *testing.T) {
	limits := DefaultLimits()
	limits.Time = 20 * time.Millisecond
	renderer := New(limits, nil)
	tree := files("kustomization.yaml", "namePrefix: a-\nresources: [a.yml]", "a.yml", configMap)
	slow := stuck{tree, make(chan struct{}, 8), make(chan struct{})}
	source := Source{Kind: tier.Kustomize, Path: ".", Namespace: "shop"}
	if _, refusal, err := renderer.Render(context.Background(), slow, source); !errors.Is(err, context.DeadlineExceeded) || refusal != nil {
		t.Errorf("stuck: refused %v, error %v", refusal, err)
	}
	<-slow.asked
	if _, refusal, err := renderer.Render(context.Background(), tree, source); !errors.Is(err, context.DeadlineExceeded) || refusal != nil {
		t.Errorf("behind it: refused %v, error %v", refusal, err)
	}
	close(slow.letGo)
	renderer.turn <- struct{}{} // waits until the stuck one has ended
	<-renderer.turn
	renderer.limits.Time = time.Minute
	if _, refusal, err := renderer.Render(context.Background(), tree, source); err != nil || refusal != nil {
		t.Errorf("after it: refused %v, error %v", refusal, err)
	}
}
