package gitrepo

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

// The synthetic repository: changes of one commit each, merged one after the other, so half of the
// commits are on the first-parent chain; files lie in folders of 25.
const (
	synthMerges = 50_000
	synthFiles  = 5_000
)

// synthetic is a bare repository of 100 001 commits and 5 000 files, made once for all runs. Its branches
// h1000, h5000, h20000 and main are where the history has 1 000, 5 000, 20 000 and 100 000 commits.
func synthetic(b *testing.B) string {
	b.Helper()
	cache := os.Getenv("FAIRWAY_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			b.Fatal(err)
		}
		cache = filepath.Join(user, "fairway")
	}
	dir := filepath.Join(cache, "synthetic-2.git")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	making := dir + ".tmp"
	for _, step := range []error{os.RemoveAll(making), os.MkdirAll(making, 0o700)} {
		if step != nil {
			b.Fatal(step)
		}
	}
	git := func(args ...string) *exec.Cmd {
		cmd := exec.Command("git", append([]string{"--git-dir", making}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		return cmd
	}
	if out, err := git("init", "-q", "--bare", "-b", "main").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	load := git("fast-import", "--quiet")
	in, err := load.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := load.Start(); err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(in)
	writeSynthetic(w)
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := in.Close(); err != nil {
		b.Fatal(err)
	}
	if err := load.Wait(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(making, dir); err != nil {
		b.Fatal(err)
	}
	return dir
}

func synthPath(i int) string {
	return fmt.Sprintf("apps/team%02d/app%d/file%d.yaml", i%20, i/25, i)
}

func writeSynthetic(w *bufio.Writer) {
	mark := 0
	commit := func(ref, parents string, write func()) int {
		mark++
		at := 1_500_000_000 + mark*60
		fmt.Fprintf(w, "commit refs/heads/%s\nmark :%d\ncommitter A <a@example.com> %d +0000\ndata 2\nm\n%s", ref, mark, at, parents)
		write()
		_, _ = w.WriteString("\n") // the flush tells
		return mark
	}
	file := func(i, version int) {
		text := fmt.Sprintf("kind: ConfigMap\nmetadata:\n  name: c%d\ndata:\n  version: \"%d\"\n  a: b\n  c: d\n", i, version)
		fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", synthPath(i), len(text), text)
	}
	tip := commit("main", "", func() {
		for i := range synthFiles {
			file(i, 0)
		}
	})
	for n := 1; n <= synthMerges; n++ {
		i := n * 7919 % synthFiles
		change := commit("change", fmt.Sprintf("from :%d\n", tip), func() { file(i, n) })
		tip = commit("main", fmt.Sprintf("from :%d\nmerge :%d\n", tip, change), func() { file(i, n) })
		for _, h := range []int{1_000, 5_000, 20_000} {
			if 2*n == h {
				fmt.Fprintf(w, "reset refs/heads/h%d\nfrom :%d\n\n", h, tip)
			}
		}
	}
	fmt.Fprintf(w, "reset refs/heads/change\nfrom 0000000000000000000000000000000000000000\n\n")
}

// synth is a mirror of the synthetic repository, and what a benchmark asks about it.
type synth struct {
	*Mirror
	b *testing.B
}

func newSynth(b *testing.B) synth {
	b.Helper()
	m, err := Open(b.TempDir(), "file://"+synthetic(b), Options{Branches: []string{"main", "h1000", "h5000", "h20000"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := m.Fetch(b.Context()); err != nil {
		b.Fatal(err)
	}
	return synth{m, b}
}

func (s synth) id(name string) string {
	s.b.Helper()
	id, err := s.Resolve(s.b.Context(), name)
	if err != nil {
		s.b.Fatal(err)
	}
	return id
}

// floor measures one plain git process in the mirror.
func (s synth) floor(name string, args ...string) {
	s.b.Run(name, func(b *testing.B) {
		for b.Loop() {
			if _, err := s.run(b.Context(), args...); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGit is what git itself takes for the questions that the design rests on, with and without
// what a mirror writes after each fetch.
func BenchmarkGit(b *testing.B) {
	s := newSynth(b)
	path := synthPath(42)
	s.floor("spawn", "version")
	for _, c := range []struct {
		name   string
		config []setting
	}{
		{"graph and changed paths", nil},
		{"graph only", []setting{{"commitGraph.readChangedPaths", "false"}}},
		{"no graph", []setting{{"core.commitGraph", "false"}}},
	} {
		for question, args := range map[string][]string{
			"newest commit of a path":            {"rev-list", "--first-parent", "-1", "main", "--", path},
			"history of a path":                  {"rev-list", "--first-parent", "main", "--", path},
			"is-ancestor, 50 back":               {"merge-base", "--is-ancestor", "main~50", "main"},
			"is-ancestor, oldest":                {"merge-base", "--is-ancestor", "main~9999", "main"},
			"first-parent chain, counted":        {"rev-list", "--first-parent", "--count", "main"},
			"first-parent chain, last 20, plain": {"rev-list", "--first-parent", "main~20..main"},
		} {
			b.Run(question+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.output(b.Context(), command{args: args, settings: c.config}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkObject(b *testing.B) {
	s := newSynth(b)
	id := s.id("main")
	b.Run("commit", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Object(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("100 files of a fresh tree", func(b *testing.B) {
		for b.Loop() {
			tree, err := s.Tree(b.Context(), id)
			if err != nil {
				b.Fatal(err)
			}
			for i := range 100 {
				if _, err := tree.ReadFile(synthPath(i)); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	s.floor("floor: one git cat-file", "cat-file", "-p", id)
}

func BenchmarkParseCommit(b *testing.B) {
	raw := []byte(plainStart + "gpgsig " + sshArmour + "\n\nsubject\n\nbody\n\nTicket: OPS-1\n")
	id, _ := objectID("commit", raw, sha1Hex)
	for b.Loop() {
		if _, err := ParseCommit(id, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	s := newSynth(b)
	for _, back := range []string{"0", "10", "50", "9999"} {
		id := s.id("main~" + back)
		b.Run("back "+back, func(b *testing.B) {
			for b.Loop() {
				if _, on, err := s.Place(b.Context(), "main", id); err != nil || !on {
					b.Fatal(on, err)
				}
			}
		})
	}
	s.floor("floor: git rev-list --count", "rev-list", "--first-parent", "--count", "main")
}

// BenchmarkCover asks for ranges of different lengths at the end of histories of different lengths.
// Each commit is the merge of a stated unit; one folder of 25 files or everything is read. cold is
// with nothing remembered, as for a revision that is seen for the first time.
func BenchmarkCover(b *testing.B) {
	s := newSynth(b)
	for _, branch := range []string{"h1000", "h5000", "h20000", "main"} {
		for _, n := range []int{1, 20, 200} {
			base, head := s.id(fmt.Sprintf("%s~%d", branch, n)), s.id(branch)
			units := s.statedUnits(base, head)
			for name, prefix := range map[string]string{"one folder": "apps/team07", "everything": "."} {
				b.Run(fmt.Sprintf("%s/last %d/%s", branch, n, name), func(b *testing.B) {
					for b.Loop() {
						s.known = newMemo()
						steps, err := s.Cover(b.Context(), CoverRequest{Base: base, Head: head, Closure: change.Closure{Prefix: prefix}, Units: units})
						if err != nil || len(steps) != n || prefix == "." && !allProven(steps) {
							b.Fatal(len(steps), err)
						}
					}
				})
			}
			s.floor(fmt.Sprintf("%s/last %d/floor: git rev-list", branch, n), "rev-list", "--first-parent", base+".."+head)
		}
	}
}

// statedUnits are the second parents of a range, each with its diff.
func (s synth) statedUnits(base, head string) []change.Unit {
	s.b.Helper()
	chain, err := s.Chain(s.b.Context(), base, head)
	if err != nil {
		s.b.Fatal(err)
	}
	var units []change.Unit
	for _, id := range chain {
		o, err := s.Object(s.b.Context(), id)
		if err != nil {
			s.b.Fatal(err)
		}
		u := change.Unit{MergeBase: o.Parents[0], Head: o.Parents[1]}
		if u.RawDiffID, err = s.RawDiffID(s.b.Context(), u.MergeBase, u.Head); err != nil {
			s.b.Fatal(err)
		}
		units = append(units, u)
	}
	return units
}

func allProven(steps []change.Step) bool {
	for _, s := range steps {
		if s.Landing == nil || s.Landing.Proven != change.Present {
			return false
		}
	}
	return true
}

// BenchmarkCoverMovedBase is the case that needs git to merge: a unit that was squashed onto a branch
// that had moved on, among many others that had landed before and altered the same file.
func BenchmarkCoverMovedBase(b *testing.B) {
	for _, old := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("%d old units", old), func(b *testing.B) {
			f := newForge(b)
			text := func(n int) string {
				return fmt.Sprintf("image: web:%d\n%sreplicas: %d\n", n, strings.Repeat("x: y\n", 20), n/2)
			}
			tip := f.commit("0", files{"apps/web.yaml": text(0)})
			var in strings.Builder
			fmt.Fprintf(&in, "reset refs/heads/main\nfrom %s\n\n", tip)
			for i := 1; i <= old; i++ {
				for _, ref := range []string{"unit" + fmt.Sprint(i), "main"} {
					if ref != "main" {
						fmt.Fprintf(&in, "reset refs/fairway/approvals/%s\nfrom refs/heads/main\n\n", ref)
						ref = "fairway/approvals/" + ref
					} else {
						ref = "heads/main"
					}
					fmt.Fprintf(&in, "commit refs/%s\ncommitter A <a@b> %d +0000\ndata 1\nm\nM 100644 inline apps/web.yaml\ndata %d\n%s\n", ref, 1600000000+i, len(text(i)), text(i))
				}
			}
			f.gitIn(in.String(), "fast-import", "--quiet")
			c0 := f.git("rev-parse", "main")
			u := f.commit("u", files{"apps/web.yaml": strings.Replace(text(old), "image: web", "image: shop", 1)}, c0)
			c1 := f.commit("1", files{"apps/web.yaml": text(old), "docs": "1"}, c0)
			c2 := f.squash(c1, u)
			f.set(ApprovalRefs+"u", u)
			f.set("refs/heads/main", c2)
			m := f.mirror(Options{})
			units := []change.Unit{{MergeBase: c0, Head: u}}
			for i := 1; i <= old; i++ {
				head, err := m.ref(b.Context(), ApprovalRefs+fmt.Sprint("unit", i))
				if err != nil {
					b.Fatal(err)
				}
				o, err := m.Object(b.Context(), head)
				if err != nil {
					b.Fatal(err)
				}
				units = append(units, change.Unit{MergeBase: o.Parents[0], Head: head})
			}
			for i := range units {
				var err error
				if units[i].RawDiffID, err = m.RawDiffID(b.Context(), units[i].MergeBase, units[i].Head); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				steps, err := m.Cover(b.Context(), CoverRequest{Base: c1, Head: c2, Closure: change.Closure{Prefix: "apps"}, Units: units})
				if err != nil || !allProven(steps) {
					b.Fatal(steps, err)
				}
			}
		})
	}
}
