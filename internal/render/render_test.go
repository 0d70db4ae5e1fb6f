package render

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

var update = flag.Bool("update", false, "write what is rendered into testdata/cases")

// knows is a Scope of one custom kind.
type knows struct{}

func (knows) Namespaced(group, _, kind string) (namespaced, known bool) {
	return true, group == "known.example" && kind == "Known"
}

// testCase is one file of testdata/cases. Its first line holds renderer, path and namespace, for a chart
// also the release and files of values, and
// the file "want" what comes out.
type testCase struct {
	source  Source
	tree    fstest.MapFS
	archive *txtar.Archive
	want    *txtar.File
}

// sourceOf reads the first line of a case.
func sourceOf(words []string) Source {
	source := Source{Kind: tier.Render(words[0]), Path: words[1], Namespace: words[2]}
	if source.Kind == tier.Chart {
		source.Helm = Helm{Helm: tier.Helm{Release: words[3], ValuesFiles: words[4:]}, Marked: true}
	}
	return source
}

func readCase(t testing.TB, file string) testCase {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(archive.Comment), "\n")
	words := strings.Fields(first)
	if len(words) < 3 {
		t.Fatalf("%s: the first line must hold renderer, path and namespace, and of a chart the release and files of values", file)
	}
	c := testCase{
		source:  sourceOf(words),
		archive: archive, tree: fstest.MapFS{},
	}
	for i := range archive.Files {
		f := &archive.Files[i]
		switch f.Name {
		case "want":
			c.want = f
		default:
			c.tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	if c.want == nil {
		t.Fatalf("%s: no want", file)
	}
	return c
}

func cases(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return files
}

// render fails the test where the source does not render.
func render(t testing.TB, tree fs.FS, src Source) Result {
	t.Helper()
	result, refusal, err := New(DefaultLimits(), knows{}).Render(context.Background(), tree, src)
	if err != nil || refusal != nil {
		t.Fatalf("rendering: refused %v, error %v", refusal, err)
	}
	return result
}

func TestCases(t *testing.T) {
	for _, file := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			got := describe(t, render(t, c.tree, c.source))
			if *update {
				c.want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(c.want.Data), got); diff != "" {
				t.Errorf("rendered (-want +got):\n%s", diff)
			}
		})
	}
}

// describe is a result as text.
func describe(t testing.TB, result Result) string {
	t.Helper()
	var b strings.Builder
	for _, o := range result.Objects {
		fmt.Fprintf(&b, "# %s, %s, version %s", o.ID, o.Place, o.Version)
		if o.File != "" {
			fmt.Fprintf(&b, ", from %s", o.File)
		}
		text, err := yaml.Marshal(o.Content)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n%s", text)
	}
	fmt.Fprintf(&b, "# depends on %s\n", result.Closure.Prefix)
	for _, part := range []struct {
		name  string
		paths []string
	}{{"file", result.Closure.Files}, {"directory", result.Closure.Dirs}, {"missing", result.Closure.Missing}} {
		for _, p := range part.paths {
			fmt.Fprintf(&b, "#   %s %s\n", part.name, p)
		}
	}
	return b.String()
}

