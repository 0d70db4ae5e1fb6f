package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT51LoopsAreTold: what could keep Fairway from starting is told, and what could not is no noise.
func TestT51LoopsAreTold(t *testing.T) {
	world := tiered()
	world.Namespaces["fairway-system"] = tier.Namespace{Name: "fairway-system", Labels: labels.Set{"kubernetes.io/metadata.name": "fairway-system", "team": "platform"}}
	ignore := admissionv1.Ignore
	named := func(operator metav1.LabelSelectorOperator) *metav1.LabelSelector {
		return in(operator, []string{"fairway-system"})
	}
	for name, tt := range map[string]struct {
		change func(*admissionv1.ValidatingWebhook)
		loops  bool
	}{
		"pods everywhere":           {func(*admissionv1.ValidatingWebhook) {}, true},
		"the policy is the default": {func(h *admissionv1.ValidatingWebhook) { h.FailurePolicy = nil }, true},
		"a namespace nobody knows":  {func(h *admissionv1.ValidatingWebhook) { h.ClientConfig.Service.Namespace = "new" }, true},
		"everything": {func(h *admissionv1.ValidatingWebhook) {
			h.Rules = []admissionv1.RuleWithOperations{rule(admissionv1.AllScopes, "*", []admissionv1.OperationType{"*"}, "*/*")}
		}, true},
		"the place on a node": {func(h *admissionv1.ValidatingWebhook) { h.Rules[0].Resources = []string{"pods/binding"} }, true},
		"end points": {func(h *admissionv1.ValidatingWebhook) {
			h.Rules[0] = rule(admissionv1.NamespacedScope, "discovery.k8s.io", []admissionv1.OperationType{admissionv1.Update}, "endpointslices")
		}, true},
		"leases": {func(h *admissionv1.ValidatingWebhook) {
			h.Rules[0] = rule(admissionv1.AllScopes, "coordination.k8s.io", []admissionv1.OperationType{admissionv1.Update}, "leases")
		}, true},
		"a condition": {func(h *admissionv1.ValidatingWebhook) {
			h.MatchConditions = []admissionv1.MatchCondition{{Name: "x", Expression: "false"}}
		}, true},
		"objects without a label": {func(h *admissionv1.ValidatingWebhook) {
			h.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "skip", Operator: metav1.LabelSelectorOpDoesNotExist}}}
		}, true},
		"namespaces of a team": {func(h *admissionv1.ValidatingWebhook) {
			h.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "platform"}}
		}, true},
		"a selector that cannot be read": {func(h *admissionv1.ValidatingWebhook) { h.NamespaceSelector = in("Maybe", nil) }, true},
		"Fairway alone":                  {func(h *admissionv1.ValidatingWebhook) { h.NamespaceSelector = named(metav1.LabelSelectorOpIn) }, true},

		"all but Fairway": {func(h *admissionv1.ValidatingWebhook) { h.NamespaceSelector = named(metav1.LabelSelectorOpNotIn) }, false},
		"namespaces of another team": {func(h *admissionv1.ValidatingWebhook) {
			h.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
		}, false},
		"it fails open":                {func(h *admissionv1.ValidatingWebhook) { h.FailurePolicy = &ignore }, false},
		"it starts without a gate":     {func(h *admissionv1.ValidatingWebhook) { h.ClientConfig.Service.Namespace = "play" }, false},
		"it is where nobody is judged": {func(h *admissionv1.ValidatingWebhook) { h.ClientConfig.Service.Namespace = "kube-system" }, false},
		"it is Fairway's neighbour":    {func(h *admissionv1.ValidatingWebhook) { h.ClientConfig.Service.Namespace = "fairway-system" }, false},
		"it is outside": {func(h *admissionv1.ValidatingWebhook) {
			h.ClientConfig = admissionv1.WebhookClientConfig{URL: new("https://x")}
		}, false},
		"other kinds": {func(h *admissionv1.ValidatingWebhook) { h.Rules[0].Resources = []string{"secrets", "pods/exec"} }, false},
		"objects that ask for it": {func(h *admissionv1.ValidatingWebhook) {
			h.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"inject": "true"}}
		}, false},
	} {
		hook := entry("other/pods", 5, nil, nil, rule(admissionv1.NamespacedScope, "", []admissionv1.OperationType{admissionv1.Create}, "pods", "pods/*"))
		hook.ClientConfig.Service = &admissionv1.ServiceReference{Namespace: "shop", Name: "other"}
		tt.change(&hook)
		got := Loops([]admissionv1.ValidatingWebhook{hook}, world, testHooks)
		if (len(got) == 1) != tt.loops || len(got) == 1 && !strings.HasPrefix(got[0], "other/pods is asked about the Pods of fairway-system, and runs in ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if diff := cmp.Diff([]string(nil), Loops(nil, world, testHooks)); diff != "" {
		t.Error(diff)
	}
}
