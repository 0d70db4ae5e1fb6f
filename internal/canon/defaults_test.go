package canon

import (
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

func TestRuling18ShippedTableReads(t *testing.T) {
	table, err := parseDefaults(defaultsText)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(table.kinds); n < 30 {
		t.Errorf("the table speaks of %d kinds only", n)
	}
}

func TestParseDefaultsRefuses(t *testing.T) {
	for _, line := range []string{
		"v1/Pod\tspec.a", "v1/Pod\tspec.a\tnever\t1", "v1/Pod\tspec.a\talways", "v1/Pod\tspec.a\talways\t1\t2", "v1/Pod\tspec.a\tany\t1",
		"v1/Pod\tspec.a\tsome", "v1/Pod\tspec..a\tany", "v1/Pod\tspec.a\tsome\t{", "Pod\tspec.a\tany", "/Pod\tspec.a\tany", "v1/\tspec.a\tany",
		"v1/Pod\tspec.a\tlike", "v1/Pod\tspec.a\tlike\tb", "v1/Pod\tspec.a\tlike\t\"\"", "v1/Pod\tspec.a\tany\nv1/Pod\tspec.a\tany",
	} {
		if _, err := parseDefaults(line); err == nil {
			t.Errorf("%q was read", line)
		}
	}
}

// TestFills: what the marks of the table mean.
func TestFills(t *testing.T) {
	table, err := parseDefaults(strings.Join([]string{
		"# a comment", "",
		"g.example/K\tspec.one\talways\t1",
		"g.example/K\tspec.some\tsome\t\"a\"\t\"b\"",
		"g.example/K\tspec.any\tany",
		"g.example/K\tspec.map\talways\t{\"a\":1}",
		"g.example/K\tspec.list[*].x\talways\ttrue",
		"g.example/K\tspec.list[kind=b].y\tsome\t2",
		"g.example/K\tmeta[\"a/*\"]\tany",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		object, path   string
		allows, absent bool
	}{
		{`{"spec":{"one":1}}`, "spec.one", true, true}, {`{"spec":{"one":1.0}}`, "spec.one", true, true}, {`{"spec":{"one":2}}`, "spec.one", false, false},
		{`{"spec":{"one":"1"}}`, "spec.one", false, false}, {`{"spec":{"one":""}}`, "spec.one", false, true},
		{`{"spec":{"some":"b"}}`, "spec.some", true, false}, {`{"spec":{"some":"c"}}`, "spec.some", false, false},
		{`{"spec":{"any":{"deep":[1]}}}`, "spec.any", true, false}, {`{"spec":{"any":{"deep":[1]}}}`, "spec.any.deep", true, false},
		{`{"spec":{"map":{"a":1}}}`, "spec.map", true, true}, {`{"spec":{"map":{"a":1,"b":2}}}`, "spec.map", false, false},
		{`{"spec":{"list":[{"kind":"a","x":true}]}}`, "spec.list.0.x", true, true}, {`{"spec":{"list":[{"kind":"a","y":2}]}}`, "spec.list.0.y", false, false},
		{`{"spec":{"list":[{"kind":"b","y":2}]}}`, "spec.list.0.y", true, false}, {`{"spec":{"two":1}}`, "spec.two", false, false},
		{`{"meta":{"a/b":1}}`, "meta.a/b", true, false}, {`{"meta":{"b/b":1}}`, "meta.b/b", false, false},
	} {
		d, err := parseJSON([]byte(tt.object))
		if err != nil {
			t.Fatal(err)
		}
		f, n := table.of(change.Kind{Group: "g.example", Version: "v9", Kind: "K"}), ref(0)
		for _, name := range strings.Split(tt.path, ".") {
			if name == "0" {
				n = d.first(n)
				f = f.item(d, n)
				continue
			}
			n = d.member(n, name)
			f = f.field([]byte(name))
		}
		if got := f.allows(d, n); got != tt.allows {
			t.Errorf("%s at %s: allows %t", tt.object, tt.path, got)
		}
		if got := f.means(d, n); got != tt.absent {
			t.Errorf("%s at %s: means absent %t", tt.object, tt.path, got)
		}
	}
	other := table.of(change.Kind{Kind: "K"})
	if other.n != 0 {
		t.Error("the table speaks of a kind of another group")
	}
}
