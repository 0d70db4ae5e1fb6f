package gitrepo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is read ahead comes in few goes, and none is left for the comparisons.
func TestReadAheadLeavesNothingToAsk(t *testing.T) {
	f := newForge(t)
	ids := []string{f.commit("0", ground)}
	for i := range 20 {
		ids = append(ids, f.commit("x", ground.with(fmt.Sprintf("apps/a%d/b/c.yaml", i), "x"), ids[i]))
	}
	r := f.mirrorOf(ids[20]).Repo
	chain, err := r.Chain(ctx(t), ids[0], ids[20])
	if err != nil {
		t.Fatal(err)
	}
	c := &coverage{repo: r, differ: r.newDiffer(ctx(t), sha1Hex), ids: append([]string{ids[0]}, chain...)}
	if err := c.readCommits(ctx(t)); err != nil {
		t.Fatal(err)
	}
	c.readAhead(1, len(c.ids))
	r.cat.close() // whoever asks from here on is refused
	for i := 1; i < len(c.ids); i++ {
		if found, err := c.compare(i); err != nil || len(found) == 0 {
			t.Errorf("step %d: %v, %v", i, found, err)
		}
	}
	for _, id := range chain {
		if _, err := r.Object(ctx(t), id); err != nil {
			t.Error(err)
		}
	}
}

// What cannot be read is told to whoever needs it as if nothing had been read ahead, and nobody else
// suffers.
func TestReadAheadIsAHint(t *testing.T) {
	f := newForge(t)
	blob := f.gitIn("x", "hash-object", "-w", "--stdin")
	tree := func(entries ...string) string { // "mode name" and an id in hex, by turns
		var raw []byte
		for e := range slices.Chunk(entries, 2) {
			id, err := hex.DecodeString(e[1])
			if err != nil {
				t.Fatal(err)
			}
			raw = append(append(append(raw, e[0]...), 0), id...)
		}
		return f.gitIn(string(raw), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	}
	good, other, gone := tree("100644 f", blob), tree("100644 g", blob), strings.Repeat("12", 20)
	large, unsorted := tree("100644 "+strings.Repeat("x", mostTree), blob), tree("100644 b", blob, "100644 a", blob)
	within := func(id string) string { return tree("40000 d", id, "40000 z", good) }
	var pairs [][2]string
	for _, bad := range []string{gone, large, unsorted, blob} {
		pairs = append(pairs, [2]string{good, bad}, [2]string{within(good), within(bad)}, [2]string{bad, other}, [2]string{good, other})
	}
	pairs = append(pairs, [2]string{"", good}, [2]string{good, ""})
	f.set("refs/heads/main", f.commit("0", ground))
	r := f.clone()
	compare := func(d *differ) (told []string) {
		for _, p := range pairs {
			found, err := d.compare(p[0], p[1])
			told = append(told, fmt.Sprint(found, err))
		}
		return told
	}
	d := r.newDiffer(ctx(t), sha1Hex)
	d.readAhead(pairs)
	got := compare(d)
	if diff := cmp.Diff(compare(r.newDiffer(ctx(t), sha1Hex)), got); diff != "" {
		t.Errorf("(-by itself +read ahead):\n%s", diff)
	}
	for i := range 4 {
		if alone := got[4*i+3]; !strings.HasSuffix(alone, "<nil>") {
			t.Errorf("two good trees: %s", alone)
		}
	}
}

// A commit that ends a chain, or that cannot be read, ends what is read ahead and nothing else.
func TestReadAheadAtTheEndOfAChain(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	bad := f.raw("tree " + f.git("rev-parse", c0+"^{tree}") + "\nparent " + c0 + "\nparent  \n\nx\n")
	c2 := f.commitTree(f.git("rev-parse", c0+"^{tree}"), "2", bad)
	c3 := f.commitTree(f.git("rev-parse", c0+"^{tree}"), "3", c2)
	f.set("refs/heads/main", c0)
	r := f.clone()
	r.chainAhead(ctx(t), c3, mostBack)
	if _, err := r.Object(ctx(t), bad); !errors.Is(err, ErrMalformed) {
		t.Errorf("malformed commit: %v", err)
	}
	for _, id := range []string{c0, c2, c3} {
		if o, err := r.Object(ctx(t), id); err != nil || o.ID != id {
			t.Errorf("commit %s: %v", id, err)
		}
	}
}

// Bytes that are not those of their id are believed no more when they are read ahead.
func TestReadAheadChecksWhatItReads(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.commit("1", ground.with("apps/web.yaml", "evil\n"), c0)
	c2 := f.commit("2", ground.with("apps/web.yaml", "good\n"), c1)
	t.Run("commit", func(t *testing.T) {
		m := f.mirrorOf(c2)
		poison(t, m, c2, "commit", f.git("cat-file", "commit", c1)+"\n")
		m.chainAhead(ctx(t), c2, 3)
		if _, ok := recall(m.known, m.known.objects, c2); ok {
			t.Error("another commit was believed under this id")
		}
	})
	t.Run("tree", func(t *testing.T) {
		m := f.mirrorOf(c2)
		evil, good := f.git("rev-parse", c1+":docs"), f.git("rev-parse", c2+":apps")
		poison(t, m, good, "tree", f.git("cat-file", "tree", evil))
		d := m.newDiffer(ctx(t), sha1Hex)
		d.readAhead([][2]string{{good, evil}})
		if _, ok := d.trees[good]; ok {
			t.Error("another tree was believed under this id")
		}
		if _, ok := d.trees[evil]; !ok {
			t.Error("the right tree was not read: the test proves nothing")
		}
	})
}
