package gate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// rendered are proofs by the path of their source.
type rendered map[string][]*change.Proof

func (r rendered) Of(key change.SourceKey) []*change.Proof  { return r[key.Path] }
func (r rendered) Speaking(change.ObjectID) []change.Spoken { return nil }

func newest(tierName string, kinds ...string) []*change.Proof {
	p := &change.Proof{Commit: "c", Judgements: []change.Judgement{{Tier: tierName, Admissible: change.Present}}}
	for _, k := range kinds {
		p.Objects = append(p.Objects, change.ProvenObject{ID: change.ObjectID{Group: "example.com", Kind: k, Namespace: "old", Name: "a"}})
	}
	return []*change.Proof{p}
}

// TestT21ADefinitionTakesItsObjects: the API server deletes all objects of a kind with its definition and asks nobody
// about them, so it stays while a gated namespace has one in Git.
func TestT21ADefinitionTakesItsObjects(t *testing.T) {
	const widgets = `{"spec":{"group":"example.com","names":{"kind":"Widget"}}}`
	crd := change.Kind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
	w := sealedWorld()
	for _, at := range []string{"old", "play"} {
		b := w.Bindings[at]
		b.Sources = []tier.Source{{Name: "app", Path: at}}
		w.Bindings[at] = b
	}
	for name, row := range map[string]struct {
		req    *change.Request
		proofs rendered
		want   []string
	}{
		"production has one":        {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{"old": newest("production", "Gadget", "Widget")}, []string{"app of old"}},
		"production has another":    {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{"old": newest("production", "Gadget")}, nil},
		"production dropped it":     {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{"old": append(newest("production"), newest("production", "Widget")...)}, nil},
		"it was dropped unapproved": {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{"old": append(newest("other"), newest("production", "Widget")...)}, []string{"app of old"}},
		"a sandbox has one":         {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{"play": newest("sandbox", "Widget")}, nil},
		"nothing is proven":         {asked(change.Delete, crd, "", "widgets", widgets, ""), rendered{}, nil},
		"the definition changes":    {asked(change.Update, crd, "", "widgets", widgets, widgets), rendered{"old": newest("production", "Widget")}, nil},
		"something else goes":       {asked(change.Delete, change.Kind{Group: "example.com", Version: "v1", Kind: "Widget"}, "", "widgets", widgets, ""), rendered{"old": newest("production", "Widget")}, nil},
		"of what nobody can read":   {asked(change.Delete, crd, "", "widgets", "{", ""), rendered{"old": newest("production", "Widget")}, nil},
	} {
		g := sealedGate()
		g.rooms.World, g.rooms.Proofs, g.rooms.Marks = func() *tier.World { return w }, row.proofs, nil
		c := g.begin(row.req)
		var got []string
		for _, f := range g.takes(c) {
			got = append(got, f.Source)
			c.facts.Renders = append(c.facts.Renders, f)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		c.facts.Gathered = ^policy.Need(0)
		if v := policy.Admit(c.facts); len(row.want) > 0 && (v.Admits() || v.Findings[0].Code != policy.CodeStillRendered) {
			t.Errorf("%s: %s %v", name, v.Outcome, v.Findings)
		}
	}
}
