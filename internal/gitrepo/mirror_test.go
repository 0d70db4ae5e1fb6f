package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

func TestFetchSaysWhatMoved(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.commit("1", ground.with("a", "1"), c0)
	c2 := f.commit("2", ground.with("a", "2"), c0)
	alice := ApprovalRefs + "alice"
	m := f.open(Options{Branches: []string{"main", "release"}})
	fetch := func(name string, want ...Moved) {
		t.Helper()
		moved, err := m.Fetch(ctx(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, moved); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	fetch("nothing there")
	f.set("refs/heads/main", c0)
	f.set("refs/heads/other", c1)
	f.set("refs/tags/v1", c1)
	f.set("refs/fairway/other", c1)
	f.set(alice, c1)
	fetch("first", Moved{alice, "", c1, false}, Moved{"refs/heads/main", "", c0, false})
	fetch("nothing new")
	f.set("refs/heads/main", c1)
	f.set("refs/heads/release", c0)
	fetch("forward", Moved{"refs/heads/main", c0, c1, false}, Moved{"refs/heads/release", "", c0, false})
	f.set("refs/heads/main", c2)
	f.set(alice, c0)
	fetch("rewound", Moved{alice, c1, c0, true}, Moved{"refs/heads/main", c1, c2, true})
	f.git("update-ref", "-d", "refs/heads/release")
	f.git("update-ref", "-d", alice)
	fetch("gone", Moved{alice, c0, "", true}, Moved{"refs/heads/release", c0, "", true})
	if _, err := m.Tip(ctx(t), "release"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Tip of a branch that is gone: %v", err)
	}
	if _, err := m.Object(ctx(t), c1); err != nil {
		t.Errorf("commit of a rewound ref: %v", err)
	}
	// Merged the wrong way round: main is an ancestor, but its chain was rewritten.
	f.set("refs/heads/main", f.commit("3", ground, c1, c2))
	tip := f.git("rev-parse", "main")
	fetch("other first parent", Moved{"refs/heads/main", c2, tip, true})
	refs, err := m.Refs(ctx(t), "")
	if diff := cmp.Diff([]Ref{{"refs/heads/main", tip}}, refs); diff != "" || err != nil {
		t.Errorf("refs of the mirror (-want +got), error %v:\n%s", err, diff)
	}
}

// TestAMirrorThatWasNotFinishedIsMadeAnew: a disk that was full, or a process that was killed, leaves a part.
func TestAMirrorThatWasNotFinishedIsMadeAnew(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	for name, files := range map[string]map[string]string{
		"an empty claim":                 {"fairway.url": ""},
		"a repository without a claim":   {"HEAD": "ref: refs/heads/main\n", "config": "[core"},
		"a claim without a repository":   {"fairway.url": f.url()},
		"a claim and an empty head":      {"fairway.url": f.url(), "HEAD": ""},
		"a claim and a head of zeros":    {"fairway.url": f.url(), "HEAD": strings.Repeat("\x00", 24), "config": "[core]\n\tbare = true\n"},
		"an empty claim and an old head": {"fairway.url": "", "HEAD": "", "packed-refs": c0 + " refs/heads/gone\n"},
	} {
		dir := t.TempDir()
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m, err := Open(dir, f.url(), Options{Branches: []string{"main"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if moved, err := m.Fetch(ctx(t)); err != nil || len(moved) != 1 || moved[0].After != c0 {
			t.Errorf("%s: Fetch = %v, %v", name, moved, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMirrorIsTakenUpAgain(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	dir := t.TempDir()
	m, err := Open(dir, f.url(), Options{Branches: []string{"main"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, f.url(), Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second mirror in one directory: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Object(ctx(t), c0); err == nil {
		t.Error("a closed mirror answers")
	}
	// What a killed process leaves behind is in nobody's way.
	for _, name := range []string{"objects/pack/tmp_pack_x", "refs/heads/main.lock", "packed-refs.lock", "objects/pack/pack-1.keep"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, scratchPrefix+"1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, f.url()+"x", Options{}); err == nil || !strings.Contains(err.Error(), "another repository") {
		t.Errorf("mirror of another URL in the directory: %v", err)
	}
	c1 := f.commit("1", ground.with("a", "1"), c0)
	f.set("refs/heads/main", c1)
	again, err := Open(dir, f.url(), Options{Branches: []string{"main"}})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if moved, err := again.Fetch(ctx(t)); err != nil || len(moved) != 1 || moved[0].Before != c0 {
		t.Errorf("Fetch = %v, %v", moved, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*", "tmp_*"))
	scratch, err2 := filepath.Glob(filepath.Join(dir, scratchPrefix+"*"))
	if len(left)+len(scratch) > 0 || err != nil || err2 != nil {
		t.Errorf("left behind: %v %v (%v %v)", left, scratch, err, err2)
	}
}

// TestT43SweepingLeavesRefs: the remote chooses the names of refs, and one that is called like what a killed process
// leaves behind stays: a log whose last state is not known could be rewound unseen.
func TestT43SweepingLeavesRefs(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.commit("1", ground.with("a", "1"), c0)
	names := []string{ApprovalRefs + "tmp_alice", ApprovalRefs + scratchPrefix + "x/y", ApprovalRefs + "x.keep", "refs/heads/tmp_main"}
	for _, name := range names {
		f.set(name, c1)
	}
	dir := t.TempDir()
	open := func() *Mirror {
		m, err := Open(dir, f.url(), Options{Branches: []string{"tmp_main"}})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open()
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open()
	defer m.Close()
	for _, name := range names {
		f.set(name, c0)
	}
	var want []Moved
	for _, name := range slices.Sorted(slices.Values(names)) {
		want = append(want, Moved{name, c1, c0, true})
	}
	moved, err := m.Fetch(ctx(t))
	if diff := cmp.Diff(want, moved); diff != "" || err != nil {
		t.Errorf("what was rewound (-want +got), error %v:\n%s", err, diff)
	}
}

func TestSHA256Repository(t *testing.T) {
	s := &story{forge: newForge(t, "--object-format=sha256"), ids: map[string]string{}, names: map[string]string{}, unit: map[string]string{}}
	c0 := s.is("c0", s.commit("0", ground))
	u1 := s.commit("u", ground.with("apps/db.yaml", "2\n"), c0)
	x := ground.with("apps/web.yaml", "x\n")
	c1 := s.is("x", s.commit("x", x, c0))
	s.states("U", c0, u1)
	c2 := s.is("c2", s.merge(c1, u1))
	s.says(c0, c2, "x touches\nc2 touches =U")
	m := s.mirrorOf(c2)
	if h, on, err := m.Place(ctx(t), "main", c2); err != nil || !on || h != 3 {
		t.Errorf("Place = %d, %t, %v", h, on, err)
	}
	r := s.clone()
	id, err := r.Append(ctx(t), ApprovalRefs+"alice", "statement", map[string][]byte{"a.json": []byte("{}")}, []string{u1})
	if err != nil || len(id) != sha256Hex {
		t.Fatalf("Append = %s, %v", id, err)
	}
	if log, err := r.ReadRefLog(ctx(t), ApprovalRefs+"alice", ""); err != nil || len(log) != 1 || log[0].Commit != id {
		t.Errorf("ReadRefLog = %v, %v", log, err)
	}
}

// A remote without its history cannot be mirrored: it would answer wrongly.
func TestShallowRemoteIsRefused(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("1", ground.with("a", "1"), f.commit("0", ground)))
	dir := t.TempDir()
	f.git("clone", "-q", "--bare", "--depth=1", f.url(), dir)
	m, err := Open(t.TempDir(), "file://"+dir, Options{Branches: []string{"main"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if moved, err := m.Fetch(ctx(t)); err == nil && len(moved) > 0 {
		t.Errorf("Fetch of a shallow remote moved %v", moved)
	}
	if _, err := m.Tip(ctx(t), "main"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Tip: %v, want ErrNotFound", err)
	}
	if _, err := os.Stat(filepath.Join(m.git.dir, "shallow")); err == nil {
		t.Error("the mirror became shallow")
	}
}

// TestNothingOfARepositoryIsExecuted plants hooks, filters and configuration everywhere git could
// look for them.
func TestNothingOfARepositoryIsExecuted(t *testing.T) {
	f := newForge(t)
	trap := filepath.Join(t.TempDir(), "sprung")
	script := "#!/bin/sh\ntouch " + trap + "\n"
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, ".gitconfig"))
	t.Setenv("GIT_TEMPLATE_DIR", home)
	t.Setenv("GIT_SSH_COMMAND", "touch "+trap)
	t.Setenv("GIT_EXTERNAL_DIFF", "touch "+trap)
	config := "[core]\n\thooksPath = " + home + "/hooks\n\tfsmonitor = touch " + trap + "\n[credential]\n\thelper = !touch " + trap +
		"\n[filter \"evil\"]\n\tsmudge = touch " + trap + "\n[merge \"evil\"]\n\tdriver = touch " + trap + "\n[diff]\n\texternal = touch " + trap +
		"\n[url \"file:///nowhere\"]\n\tinsteadOf = file:///\n"
	write := func(name, content string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, ".gitconfig"), config)
	write(filepath.Join(home, "git", "config"), config)
	for _, hook := range []string{"reference-transaction", "post-checkout", "post-merge", "pre-auto-gc", "fsmonitor-watchman", "update", "pre-push", "post-rewrite"} {
		write(filepath.Join(home, "hooks", hook), script)
	}
	g := ground.with(".gitattributes", "* filter=evil merge=evil diff=evil\n", ".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = -u./evil\n")
	c0 := f.commit("0", g.without(".gitmodules"))
	a := f.commit("a", g.with("apps/web.yaml", "a\n").without(".gitmodules"), c0)
	b := f.commit("b", g.with("apps/db.yaml", "b\n").without(".gitmodules"), c0)
	f.set("refs/heads/main", a)
	f.set(ApprovalRefs+"b", b)
	m := f.open(Options{})
	for _, hook := range []string{"reference-transaction", "post-checkout", "pre-auto-gc"} {
		write(filepath.Join(m.git.dir, "hooks", hook), script)
	}
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if _, clean, err := m.MergeTree(ctx(t), a, b); err != nil || !clean {
		t.Errorf("MergeTree: %t, %v", clean, err)
	}
	if _, err := m.RawDiffID(ctx(t), c0, a); err != nil {
		t.Error(err)
	}
	if _, err := m.Append(ctx(t), ApprovalRefs+"x", "m", map[string][]byte{"a": []byte("b")}, nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("something of the repository, of a template or of a user's configuration was executed")
	}
	// A submodule whose URL is an option is refused by git's own checks on the way in.
	f.set("refs/heads/main", f.commit("sub", g, a))
	if _, err := m.Fetch(ctx(t)); err == nil || !strings.Contains(err.Error(), "gitmodules") {
		t.Errorf("Fetch: error %v, want the refusal of .gitmodules", err)
	}
}

func TestGitThatIsTooOldIsRefused(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "git")
	for version, ok := range map[string]bool{"2.37.9": false, "1.99.0": false, "2.38.0": true, "3.0.0": true, "x": false} {
		script := "#!/bin/sh\ncase $1 in version) echo git version " + version + ";; *) exec git \"$@\";; esac\n"
		if err := os.WriteFile(bin, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.TempDir(), "file:///nowhere", Options{Git: bin})
		if (err == nil) != ok {
			t.Errorf("git %s: %v", version, err)
		}
		if err == nil {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestManyPacksBecomeFewer(t *testing.T) {
	f := newForge(t)
	m := f.open(Options{})
	id := f.commit("0", ground)
	rewound := ""
	for i := range mostPacks + 3 {
		next := f.commit("n", ground.with("a", strings.Repeat("x", i)), id)
		if i == 5 {
			rewound = next
		} else {
			id = next
		}
		f.set("refs/heads/main", next)
		if _, err := m.Fetch(ctx(t)); err != nil {
			t.Fatal(err)
		}
	}
	packs, err := filepath.Glob(filepath.Join(m.objects, "pack", "*.pack"))
	if err != nil || len(packs) > 5 {
		t.Errorf("%d packs, %v", len(packs), err)
	}
	for _, c := range []string{id, rewound} {
		tree, err := m.Tree(ctx(t), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ReadFile("a"); err != nil {
			t.Errorf("reading %s after packs were made fewer: %v", c, err)
		}
	}
}

func TestBrokenCommitGraphIsMadeAnew(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	m := f.mirror(Options{})
	graphs, err := filepath.Glob(filepath.Join(m.objects, "info", "commit-graphs", "*.graph"))
	if err != nil || len(graphs) == 0 {
		t.Fatalf("commit graphs %v, %v", graphs, err)
	}
	for _, g := range graphs {
		if err := errors.Join(os.Chmod(g, 0o600), os.Truncate(g, 20)); err != nil {
			t.Fatal(err)
		}
	}
	f.set("refs/heads/main", f.commit("1", ground.with("a", "1"), c0))
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Errorf("Fetch: %v", err)
	}
	if h, err := m.Height(ctx(t), f.git("rev-parse", "main")); err != nil || h != 2 {
		t.Errorf("Height = %d, %v", h, err)
	}
}

// Questions go on while a fetch moves refs and packs are made fewer.
func TestQuestionsDuringAFetch(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("0", ground))
	u1 := s.commit("u", ground.with("apps/db.yaml", "2\n"), c0)
	s.states("U", c0, u1)
	c1 := s.is("c1", s.commit("1", ground.with("docs/readme", "1\n"), c0))
	c2 := s.is("c2", s.merge(c1, u1))
	m := s.mirrorOf(c2, s.keep...)
	stop := make(chan struct{})
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			for {
				select {
				case <-stop:
					errs <- nil
					return
				default:
				}
				steps, err := m.Cover(ctx(t), CoverRequest{Base: c0, Head: c2, Closure: change.Closure{Prefix: "apps"}, Units: s.units})
				if err == nil && (len(steps) != 2 || steps[1].Landing == nil) {
					err = fmt.Errorf("steps %+v", steps)
				}
				if err == nil { // what is never remembered
					_, _, err = m.MergeTree(ctx(t), c1, u1)
				}
				if err == nil {
					_, err = m.RawDiffID(ctx(t), c0, c2)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	tip := c2
	for i := range 6 {
		tip = s.commit("n", ground.with("docs/readme", strings.Repeat("x", i)), tip)
		s.set("refs/heads/main", tip)
		if _, err := m.Fetch(ctx(t)); err != nil {
			t.Error(err)
		}
		if err := m.repack(ctx(t)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
