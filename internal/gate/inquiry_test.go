package gate

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// labelled selects namespaces that carry a label stage with this value.
type labelled string

func (s labelled) Matches(labels map[string]string) bool { return labels["stage"] == string(s) }

// sealedWorld has a namespace in production by its label, one that is on its way out, and one that is
// bound to the sandbox; what is in no tier is in the sandbox.
func sealedWorld() *tier.World {
	cluster := tier.Binding{Namespace: "fairway-system", Name: "cluster", Tier: "platform"}
	return &tier.World{
		Tiers: map[string]tier.Tier{
			"sandbox":    {Name: "sandbox", Digest: "s", Lane: tier.Open},
			"staging":    {Name: "staging", Digest: "t", Selector: labelled("staging"), Rank: 1},
			"production": {Name: "production", Digest: "p", Selector: labelled("production"), Rank: 2},
			"platform":   {Name: "platform", Digest: "x"},
			"recorded":   {Name: "recorded", Digest: "r", Enforcement: tier.Audit},
		},
		Namespaces: map[string]tier.Namespace{
			"shop":           {Name: "shop", UID: "1", Labels: map[string]string{"stage": "production"}},
			"old":            {Name: "old", UID: "2", Terminating: true},
			"play":           {Name: "play", UID: "3", Labels: map[string]string{"stage": "production"}},
			"fairway-system": {Name: "fairway-system", UID: "4", Labels: map[string]string{"stage": "staging"}},
			"kube-system":    {Name: "kube-system", UID: "5"},
			"network":        {Name: "network", UID: "6"},
			"storage":        {Name: "storage", UID: "7"},
		},
		Bindings: map[string]tier.Binding{
			"play": {Namespace: "play", Name: "tier", Tier: "sandbox"},
			"old":  {Namespace: "old", Name: "tier", Tier: "production"},

			"network": {Namespace: "network", Name: "tier", Tier: "production"},
			"storage": {Namespace: "storage", Name: "tier", Tier: "recorded"},
		},
		Cluster: &cluster,
		Install: tier.Install{Namespace: "fairway-system", DefaultTier: "sandbox", Sealed: true, System: []string{"kube-system", "network", "storage"}, Engines: []string{"engine"}},
	}
}

func asked(op change.Operation, kind change.Kind, namespace, name, old, object string) *change.Request {
	return &change.Request{
		Operation: op, Kind: kind, Resource: change.Resource{Group: kind.Group, Version: kind.Version, Resource: "things"},
		ID:  change.ObjectID{Group: kind.Group, Kind: kind.Kind, Namespace: namespace, Name: name},
		Old: []byte(old), Object: []byte(object),
	}
}

// sealedGate judges by sealedWorld, and has nothing else to ask.
func sealedGate() *Gate {
	w := sealedWorld()
	return New(Rooms{
		World: func() *tier.World { return w }, Now: time.Now, Compile: store.Requested{Own: "fairway-system"},
		Sealing: func(tier.Binding, *tier.World) change.Found { return change.CouldNotTell }, Engines: pointers{},
	})
}

func begun(req *change.Request) *inquiry { return sealedGate().begin(req) }

func (c *inquiry) tierNames() []string {
	var names []string
	for _, t := range c.facts.Tiers {
		names = append(names, t.Name)
	}
	return names
}

