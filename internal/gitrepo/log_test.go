package gitrepo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cloneOf makes a user's clone of a forge.
func (f *forge) cloneOf() (*Repo, *forge) {
	f.t.Helper()
	c := &forge{t: f.t, dir: f.t.TempDir()}
	c.git("clone", "-q", f.url(), ".")
	return c.clone(), c
}

func one(text string) map[string][]byte { return map[string][]byte{"statement.json": []byte(text)} }

// said is the text of every entry.
func said(log []LogEntry) []string {
	var all []string
	for _, e := range log {
		if e.Refused != "" {
			all = append(all, "refused")
			continue
		}
		all = append(all, string(e.Files["statement.json"]))
	}
	return all
}

// TestRuling22ApprovalTravels: a statement about a head that is on no branch reaches the mirror, and
// the head with it.
func TestRuling22ApprovalTravels(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	m := f.mirror(Options{})
	alice, work := f.cloneOf()
	head := work.commit("u", ground.with("apps/db.yaml", "2\n"), c0)
	ref := ApprovalRefs + "alice"
	first, err := alice.Append(ctx(t), ref, "approve u", one("first"), []string{head})
	if err != nil {
		t.Fatal(err)
	}
	second, err := alice.Append(ctx(t), ref, "approve u again", map[string][]byte{"statement.json": []byte("second"), "b.txt": []byte("\x00\r\n")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Push(ctx(t), "origin", ref); err != nil {
		t.Fatal(err)
	}
	if err := alice.Push(ctx(t), "origin", ref); err != nil {
		t.Errorf("pushing again: %v", err)
	}
	moved, err := m.Fetch(ctx(t))
	if diff := cmp.Diff([]Moved{{Ref: ref, After: second}}, moved); diff != "" || err != nil {
		t.Fatalf("Fetch (-want +got), error %v:\n%s", err, diff)
	}
	log, err := m.ReadRefLog(ctx(t), ref, "")
	want := []LogEntry{
		{Commit: first, Carries: []string{head}, Files: one("first")},
		{Commit: second, Carries: []string{}, Files: map[string][]byte{"statement.json": []byte("second"), "b.txt": []byte("\x00\r\n")}},
	}
	if diff := cmp.Diff(want, log); diff != "" || err != nil {
		t.Errorf("ReadRefLog (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := m.RawDiffID(ctx(t), c0, head); err != nil {
		t.Errorf("the approved head is not here: %v", err)
	}
	if log, err := m.ReadRefLog(ctx(t), ref, first); err != nil || len(log) != 1 || log[0].Commit != second {
		t.Errorf("ReadRefLog after the first = %v, %v", log, err)
	}
	if log, err := m.ReadRefLog(ctx(t), ref, second); err != nil || len(log) != 0 {
		t.Errorf("ReadRefLog after the last = %v, %v", log, err)
	}
}

// TestRuling22RewoundRef: what was seen on a ref stays readable, and its loss is noticed.
func TestRuling22RewoundRef(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("0", ground))
	r := f.clone()
	ref := ApprovalRefs + "alice"
	var ids []string
	for i := range 3 {
		id, err := r.Append(ctx(t), ref, "m", one(fmt.Sprint(i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	m := f.mirror(Options{})
	f.set(ref, ids[0])
	evil, err := r.Append(ctx(t), ref, "m", one("evil"), nil)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := m.Fetch(ctx(t))
	if diff := cmp.Diff([]Moved{{ref, ids[2], evil, true}}, moved); diff != "" || err != nil {
		t.Errorf("Fetch (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := m.ReadRefLog(ctx(t), ref, ids[2]); !errors.Is(err, ErrRewound) {
		t.Errorf("ReadRefLog after what is gone: %v, want ErrRewound", err)
	}
	if _, err := m.ReadRefLog(ctx(t), ref, strings.Repeat("1", 40)); !errors.Is(err, ErrRewound) {
		t.Errorf("ReadRefLog after what never was: %v, want ErrRewound", err)
	}
	log, err := m.ReadRefLog(ctx(t), ids[2], ids[0])
	if diff := cmp.Diff([]string{"1", "2"}, said(log)); diff != "" || err != nil {
		t.Errorf("by the tip that was seen (-want +got), error %v:\n%s", err, diff)
	}
	f.git("update-ref", "-d", ref)
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadRefLog(ctx(t), ref, ids[2]); !errors.Is(err, ErrRewound) {
		t.Errorf("ReadRefLog of a ref that is gone: %v, want ErrRewound", err)
	}
	if _, err := m.ReadRefLog(ctx(t), ref, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("ReadRefLog of a ref that is gone, from the start: %v, want ErrNotFound", err)
	}
}

// Whoever can push to a ref can add junk, and hides nothing by it.
func TestJunkOnALogHidesNothing(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	r := f.clone()
	ref := ApprovalRefs + "alice"
	if _, err := r.Append(ctx(t), ref, "m", one("good"), nil); err != nil {
		t.Fatal(err)
	}
	push := func(id string) { f.set(ref, id) }
	tip := func() string { return f.git("rev-parse", ref) }
	push(f.commit("a folder", files{"dir/x": "1"}, tip()))
	push(f.commit("a link", files{"x@": "link:y"}, tip()))
	push(f.commit("large", files{"x": strings.Repeat("x", mostEntryBytes+1)}, tip()))
	many := files{}
	for i := range mostEntryFiles + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	push(f.commit("many", many, tip()))
	ident := "A <a@b> 1 +0000\n"
	push(f.raw("tree " + f.git("rev-parse", c0+"^{tree}") + "\nparent " + tip() + "\nauthor " + ident + "committer " + ident + "gpgsigX x\n\nm\n"))
	if _, err := r.Append(ctx(t), ref, "m", one("also good"), nil); err != nil {
		t.Fatal(err)
	}
	log, err := r.ReadRefLog(ctx(t), ref, "")
	want := []string{"good", "refused", "refused", "refused", "refused", "refused", "also good"}
	if diff := cmp.Diff(want, said(log)); diff != "" || err != nil {
		t.Errorf("log (-want +got), error %v:\n%s", err, diff)
	}
	push(c0)
	if _, err := r.ReadRefLog(ctx(t), ref, ""); !errors.Is(err, ErrMalformed) {
		t.Errorf("a branch's history as a log: %v, want ErrMalformed", err)
	}
}

func TestTwoClonesAppend(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("0", ground))
	desk, _ := f.cloneOf()
	laptop, _ := f.cloneOf()
	ref := ApprovalRefs + "alice"
	for text, r := range map[string]*Repo{"x": desk, "z": laptop} {
		if err := r.FetchLog(ctx(t), "origin", ref); err != nil {
			t.Errorf("nothing to fetch yet: %v", err)
		}
		if _, err := r.Append(ctx(t), ref, "m", one(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := desk.Push(ctx(t), "origin", ref); err != nil {
		t.Fatal(err)
	}
	if err := laptop.Push(ctx(t), "origin", ref); !errors.Is(err, ErrDiverged) {
		t.Errorf("Push over another's: %v, want ErrDiverged", err)
	}
	if err := laptop.FetchLog(ctx(t), "origin", ref); !errors.Is(err, ErrDiverged) {
		t.Errorf("FetchLog into another's: %v, want ErrDiverged", err)
	}
	if err := desk.FetchLog(ctx(t), "origin", ref); err != nil {
		t.Errorf("FetchLog of what is here: %v", err)
	}
	if _, err := desk.Append(ctx(t), ref, "m", one("y"), nil); err != nil {
		t.Fatal(err)
	}
	if err := desk.FetchLog(ctx(t), "origin", ref); err != nil {
		t.Errorf("FetchLog of something older: %v", err)
	}
	if err := desk.Push(ctx(t), "origin", ref); err != nil {
		t.Fatal(err)
	}
	third, _ := f.cloneOf()
	if err := third.FetchLog(ctx(t), "origin", ref); err != nil {
		t.Fatal(err)
	}
	log, err := third.ReadRefLog(ctx(t), ref, "")
	if diff := cmp.Diff([]string{"x", "y"}, said(log)); diff != "" || err != nil {
		t.Errorf("log (-want +got), error %v:\n%s", err, diff)
	}
}

func TestAppendRefuses(t *testing.T) {
	f := newForge(t)
	f.set("refs/heads/main", f.commit("0", ground))
	r := f.clone()
	ref := ApprovalRefs + "alice"
	for name, c := range map[string]struct {
		ref   string
		files map[string][]byte
		carry []string
	}{
		"a branch":                      {"refs/heads/main", one("x"), nil},
		"an option":                     {"--stdin", one("x"), nil},
		"a ref that climbs":             {"refs/fairway/../heads/main", one("x"), nil},
		"no file":                       {ref, nil, nil},
		"a path":                        {ref, map[string][]byte{"a/b": nil}, nil},
		"a name with a line feed":       {ref, map[string][]byte{"a\nb": nil}, nil},
		"git's own folder":              {ref, map[string][]byte{".git": nil}, nil},
		"a large file":                  {ref, map[string][]byte{"a": make([]byte, mostEntryBytes+1)}, nil},
		"a commit that is not here":     {ref, one("x"), []string{strings.Repeat("1", 40)}},
		"a name instead of a full id":   {ref, one("x"), []string{"main"}},
		"an option instead of a commit": {ref, one("x"), []string{"--help"}},
	} {
		if id, err := r.Append(ctx(t), c.ref, "m", c.files, c.carry); err == nil {
			t.Errorf("%s: appended as %s", name, id)
		}
	}
	if refs, err := r.Refs(ctx(t), logRefs); err != nil || len(refs) != 0 {
		t.Errorf("refs %v, %v", refs, err)
	}
	for _, remote := range []string{"", "--upload-pack=x", "ext::sh -c x", "a\nb"} {
		if err := r.Push(ctx(t), remote, ref); err == nil {
			t.Errorf("pushed to %q", remote)
		}
	}
}

func TestLongLogComesInPages(t *testing.T) {
	f := newForge(t)
	r := f.clone()
	ref := ApprovalRefs + "alice"
	if _, err := r.Append(ctx(t), ref, "m", one("0"), nil); err != nil {
		t.Fatal(err)
	}
	var in strings.Builder
	const n = mostPage + 50
	for i := 1; i < n; i++ {
		from := ""
		if i == 1 {
			from = "from " + f.git("rev-parse", ref) + "\n"
		}
		text := fmt.Sprint(i)
		fmt.Fprintf(&in, "commit %s\ncommitter A <a@b> 1 +0000\ndata 1\nm\n%sdeleteall\nM 100644 inline statement.json\ndata %d\n%s\n", ref, from, len(text), text)
	}
	f.gitIn(in.String(), "fast-import", "--quiet")
	var all []string
	after, pages := "", 0
	for {
		log, err := r.ReadRefLog(ctx(t), ref, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(log) == 0 {
			break
		}
		all = append(all, said(log)...)
		after = log[len(log)-1].Commit
		pages++
	}
	m := f.open(Options{Limits: Limits{Commits: 100}}) // which bounds answers, not logs
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if log, err := m.ReadRefLog(ctx(t), ref, firstEntry(t, r, ref)); err != nil || said(log)[0] != "1" {
		t.Errorf("with small answers: %v, %v", said(log), err)
	}
	if len(all) != n || all[0] != "0" || all[n-1] != fmt.Sprint(n-1) || pages != 2 {
		t.Errorf("%d entries in %d pages, want %d in 2", len(all), pages, n)
	}
}

// firstEntry is the commit of the first entry.
func firstEntry(t *testing.T, r *Repo, ref string) string {
	t.Helper()
	log, err := r.ReadRefLog(ctx(t), ref, "")
	if err != nil || len(log) == 0 {
		t.Fatal(log, err)
	}
	return log[0].Commit
}
