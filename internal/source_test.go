package internal

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fairway-dev/fairway"

// tops are the folders that hold Go code.
var tops = []string{"cmd", "api", "internal", "config", "e2e", "hack"}

// source is one parsed Go file.
type source struct {
	path      string // below the repository's root
	test      bool
	generated bool
	lines     int
	positions *token.FileSet
	syntax    *ast.File
}

// pkg is one folder of Go files, tests included.
type pkg struct {
	path  string // below the repository's root, with slashes
	files []*source
}

// load parses every Go file of the module: not those of modules of their own below hack, nor testdata.
func load(t *testing.T) map[string]*pkg {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*pkg{}
	for _, top := range tops {
		start := filepath.Join(root, top)
		if _, err := os.Stat(start); os.IsNotExist(err) {
			continue
		}
		err := filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return visit(t, all, root, path, entry)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if all["internal/change"] == nil {
		t.Fatal("the ground was not found: the checks would hold for nothing")
	}
	return all
}

func visit(t *testing.T, all map[string]*pkg, root, path string, entry fs.DirEntry) error {
	t.Helper()
	if entry.IsDir() {
		_, err := os.Stat(filepath.Join(path, "go.mod"))
		if err == nil || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		return nil
	}
	if filepath.Ext(path) != ".go" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	folder := filepath.ToSlash(filepath.Dir(name))
	if all[folder] == nil {
		all[folder] = &pkg{path: folder}
	}
	all[folder].files = append(all[folder].files, parsed(t, filepath.ToSlash(name), string(text)))
	return nil
}

// parsed parses the text of one file.
func parsed(t *testing.T, name, text string) *source {
	t.Helper()
	s := &source{path: name, test: strings.HasSuffix(name, "_test.go"), positions: token.NewFileSet()}
	s.lines = bytes.Count([]byte(text), []byte("\n"))
	var err error
	if s.syntax, err = parser.ParseFile(s.positions, name, text, parser.ParseComments); err != nil {
		t.Fatalf("reading the house: %v", err)
	}
	s.generated = ast.IsGenerated(s.syntax)
	return s
}

// code returns the files that are neither tests nor generated.
func (p *pkg) code() []*source {
	return slices.DeleteFunc(slices.Clone(p.files), func(s *source) bool { return s.test || s.generated })
}

// imports returns what the package's files import, tests aside; paths of this module are cut to its root.
func (p *pkg) imports() []string {
	var found []string
	for _, s := range p.files {
		if !s.test {
			found = append(found, s.imports()...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (s *source) imports() []string {
	var found []string
	for _, spec := range s.syntax.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it already
		}
		found = append(found, strings.TrimPrefix(path, module+"/"))
	}
	return found
}

// uses returns where the package's code names one of the identifiers of an imported package.
func (p *pkg) uses(path string, names []string) []string {
	var found []string
	for _, s := range p.code() {
		found = append(found, s.uses(path, names)...)
	}
	return found
}

func (s *source) uses(path string, names []string) []string {
	local := ""
	for _, spec := range s.syntax.Imports {
		if spec.Path.Value == strconv.Quote(path) {
			local = path[strings.LastIndex(path, "/")+1:]
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var found []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || local == "" || !slices.Contains(names, selector.Sel.Name) {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local {
			found = append(found, s.at(n, local+"."+selector.Sel.Name))
		}
		return true
	})
	return found
}

// at says where in the repository something is.
func (s *source) at(n ast.Node, what string) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.positions.Position(n.Pos()).Line, what)
}