func namespaceIn(stage string) string {
	return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"stage":"` + stage + `"}}}`
}

func binding(namespace, name, tierName string) string {
	return `{"apiVersion":"fairway.dev/v1alpha1","kind":"TierBinding","metadata":{"name":"` + name + `","namespace":"` + namespace + `"},"spec":{"tier":"` + tierName + `"}}`
}

// TestRuling07NamespaceTiers: before and after count, what the request says it was too, since the
// world may not have seen the last change yet.
func TestRuling07NamespaceTiers(t *testing.T) {
	namespace := change.Kind{Version: "v1", Kind: "Namespace"}
	by := func(user string, req *change.Request) *change.Request {
		req.User.Name = user
		return req
	}
	for name, tt := range map[string]struct {
		req  *change.Request
		want []string
	}{
		"relabelled": {
			asked(change.Update, namespace, "", "shop", namespaceIn("production"), namespaceIn("none")), []string{"production", "sandbox"},
		},
		"relabelled before the world saw the last change": {
			asked(change.Update, namespace, "", "shop", namespaceIn("staging"), namespaceIn("none")), []string{"production", "staging", "sandbox"},
		},
		"made": {
			asked(change.Create, namespace, "", "shop", "", namespaceIn("production")), []string{"sandbox", "production"},
		},
		"made without a tier": {asked(change.Create, namespace, "", "new", "", namespaceIn("none")), []string{"sandbox"}},
		"deleted":             {asked(change.Delete, namespace, "", "shop", namespaceIn("production"), ""), []string{"production"}},
		"changed while unknown": {
			asked(change.Update, namespace, "", "nobody", namespaceIn("none"), namespaceIn("none")), []string{"(unknown namespace nobody)", "sandbox"},
		},
		"Fairway's own, deleted": {
			asked(change.Delete, namespace, "", "fairway-system", namespaceIn("none"), ""), []string{"staging", "platform", "sandbox"},
		},
		"the cluster's own, by an engine": {
			by("engine", asked(change.Update, namespace, "", "kube-system", namespaceIn("none"), namespaceIn("none"))), []string{"sandbox", "platform"},
		},
		"the cluster's own, by somebody": {
			asked(change.Update, namespace, "", "kube-system", namespaceIn("none"), namespaceIn("none")), []string{"sandbox"},
		},
		"unreadable": {
			asked(change.Update, namespace, "", "shop", namespaceIn("production"), `{"metadata":[]}`), []string{"production", "(unreadable namespace)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, begun(tt.req).tierNames()); diff != "" {
				t.Errorf("tiers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRuling06BindingTiers: the cluster tier judges each of Fairway's kinds, and with it every tier that
// the change touches.
func TestRuling06BindingTiers(t *testing.T) {
	own := func(kind string) change.Kind {
		return change.Kind{Group: "fairway.dev", Version: "v1alpha1", Kind: kind}
	}
	tb := own("TierBinding")
	for name, tt := range map[string]struct {
		req  *change.Request
		want []string
	}{
		"switched": {
			asked(change.Update, tb, "play", "tier", binding("play", "tier", "sandbox"), binding("play", "tier", "staging")),
			[]string{"platform", "sandbox", "staging"},
		},
		"made over a label":         {asked(change.Create, tb, "shop", "tier", "", binding("shop", "tier", "sandbox")), []string{"platform", "production", "sandbox"}},
		"deleted: what is below it": {asked(change.Delete, tb, "play", "tier", binding("play", "tier", "sandbox"), ""), []string{"platform", "sandbox", "production"}},
		"in Fairway's own namespace": {
			asked(change.Create, tb, "fairway-system", "tier", "", binding("fairway-system", "tier", "sandbox")), []string{"platform", "staging", "sandbox"},
		},
		"the cluster binding": {
			asked(change.Update, tb, "fairway-system", "cluster", binding("fairway-system", "cluster", "platform"), binding("fairway-system", "cluster", "sandbox")),
			[]string{"platform", "sandbox"},
		},
		"named cluster elsewhere":       {asked(change.Create, tb, "play", "cluster", "", binding("play", "cluster", "sandbox")), []string{"platform", "sandbox", "(unreadable binding)"}},
		"a tier that is not there":      {asked(change.Create, tb, "shop", "tier", "", binding("shop", "tier", "nothing")), []string{"platform", "production", "nothing"}},
		"a team":                        {asked(change.Update, own("Team"), "", "shop", "{}", "{}"), []string{"platform", "production", "recorded", "staging"}},
		"a break-glass for the cluster": {asked(change.Create, own("BreakGlass"), "fairway-system", "b", "", "{}"), []string{"platform"}},
		"a break-glass elsewhere":       {asked(change.Create, own("BreakGlass"), "shop", "b", "", "{}"), []string{"production"}},
		"another version":               {asked(change.Update, change.Kind{Group: "fairway.dev", Version: "v9", Kind: "EnvironmentTier"}, "", "sandbox", "{}", "{}"), []string{"platform", "production", "recorded", "staging"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, begun(tt.req).tierNames()); diff != "" {
				t.Errorf("tiers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestABindingGoesWithItsNamespace: the namespace controller removes the binding of a namespace that is
// being deleted; whether that is so is a question about its own namespace, not about Fairway's.
func TestABindingGoesWithItsNamespace(t *testing.T) {
	tb := change.Kind{Group: "fairway.dev", Version: "v1alpha1", Kind: "TierBinding"}
	for namespace, want := range map[string]change.Found{"old": change.Present, "play": change.Absent} {
		c := begun(asked(change.Delete, tb, namespace, "tier", binding(namespace, "tier", "sandbox"), ""))
		if c.facts.Ending != want {
			t.Errorf("namespace %s is ending: %s, want %s", namespace, c.facts.Ending, want)
		}
	}
}

// pointers are objects of a kind that name where an engine delivers.
type pointers struct{}

func (pointers) Repeats(change.Kind, []byte) []string { return nil }

func (pointers) Reaches(kind change.Kind, raw []byte) (namespaces []string, everywhere, chained bool) {
	if kind.Kind != "Pointer" {
		return nil, false, false
	}
	if string(raw) == "*" {
		return nil, true, true
	}
	return strings.Fields(string(raw)), false, true
}

func (pointers) Claimed(context.Context, change.Origin) []string { return nil }

// TestT15ChainedObjects: what tells an engine where to deliver is judged by each gated tier that it
// reaches, before and after, and then comes from the cluster binding; what stays within its own tier, or
// in open ones, is judged as ever.
func TestT15ChainedObjects(t *testing.T) {
	pointer := change.Kind{Group: "x.example", Version: "v1", Kind: "Pointer"}
	for name, tt := range map[string]struct {
		req      *change.Request
		want     []string
		bindings []string
	}{
		"from a sandbox into production": {asked(change.Create, pointer, "play", "p", "", "shop"), []string{"sandbox", "production"}, []string{"cluster"}},
		"taken away from production":     {asked(change.Update, pointer, "play", "p", "shop", "play"), []string{"sandbox", "production"}, []string{"cluster"}},
		"deleted":                        {asked(change.Delete, pointer, "play", "p", "shop", ""), []string{"sandbox", "production"}, []string{"cluster"}},
		"everywhere":                     {asked(change.Create, pointer, "play", "p", "", "*"), []string{"sandbox", "platform", "staging", "production", "recorded"}, []string{"cluster"}},
		"within its own tier":            {asked(change.Create, pointer, "old", "p", "", "shop"), []string{"production"}, []string{"tier", "cluster"}},
		"into a sandbox":                 {asked(change.Create, pointer, "old", "p", "", "play"), []string{"production"}, []string{"tier", "cluster"}},
		"nowhere":                        {asked(change.Create, pointer, "play", "p", "", ""), []string{"sandbox"}, []string{"tier", "cluster"}},
		"into what nobody knows":         {asked(change.Create, pointer, "play", "p", "", "nobody"), []string{"sandbox", "(unknown namespace nobody)"}, []string{"cluster"}},
		"into the cluster's own":         {asked(change.Create, pointer, "play", "p", "", "kube-system"), []string{"sandbox", "platform"}, []string{"cluster"}},
		"into Fairway's own":             {asked(change.Create, pointer, "play", "p", "", "fairway-system"), []string{"sandbox", "staging", "platform"}, []string{"cluster"}},
		"into a bound one of them":       {asked(change.Create, pointer, "play", "p", "", "network"), []string{"sandbox", "production"}, []string{"cluster"}},
		"of another kind":                {asked(change.Create, change.Kind{Version: "v1", Kind: "ConfigMap"}, "play", "p", "", "shop"), []string{"sandbox"}, []string{"tier"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := begun(tt.req)
			var bindings []string
			for _, b := range c.bindings {
				bindings = append(bindings, b.Name)
			}
			if diff := cmp.Diff([][]string{tt.want, tt.bindings}, [][]string{c.tierNames(), bindings}); diff != "" {
				t.Errorf("tiers and bindings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestT18EnginesInSystemNamespaces: what an engine brings to the cluster's namespaces and Fairway's own is
// never what an open tier lets by, and the cluster binding may bring it.
func TestT18EnginesInSystemNamespaces(t *testing.T) {
	for name, tt := range map[string]struct {
		user, namespace string
		want, bindings  []string
	}{
		"engine":                           {"engine", "kube-system", []string{"sandbox", "platform"}, []string{"cluster"}},
		"engine, in Fairway's own":         {"engine", "fairway-system", []string{"staging", "platform"}, []string{"cluster"}},
		"engine, in one that has an owner": {"engine", "network", []string{"production"}, []string{"tier", "cluster"}},
		"engine, in one that is recorded":  {"engine", "storage", []string{"recorded", "platform"}, []string{"tier", "cluster"}},
		"engine, elsewhere":                {"engine", "play", []string{"sandbox"}, []string{"tier"}},
		"somebody else":                    {"root", "kube-system", []string{"sandbox"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := asked(change.Create, change.Kind{Version: "v1", Kind: "Pod"}, tt.namespace, "p", "", "{}")
			req.User.Name = tt.user
			c := begun(req)
			var bindings []string
			for _, b := range c.bindings {
				bindings = append(bindings, b.Name)
				if !c.delivers(b) {
					t.Errorf("the binding %s may not bring it", b.Name)
				}
			}
			if diff := cmp.Diff([][]string{tt.want, tt.bindings}, [][]string{c.tierNames(), bindings}); diff != "" {
				t.Errorf("tiers and bindings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhoRefuses: where one of the tiers that judge a request refuses, a late answer has to be a denial; a tier that
// records, or an open one, takes nothing away from that.
func TestWhoRefuses(t *testing.T) {
	pod, pointer := change.Kind{Version: "v1", Kind: "Pod"}, change.Kind{Group: "x.example", Version: "v1", Kind: "Pointer"}
	for name, tt := range map[string]struct {
		req  *change.Request
		want bool
	}{
		"in production":        {asked(change.Create, pod, "shop", "p", "", "{}"), true},
		"deleted there":        {asked(change.Delete, pod, "shop", "p", "{}", ""), true},
		"where it is recorded": {asked(change.Create, pod, "storage", "p", "", "{}"), false},
		"in a sandbox":         {asked(change.Create, pod, "play", "p", "", "{}"), false},
		"where nobody knows":   {asked(change.Create, pod, "nobody", "p", "", "{}"), true},
		"into production, from where it is recorded": {asked(change.Create, pointer, "storage", "p", "", "shop"), true},
		"into production, from a sandbox":            {asked(change.Create, pointer, "play", "p", "", "shop"), true},
		"evidence, where it is recorded":             {asked(change.Create, change.Kind{Group: "fairway.dev", Version: "v1alpha1", Kind: "ProvenCommit"}, "storage", "p", "", "{}"), true},
		"a tier":                                     {asked(change.Update, change.Kind{Group: "fairway.dev", Version: "v1alpha1", Kind: "EnvironmentTier"}, "", "sandbox", "{}", `{"spec":{}}`), true},
	} {
		if got := sealedGate().Refuses(tt.req); got != tt.want {
			t.Errorf("%s: refuses is %t, want %t", name, got, tt.want)
		}
	}
}

// TestT21FillsItsNamespace: of what a proof renders, only what lives in a Namespace keeps that from going.
func TestT21FillsItsNamespace(t *testing.T) {
	proof := &change.Proof{Objects: []change.ProvenObject{{ID: change.ObjectID{Kind: "Namespace", Name: "shop"}}, {ID: change.ObjectID{Kind: "ConfigMap", Namespace: "play", Name: "a"}}}}
	for name, want := range map[string]bool{"shop": false, "play": true} {
		if got := fills(proof, change.ObjectID{Kind: "Namespace", Name: name}); got != want {
			t.Errorf("the proof fills %s: %t", name, got)
		}
	}
	if fills(proof, change.ObjectID{Kind: "ConfigMap", Namespace: "play", Name: "play"}) {
		t.Error("what is no Namespace is filled")
	}
}