// TestSameInputSameBytes renders cases over and over, from four goroutines: one of each renderer a
// thousand times.
func TestSameInputSameBytes(t *testing.T) {
	renderer := New(DefaultLimits(), knows{})
	for _, file := range cases(t) {
		c, times := readCase(t, file), 10
		if name := filepath.Base(file); name == "plain_documents.txtar" || name == "kustomize_list_of_lists.txtar" {
			times = 1000
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range times / 4 {
					result, refusal, err := renderer.Render(context.Background(), c.tree, c.source)
					if err != nil || refusal != nil {
						t.Errorf("%s: refused %v, error %v", file, refusal, err)
						return
					}
					if got := describe(t, result); got != string(c.want.Data) {
						t.Errorf("%s: another result:\n%s", file, cmp.Diff(string(c.want.Data), got))
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestRuling21ClosureHoldsEverything changes a tree at every path, adds beside every path what could
// shadow it, and checks that wherever the render changes, the closure names the place.
func TestRuling21ClosureHoldsEverything(t *testing.T) {
	for _, file := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			before := outcome(t, c.tree, c.source)
			closure := render(t, c.tree, c.source).Closure
			changed := 0
			for _, mutant := range mutants(c.tree) {
				if after := outcome(t, mutant.tree, c.source); after == before {
					continue
				}
				changed++
				if !touches(closure, mutant.at) {
					t.Errorf("a change at %q changes the render, and the closure does not hold it", mutant.at)
				}
			}
			if changed == 0 {
				t.Error("no change of the tree changes the render")
			}
		})
	}
}

// mutant is a tree that was changed at one path.
type mutant struct {
	at   string
	tree fstest.MapFS
}

func mutants(tree fstest.MapFS) []mutant {
	var all []mutant
	with := func(at string, file *fstest.MapFile) {
		m := fstest.MapFS{}
		for name, f := range tree {
			if file == nil && name == at {
				continue
			}
			m[name] = f
		}
		if file != nil {
			m[at] = file
		}
		all = append(all, mutant{at, m})
	}
	extra := &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")}
	dirs := map[string]bool{".": true}
	for name, f := range tree {
		with(name, nil)
		with(name, &fstest.MapFile{Data: append(slices.Clone(f.Data), "\nx: y\n"...)})
		with(name, extra)
		with(name, &fstest.MapFile{Data: []byte("x"), Mode: fs.ModeSymlink})
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		for _, name := range []string{"extra.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization", "extra/extra.yaml"} {
			if at := path.Join(dir, name); tree[at] == nil {
				with(at, extra)
			}
		}
	}
	return all
}

// touches is how a change of a path touches a closure.
func touches(c change.Closure, at string) bool {
	for p := at; ; p = path.Dir(p) {
		if slices.Contains(c.Files, p) || slices.Contains(c.Missing, p) || slices.Contains(c.Dirs, path.Dir(p)) {
			return true
		}
		if p == "." {
			return false
		}
	}
}

// outcome is what a source comes to, refused or not.
func outcome(t *testing.T, tree fs.FS, src Source) string {
	t.Helper()
	result, refusal, err := New(DefaultLimits(), knows{}).Render(context.Background(), tree, src)
	if err != nil {
		t.Fatal(err)
	}
	if refusal != nil {
		return refusal.Error()
	}
	result.Closure = change.Closure{}
	return describe(t, result)
}

// TestResultIsTheCallers: changing a result changes no other one.
func TestResultIsTheCallers(t *testing.T) {
	c := readCase(t, "testdata/cases/plain_anchors.txtar")
	first := render(t, c.tree, c.source)
	meta := first.Objects[0].Content["metadata"].(map[string]any)
	meta["labels"].(map[string]any)["app"] = "changed"
	if got := meta["annotations"].(map[string]any)["app"]; got != "web" {
		t.Errorf("an alias shares its value: %v", got)
	}
	if got := describe(t, render(t, c.tree, c.source)); got != string(c.want.Data) {
		t.Errorf("the next render differs:\n%s", cmp.Diff(string(c.want.Data), got))
	}
}

func TestRuling23CRDs(t *testing.T) {
	c := readCase(t, "testdata/cases/plain_ruling23_crds.txtar")
	var names []string
	for _, o := range render(t, c.tree, c.source).CRDs() {
		names = append(names, o.ID.Name)
	}
	if diff := cmp.Diff([]string{"bindings.v1", "realms.example.com", "widgets.example.com"}, names); diff != "" {
		t.Errorf("definitions (-want +got):\n%s", diff)
	}
}

func TestErrorsAreNoRefusals(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, file := range []string{"testdata/cases/kustomize_overlay.txtar", "testdata/cases/plain_documents.txtar"} {
		c := readCase(t, file)
		for name, run := range map[string]struct {
			ctx  context.Context
			tree fs.FS
		}{
			"time ran out":    {ctx, c.tree},
			"unreadable tree": {context.Background(), broken{c.tree}},
		} {
			result, refusal, err := New(DefaultLimits(), nil).Render(run.ctx, run.tree, c.source)
			if err == nil || refusal != nil || !reflect.ValueOf(result.Objects).IsZero() {
				t.Errorf("%s, %s: objects %v, refused %v, error %v", file, name, result.Objects, refusal, err)
			}
		}
	}
}

// broken is a tree whose files cannot be read.
type broken struct{ fstest.MapFS }

func (b broken) Open(name string) (fs.File, error) {
	if path.Ext(name) != "" {
		return nil, fs.ErrPermission
	}
	return b.MapFS.Open(name)
}

// panicking is a tree that fails in the worst way.
type panicking struct{ fstest.MapFS }

func (panicking) Open(string) (fs.File, error) { panic("hunter2") }

// TestPanicsStayInside: a panic of the tree is an error, one of a library a refusal, and neither
// repeats what it says.
func TestPanicsStayInside(t *testing.T) {
	for _, src := range []Source{{Kind: tier.Plain, Path: ".", Namespace: "shop"}, {Kind: tier.Kustomize, Path: ".", Namespace: "shop"}} {
		tree := files("a.yaml", configMap)
		if src.Kind == tier.Kustomize {
			tree = files("kustomization.yaml", "resources: []")
		}
		_, refusal, err := New(DefaultLimits(), nil).Render(context.Background(), panicking{tree}, src)
		if err == nil || refusal != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: refused %v, error %v", src.Kind, refusal, err)
		}
	}
	library := func() (err error) {
		defer refusePanic("a.yaml", &err)
		panic("hunter2")
	}
	want := &Refusal{Reason: Unbuildable, File: "a.yaml", Detail: "holds something that the libraries of Kubernetes fail on"}
	if diff := cmp.Diff(error(want), library()); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
}
