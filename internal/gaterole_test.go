package internal

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gateRole is where `fairway gate` begins: one binary holds both roles, so what the gate must not reach
// is looked for declaration by declaration.
const gateRole = "serveGate"

// roleBans are what no declaration that the gate reaches may use.
var roleBans = []string{"os/exec", "internal/gitrepo", "internal/render", "internal/render/worker", "internal/forge"}

// TestTheGateHasNoGit: nothing of the roof that `fairway gate` reaches uses git, a renderer or another
// program, and neither does any room that it uses.
func TestTheGateHasNoGit(t *testing.T) {
	all := load(t)
	roof := roofTexts(t, all)
	used := usedFrom(t, roof, gateRole)
	if len(used) < 10 || !slices.Contains(used, "internal/gate") {
		t.Fatalf("the gate uses %q: the search found too little to mean anything", used)
	}
	if !slices.Contains(usedFrom(t, roof, "serveProver"), "internal/gitrepo") {
		t.Fatal("the search does not even find the prover's git")
	}
	for _, path := range used {
		if slices.ContainsFunc(roleBans, func(ban string) bool { return path == ban || strings.HasPrefix(path, ban+"/") }) {
			t.Errorf("%s reaches %s: the gate runs where there is no git and no shell", gateRole, path)
		}
		if all[path] == nil {
			continue
		}
		for _, broken := range banned(all, path) {
			if !strings.HasSuffix(broken, gateBans["os/signal"]) { // which starts nothing
				t.Errorf("%s reaches %s", gateRole, broken)
			}
		}
	}
}

// roofTexts are the files of the roof, tests aside.
func roofTexts(t *testing.T, all map[string]*pkg) map[string]string {
	t.Helper()
	roof := map[string]string{}
	for _, s := range all["cmd/fairway"].code() {
		text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(s.path)))
		if err != nil {
			t.Fatal(err)
		}
		roof[s.path] = string(text)
	}
	return roof
}

// TestTheGateRoleBites holds that the check above can fail.
func TestTheGateRoleBites(t *testing.T) {
	text := "package main\nimport \"os/exec\"\nimport \"strings\"\n" +
		"func serveGate() { var w worker; take(w); strings.ToLower(\"\") }\nfunc take(any) {}\n" +
		"type worker struct{}\nfunc (worker) run() { exec.Command(\"git\") }\nfunc other() { strings.ToUpper(\"\") }\n"
	used := usedFrom(t, map[string]string{"x.go": text}, gateRole)
	if want := []string{"os/exec", "strings"}; !slices.Equal(used, want) {
		t.Errorf("it uses %q, want %q: the method of a type that is reached counts", used, want)
	}
}

// usedFrom are the packages of the names that namesFrom finds.
func usedFrom(t *testing.T, texts map[string]string, from string) []string {
	t.Helper()
	var used []string
	for _, name := range namesFrom(t, texts, from) {
		used = append(used, name[:strings.LastIndex(name, ".")])
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// namesFrom are the names of other packages, whose paths are cut to the module's root, that the declarations
// use which a function reaches, in a package of these files. Of a type that is reached all methods are, since an interface may call any of them.
func namesFrom(t *testing.T, texts map[string]string, from string) []string {
	t.Helper()
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	positions := token.NewFileSet()
	var files []*ast.File
	for name, text := range texts {
		f, err := parser.ParseFile(positions, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	config := types.Config{Importer: noImports{}, Error: func(error) {}} // what is imported stays unknown; ours does not
	scope, _ := config.Check("roof", positions, files, info)
	decls := map[types.Object][]ast.Node{}
	methods := map[string][]types.Object{}
	for _, f := range files {
		for _, d := range f.Decls {
			declare(info, d, decls, methods)
		}
	}
	start := scope.Scope().Lookup(from)
	if start == nil {
		t.Fatalf("there is no %s", from)
	}
	var used []string
	seen := map[types.Object]bool{start: true}
	for queue := []types.Object{start}; len(queue) > 0; queue = queue[1:] {
		reached := []types.Object{}
		for _, node := range decls[queue[0]] {
			ast.Inspect(node, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil {
					reached = append(reached, info.Uses[id])
				}
				if name := foreign(info, n); name != "" {
					used = append(used, name)
				}
				return true
			})
		}
		if name, ok := queue[0].(*types.TypeName); ok {
			reached = append(reached, methods[name.Name()]...)
		}
		for _, o := range reached {
			if !seen[o] && decls[o] != nil {
				seen[o] = true
				queue = append(queue, o)
			}
		}
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// foreign is the name of another package that a node says; empty where it says none.
func foreign(info *types.Info, n ast.Node) string {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	id, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	name, imported := info.Uses[id].(*types.PkgName)
	if !imported {
		return ""
	}
	return strings.TrimPrefix(name.Imported().Path(), module+"/") + "." + selector.Sel.Name
}

// declare notes what a declaration declares, and the methods of each type.
func declare(info *types.Info, d ast.Decl, decls map[types.Object][]ast.Node, methods map[string][]types.Object) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		o := info.Defs[d.Name]
		decls[o] = append(decls[o], d)
		if d.Recv != nil {
			ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					methods[id.Name] = append(methods[id.Name], o)
				}
				return true
			})
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				decls[info.Defs[spec.Name]] = []ast.Node{spec}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					decls[info.Defs[name]] = []ast.Node{spec}
				}
			}
		}
	}
}

// noImports knows no package.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not looked at") }
