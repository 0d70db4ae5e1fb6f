package gitrepo

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFetchHeads: what reviewers saw is read by its id, moves no ref, and what one of them lacks is not
// in the way of the others.
func TestFetchHeads(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.commit("1", ground.with("a", "1"), c0)
	c2 := f.commit("2", ground.with("b", noise(3<<20)), c0)
	f.set("refs/heads/main", c0)
	f.set("refs/pull/1/head", c1)
	f.set("refs/pull/2/head", c2)
	m := f.open(Options{Branches: []string{"main"}, Limits: Limits{FetchBytes: 1 << 20}})
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	before, err := m.Refs(ctx(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Object(ctx(t), c1); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a head that was not fetched: %v", err)
	}
	if missing, err := m.FetchHeads(ctx(t), []string{"refs/pull/2/head"}); err != nil || len(missing) != 1 {
		t.Errorf("one over the limit: missing %v, %v", missing, err)
	}
	missing, err := m.FetchHeads(ctx(t), []string{"refs/pull/1/head", "refs/pull/3/head", "--upload-pack=touch", "refs/heads/*", "a:b"})
	if diff := cmp.Diff([]string{"--upload-pack=touch", "refs/heads/*", "a:b", "refs/pull/3/head"}, missing); diff != "" || err != nil {
		t.Errorf("missing (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := m.Object(ctx(t), c1); err != nil {
		t.Errorf("a head that was fetched: %v", err)
	}
	if _, err := m.RawDiffID(ctx(t), c0, c1); err != nil {
		t.Errorf("comparing it: %v", err)
	}
	after, err := m.Refs(ctx(t), "")
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("refs (-before +after), error %v:\n%s", err, diff)
	}
	if missing, err := m.FetchHeads(ctx(t), make([]string, HeadsLimit+1)); err == nil || len(missing) != HeadsLimit+1 {
		t.Errorf("more than are taken: %v", err)
	}
	if moved, err := m.Fetch(ctx(t)); err != nil || len(moved) != 0 {
		t.Errorf("Fetch after it = %v, %v", moved, err)
	}
}

// TestFetchHeadsWithoutARemote: that the remote is away is no head's fault.
func TestFetchHeadsWithoutARemote(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("0", ground))
	m := f.open(Options{Branches: []string{"main"}})
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	f.git("config", "uploadpack.hideRefs", "refs/pull")
	f.set("refs/pull/1/head", f.commit("1", ground))
	missing, err := m.FetchHeads(ctx(t), []string{"refs/pull/1/head"})
	if diff := cmp.Diff([]string{"refs/pull/1/head"}, missing); diff != "" || err != nil {
		t.Errorf("a hidden head (-want +got), error %v:\n%s", err, diff)
	}
	if err := os.Rename(f.dir, f.dir+".away"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Rename(f.dir+".away", f.dir) })
	if missing, err := m.FetchHeads(ctx(t), []string{"refs/pull/1/head"}); err == nil {
		t.Errorf("the remote is away, and %v is called missing", missing)
	}
}
