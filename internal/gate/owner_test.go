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

// TestRuling16APodHeldBackComesAgain: a Pod that is lost below the partition of its StatefulSet comes again as it
// was, from the revision that the set keeps, and from nothing else. Before, it never came again.
func TestRuling16APodHeldBackComesAgain(t *testing.T) {
	const set = `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"web","namespace":"shop","uid":"1"},"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":1}},
"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`
	revision := func(uid, image string) string {
		return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"web-old","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"web","uid":%q,"controller":true}]},
"data":{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":%q}]}}}}}`, uid, image)
	}
	for name, row := range map[string]struct {
		pod, image, revision string
		want                 change.Found
	}{
		"from the template":                {"web-0", "web:2", "", change.Present},
		"from the revision":                {"web-0", "web:1", revision("1", "web:1"), change.Present},
		"from neither":                     {"web-0", "web:0", revision("1", "web:1"), change.Absent},
		"above the partition":              {"web-1", "web:1", revision("1", "web:1"), change.Absent},
		"from a revision that is gone":     {"web-0", "web:1", "", change.Absent},
		"from a revision of somebody else": {"web-0", "web:1", revision("2", "web:1"), change.Absent},
	} {
		live := cluster{"StatefulSet web": set}
		if row.revision != "" {
			live["ControllerRevision web-old"] = row.revision
		}
		g := New(Rooms{Live: live, Types: func() canon.Types { return schema.BuiltIn() }})
		c := &inquiry{}
		c.facts.Request = change.Request{Operation: change.Create, Kind: change.Kind{Version: "v1", Kind: "Pod"}, Object: fmt.Appendf(nil,
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"shop","labels":{"app":"web","controller-revision-hash":"web-old"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"web","uid":"1","controller":true}]},
"spec":{"hostname":%[1]q,"enableServiceLinks":true,"serviceAccountName":"default","serviceAccount":"default","containers":[{"name":"web","image":%[2]q}]}}`, row.pod, row.image)}
		g.parse(c)
		if owner := g.owner(t.Context(), c); owner.Live != change.Present || owner.Template != row.want {
			t.Errorf("%s: live %v, as a template asks %v; want %v", name, owner.Live, owner.Template, row.want)
		}
	}
}

// TestT13NothingIsPutThere: what a row lets go of it puts nowhere; the gate tells the judge which fields hold something new.
func TestT13NothingIsPutThere(t *testing.T) {
	const object = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"shop"%s}}`
	refs := func(uids ...string) string {
		all := []string{}
		for _, uid := range uids {
			all = append(all, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","name":"o","uid":%q,"blockOwnerDeletion":true}`, uid))
		}
		return `,"ownerReferences":[` + strings.Join(all, ",") + `]`
	}
	for name, row := range map[string]struct {
		old, now string
		want     []string
	}{
		"a reference goes":       {refs("1", "2"), refs("2"), nil},
		"the last one goes":      {refs("1"), "", nil},
		"one comes":              {refs("1"), refs("1", "9"), []string{`metadata.ownerReferences[uid="9"]`}},
		"one for another":        {refs("1"), refs("9"), []string{`metadata.ownerReferences[uid="9"]`}},
		"the first one comes":    {"", refs("9"), []string{`metadata.ownerReferences[uid="9"]`}},
		"it blocks no more":      {refs("1"), strings.Replace(refs("1"), "true", "false", 1), nil},
		"it names another owner": {refs("1"), strings.Replace(refs("1"), `"name":"o"`, `"name":"x"`, 1), []string{`metadata.ownerReferences[uid="1"]`}},
		"a finalizer comes":      {"", `,"finalizers":["x/y"]`, []string{`metadata.finalizers[="x/y"]`}},
		"a finalizer goes":       {`,"finalizers":["x/y"]`, "", nil},
		"of two finalizers, one": {`,"finalizers":["x/y","x/z"]`, `,"finalizers":["x/z"]`, nil},
	} {
		g := New(Rooms{Types: func() canon.Types { return schema.BuiltIn() }, Engines: pointers{}, Proofs: &unproven{}})
		c := &inquiry{}
		c.facts.Request = change.Request{
			Operation: change.Update, Kind: change.Kind{Version: "v1", Kind: "ConfigMap"}, User: change.User{Name: "system:serviceaccount:kube-system:generic-garbage-collector"},
			Object: fmt.Appendf(nil, object, row.now), Old: fmt.Appendf(nil, object, row.old),
		}
		g.parse(c)
		g.reach(t.Context(), c)
		if len(c.facts.Reach) != 1 || c.facts.Reach[0].Within != change.Present {
			t.Fatalf("%s: %+v", name, c.facts.Reach)
		}
		if got := c.facts.Reach[0].Gained; len(row.want) == 0 && len(got) > 0 || len(row.want) > 0 && (len(got) == 0 || got[0] != row.want[0]) {
			t.Errorf("%s: gained %q, want %q", name, got, row.want)
		}
	}
}

func liveName(name string, live change.Found) string {
	if live != change.Present {
		return ""
	}
	return name
}
