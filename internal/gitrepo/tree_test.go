package gitrepo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lfsText = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

// TestT36 holds what is never read: links, submodules and pointers to content that is elsewhere.
func TestT36OnlyFilesAreRead(t *testing.T) {
	f := newForge(t)
	some := f.commit("some", ground)
	c0 := f.commit("0", ground.with(
		"apps/run@", "exec:#!/bin/sh\n", "apps/link@", "link:web.yaml", "apps/abs@", "link:/etc/passwd", "dirlink@", "link:apps",
		"vendor/mod@", "module:"+some, "apps/big.bin", lfsText, ".gitattributes", "*.yaml filter=evil\n"))
	m := f.mirrorOf(c0)
	tree, err := m.Tree(ctx(t), c0)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"apps/web.yaml": ground["apps/web.yaml"], "apps/run": "#!/bin/sh\n", "docs/readme": "hello\n",
	} {
		if got, err := tree.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("ReadFile(%q) = %q, %v", name, got, err)
		}
	}
	for name, kind := range map[string]Kind{
		"apps/link": Symlink, "apps/abs": Symlink, "dirlink": Symlink, "dirlink/web.yaml": Symlink, "vendor/mod": Submodule,
		"vendor/mod/x": Submodule, "apps/big.bin": LFSPointer, "apps": Directory, ".": Directory,
	} {
		var refused *UnreadableError
		if _, err := tree.ReadFile(name); !errors.As(err, &refused) || refused.Kind != kind {
			t.Errorf("ReadFile(%q): error %v, want a refusal as %s", name, err, kind)
		}
	}
	for _, name := range []string{"", "/", "..", "../x", "apps/", "apps//web.yaml", "./apps", "apps/../docs/readme", "nope", "apps/web.yaml/x", "Apps/web.yaml", "apps/web.yaml\x00"} {
		if _, err := tree.ReadFile(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("ReadFile(%q): error %v, want ErrNotFound", name, err)
		}
		if _, err := tree.ReadDir(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("ReadDir(%q): error %v, want ErrNotFound", name, err)
		}
	}
	entries, err := tree.ReadDir("apps")
	var got []string
	for _, e := range entries {
		got = append(got, e.Name+": "+string(e.Kind))
	}
	want := []string{"abs: symbolic link", "big.bin: file", "db.yaml: file", "link: symbolic link", "run: executable file", "web.yaml: file"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ReadDir (-want +got), error %v:\n%s", err, diff)
	}
	var refused *UnreadableError
	if _, err := tree.ReadDir("dirlink"); !errors.As(err, &refused) || refused.Kind != Symlink {
		t.Errorf("ReadDir of a link: %v", err)
	}
	if e, err := tree.Lstat("vendor/mod"); err != nil || e.Kind != Submodule || e.ID != some {
		t.Errorf("Lstat of a submodule: %+v, %v", e, err)
	}
}

func TestTreeAgainstGit(t *testing.T) {
	f := newForge(t)
	content := files{}
	for i := range 200 {
		content[fmt.Sprintf("d%d/e%d/f%d.yaml", i%3, i%7, i)] = fmt.Sprint("content ", i)
		content[fmt.Sprintf("d%d.x", i%5)] = "beside a directory"
	}
	c0 := f.commit("0", content)
	m := f.mirrorOf(c0)
	tree, err := m.Tree(ctx(t), c0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := tree.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("ReadDir(%q) is not sorted by name: %v", dir, entries)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name)
			if e.Kind == Directory {
				walk(name)
				continue
			}
			text, err := tree.ReadFile(name)
			if err != nil || string(text) != content[name] {
				t.Errorf("ReadFile(%q) = %q, %v", name, text, err)
			}
			got = append(got, "100644 blob "+e.ID+"\t"+name)
		}
	}
	walk(".")
	slices.Sort(got) // git sorts directories as if their names ended in a slash
	want := strings.Split(f.git("ls-tree", "-r", c0), "\n")
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-git +got):\n%s", diff)
	}
}

// treeOf is the bytes of a tree object.
func treeOf(entries ...string) []byte {
	var raw []byte
	id, _ := hex.DecodeString(strings.Repeat("11", 20))
	for _, e := range entries {
		raw = append(append(append(raw, e...), 0), id...)
	}
	return raw
}

func TestParseTreeRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		raw     []byte
		refused string
	}{
		{"empty", nil, ""},
		{"sorted", treeOf("100644 a", "100755 b", "40000 c", "120000 d", "160000 e"), ""},
		{"a directory sorts as if it ended in a slash", treeOf("100644 a.b", "40000 a", "100644 a0"), ""},
		{"mode of the first versions", treeOf("100664 a"), ""},
		{"not sorted", treeOf("100644 b", "100644 a"), "not sorted"},
		{"directory sorted as a file", treeOf("40000 a", "100644 a.b"), "not sorted"},
		{"twice", treeOf("100644 a", "100644 a"), "two entries"},
		{"file and directory of one name", treeOf("100644 a", "100644 a.b", "40000 a"), "two entries"},
		{"dot", treeOf("100644 ."), "name"},
		{"dot dot", treeOf("40000 .."), "name"},
		{"slash", treeOf("100644 a/b"), "name"},
		{"absolute", treeOf("100644 /etc"), "name"},
		{"git's own folder", treeOf("40000 .git"), "name"},
		{"git's own folder, in capitals", treeOf("40000 .GIT"), "name"},
		{"no name", treeOf("100644 "), "name"},
		{"padded mode", treeOf("040000 a"), "mode"},
		{"unknown mode", treeOf("100600 a"), "mode"},
		{"block device", treeOf("60000 a"), "mode"},
		{"no mode", treeOf(" a"), "mode"},
		{"negative mode", treeOf("-100644 a"), "mode"},
		{"cut in the id", treeOf("100644 a")[:20], "cut short"},
		{"cut in the name", []byte("100644 a"), "cut short"},
		{"cut in the mode", []byte("100"), "cut short"},
		{"more at the end", append(treeOf("100644 a"), 'x'), "cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, refused := parseTree(c.raw, 20)
			if (refused == "") != (c.refused == "") || !strings.Contains(refused, c.refused) {
				t.Errorf("refused for %q, want %q", refused, c.refused)
			}
		})
	}
}

// TestHostileTreesDoNotArrive: git refuses them at the door, and a mirror that holds one all the same
// does not read it.
func TestHostileTreesDoNotArrive(t *testing.T) {
	f := newForge(t)
	blob := f.gitIn("x", "hash-object", "-w", "--stdin")
	id, err := hex.DecodeString(blob)
	if err != nil {
		t.Fatal(err)
	}
	twice := append([]byte("100644 a\x00"), id...)
	twice = append(twice, twice...)
	tree := f.gitIn(string(twice), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	bad := f.commitTree(tree, "two files of one name")
	good := f.commit("good", ground)
	f.set("refs/heads/main", good)
	m := f.mirror(Options{})
	f.set("refs/heads/main", bad)
	if _, err := m.Fetch(ctx(t)); err == nil || !strings.Contains(err.Error(), "duplicateEntries") {
		t.Errorf("Fetch: error %v, want git's refusal of the tree", err)
	}
	if tip, err := m.Tip(ctx(t), "main"); err != nil || tip != good {
		t.Errorf("after a refused fetch main is at %s, %v; want %s", tip, err, good)
	}
	read, err := f.clone().Tree(ctx(t), bad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.ReadFile("a"); !errors.Is(err, ErrMalformed) {
		t.Errorf("ReadFile: error %v, want ErrMalformed", err)
	}
}

// T-43: what is on disk is only believed if it has the id that was asked for.
func TestT43PoisonedObjectIsDetected(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	m := f.mirror(Options{})
	good := f.git("rev-parse", c0+":apps/web.yaml")
	evil := "privileged: true\n"
	poison(t, m, good, "blob", evil)
	tree, err := m.Tree(ctx(t), c0)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := tree.ReadFile("apps/web.yaml"); err == nil || string(text) == evil {
		t.Errorf("ReadFile = %q, %v; want the poisoned file refused", text, err)
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add(treeOf("100644 a", "40000 b"))
	f.Add(treeOf("100644 a.b", "40000 a"))
	f.Add([]byte("100644 a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, refused := parseTree(raw, 20)
		if refused != "" {
			return
		}
		size := 0
		modes := map[Kind]int{File: 6, Executable: 6, Directory: 5, Symlink: 6, Submodule: 6}
		for _, e := range l.entries {
			if !entryName([]byte(e.Name)) || len(e.ID) != 40 || l.byName[e.Name] != e {
				t.Fatalf("entry %+v", e)
			}
			size += modes[e.Kind] + 1 + len(e.Name) + 1 + 20
		}
		if size != len(raw) || len(l.byName) != len(l.entries) {
			t.Fatalf("entries account for %d of %d bytes", size, len(raw))
		}
	})
}
