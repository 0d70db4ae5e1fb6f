package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT18OpenEngines: an engine is no safer than the namespace that its account is in.
func TestT18OpenEngines(t *testing.T) {
	account := func(namespace string) string { return "system:serviceaccount:" + namespace + ":engine" }
	w := &tier.World{
		Tiers:      map[string]tier.Tier{"free": {Name: "free", Lane: tier.Open}, "strict": {Name: "strict", Lane: tier.Gated}, "warned": {Name: "warned", Lane: tier.Gated, Enforcement: tier.Warn}, "entered": {Name: "entered", Lane: tier.Gated, Connect: tier.PolicyAllow}},
		Namespaces: map[string]tier.Namespace{"flux": {Name: "flux"}, "argo": {Name: "argo"}, "kube-system": {Name: "kube-system"}, "new": {Name: "new"}, "staging": {Name: "staging"}},
		Bindings:   map[string]tier.Binding{"argo": {Namespace: "argo", Name: "tier", Tier: "strict"}, "new": {Namespace: "new", Name: "tier", Tier: "warned"}, "staging": {Namespace: "staging", Name: "tier", Tier: "entered"}},
		Cluster:    &tier.Binding{},
		Install: tier.Install{
			DefaultTier: "free", System: []string{"kube-system"},
			Engines: []string{account("flux"), account("argo"), account("kube-system"), account("gone"), account("new"), account("staging"), "pipeline"},
		},
	}
	if got := OpenEngines(w); got != nil {
		t.Errorf("before the install is sealed: %q", got)
	}
	w.Install.Sealed = true
	want := []string{
		"who can place a Pod in flux, whose tier refuses nothing, acts as the engine system:serviceaccount:flux:engine",
		"who can place a Pod in new, whose tier refuses nothing, acts as the engine system:serviceaccount:new:engine",
		"who may connect to a Pod or make a token in staging, whose tier allows it, acts as the engine system:serviceaccount:staging:engine",
	}
	if diff := cmp.Diff(want, OpenEngines(w)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	by := func(engine string) tier.Binding {
		return tier.Binding{Namespace: engine, Name: "tier", Tier: "strict", Sources: []tier.Source{{Via: tier.Via{Engine: engine}}, {Via: tier.Via{Engine: engine}}}}
	}
	cluster := by("HelmRelease")
	w.Install.Engines, w.Cluster = nil, &cluster
	w.Bindings = map[string]tier.Binding{"a": by("Flux"), "b": by("Helm"), "c": by("CI"), "d": by("")}
	want = []string{"sources are delivered by Flux, and the cluster binding lists no engine", "sources are delivered by HelmRelease, and the cluster binding lists no engine"}
	if diff := cmp.Diff(want, OpenEngines(w)); diff != "" {
		t.Errorf("without a list (-want +got):\n%s", diff)
	}
}
