package render

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestDocs renders the examples of docs/sources.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```txtar\n")[1:]
	if len(blocks) < 4 {
		t.Errorf("%d examples", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		archive := txtar.Parse([]byte(block))
		words := strings.Fields(string(archive.Comment))
		if len(words) < 3 {
			t.Fatalf("the first line of an example holds renderer, path and namespace, of a chart also the release: %q", archive.Comment)
		}
		tree, want := fstest.MapFS{}, ""
		for _, f := range archive.Files {
			switch f.Name {
			case "objects", "refused":
				want = string(f.Data)
			default:
				tree[f.Name] = &fstest.MapFile{Data: f.Data}
			}
		}
		source := sourceOf(words)
		result, refusal, err := New(DefaultLimits(), nil).Render(context.Background(), tree, source)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, o := range result.Objects {
			got += o.ID.String() + "\n"
		}
		if refusal != nil {
			got = refusal.Error() + "\n"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-docs +rendered):\n%s", archive.Comment, diff)
		}
	}
}
