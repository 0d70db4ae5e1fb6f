package internal

import (
	"go/ast"
	"go/token"
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

func TestBans(t *testing.T) {
	for _, p := range load(t) {
		for _, use := range p.uses("log", globalLogger) {
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

// remarked reports whether there is a comment on the line of something that uses or calls returned.
func (s *source) remarked(found string) bool {
	return slices.ContainsFunc(s.syntax.Comments, func(group *ast.CommentGroup) bool {
		return strings.HasPrefix(found, s.at(group, ""))
	})
}

// calls returns where a method of one of the names is called, but for the body of a fuzz target: it skips
// inputs that are of no interest.
func (s *source) calls(names ...string) []string {
	var found []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if ok && f.Sel.Name == "Fuzz" {
			return false
		}
		if ok && slices.Contains(names, f.Sel.Name) {
			if x, ok := f.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
				found = append(found, s.at(n, x.Name+"."+f.Sel.Name))
			}
		}
		return true
	})
	return found
}

// conventional are methods whose meaning an interface of the standard library fixes.
var conventional = []string{"Error", "String", "Unwrap", "Is", "Read", "Write", "Close", "ServeHTTP", "Len", "Less", "Swap",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText"}

// undocumented returns the exported names of a file that have no comment; those of fields where asked.
func undocumented(s *source, fields bool) []string {
	var found []string
	for _, d := range s.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			method := d.Recv != nil
			if d.Doc == nil && d.Name.IsExported() && !(method && (!shown(d.Recv) || slices.Contains(conventional, d.Name.Name))) {
				found = append(found, s.at(d, d.Name.Name))
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				found = append(found, s.bare(d, spec)...)
				if kind, ok := spec.(*ast.TypeSpec); ok && fields {
					found = append(found, s.bareFields(kind)...)
				}
			}
		}
	}
	return found
}

// bare returns the undocumented names of one type, constant or variable declaration.
func (s *source) bare(d *ast.GenDecl, spec ast.Spec) []string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
			return []string{s.at(spec, spec.Name.Name)}
		}
	case *ast.ValueSpec:
		if d.Doc == nil && spec.Doc == nil && spec.Comment == nil && spec.Names[0].IsExported() {
			return []string{s.at(spec, spec.Names[0].Name)}
		}
	}
	return nil
}

// bareFields returns the undocumented exported fields of an exported struct; the items of a list are what
// its name says.
func (s *source) bareFields(kind *ast.TypeSpec) []string {
	body, ok := kind.Type.(*ast.StructType)
	if !ok || !kind.Name.IsExported() {
		return nil
	}
	var found []string
	for _, f := range body.Fields.List {
		if f.Doc != nil || f.Comment != nil || len(f.Names) == 0 || !f.Names[0].IsExported() || f.Names[0].Name == "Items" {
			continue
		}
		found = append(found, s.at(f, kind.Name.Name+"."+f.Names[0].Name))
	}
	return found
}

// shown reports whether a method's receiver is of an exported type.
func shown(receiver *ast.FieldList) bool {
	kind := receiver.List[0].Type
	for {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.Ident:
			return k.IsExported()
		default:
			return false
		}
	}
}

// oversized returns the functions of a file that are too long, too wide or too deep.
func oversized(s *source) []string {
	var found []string
	for _, d := range s.syntax.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		line := func(p token.Pos) int { return s.positions.Position(p).Line }
		switch {
		case line(f.End())-line(f.Pos()) >= maxFunctionLines:
			found = append(found, s.at(f, f.Name.Name+" is too long: name its parts"))
		case parameters(f.Type) > maxParameters:
			found = append(found, s.at(f, f.Name.Name+" has too many parameters: they are a type without a name"))
		case depth(f.Body) > maxNesting:
			found = append(found, s.at(f, f.Name.Name+" nests too deep: return early or name the inner part"))
		}
	}
	return found
}

// parameters counts a function's parameters; a context is none, it comes along everywhere.
func parameters(f *ast.FuncType) int {
	n := f.Params.NumFields()
	if n > 0 {
		first, ok := f.Params.List[0].Type.(*ast.SelectorExpr)
		if ok && first.Sel.Name == "Context" {
			n--
		}
	}
	return n
}

// depth counts how deep control flow nests below a node. An else-if is as deep as its if, and the cases
// of a switch are as deep as the switch.
func depth(n ast.Node) int {
	deepest := 0
	ast.Inspect(n, func(inner ast.Node) bool {
		if inner == n || inner == nil {
			return true
		}
		switch inner := inner.(type) {
		case *ast.IfStmt:
			below := 1 + depth(inner.Body)
			if inner.Else != nil {
				if next, chained := inner.Else.(*ast.IfStmt); chained {
					below = max(below, depth(&ast.BlockStmt{List: []ast.Stmt{next}}))
				} else {
					below = max(below, 1+depth(inner.Else))
				}
			}
			deepest = max(deepest, below)
			return false
		case *ast.ForStmt:
			deepest = max(deepest, 1+depth(inner.Body))
			return false
		case *ast.RangeStmt:
			deepest = max(deepest, 1+depth(inner.Body))
			return false
		case *ast.SwitchStmt:
			deepest = max(deepest, 1+depth(inner.Body))
			return false
		case *ast.TypeSwitchStmt:
			deepest = max(deepest, 1+depth(inner.Body))
			return false
		case *ast.SelectStmt:
			deepest = max(deepest, 1+depth(inner.Body))
			return false
		}
		return true
	})
	return deepest
}
