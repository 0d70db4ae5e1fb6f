package gate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// cluster are live objects by kind and name.
type cluster map[string]string

func (l cluster) Object(_ context.Context, kind change.Kind, _, name string) ([]byte, change.Found) {
	raw, ok := l[kind.Kind+" "+name]
	return []byte(raw), change.FoundIf(ok)
}

// TestRuling16AClaimIsItsOwnSets: the names of templates and of StatefulSets may both hold dashes; a
// claim is that of the set whose template makes one of its name.
func TestRuling16AClaimIsItsOwnSets(t *testing.T) {
	set := func(name, template string) string {
		return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":%q,"namespace":"shop","uid":"1"},"spec":{"volumeClaimTemplates":[{"metadata":{"name":%q},"spec":{"accessModes":["ReadWriteOnce"]}}]}}`, name, template)
	}
	live := cluster{"StatefulSet my-web": set("my-web", "data"), "StatefulSet web": set("web", "logs-my")}
	g := New(Rooms{Live: live, Types: func() canon.Types { return schema.BuiltIn() }})
	for claim, want := range map[string]string{
		"data-my-web-0": "my-web", "logs-my-web-0": "web", "data-web-0": "", "data-my-web": "", "data--0": "", "-": "", "data-my-web-x": "",
		strings.Repeat("-", 63): "",
	} {
		req := change.Request{Operation: change.Create, Kind: change.Kind{Version: "v1", Kind: "PersistentVolumeClaim"}, Object: fmt.Appendf(nil,
			`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":%q,"namespace":"shop"},"spec":{"accessModes":["ReadWriteOnce"]}}`, claim)}
		c := &inquiry{}
		c.facts.Request = req
		g.parse(c)
		owner := g.owner(t.Context(), c)
		wantLive, wantMade := change.FoundIf(want != ""), change.CouldNotTell
		if want != "" {
			wantMade = change.Present
		}
		if diff := cmp.Diff([]any{want, wantLive, wantMade}, []any{liveName(owner.ID.Name, owner.Live), owner.Live, owner.Template}); diff != "" {
			t.Errorf("claim %s (-want +got):\n%s", claim, diff)
		}
	}
}

// TestRuling16EndpointsAreTheirServices: Endpoints name no owner; the Service of their name is it, gone or not,
// unless they do name one.
func TestRuling16EndpointsAreTheirServices(t *testing.T) {
	live := cluster{"Service web": `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop","uid":"1"}}`}
	g := New(Rooms{Live: live, Types: func() canon.Types { return schema.BuiltIn() }})
	lock := `,"ownerReferences":[{"apiVersion":"example.org/v1","kind":"Lock","name":"l","uid":"9","controller":true}]`
	for name, row := range map[string]struct {
		object, references, owner string
		live                      change.Found
	}{
		"the Service lives":       {"web", "", "Service", change.Present},
		"the Service is gone":     {"old", "", "Service", change.Absent},
		"a lock's, which is gone": {"old", lock, "Lock", change.Absent},
	} {
		c := &inquiry{}
		c.facts.Request = change.Request{Operation: change.Delete, Kind: change.Kind{Version: "v1", Kind: "Endpoints"}, Old: fmt.Appendf(nil,
			`{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":%q,"namespace":"shop"%s}}`, row.object, row.references)}
		g.parse(c)
		owner := g.owner(t.Context(), c)
		if owner.ID.Kind != row.owner || owner.Live != row.live {
			t.Errorf("%s: got %s, live %v", name, owner.ID.Kind, owner.Live)
		}
	}
}

func liveName(name string, live change.Found) string {
	if live != change.Present {
		return ""
	}
	return name
}
