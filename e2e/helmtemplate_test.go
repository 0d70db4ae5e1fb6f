package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestHelmTemplateAgrees holds the renderer against the real helm: the same objects with the same content.
func TestHelmTemplateAgrees(t *testing.T) {
	archive, err := txtar.ParseFile("../internal/render/testdata/cases/helm.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir, tree := t.TempDir(), fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
		at := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source := render.Source{
		Kind: tier.Chart, Path: "charts/shop", Namespace: "shop",
		Helm: render.Helm{Helm: tier.Helm{Release: "web", ValuesFiles: []string{"envs/prod.yaml", "envs/eu.yaml"}}},
	}
	result, refusal, err := render.New(render.DefaultLimits(), nil).Render(context.Background(), tree, source)
	if err != nil || refusal != nil {
		t.Fatal(refusal, err)
	}
	got := map[string]map[string]any{}
	for _, o := range result.Objects {
		got[o.ID.Kind+" "+o.ID.Name] = o.Content
	}
	want := template(t, dir, "web", "charts/shop", "--namespace", "shop", "--include-crds", "-f", "envs/prod.yaml", "-f", "envs/eu.yaml")
	for name, object := range want {
		// helm leaves out a namespace that it fills in at the apply.
		if meta, isMap := object["metadata"].(map[string]any); isMap && meta["namespace"] == nil && !strings.HasPrefix(name, "CustomResourceDefinition ") {
			meta["namespace"] = "shop"
		}
	}
	numbers, err := json.Marshal(got) // helm's text has no other kind of number than JSON's
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := json.Unmarshal(numbers, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-helm +fairway):\n%s", diff)
	}
	if len(want) < 6 {
		t.Errorf("helm renders only %d objects", len(want))
	}
}

// template are the objects that `helm template` prints.
func template(t *testing.T, dir string, args ...string) map[string]map[string]any {
	t.Helper()
	program, err := controlplane.Built(t.Context(), "helm")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"template"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, problems.String())
	}
	objects := map[string]map[string]any{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096)
	for {
		var object map[string]any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		if meta, isMap := object["metadata"].(map[string]any); isMap {
			kind, _ := object["kind"].(string)
			name, _ := meta["name"].(string)
			objects[kind+" "+name] = object
		}
	}
}
