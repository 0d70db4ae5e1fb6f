package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/internal/tier"
)

// served is a small discovery that has one of each.
func served() []*metav1.APIResourceList {
	all := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	change := metav1.Verbs{"get", "patch", "update"}
	ask := metav1.Verbs{"create"}
	return []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Namespaced: true, Kind: "ConfigMap", Verbs: all},
			{Name: "events", Namespaced: true, Kind: "Event", Verbs: all},
			{Name: "namespaces", Kind: "Namespace", Verbs: all}, {Name: "namespaces/finalize", Kind: "Namespace", Verbs: metav1.Verbs{"update"}},
			{Name: "nodes", Kind: "Node", Verbs: all}, {Name: "nodes/proxy", Kind: "NodeProxyOptions", Verbs: metav1.Verbs{"get", "create"}},
			{Name: "pods/exec", Namespaced: true, Kind: "PodExecOptions", Verbs: metav1.Verbs{"get", "create"}},
			{Name: "pods/log", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get"}},
			{Name: "pods/eviction", Namespaced: true, Kind: "Eviction", Group: "policy", Version: "v1", Verbs: ask},
		}},
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
			{Name: "deployments", Namespaced: true, Kind: "Deployment", Verbs: all},
			{Name: "deployments/scale", Namespaced: true, Kind: "Scale", Group: "autoscaling", Version: "v1", Verbs: change},
		}},
		{GroupVersion: "toys.example/v1", APIResources: []metav1.APIResource{{Name: "toys", Namespaced: true, Kind: "Toy", Verbs: all}}},
		{GroupVersion: "traps.example/v1", APIResources: []metav1.APIResource{ // no connection, whatever its name
			{Name: "options", Namespaced: true, Kind: "Options", Verbs: all}, {Name: "options/status", Namespaced: true, Kind: "Options", Verbs: change},
		}},
		{GroupVersion: "toys.example/v2", APIResources: []metav1.APIResource{{Name: "toys", Namespaced: true, Kind: "Toy", Verbs: all}}},
		{GroupVersion: "coordination.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "leases", Namespaced: true, Kind: "Lease", Verbs: all}}},
		{GroupVersion: "admissionregistration.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "validatingwebhookconfigurations", Kind: "ValidatingWebhookConfiguration", Verbs: all}}},
		{GroupVersion: "fairway.dev/v1alpha1", APIResources: []metav1.APIResource{
			{Name: "tierbindings", Namespaced: true, Kind: "TierBinding", Verbs: all},
			{Name: "teams", Kind: "Team", Verbs: all},
		}},
	}
}

