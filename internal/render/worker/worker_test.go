package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestMain makes this program a worker where it is started as one, or something that went wrong.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || !strings.HasPrefix(os.Args[1], "worker") {
		os.Exit(m.Run())
	}
	conversation := newLink(os.Stdin, os.Stdout)
	ask := func() {
		var t task
		if err := conversation.receive(&t); err != nil {
			os.Exit(3)
		}
		if _, err := (remote{conversation}).Stat("."); err != nil {
			os.Exit(3)
		}
	}
	switch os.Args[1] {
	case "worker":
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "worker-that-ends-itself":
		ask()
		fmt.Fprintln(os.Stderr, "hunter2")
		os.Exit(1)
	case "worker-that-is-killed":
		ask()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "worker-that-does-not-start":
		os.Exit(1)
	case "worker-that-hangs":
		ask()
		for {
		}
	case "worker-that-lies":
		ask()
		_, _ = os.Stdout.Write([]byte{0xff, 0xff, 0xff, 0xff, 'x'})
	case "worker-that-breaks-out":
		breakOut(os.Args[2])
	}
	os.Exit(0)
}

// breakOut confines the process and tries what it must not be able to do.
func breakOut(address string) {
	<-time.After(time.Nanosecond)
	if err := confine(1<<30, time.Minute); err != nil {
		fmt.Println("not confined:", err)
	}
	if _, err := os.Open("/proc/self/environ"); err == nil {
		fmt.Println("opened a file")
	}
	if _, err := net.Dial("tcp", address); err == nil {
		fmt.Println("reached the network")
	}
	if err := exec.Command("/proc/self/exe", "worker-that-does-not-start").Run(); !errors.Is(err, syscall.EMFILE) {
		fmt.Println("started a program:", err)
	}
	if err := os.WriteFile(os.TempDir()+"/fairway-broke-out", nil, 0o600); err == nil {
		fmt.Println("wrote a file")
	}
	fmt.Println("tried everything")
}

func pool(t testing.TB, mode string) *Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Command: []string{self, mode}, Memory: 1 << 30, Parallel: 2}, render.DefaultLimits(), known{})
}

type known struct{}

func (known) Namespaced(group, version, kind string) (namespaced, isKnown bool) {
	return true, group == "known.example" && version == "v1" && kind == "Known"
}

