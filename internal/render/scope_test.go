package render

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/scheme"
)

// TestBuiltinScope compares the table with the sources of Kubernetes' API: every type that a client
// is generated for carries a marker where it lives outside of namespaces.
func TestBuiltinScope(t *testing.T) {
	clusterWide := map[string]bool{} // by import path and type
	for _, module := range []string{"k8s.io/api", "k8s.io/apiextensions-apiserver"} {
		readMarkers(t, module, clusterWide)
	}
	seen := 0
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		wide, hasClient := clusterWide[typ.PkgPath()+"."+typ.Name()]
		if !hasClient || strings.HasSuffix(gvk.Kind, "Review") || gvk.Kind == "Eviction" { // asked, never stored
			continue
		}
		seen++
		namespaced, known := builtin(gvk.Group, gvk.Kind)
		if !known || namespaced == wide {
			t.Errorf("%s: namespaced %t, known %t; the source says cluster-wide %t", gvk, namespaced, known, wide)
		}
	}
	if wide, found := clusterWide["k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.CustomResourceDefinition"]; !found || !wide {
		t.Error("the marker of CustomResourceDefinition was not found")
	}
	if seen < 80 {
		t.Errorf("only %d kinds compared", seen)
	}
	if _, known := builtin("example.com", "Deployment"); known {
		t.Error("a custom kind is known")
	}
}

// readMarkers finds the types of a module that have the marker +genclient, and whether they are
// marked as nonNamespaced.
func readMarkers(t *testing.T, module string, clusterWide map[string]bool) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("finding module %s: %v", module, err)
	}
	root := strings.TrimSpace(string(out))
	err = filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(file) != "types.go" {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		for _, decl := range parsed.Decls {
			gen, isType := decl.(*ast.GenDecl)
			if !isType || gen.Tok != token.TYPE {
				continue
			}
			comments := markers(parsed, gen)
			if strings.Contains(comments, "+genclient\n") {
				name := gen.Specs[0].(*ast.TypeSpec).Name.Name
				clusterWide[module+"/"+filepath.ToSlash(dir)+"."+name] = strings.Contains(comments, "+genclient:nonNamespaced")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// markers are the comments of a declaration, and those right above them: markers often stand apart
// by an empty line.
func markers(file *ast.File, decl *ast.GenDecl) string {
	var b strings.Builder
	start := decl.Pos()
	if decl.Doc != nil {
		start = decl.Doc.Pos()
	}
	for _, group := range file.Comments {
		if group.End() <= decl.Pos() && start-group.End() <= 3 {
			for _, c := range group.List {
				b.WriteString(strings.TrimSpace(strings.TrimPrefix(c.Text, "//")) + "\n")
			}
		}
	}
	return b.String()
}