// TestT03UncoveredWritesAreTold: the configuration that Fairway makes leaves nothing out that it should not,
// and whatever makes it ask less is found.
func TestT03UncoveredWritesAreTold(t *testing.T) {
	const judged = "free and 3 more" // lost, shop, and those that are new
	const everywhere = "free and 8 more"
	ignore, exact, namespaced := admissionv1.Ignore, admissionv1.Exact, admissionv1.NamespacedScope
	entryOf := func(c *admissionv1.ValidatingWebhookConfiguration, name string) *admissionv1.ValidatingWebhook {
		return &c.Webhooks[slices.IndexFunc(c.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == name })]
	}
	in := func(gaps []string, where string) []string {
		var all []string
		for _, g := range gaps {
			all = append(all, g+" in "+where)
		}
		return all
	}
	world := tiered()
	world.Namespaces["shop"] = tier.Namespace{Name: "shop", Labels: map[string]string{"team": "shop"}} // and not for certain
	for _, tt := range []struct {
		name   string
		weaken func(c *admissionv1.ValidatingWebhookConfiguration)
		want   []string
	}{
		{"as it is made", func(*admissionv1.ValidatingWebhookConfiguration) {}, nil},
		{"no sub-resources", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).Rules[0].Resources = []string{"*"}
		}, in([]string{
			"no gate is asked about CONNECT of pods/exec", "no gate is asked about CREATE of pods/eviction",
			"no gate is asked about UPDATE of deployments/scale of apps", "no gate is asked about UPDATE of options/status of traps.example",
		}, judged)},
		{"no deletion", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookNamespaces).Rules[0].Operations = []admissionv1.OperationType{"CREATE", "UPDATE"}
		}, in([]string{"no gate is asked about DELETE of namespaces"}, everywhere)},
		{"one group", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).Rules[0].APIGroups = []string{"", "toys.example", "traps.example"}
		}, in([]string{"no gate is asked about CREATE, DELETE, UPDATE of deployments of apps", "no gate is asked about UPDATE of deployments/scale of apps"}, judged)},
		{"an old version, converted", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).Rules[0].APIVersions = []string{"v1"}
		}, nil},
		{"an old version alone", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).Rules[0].APIVersions, entryOf(c, hookStrict).MatchPolicy = []string{"v1"}, &exact
		}, in([]string{"no gate is asked about CREATE, DELETE, UPDATE of toys of toys.example"}, judged)},
		{"another condition", func(c *admissionv1.ValidatingWebhookConfiguration) {
			h := entryOf(c, hookCluster)
			h.MatchConditions = append(h.MatchConditions, admissionv1.MatchCondition{Name: "mine", Expression: `request.userInfo.username != "me"`})
		}, in([]string{"no gate is asked about CONNECT of nodes/proxy", "no gate is asked about CREATE, DELETE, UPDATE of nodes"}, "the cluster's scope")},
		{"fail open", func(c *admissionv1.ValidatingWebhookConfiguration) { entryOf(c, hookSelf).FailurePolicy = &ignore },
			append(in([]string{"no gate need answer for CREATE, DELETE, UPDATE of tierbindings of fairway.dev"}, everywhere),
				in([]string{"no gate need answer for CREATE, DELETE, UPDATE of teams of fairway.dev"}, "the cluster's scope")...)},
		{"scope", func(c *admissionv1.ValidatingWebhookConfiguration) { entryOf(c, hookSelf).Rules[0].Scope = &namespaced },
			in([]string{"no gate is asked about CREATE, DELETE, UPDATE of teams of fairway.dev"}, "the cluster's scope")},
		{"one namespace less", func(c *admissionv1.ValidatingWebhookConfiguration) {
			values := &entryOf(c, hookStrict).NamespaceSelector.MatchExpressions[0].Values
			*values = append(*values, "shop")
		}, []string{"no gate is asked about anything in shop"}},
		{"by a label", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
		}, []string{"no gate is asked about anything in " + judged}},
		{"lenient gone", func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks = slices.DeleteFunc(c.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == hookLenient })
		}, []string{"no gate is asked about anything in pilot and 1 more"}},
		{"some objects", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, []string{"no gate is asked about anything in " + judged}},
		{"somebody else", func(c *admissionv1.ValidatingWebhookConfiguration) {
			entryOf(c, hookStrict).ClientConfig.Service.Name = "other"
		}, []string{"no gate is asked about anything in " + judged}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := Configure(world, testHooks, nil)
			tt.weaken(config)
			got := Uncovered(config, served(), world, testHooks)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := Uncovered(nil, served(), world, testHooks); len(got) != 1 || !strings.Contains(got[0], "there is no webhook configuration fairway") {
		t.Errorf("without a configuration: %q", got)
	}
}

