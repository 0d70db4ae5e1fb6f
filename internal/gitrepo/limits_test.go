package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// noise is text that does not compress.
func noise(n int) string {
	var seed [32]byte
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return string(b)
}

// isLimit fails the test where the error is not that this limit was exceeded.
func isLimit(t *testing.T, err error, what string) {
	t.Helper()
	var limit *LimitError
	if !errors.As(err, &limit) || !strings.Contains(limit.What, what) {
		t.Errorf("error %v, want a LimitError of %q", err, what)
	}
}

// TestT33 runs into each limit with a repository made for it, and goes on afterwards.
func TestT33PackThatIsTooLarge(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	m := f.open(Options{Limits: Limits{FetchBytes: 1 << 20}})
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	f.set("refs/heads/main", f.commit("bomb", ground.with("big", noise(3<<20)), c0))
	_, err := m.Fetch(ctx(t))
	isLimit(t, err, "fetched bytes")
	if tip, err := m.Tip(ctx(t), "main"); err != nil || tip != c0 {
		t.Errorf("after the bomb main is at %s, %v", tip, err)
	}
	left, err := filepath.Glob(filepath.Join(m.objects, "pack", "tmp_*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	c1 := f.commit("1", ground.with("a", "1"), c0)
	f.set("refs/heads/main", c1)
	if moved, err := m.Fetch(ctx(t)); err != nil || len(moved) != 1 {
		t.Errorf("after the bomb: Fetch = %v, %v", moved, err)
	}
}

// A small pack whose one object is large: what it unpacks to is bounded by memory, not by the pack.
func TestT33ObjectThatUnpacksToMuch(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", f.commit("bomb", ground.with("zeros", strings.Repeat("0", 64<<20)), c0))
	m := f.open(Options{Limits: Limits{Memory: 24 << 20}})
	if _, err := m.Fetch(ctx(t)); err == nil {
		t.Error("64 MiB were unpacked in a process of 24 MiB")
	} else {
		isLimit(t, err, "memory")
	}
	generous := f.mirror(Options{Limits: Limits{FileBytes: 1 << 20}})
	tree, err := generous.Tree(ctx(t), f.git("rev-parse", "main"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.ReadFile("zeros")
	isLimit(t, err, "bytes of one object")
	if text, err := tree.ReadFile("docs/readme"); err != nil || string(text) != "hello\n" {
		t.Errorf("after the bomb: %q, %v", text, err)
	}
}

// bomb is a commit of a tree of ten levels, each with the one below ten times: 10^10 files in 11
// objects. Its root has the name at as the first level.
func (f *forge) bomb(at string, parents ...string) string {
	f.t.Helper()
	id, kind := f.gitIn("x", "hash-object", "-w", "--stdin"), "100644 blob"
	for range 10 {
		var in strings.Builder
		for i := range 10 {
			fmt.Fprintf(&in, "%s %s\td%d\n", kind, id, i)
		}
		id, kind = f.gitIn(in.String(), "mktree"), "040000 tree"
	}
	root := f.gitIn(fmt.Sprintf("040000 tree %s\t%s\n", id, at), "mktree")
	return f.commitTree(root, "bomb", parents...)
}

func TestT33TreeOfTenBillionFiles(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	c1 := f.bomb("docs", c0)
	c2 := f.commit("2", ground, c1)
	c3 := f.commit("3", ground.with("apps/web.yaml", "3\n"), c2)
	f.set("refs/heads/main", c3)
	m := f.mirror(Options{Limits: Limits{Entries: 2000, Time: 20 * time.Second}})
	tree, err := m.Tree(ctx(t), c1)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(dir string) error
	walk = func(dir string) error {
		entries, err := tree.ReadDir(dir)
		for _, e := range entries {
			if e.Kind == Directory && err == nil {
				err = walk(dir + "/" + e.Name)
			} else if err == nil {
				_, err = tree.ReadFile(dir + "/" + e.Name)
			}
		}
		return err
	}
	done := make(chan error, 1)
	go func() { done <- walk("docs") }()
	select {
	case err := <-done:
		// Equal directories are read once, so it is the walk itself that goes on; nobody who renders
		// walks without counting files.
		if err != nil {
			isLimit(t, err, "tree entries")
		}
	case <-time.After(2 * time.Second):
	}
	_, err = m.RawDiffID(ctx(t), c0, c1)
	isLimit(t, err, "changed tree entries")
	steps, err := m.Cover(ctx(t), CoverRequest{Base: c0, Head: c3, Closure: change.Closure{Prefix: "apps"},
		Units: []change.Unit{{MergeBase: c0, Head: c1, RawDiffID: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	var touches []string
	for _, s := range steps {
		touches = append(touches, s.Touches.String()+"/"+s.Undone.String())
	}
	// What comes after the bomb is known again.
	if diff := cmp.Diff([]string{"could not tell/could not tell", "could not tell/could not tell", "present/absent"}, touches); diff != "" {
		t.Errorf("touches (-want +got):\n%s", diff)
	}
}

func TestT33PathsAndFiles(t *testing.T) {
	f := newForge(t)
	deep := strings.Repeat("d/", 70) + "f"
	many := files{deep: "x", "big": strings.Repeat("x", 2000)}
	for i := range 300 {
		many[fmt.Sprintf("many/f%d", i)] = "x"
	}
	c0 := f.commit("0", many)
	f.set("refs/heads/main", c0)
	m := f.mirror(Options{Limits: Limits{Entries: 250, FileBytes: 16 << 10}})
	tree, err := m.Tree(ctx(t), c0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.ReadFile(deep)
	isLimit(t, err, "components")
	_, err = tree.ReadDir("many")
	isLimit(t, err, "tree entries")
	small := f.mirror(Options{Limits: Limits{FileBytes: 1000}})
	tree, err = small.Tree(ctx(t), c0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.ReadFile("big")
	isLimit(t, err, "bytes of one object")
	if !strings.Contains(err.Error(), `"big"`) {
		t.Errorf("error %v does not name the path", err)
	}
}

func TestT33HistoryAndRefs(t *testing.T) {
	f := newForge(t)
	id := f.commit("0", ground)
	root := id
	for i := range 12 {
		id = f.commit(fmt.Sprint(i), ground.with("a", fmt.Sprint(i)), id)
		f.set(fmt.Sprintf("%sp%d", ApprovalRefs, i), id)
	}
	f.set("refs/heads/main", id)
	m := f.mirror(Options{Limits: Limits{Commits: 10}})
	_, err := m.Chain(ctx(t), root, id)
	isLimit(t, err, "commits")
	if h, err := m.Height(ctx(t), id); err != nil || h != 13 {
		t.Errorf("Height = %d, %v: counting needs no list", h, err)
	}
	few := f.open(Options{Limits: Limits{Refs: 5}})
	for range 2 {
		_, err = few.Fetch(ctx(t))
		isLimit(t, err, "refs")
	}
	for i := range 10 {
		f.git("update-ref", "-d", fmt.Sprintf("%sp%d", ApprovalRefs, i))
	}
	if moved, err := few.Fetch(ctx(t)); err != nil || len(moved) != 10 {
		t.Errorf("after the remote was tidied: Fetch = %v, %v", moved, err)
	}
}

// slow is a server that answers with what a handler does.
func slow(t *testing.T, handle http.HandlerFunc, opts Options) *Mirror {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	opts.AllowLoopback, opts.Branches = true, []string{"main"}
	m, err := Open(t.TempDir(), server.URL+"/repo.git", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestT33ServerThatNeverAnswers(t *testing.T) {
	m := slow(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Options{Limits: Limits{Time: 500 * time.Millisecond}})
	begun := time.Now()
	_, err := m.Fetch(ctx(t))
	isLimit(t, err, "seconds")
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("ended after %s", d)
	}
	// The same for a caller who gives up.
	ctx, cancel := context.WithTimeout(ctx(t), 200*time.Millisecond)
	defer cancel()
	if _, err := m.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestT33ServerThatNeverEnds(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, "001e# service=git-upload-pack\n0000") // the client may be gone
		for i := 0; r.Context().Err() == nil; i++ {
			line := fmt.Sprintf("%040x refs/heads/b%d\n", i+1, i)
			if _, err := fmt.Fprintf(w, "%04x%s", len(line)+4, line); err != nil {
				return
			}
		}
	}
	m := slow(t, endless, Options{Limits: Limits{Time: 2 * time.Second, Memory: 64 << 20}})
	if _, err := m.Fetch(ctx(t)); err == nil {
		t.Error("an endless list of refs was read to its end")
	} else {
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("error %v, want a LimitError", err)
		}
	}
}

// T-37: a redirect leads nowhere, nor do the alternates of the dumb protocol.
func TestT37NoRequestLeavesTheHost(t *testing.T) {
	hits := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits <- r.URL.String() }))
	defer other.Close()
	for name, handle := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.String(), http.StatusFound)
		},
		"alternates": func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/info/refs"):
				_, _ = io.WriteString(w, strings.Repeat("1", 40)+"\trefs/heads/main\n")
			case strings.HasSuffix(r.URL.Path, "/HEAD"):
				_, _ = io.WriteString(w, "ref: refs/heads/main\n")
			case strings.HasSuffix(r.URL.Path, "http-alternates"), strings.HasSuffix(r.URL.Path, "/alternates"):
				_, _ = io.WriteString(w, other.URL+"/objects\n")
			default:
				http.NotFound(w, r)
			}
		},
	} {
		m := slow(t, handle, Options{Limits: Limits{Time: 10 * time.Second}})
		if _, err := m.Fetch(ctx(t)); err == nil {
			t.Errorf("%s: Fetch succeeded", name)
		}
		select {
		case url := <-hits:
			t.Errorf("%s: another host was asked for %s", name, url)
		default:
		}
	}
}

// Credentials reach the server, and are seen neither on a command line nor in an error.
func TestCredentialsAreNeverSeen(t *testing.T) {
	const password = "hunter2-s3cret"
	var auth string
	log := filepath.Join(t.TempDir(), "argv")
	bin := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\necho \"$@\" >> "+log+"\nexec git \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		// A server that says what it was told, so that git prints it.
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no entry for "+auth+" "+password+" https://user:"+password+"@host/\n")
	}
	m := slow(t, handle, Options{Git: bin, Credentials: Credentials{Username: "robot", Password: password}})
	_, err := m.Fetch(ctx(t))
	if err == nil {
		t.Fatal("Fetch succeeded")
	}
	if want := "Basic cm9ib3Q6aHVudGVyMi1zM2NyZXQ="; auth != want {
		t.Errorf("server was told %q, want %q", auth, want)
	}
	argv, readErr := os.ReadFile(log)
	if readErr != nil || !strings.Contains(string(argv), "fetch") {
		t.Fatalf("command lines %q, %v", argv, readErr)
	}
	for where, text := range map[string]string{"error": err.Error(), "command line": string(argv)} {
		if strings.Contains(text, password) || strings.Contains(text, "cm9ib3Q6") {
			t.Errorf("%s tells the password: %s", where, text)
		}
	}
	if !strings.Contains(err.Error(), "403") && !strings.Contains(err.Error(), "no entry") {
		t.Errorf("error %v does not say what went wrong", err)
	}
}
