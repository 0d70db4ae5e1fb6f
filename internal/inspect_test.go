package internal

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

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
