package gitrepo

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forge is a repository that tests push to, made by the git binary.
type forge struct {
	t   testing.TB
	dir string
	n   int // commits made, for their dates
}

// files is the whole content of a commit.
type files map[string]string

func (f files) with(kv ...string) files {
	g := maps.Clone(f)
	for i := 0; i < len(kv); i += 2 {
		g[kv[i]] = kv[i+1]
	}
	return g
}

func (f files) without(paths ...string) files {
	g := maps.Clone(f)
	for _, p := range paths {
		delete(g, p)
	}
	return g
}

func newForge(t testing.TB, initArgs ...string) *forge {
	t.Helper()
	f := &forge{t: t, dir: t.TempDir()}
	f.git(append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	f.git("config", "user.name", "Ada")
	f.git("config", "user.email", "ada@example.com")
	return f
}

func (f *forge) command(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C", "TZ=UTC",
		fmt.Sprintf("GIT_AUTHOR_DATE=@%d +0000", 1700000000+f.n), fmt.Sprintf("GIT_COMMITTER_DATE=@%d +0000", 1700000000+f.n))
	return cmd
}

func (f *forge) git(args ...string) string {
	f.t.Helper()
	return f.gitIn("", args...)
}

func (f *forge) gitIn(stdin string, args ...string) string {
	f.t.Helper()
	cmd := f.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// commit makes a commit with this content and these parents. A path ending in "@" with a value of
// "link:x" or "module:id" makes a symbolic link or submodule of the path without the "@".
func (f *forge) commit(message string, content files, parents ...string) string {
	f.t.Helper()
	f.n++
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/import/%d\nmark :1\nauthor Ada <ada@example.com> %d +0000\ncommitter Ada <ada@example.com> %d +0000\n",
		f.n, 1700000000+f.n, 1700000000+f.n)
	fmt.Fprintf(&in, "data %d\n%s\n", len(message), message)
	for i, p := range parents {
		fmt.Fprintf(&in, "%s %s\n", map[bool]string{true: "from", false: "merge"}[i == 0], p)
	}
	in.WriteString("deleteall\n")
	for _, path := range slices.Sorted(maps.Keys(content)) {
		text := content[path]
		name, special := strings.CutSuffix(path, "@")
		kind, value, _ := strings.Cut(text, ":")
		if strings.Contains(name, "\n") {
			name = strconv.Quote(name)
		}
		switch {
		case special && kind == "module":
			fmt.Fprintf(&in, "M 160000 %s %s\n", value, name)
		case special && kind == "link":
			fmt.Fprintf(&in, "M 120000 inline %s\ndata %d\n%s\n", name, len(value), value)
		case special && kind == "exec":
			fmt.Fprintf(&in, "M 100755 inline %s\ndata %d\n%s\n", name, len(value), value)
		default:
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
		}
	}
	in.WriteString("\nget-mark :1\n")
	id := f.gitIn(in.String(), "fast-import", "--quiet", "--force", "--cat-blob-fd=1")
	f.git("update-ref", "-d", fmt.Sprintf("refs/import/%d", f.n))
	return id
}

// merge makes the commit that merging b into a gives, with git's own merge.
func (f *forge) merge(a, b string) string {
	f.t.Helper()
	return f.commitTree(f.git("merge-tree", "--write-tree", a, b), "Merge", a, b)
}

// squash makes the commit that squashing b onto a gives.
func (f *forge) squash(a, b string) string {
	f.t.Helper()
	return f.commitTree(f.git("merge-tree", "--write-tree", a, b), "Squash", a)
}

// rebase makes the commits that rebasing base..head onto onto gives, with git's own rebase.
func (f *forge) rebase(onto, base, head string) string {
	f.t.Helper()
	f.n++
	f.git("checkout", "-q", "--detach", head)
	f.git("rebase", "-q", "--onto", onto, base)
	return f.git("rev-parse", "HEAD")
}

func (f *forge) commitTree(tree, message string, parents ...string) string {
	f.t.Helper()
	f.n++
	args := []string{"commit-tree", tree, "-m", message}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	return f.git(args...)
}

// raw stores the bytes of a commit as they are, however malformed.
func (f *forge) raw(content string) string {
	f.t.Helper()
	return f.gitIn(content, "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
}

func (f *forge) set(ref, id string) {
	f.t.Helper()
	f.git("update-ref", ref, id)
}

func (f *forge) url() string { return "file://" + f.dir }

// mirror opens a mirror of the branch main and fetches it.
func (f *forge) mirror(opts Options) *Mirror {
	f.t.Helper()
	m := f.open(opts)
	if _, err := m.Fetch(f.t.Context()); err != nil {
		f.t.Fatalf("Fetch: %v", err)
	}
	return m
}

func (f *forge) open(opts Options) *Mirror {
	f.t.Helper()
	if opts.Branches == nil {
		opts.Branches = []string{"main"}
	}
	m, err := Open(filepath.Join(f.t.TempDir(), "mirror"), f.url(), opts)
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	f.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	})
	return m
}

// mirrorOf puts main at head, keeps the other commits by refs, and mirrors everything.
func (f *forge) mirrorOf(head string, others ...string) *Mirror {
	f.t.Helper()
	f.set("refs/heads/main", head)
	for i, id := range others {
		f.set(fmt.Sprintf("%sp%d", ApprovalRefs, i), id)
	}
	return f.mirror(Options{})
}

// ctx is the context of a test.
func ctx(t testing.TB) context.Context { return t.Context() }

func isNotOnChain(err error) bool { return errors.Is(err, ErrNotOnChain) }

// clone opens the forge's own directory as a user's clone.
func (f *forge) clone() *Repo {
	f.t.Helper()
	r, err := OpenClone(f.t.Context(), f.dir, Limits{})
	if err != nil {
		f.t.Fatalf("OpenClone: %v", err)
	}
	f.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	})
	return r
}

// equateEmpty compares nil and empty slices as equal.
func equateEmpty() cmp.Option {
	return cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Comparer(func(a, b []string) bool { return true }))
}

// poison puts other bytes in the place of a mirror's object, as whoever can write to its disk could.
func poison(t *testing.T, m *Mirror, id, kind, content string) {
	t.Helper()
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	fmt.Fprintf(z, "%s %d\x00%s", kind, len(content), content)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(m.objects, id[:2])
	packs, err := filepath.Glob(filepath.Join(m.objects, "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs %v, %v", packs, err)
	}
	in, err := os.Open(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for _, f := range []string{packs[0], strings.TrimSuffix(packs[0], ".pack") + ".idx"} {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	unpack := exec.Command("git", "--git-dir", m.git.dir, "unpack-objects", "-q")
	unpack.Stdin = in
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Remove(filepath.Join(dir, id[2:])); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, id[2:]), packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
