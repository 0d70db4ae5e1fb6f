package canon_test

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestT61StampOverEmptyAnnotations: charts leave empty annotations behind, and a stamp stands in their
// place. What else is annotated is content as ever.
func TestT61StampOverEmptyAnnotations(t *testing.T) {
	annotated := func(annotations any) map[string]any {
		m := manifest("web:1", "")
		m["metadata"].(map[string]any)["annotations"] = annotations
		return m
	}
	stamp := map[string]any{change.StampRepository: "apps", change.StampCommit: "c", change.StampSource: "shop"}
	with := func(key string) map[string]any {
		m := map[string]any{key: "x"}
		for k, v := range stamp {
			m[k] = v
		}
		return m
	}
	bare := manifest("web:1", "")
	for name, git := range map[string]map[string]any{"empty": annotated(map[string]any{}), "null": annotated(nil), "none": bare} {
		for how, sent := range map[string]map[string]any{"as it is": git, "stamped": annotated(stamp)} {
			if r := bind(newServer(t).apply(sent, flux).live(), nil); !r.BoundTo(digest(t, git)) {
				t.Errorf("%s, applied %s: not bound: %+v", name, how, r)
			}
		}
		if r := bind(newServer(t).apply(annotated(with("other")), flux).live(), nil); r.BoundTo(digest(t, git)) {
			t.Errorf("%s: bound although something is annotated", name)
		}
	}
}
