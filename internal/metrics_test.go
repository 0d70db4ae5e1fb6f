package internal

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared are the metrics of the product's code, each as "name{labels}", labels sorted. They are read from
// the literals that declare them, so one that is registered in some process alone is seen too.
func declared(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for path, p := range load(t) {
		if !strings.HasPrefix(path, "cmd/") && !strings.HasPrefix(path, "internal/") {
			continue
		}
		for _, s := range p.code() {
			ast.Inspect(s.syntax, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if name, help, ok := options(call); ok {
						found[name+"{"+strings.Join(labels(call), ",")+"}"] = help
					}
				}
				return true
			})
		}
	}
	return found
}

// options are the name and help of a call that makes a metric.
func options(call *ast.CallExpr) (name, help string, ok bool) {
	if len(call.Args) == 0 {
		return "", "", false
	}
	lit, is := call.Args[0].(*ast.CompositeLit)
	if !is {
		return "", "", false
	}
	kind, is := lit.Type.(*ast.SelectorExpr)
	if !is || !strings.HasSuffix(kind.Sel.Name, "Opts") {
		return "", "", false
	}
	for _, element := range lit.Elts {
		pair, _ := element.(*ast.KeyValueExpr)
		if pair == nil {
			continue
		}
		key, _ := pair.Key.(*ast.Ident)
		value, _ := pair.Value.(*ast.BasicLit)
		if key == nil || value == nil || value.Kind != token.STRING {
			continue
		}
		text, _ := strconv.Unquote(value.Value)
		switch key.Name {
		case "Name":
			name = text
		case "Help":
			help = text
		}
	}
	return name, help, strings.HasPrefix(name, "fairway_")
}

// labels are the labels of a call that makes a metric, constant ones among them, sorted.
func labels(call *ast.CallExpr) []string {
	var all []string
	for i, arg := range call.Args {
		ast.Inspect(arg, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			constant := false
			if kind, ok := lit.Type.(*ast.SelectorExpr); ok {
				constant = kind.Sel.Name == "Labels"
			}
			for _, element := range lit.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok && constant {
					element = pair.Key
				} else if i == 0 {
					continue
				}
				if value, ok := element.(*ast.BasicLit); ok && value.Kind == token.STRING {
					text, _ := strconv.Unquote(value.Value)
					all = append(all, text)
				}
			}
			return true
		})
	}
	slices.Sort(all)
	return all
}

// metricRow is a row of the table of metrics: | `name` | labels | meaning |.
var metricRow = regexp.MustCompile("(?m)^\\| `(fairway_[a-z_]+)` \\|([^|]*)\\|[^|]+\\|")

// TestMetricsAreDocumented: docs/observability.md has a row for each metric that the code declares, with
// its labels, and none else.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, registered []string
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		names := regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1)
		var of []string
		for _, n := range names {
			of = append(of, n[1])
		}
		slices.Sort(of)
		documented = append(documented, row[1]+"{"+strings.Join(of, ",")+"}")
	}
	for name, help := range declared(t) {
		registered = append(registered, name)
		if help == "" {
			t.Errorf("%s has no help", name)
		}
	}
	slices.Sort(documented)
	slices.Sort(registered)
	if diff := cmp.Diff(registered, documented); diff != "" {
		t.Errorf("metrics (-in the code +in docs/observability.md):\n%s", diff)
	}
}

// TestT59Labels: no metric has a label for what whoever writes objects or commits can choose.
func TestT59Labels(t *testing.T) {
	named := []string{"namespace", "name", "object", "user", "commit", "path", "branch", "url", "kind", "resource", "uid"}
	for metric := range declared(t) {
		_, list, _ := strings.Cut(strings.TrimSuffix(metric, "}"), "{")
		for _, label := range strings.Split(list, ",") {
			if slices.Contains(named, label) {
				t.Errorf("%s: the label %q takes as many values as somebody cares to invent", metric, label)
			}
		}
	}
}
