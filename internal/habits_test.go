package internal

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The sizes that code keeps; tests and generated files are free.
const (
	maxFileLines     = 400
	maxFunctionLines = 80
	maxParameters    = 5
	maxNesting       = 4
)

// vague are names that say nothing of what a package is for.
var vague = []string{
	"util", "utils", "common", "helper", "helpers", "types", "shared", "misc", "lib", "core", "base", "tools", "pkg",
}

// bans are imports that nothing in this module may have, tests included.
var bans = []struct{ pattern, why string }{
	{"github.com/stretchr/testify/...", "tests are tables with go-cmp: one idiom, and differences are shown whole"},
	{"github.com/onsi/ginkgo/...", "tests are plain Go, run and read like the code"},
	{"github.com/onsi/ginkgo/v2/...", "tests are plain Go, run and read like the code"},
	{"github.com/onsi/gomega/...", "tests are plain Go, run and read like the code"},
	{"k8s.io/klog/...", "there is no global logger: take a logr.Logger"},
	{"k8s.io/klog/v2/...", "there is no global logger: take a logr.Logger"},
	{"io/ioutil", "deprecated: use io and os"},
	{"github.com/pkg/errors", "errors are wrapped by fmt.Errorf with %w"},
	{"math/rand", "use math/rand/v2 for tests and crypto/rand for secrets"},
}

// globalLogger are the names of package log that write to the logger of everybody. log.New is free: it is
// what http.Server.ErrorLog asks for.
var globalLogger = []string{
	"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Default",
	"SetOutput", "SetFlags", "SetPrefix",
}

// muffler matches the one use of the global logger: it keeps what net/http quotes of a server out of the log.
var muffler = regexp.MustCompile(`^cmd/fairway/main\.go:[0-9]+: log\.SetOutput$`)

func TestBans(t *testing.T) {
	for _, p := range load(t) {
		for _, use := range p.uses("log", globalLogger) {
			if muffler.MatchString(use) {
				continue
			}
			t.Errorf("%s: there is no global logger: take a logr.Logger", use)
		}
		for _, s := range p.files {
			for _, imported := range s.imports() {
				for _, ban := range bans {
					if matches(ban.pattern, imported) {
						t.Errorf("%s imports %s: %s", s.path, imported, ban.why)
					}
				}
			}
		}
	}
}

// TestNoSleepNoSkip holds two habits of tests: a condition is awaited instead of slept for, and a missing
// component fails instead of hiding behind a skip. A sleep that plays the time some work takes says so in
// a comment on its line.
func TestNoSleepNoSkip(t *testing.T) {
	for _, p := range load(t) {
		for _, s := range p.files {
			for _, use := range s.uses("time", []string{"Sleep"}) {
				if !s.remarked(use) {
					t.Errorf("%s: await the condition, with a deadline", use)
				}
			}
			for _, call := range s.calls("Skip", "Skipf", "SkipNow") {
				t.Errorf("%s: build what is missing, or say in the test's name where it runs", call)
			}
		}
	}
}

// TestDocumented holds that every package and every exported name says what it is for. Fields of a struct
// may speak for themselves below the comment of their type, but not in the API, where kubectl explain
// shows each alone.
func TestDocumented(t *testing.T) {
	for path, p := range load(t) {
		if !slices.ContainsFunc(p.files, func(s *source) bool { return s.syntax.Doc != nil }) {
			t.Errorf("%s has no package comment: say its purpose, what it refuses to do and how it fails", path)
		}
		if strings.HasPrefix(path, "e2e") || strings.HasPrefix(path, "hack") {
			continue // nobody's API
		}
		for _, s := range p.code() {
			for _, name := range undocumented(s, strings.HasPrefix(path, "api/")) {
				t.Errorf("%s has no doc comment", name)
			}
		}
	}
}

// TestNames holds that packages are named after the thing they are about.
func TestNames(t *testing.T) {
	for path, p := range load(t) {
		name := path[strings.LastIndex(path, "/")+1:]
		if slices.Contains(vague, name) {
			t.Errorf("%s: a package is named after one thing, and %q is none", path, name)
		}
		for _, s := range p.code() {
			file := strings.TrimSuffix(s.path[strings.LastIndex(s.path, "/")+1:], ".go")
			if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, file) {
				t.Errorf("%s: a file is named after what it holds", s.path)
			}
		}
	}
}

// TestSizes holds that files and functions can be read at one go.
func TestSizes(t *testing.T) {
	for _, p := range load(t) {
		for _, s := range p.code() {
			if s.lines > maxFileLines {
				t.Errorf("%s has %d lines, more than %d: split it by what it is about", s.path, s.lines, maxFileLines)
			}
			for _, broken := range oversized(s) {
				t.Error(broken)
			}
		}
	}
}

// unfinished marks work left for later.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// TestNothingHidden holds that no code runs before main, and that nothing is left for later.
func TestNothingHidden(t *testing.T) {
	for _, p := range load(t) {
		for _, s := range p.files {
			for _, group := range s.syntax.Comments {
				if !s.generated && s.path != "internal/habits_test.go" && unfinished.MatchString(group.Text()) {
					t.Error(s.at(group, "finish it or open an issue; the code holds no promises"))
				}
			}
			for _, d := range s.syntax.Decls {
				f, ok := d.(*ast.FuncDecl)
				if ok && f.Recv == nil && f.Name.Name == "init" && !s.generated {
					t.Error(s.at(f, "func init runs unseen; wire it where it is used"))
				}
			}
		}
	}
}

// TestTheHabitsBite holds that the checks above can fail.
func TestTheHabitsBite(t *testing.T) {
	s := parsed(t, "x.go", `package x

import "testing"

type Shown struct {
	Field int
	Said  int // what it is
	// Group has one comment.
	Group, Of int
}

func Loud() {}

// Quiet is documented.
func Quiet() {}

func (Shown) Method() {}

func (Shown) String() string { return "" }

func (hidden) Method() {}

const Answer = 42

// The block is documented.
const (
	One = 1
)

func many(a, b, c int, d, e string, f bool) {}

func deep(t *testing.T) {
	for {
		if true {
			switch {
			case true:
				for {
					if true {
						t.Skip()
					}
				}
			}
		}
	}
}

func fuzz(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { t.Skip() })
}

func chain(a int) {
	if a == 1 {
	} else if a == 2 {
	} else if a == 3 {
	} else if a == 4 {
	} else if a == 5 {
	}
}
`)
	want := []string{"x.go:5: Shown", "x.go:6: Shown.Field", "x.go:12: Loud", "x.go:17: Method", "x.go:23: Answer"}
	if got := undocumented(s, true); !slices.Equal(got, want) {
		t.Errorf("undocumented: %v, want %v", got, want)
	}
	if got := oversized(s); len(got) != 2 || !strings.Contains(got[0], "many") || !strings.Contains(got[1], "deep") {
		t.Errorf("oversized: %v, want many and deep", got)
	}
	slept := parsed(t, "x.go", "package x\nimport \"time\"\nfunc f() {\ntime.Sleep(1) // work\ntime.Sleep(1)\n}\n")
	for i, use := range slept.uses("time", []string{"Sleep"}) {
		if got := slept.remarked(use); got != (i == 0) {
			t.Errorf("%s: remarked is %t", use, got)
		}
	}
	if got := s.calls("Skip"); len(got) != 1 {
		t.Errorf("calls of Skip: %v, want one", got)
	}
}
