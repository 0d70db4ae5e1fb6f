package gitrepo

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// dag makes a random history: branches, merges, octopus merges, renames, reverts and empty commits.
func (f *forge) dag(random *rand.Rand, n int) []string {
	f.t.Helper()
	contents := []files{ground}
	ids := []string{f.commit("root", ground)}
	for i := 1; i < n; i++ {
		from := max(0, len(ids)-1-random.IntN(4))
		next := contents[from].with()
		parents := []string{ids[from]}
		switch random.IntN(8) {
		case 0: // revert to some older content
			next = contents[random.IntN(from+1)].with()
		case 1: // rename
			if text, ok := next["apps/web.yaml"]; ok {
				next = next.without("apps/web.yaml").with("apps/shop.yaml", text)
			} else {
				next = next.with("apps/web.yaml", next["apps/shop.yaml"]).without("apps/shop.yaml")
			}
		case 2, 3: // merge one or two others, with content of its own
			for range 1 + random.IntN(2) {
				if other := ids[random.IntN(len(ids))]; !slices.Contains(parents, other) {
					parents = append(parents, other)
				}
			}
			next["docs/merged"] = fmt.Sprint(i)
		case 4: // empty
		case 5:
			next["docs/readme"] = fmt.Sprint(i)
		default:
			next[fmt.Sprintf("apps/f%d.yaml", random.IntN(3))] = fmt.Sprint(random.IntN(4))
		}
		contents = append(contents, next)
		ids = append(ids, f.commit(fmt.Sprintf("c%d", i), next, parents...))
	}
	return ids
}

// TestHistoryAgainstGit asks every question of random histories and compares with plain git, which
// is asked without commit graph.
func TestHistoryAgainstGit(t *testing.T) {
	for seed := range uint64(3) {
		f := newForge(t)
		ids := f.dag(rand.New(rand.NewPCG(seed, 7)), 30)
		head := ids[len(ids)-1]
		m := f.mirrorOf(head, ids...)
		line := strings.Fields(f.git("rev-list", "--first-parent", "--reverse", head))
		for i, id := range line {
			height, on, err := m.Place(ctx(t), "main", id)
			if err != nil || !on || height != int64(i+1) {
				t.Errorf("seed %d: Place(%s) = %d, %t, %v; git says %d", seed, id, height, on, err, i+1)
			}
			chain, err := m.Chain(ctx(t), id, head)
			if diff := cmp.Diff(line[i+1:], chain, equateEmpty()); diff != "" || err != nil {
				t.Errorf("seed %d: Chain (-git +got), error %v:\n%s", seed, err, diff)
			}
		}
		for _, id := range ids {
			on, err := m.OnFirstParent(ctx(t), "main", id)
			if err != nil || on != slices.Contains(line, id) {
				t.Errorf("seed %d: OnFirstParent(%s) = %t, %v", seed, id, on, err)
			}
			if _, err := m.Chain(ctx(t), id, head); errors.Is(err, ErrNotOnChain) == slices.Contains(line, id) {
				t.Errorf("seed %d: Chain(%s): %v", seed, id, err)
			}
			bases := strings.Fields(f.try("merge-base", "--all", id, ids[len(ids)/2]))
			base, err := m.MergeBase(ctx(t), id, ids[len(ids)/2])
			if len(bases) == 1 && (err != nil || base != bases[0]) || len(bases) != 1 && !errors.Is(err, ErrNoMergeBase) {
				t.Errorf("seed %d: MergeBase(%s) = %s, %v; git says %v", seed, id, base, err, bases)
			}
			unit, err := m.Unit(ctx(t), ids[0], id)
			want := strings.Fields(f.git("rev-list", "--topo-order", "--reverse", ids[0]+".."+id))
			if diff := cmp.Diff(want, unit, equateEmpty()); diff != "" || err != nil {
				t.Errorf("seed %d: Unit (-git +got), error %v:\n%s", seed, err, diff)
			}
		}
		steps, err := m.Cover(ctx(t), CoverRequest{Base: line[0], Head: head, Closure: change.Closure{Prefix: "apps"}})
		if err != nil {
			t.Fatal(err)
		}
		var touching []string
		for _, s := range steps {
			if s.Touches == change.Present {
				touching = append(touching, s.Commits[0].ID)
			}
		}
		want := strings.Fields(f.git("log", "--first-parent", "-m", "--reverse", "--full-history", "--format=%H", line[0]+".."+head, "--", "apps"))
		if diff := cmp.Diff(want, touching, equateEmpty()); diff != "" {
			t.Errorf("seed %d: commits that touch apps (-git log +got):\n%s", seed, diff)
		}
	}
}

// try is git, whatever its exit code.
func (f *forge) try(args ...string) string {
	out, _ := f.command(args...).Output() // no merge base is exit code 1
	return string(out)
}