func files(pairs ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		tree[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return tree
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

// TestSameAsInProcess renders every case of package render, and what it refuses, in both ways.
func TestSameAsInProcess(t *testing.T) {
	type work struct {
		tree   fstest.MapFS
		source render.Source
	}
	all := map[string]work{
		"floats":  {files("a.json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"a":1e3,"b":1.5,"c":7,"d":12345678901234567890,"e":null,"f":[-0.0]}`), render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
		"refused": {files("a.yaml", "a: b"), render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
		"missing": {files("a.yaml", "a: b"), render.Source{Kind: tier.Kustomize, Path: "b", Namespace: "shop"}},
		"link":    {fstest.MapFS{"a": {Mode: fs.ModeSymlink}}, render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
		"sub":     {fstest.MapFS{"a": {Mode: fs.ModeIrregular}}, render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
		"bytes":   {files("a\xff.yaml", ""), render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
		"large":   {files("a.yaml", strings.Repeat("#", render.DefaultLimits().FileBytes+1)), render.Source{Kind: tier.Plain, Path: ".", Namespace: "shop"}},
	}
	cases, err := filepath.Glob("../testdata/cases/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, c := range cases {
		archive, err := txtar.ParseFile(c)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(archive.Comment), "\n")
		words := strings.Fields(first)
		w := work{fstest.MapFS{}, render.Source{Kind: tier.Render(words[0]), Path: words[1], Namespace: words[2]}}
		if w.source.Kind == tier.Chart {
			w.source.Helm = render.Helm{Helm: tier.Helm{Release: words[3], ValuesFiles: words[4:]}, Marked: true}
		}
		for _, f := range archive.Files {
			w.tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		delete(w.tree, "want")
		all[filepath.Base(c)] = w
	}
	workers, inProcess := pool(t, "worker"), render.New(render.DefaultLimits(), known{})
	var wg sync.WaitGroup
	for name, w := range all {
		wg.Go(func() {
			got, refusal, err := workers.Render(context.Background(), w.tree, w.source)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			want, wantRefusal, err := inProcess.Render(context.Background(), w.tree, w.source)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-in process +worker):\n%s", name, diff)
			}
			if diff := cmp.Diff(wantRefusal, refusal); diff != "" {
				t.Errorf("%s: refusal (-in process +worker):\n%s", name, diff)
			}
		})
	}
	wg.Wait()
}

// TestT33WorkerEndsTheBomb: a few hundred bytes that double a manifest forty times, with patches and
// with replacements. The worker ends within its memory, and the one who asked goes on.
func TestT33WorkerEndsTheBomb(t *testing.T) {
	copies, replacements := "", ""
	for i := range 40 {
		copies += fmt.Sprintf("    - {op: copy, from: /data, path: /data/a%d}\n", i)
		replacements += fmt.Sprintf("- {source: {kind: ConfigMap, fieldPath: data}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a%d], options: {create: true}}]}\n", i)
	}
	const object = configMap + "data: {x: y}\n"
	for name, kustomization := range map[string]string{
		"patches":      "resources: [a]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n" + copies,
		"replacements": "resources: [a]\nreplacements:\n" + replacements,
	} {
		t.Run(name, func(t *testing.T) {
			tree := files("kustomization.yaml", kustomization, "a", object)
			source := render.Source{Kind: tier.Kustomize, Path: ".", Namespace: "shop"}
			small := pool(t, "worker")
			small.options.Memory = 256 << 20
			harmless := files("kustomization.yaml", "resources: [a]", "a", object)
			if _, refusal, err := small.Render(context.Background(), harmless, source); err != nil || refusal != nil {
				t.Fatalf("what is harmless: refused %v, error %v", refusal, err)
			}
			result, refusal, err := small.Render(context.Background(), tree, source)
			if err != nil {
				t.Fatalf("error: %v", err)
			}
			if refusal == nil || refusal.Reason != render.TooLarge || len(result.Objects) > 0 {
				t.Errorf("objects %d, refused %v", len(result.Objects), refusal)
			}
		})
	}
}

// TestFaults: what ends a worker decides whether anything is known.
func TestFaults(t *testing.T) {
	for mode, refused := range map[string]bool{
		"worker-that-ends-itself":    true,
		"worker-that-is-killed":      false,
		"worker-that-does-not-start": false,
		"worker-that-lies":           false,
		"worker-of-no-kind":          false,
	} {
		_, refusal, err := pool(t, mode).Render(context.Background(), files("a.yaml", configMap), render.Source{Kind: tier.Plain, Path: "."})
		if (refusal != nil) != refused || (err == nil) != refused {
			t.Errorf("%s: refused %v, error %v", mode, refusal, err)
		}
		if refusal != nil && strings.Contains(refusal.Error(), "hunter2") {
			t.Errorf("%s: what the worker wrote slipped out: %s", mode, refusal)
		}
	}
	nobody := New(Options{Command: []string{"/nowhere/fairway"}, Memory: 1 << 30}, render.DefaultLimits(), nil)
	if _, refusal, err := nobody.Render(context.Background(), files(), render.Source{Kind: tier.Plain, Path: "."}); err == nil || refusal != nil {
		t.Errorf("no program: refused %v, error %v", refusal, err)
	}
}

func TestTimeRunsOut(t *testing.T) {
	limits := render.DefaultLimits()
	limits.Time = 200 * time.Millisecond
	hanging := pool(t, "worker-that-hangs")
	hanging.limits = limits
	source := render.Source{Kind: tier.Plain, Path: "."}
	if _, refusal, err := hanging.Render(context.Background(), files("a.yaml", configMap), source); !errors.Is(err, context.DeadlineExceeded) || refusal != nil {
		t.Errorf("hanging: refused %v, error %v", refusal, err)
	}
	full := pool(t, "worker")
	full.turns <- struct{}{}
	full.turns <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, refusal, err := full.Render(ctx, files("a.yaml", configMap), source); !errors.Is(err, context.Canceled) || refusal != nil {
		t.Errorf("waiting: refused %v, error %v", refusal, err)
	}
}

// TestT34NothingToReach: a confined process opens no file, no socket and no program.
func TestT34NothingToReach(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(self, "worker-that-breaks-out", listener.Addr().String()).CombinedOutput()
	if err != nil || string(out) != "tried everything\n" {
		t.Errorf("%v:\n%s", err, out)
	}
}

// unreadable is a tree whose files cannot be opened.
type unreadable struct{ fstest.MapFS }

func (u unreadable) Open(name string) (fs.File, error) {
	if strings.Contains(name, ".") && name != "." {
		return nil, fs.ErrPermission
	}
	return u.MapFS.Open(name)
}

func TestUnreadableTree(t *testing.T) {
	_, refusal, err := pool(t, "worker").Render(context.Background(), unreadable{files("a.yaml", configMap)}, render.Source{Kind: tier.Plain, Path: "."})
	if !errors.Is(err, fs.ErrPermission) || refusal != nil {
		t.Errorf("refused %v, error %v", refusal, err)
	}
}

// FuzzReceive: no bytes make a reader of messages panic, or take more than they are.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x10{\"Ask\":{\"Op\":\"x\"}}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, data []byte) {
		var r report
		if newLink(strings.NewReader(string(data)), nil).receive(&r) != nil {
			return
		}
		if r.Done != nil {
			_, _ = unpack(r.Done.Objects) // an error is as good as a value
		}
	})
}

func BenchmarkWorker(b *testing.B) {
	workers := pool(b, "worker")
	tree := files("kustomization.yaml", "resources: [a]\nnamePrefix: x-", "a", configMap)
	for b.Loop() {
		if _, refusal, err := workers.Render(context.Background(), tree, render.Source{Kind: tier.Kustomize, Path: ".", Namespace: "shop"}); err != nil || refusal != nil {
			b.Fatal(refusal, err)
		}
	}
}