// TestT18UncoveredEnginesAreTold: in a sealed install a gate is asked about each engine in the system namespaces.
func TestT18UncoveredEnginesAreTold(t *testing.T) {
	world := tiered()
	world.Install.Sealed, world.Install.Engines = true, []string{"flux", "argo"}
	ignore := admissionv1.Ignore
	all := []string{"no gate is asked about anything by engines in fairway-system and 1 more"}
	system := func(c *admissionv1.ValidatingWebhookConfiguration) *admissionv1.ValidatingWebhook {
		return &c.Webhooks[slices.IndexFunc(c.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == hookSystem })]
	}
	for name, tt := range map[string]struct {
		weaken func(c *admissionv1.ValidatingWebhookConfiguration)
		want   []string
	}{
		"as it is made": {func(*admissionv1.ValidatingWebhookConfiguration) {}, nil},
		"gone": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks = slices.DeleteFunc(c.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == hookSystem })
		}, all},
		"an engine less": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			h := system(c)
			h.MatchConditions[len(h.MatchConditions)-1].Expression = by([]string{"flux"})
		}, all},
		"a namespace less": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			system(c).NamespaceSelector.MatchExpressions[0].Values = []string{"kube-system"}
		}, []string{"no gate is asked about anything by engines in fairway-system"}},
		"it fails open": {func(c *admissionv1.ValidatingWebhookConfiguration) { system(c).FailurePolicy = &ignore }, []string{
			"no gate need answer for CONNECT of pods/exec by engines in fairway-system and 1 more",
			"no gate need answer for CREATE of pods/eviction by engines in fairway-system and 1 more",
			"no gate need answer for CREATE, DELETE, UPDATE of configmaps by engines in fairway-system and 1 more",
			"no gate need answer for CREATE, DELETE, UPDATE of deployments of apps by engines in fairway-system and 1 more",
			"no gate need answer for CREATE, DELETE, UPDATE of options of traps.example by engines in fairway-system and 1 more",
			"no gate need answer for CREATE, DELETE, UPDATE of toys of toys.example by engines in fairway-system and 1 more",
			"no gate need answer for UPDATE of deployments/scale of apps by engines in fairway-system and 1 more",
			"no gate need answer for UPDATE of options/status of traps.example by engines in fairway-system and 1 more",
		}},
		"no deletion": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			system(c).Rules[0].Operations = []admissionv1.OperationType{"CREATE", "UPDATE", "CONNECT"}
		}, []string{
			"no gate is asked about DELETE of configmaps by engines in fairway-system and 1 more",
			"no gate is asked about DELETE of deployments of apps by engines in fairway-system and 1 more",
			"no gate is asked about DELETE of options of traps.example by engines in fairway-system and 1 more",
			"no gate is asked about DELETE of toys of toys.example by engines in fairway-system and 1 more",
		}},
		"a condition more": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			h := system(c)
			h.MatchConditions = append(h.MatchConditions, admissionv1.MatchCondition{Name: "mine", Expression: `request.userInfo.username != "flux"`})
		}, all},
		"some objects": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			system(c).ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, all},
		"somebody else": {func(c *admissionv1.ValidatingWebhookConfiguration) { system(c).ClientConfig.Service.Name = "other" }, all},
		"everybody is asked about": {func(c *admissionv1.ValidatingWebhookConfiguration) {
			h := system(c)
			h.MatchConditions = h.MatchConditions[:len(h.MatchConditions)-1]
		}, nil},
	} {
		config := Configure(world, testHooks, nil)
		tt.weaken(config)
		if diff := cmp.Diff(tt.want, Uncovered(config, served(), world, testHooks)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	config := Configure(world, testHooks, nil)
	config.Webhooks = slices.DeleteFunc(config.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == hookSystem })
	world.Install.Sealed = false
	if got := Uncovered(config, served(), world, testHooks); got != nil {
		t.Errorf("before the install is sealed: %q", got)
	}
}

// TestEveryExemptionHasItsReason, and none stands twice.
func TestEveryExemptionHasItsReason(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Exemptions() {
		if e.Why == "" || len(e.Resources) == 0 {
			t.Errorf("%+v says nothing", e)
		}
		for _, r := range e.Resources {
			if seen[e.Group+"/"+r] {
				t.Errorf("%s of %q stands twice", r, e.Group)
			}
			seen[e.Group+"/"+r] = true
		}
	}
}

// BenchmarkUncovered is of ten thousand namespaces, each in a list of the configuration.
func BenchmarkUncovered(b *testing.B) {
	w := tiered()
	for i := range 10_000 {
		name := fmt.Sprint("play-", i)
		w.Namespaces[name], w.Bindings[name] = tier.Namespace{Name: name}, tier.Binding{Tier: "sandbox"}
	}
	config := Configure(w, testHooks, nil)
	for b.Loop() {
		if gaps := Uncovered(config, served(), w, testHooks); len(gaps) > 0 {
			b.Fatal(gaps)
		}
	}
}