// TestUndoneLeavesNothing: on random histories without landings, the steps that are not undone have
// the same effect as all of them: putting only their diffs together gives the final state.
func TestUndoneLeavesNothing(t *testing.T) {
	for seed := range uint64(4) {
		f := newForge(t)
		random := rand.New(rand.NewPCG(seed, 9))
		now := files{"apps/a": "0", "apps/b": "0", "docs/x": "0"}
		contents := []files{now}
		ids := []string{f.commit("0", now)}
		for i := 1; i < 12; i++ {
			now = now.with([]string{"apps/a", "apps/b", "docs/x"}[random.IntN(3)], fmt.Sprint(random.IntN(2)))
			contents = append(contents, now)
			ids = append(ids, f.commit(fmt.Sprint(i), now, ids[i-1]))
		}
		m := f.mirrorOf(ids[len(ids)-1])
		steps, err := m.Cover(ctx(t), CoverRequest{Base: ids[0], Head: ids[len(ids)-1], Closure: change.Closure{Prefix: "apps"}})
		if err != nil {
			t.Fatal(err)
		}
		state := map[string]string{"apps/a": "0", "apps/b": "0"}
		for i, s := range steps {
			if s.Undone == change.Present {
				continue
			}
			for path := range state {
				if contents[i][path] != contents[i+1][path] {
					if state[path] != contents[i][path] {
						t.Errorf("seed %d: step %d changes %s from %s, but what is left before it is %s", seed, i+1, path, contents[i][path], state[path])
					}
					state[path] = contents[i+1][path]
				}
			}
		}
		for path := range state {
			if state[path] != now[path] {
				t.Errorf("seed %d: %s is %s without the undone steps, and %s with all", seed, path, state[path], now[path])
			}
		}
	}
}

func TestMergeTree(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	a := f.commit("a", ground.with("apps/web.yaml", "a\n"), c0)
	b := f.commit("b", ground.with("apps/db.yaml", "b\n"), c0)
	x := f.commit("x", ground.with("apps/web.yaml", "x\n"), c0)
	m := f.mirrorOf(a, b, x)
	objects := func() string { return f.gitIn("", "--git-dir", m.git.dir, "count-objects") }
	before := objects()
	tree, clean, err := m.MergeTree(ctx(t), a, b)
	if want := f.git("merge-tree", "--write-tree", a, b); err != nil || !clean || tree != want {
		t.Errorf("MergeTree = %s, %t, %v; git says %s", tree, clean, err, want)
	}
	if tree, clean, err := m.MergeTree(ctx(t), a, x); err != nil || clean || tree != "" {
		t.Errorf("conflict: MergeTree = %s, %t, %v", tree, clean, err)
	}
	if after := objects(); after != before {
		t.Errorf("merging wrote to the mirror: %s before, %s after", before, after)
	}
	if _, _, err := m.MergeTree(ctx(t), a, strings.Repeat("1", 40)); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing commit: error %v, want ErrNotFound", err)
	}
}

func TestRawDiffID(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	pod := func(indent string) files {
		return ground.with("apps/pod.yaml", "spec:\n  containers:\n"+indent+"hostNetwork: true\n")
	}
	ids := map[string]string{}
	heads := map[string]string{
		"a":                  f.commit("a", pod("    "), c0),
		"a, in other words":  f.commit("other message", pod("    "), f.commit("first", ground.with("docs/x", "1"), c0)),
		"reindented":         f.commit("b", pod("  "), c0),
		"executable":         f.commit("c", pod("    ").without("apps/pod.yaml").with("apps/pod.yaml@", "exec:"+pod("    ")["apps/pod.yaml"]), c0),
		"elsewhere":          f.commit("d", ground.with("apps/pod2.yaml", pod("    ")["apps/pod.yaml"]), c0),
		"and something else": f.commit("e", pod("    ").with("docs/x", "1"), c0),
		"nothing":            f.commit("f", ground, c0),
	}
	m := f.mirrorOf(c0, slices.Sorted(maps.Values(heads))...)
	for name, head := range heads {
		id, err := m.RawDiffID(ctx(t), c0, head)
		if err != nil || len(id) != 64 {
			t.Fatalf("%s: %q, %v", name, id, err)
		}
		ids[name] = id
	}
	// The second goes over another file and back: its diff from c0 has two files.
	if ids["a"] == ids["a, in other words"] {
		ids["a, in other words"] = "" // the intermediate file is gone again: same content, same identity
	} else {
		t.Errorf("same trees, two identities: %s and %s", ids["a"], ids["a, in other words"])
	}
	seen := map[string]string{}
	for name, id := range ids {
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s have one identity", name, other)
		}
		seen[id] = name
	}
}

