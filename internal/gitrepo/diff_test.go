package gitrepo

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDiffAgainstGit compares any two commits of random histories as git diff-tree does.
func TestDiffAgainstGit(t *testing.T) {
	f := newForge(t)
	ids := f.dag(rand.New(rand.NewPCG(3, 3)), 16)
	// What git sorts in a way of its own: a file, a directory of its name, and names around both.
	odd := files{"a.b": "1", "a/x": "1", "a0": "1", "b": "1", "c/d/e": "1", "new\nline": "1", "sp ace": "1", "é": "1"}
	ids = append(ids, f.commit("odd", odd), f.commit("odd", odd.without("a/x", "b", "c/d/e").with(
		"a", "2", "b/c", "1", "c/d", "1", "b.c", "1", "l@", "link:x", "m@", "module:"+ids[0], "r@", "exec:1")))
	f.set("refs/heads/main", ids[0])
	r := f.clone()
	d := r.newDiffer(ctx(t), sha1Hex)
	var pairs [][2]string
	for i := 1; i < len(ids); i++ { // the others are read one by one
		pairs = append(pairs, [2]string{f.git("rev-parse", ids[i-1]+"^{tree}"), f.git("rev-parse", ids[i]+"^{tree}")})
	}
	d.readAhead(pairs)
	for _, a := range ids {
		for _, b := range ids {
			var want []string
			out := strings.Split(f.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", a, b), "\x00")
			for pair := range slices.Chunk(out[:len(out)-1], 2) {
				m := strings.Fields(strings.TrimPrefix(pair[0], ":"))
				want = append(want, strings.Join(append(m[:4], pair[1]), " "))
			}
			found, err := d.compare(f.git("rev-parse", a+"^{tree}"), f.git("rev-parse", b+"^{tree}"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range found {
				if !x.isDir() {
					got = append(got, strings.Join([]string{x.oldMode, x.newMode, x.oldID, x.newID, x.path}, " "))
				}
			}
			if diff := cmp.Diff(want, got, equateEmpty()); diff != "" {
				t.Fatalf("%s..%s (-git +got):\n%s", a, b, diff)
			}
		}
	}
}

// A tree whose bytes differ without any difference in what it holds costs no more than one that does.
func TestT33DifferWalksBoundedFar(t *testing.T) {
	f := newForge(t)
	blob := f.gitIn("x", "hash-object", "-w", "--stdin")
	levels := func(mode string) string {
		id, kind := f.gitIn(mode+" blob "+blob+"\tf\n", "mktree"), "040000 tree"
		for range 9 {
			var in strings.Builder
			for i := range 10 {
				in.WriteString(kind + " " + id + "\td" + string(rune('0'+i)) + "\n")
			}
			id = f.gitIn(in.String(), "mktree")
		}
		return id
	}
	a, b := levels("100644"), levels("100664")
	if a == b {
		t.Fatal("git no longer keeps the old mode: the test proves nothing")
	}
	f.set("refs/heads/main", f.commit("0", ground))
	if _, err := f.clone().newDiffer(ctx(t), sha1Hex).compare(a, b); !errors.Is(err, errTooMany) {
		t.Errorf("error %v, want errTooMany", err)
	}
	deep := f.gitIn("100644 blob "+blob+"\tf\n", "mktree")
	for range 200 {
		deep = f.gitIn("040000 tree "+deep+"\td\n", "mktree")
	}
	if _, err := f.clone().newDiffer(ctx(t), sha1Hex).compare(deep, f.gitIn("", "mktree")); !errors.Is(err, errTooMany) {
		t.Errorf("200 levels: error %v, want errTooMany", err)
	}
}