// TestRawDiffIDIsWhatIsWritten pins the bytes, since others compute the same.
func TestRawDiffIDIsWhatIsWritten(t *testing.T) {
	zero := strings.Repeat("0", 40)
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	got := rawDiffID([]alteration{
		{path: "b", oldMode: "100644", newMode: "100755", oldID: one, newID: two},
		{path: "dir", oldMode: treeMode, newMode: treeMode, oldID: one, newID: two},
		{path: "a", oldMode: noMode, newMode: "100644", oldID: zero, newID: one},
	})
	// SHA-256 of a NUL 000000 0… 100644 1… LF b NUL 100644 1… 100755 2… LF, with single spaces.
	const want = "9ab2db478d3fc854e2aac5a9f3aa0eb296a106c1b426ef99d4f0312f30e88721"
	if got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
}

func TestTipAndRefs(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set(ApprovalRefs+"alice", c0)
	m := f.mirrorOf(c0)
	if tip, err := m.Tip(ctx(t), "main"); err != nil || tip != c0 {
		t.Errorf("Tip = %s, %v", tip, err)
	}
	for _, name := range []string{"nope", "", "mai", "main/x", "--all", "../main", "ma*", "main^", "main~1", "@{-1}", "main.lock", "a\nb"} {
		if tip, err := m.Tip(ctx(t), name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Tip(%q) = %s, %v, want ErrNotFound", name, tip, err)
		}
	}
	refs, err := m.Refs(ctx(t), ApprovalRefs)
	if diff := cmp.Diff([]Ref{{ApprovalRefs + "alice", c0}}, refs); diff != "" || err != nil {
		t.Errorf("Refs (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := m.Object(ctx(t), f.git("rev-parse", c0+"^{tree}")); !errors.Is(err, ErrMalformed) {
		t.Errorf("tree as commit: error %v, want ErrMalformed", err)
	}
}

func TestResolve(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	r := f.clone()
	for _, name := range []string{"HEAD", "main", "refs/heads/main", c0, c0[:10]} {
		if id, err := r.Resolve(ctx(t), name); err != nil || id != c0 {
			t.Errorf("Resolve(%q) = %s, %v", name, id, err)
		}
	}
	for _, name := range []string{"", "nope", "-h", "--all", c0[:39] + "x"} {
		if id, err := r.Resolve(ctx(t), name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Resolve(%q) = %s, %v, want ErrNotFound", name, id, err)
		}
	}
}

func TestShallowCloneIsRefused(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("1", ground.with("a", "b"), f.commit("0", ground)))
	dir := t.TempDir()
	f.git("clone", "-q", "--depth=1", f.url(), dir)
	if _, err := OpenClone(ctx(t), dir, Limits{}); err == nil || !strings.Contains(err.Error(), "shallow") {
		t.Errorf("error %v, want a refusal of the shallow clone", err)
	}
}

// TestChainedAgainstGit asks of each commit whether it is on the chain of each other one, in any order, so
// that most answers rest on what was remembered of another tip.
func TestChainedAgainstGit(t *testing.T) {
	for seed := range uint64(3) {
		f := newForge(t)
		random := rand.New(rand.NewPCG(seed, 11))
		ids := f.dag(random, 30)
		m := f.mirrorOf(ids[len(ids)-1], ids...)
		lines := map[string][]string{}
		var asked [][2]string
		for _, tip := range ids {
			lines[tip] = strings.Fields(f.git("rev-list", "--first-parent", tip))
			for _, id := range ids {
				asked = append(asked, [2]string{tip, id})
			}
		}
		random.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
		for _, a := range asked {
			on, err := m.chained(ctx(t), a[0], a[1])
			if err != nil || on != slices.Contains(lines[a[0]], a[1]) {
				t.Errorf("seed %d: %s on the chain of %s: %t, %v", seed, a[1], a[0], on, err)
			}
		}
		if on, err := m.chained(ctx(t), ids[0], strings.Repeat("12", 20)); on || err != nil {
			t.Errorf("seed %d: a commit that is not here: %t, %v", seed, on, err)
		}
	}
}

// TestChainedFarBack: the next tip of a long chain asks git nothing.
func TestChainedFarBack(t *testing.T) {
	f := newForge(t)
	ids := []string{f.commit("0", ground)}
	tree := f.git("rev-parse", ids[0]+"^{tree}")
	for i := range mostWalked + 3 {
		ids = append(ids, f.commitTree(tree, "x", ids[i]))
	}
	last := len(ids) - 1
	stray := f.commitTree(tree, "stray", ids[0])
	m := f.mirrorOf(ids[last], stray)
	for _, c := range []struct {
		commit string
		on     bool
	}{{ids[0], true}, {stray, false}} {
		if on, err := m.chained(ctx(t), ids[last-1], c.commit); err != nil || on != c.on {
			t.Errorf("%s: %t, %v", c.commit, on, err)
		}
		if on, known := m.chainedSoon(ctx(t), ids[last], c.commit); on != c.on || !known {
			t.Errorf("%s from the next tip: %t, known %t", c.commit, on, known)
		}
	}
}
