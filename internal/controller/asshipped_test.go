package controller

import (
	"os"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestT06PoliciesThatAskForLess: whoever changes a policy while no prover works leaves something else than what was
// shipped, and the next one says so.
func TestT06PoliciesThatAskForLess(t *testing.T) {
	text, err := os.ReadFile("../../config/policies/fairway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := ShippedPolicies(string(text), "fairway-system", []string{"kube-system", "kube-node-lease"})
	if err != nil || len(want) != len(shippedPolicies()) {
		t.Fatalf("%d policies: %v", len(want), err)
	}
	scope := admissionv1.ClusterScope
	exact, equivalent := admissionv1.Exact, admissionv1.Equivalent
	everything := admissionv1.AllScopes
	for name, test := range map[string]struct {
		policy string
		change func(s *admissionv1.ValidatingAdmissionPolicySpec)
		same   bool
	}{
		"as it is": {"fairway-webhook", func(*admissionv1.ValidatingAdmissionPolicySpec) {}, true},
		"as the API server fills it in": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.NamespaceSelector, s.MatchConstraints.ObjectSelector = &metav1.LabelSelector{}, &metav1.LabelSelector{}
			s.MatchConstraints.MatchPolicy, s.MatchConstraints.ResourceRules[0].Scope = &equivalent, &everything
		}, true},
		"another word to people": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.Validations[0].Message = "no" }, true},
		"namespaces in another order": {"fairway-unjudged", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			slices.Reverse(s.MatchConstraints.NamespaceSelector.MatchExpressions[0].Values)
		}, true},
		"everybody may":    {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.Validations[0].Expression += " || true" }, false},
		"nothing is asked": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.Validations = nil }, false},
		"who is Fairway":   {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.Variables[1].Expression = "true" }, false},
		"of another":       {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.MatchConditions[0].Expression = "false" }, false},
		"one more condition": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConditions = append(s.MatchConditions, admissionv1.MatchCondition{Name: "x", Expression: "false"})
		}, false},
		"silent": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.AuditAnnotations = nil }, false},
		"no deletions": {"fairway-webhook", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ResourceRules[0].Operations = []admissionv1.OperationType{admissionv1.Create}
		}, false},
		"another scope": {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.MatchConstraints.ResourceRules[0].Scope = &scope }, false},
		"one name": {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ResourceRules[0].ResourceNames = []string{"x"}
		}, false},
		"an exception": {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ExcludeResourceRules = s.MatchConstraints.ResourceRules
		}, false},
		"by a label": {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, false},
		"exactly":        {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.MatchConstraints.MatchPolicy = &exact }, false},
		"parameters":     {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.ParamKind = &admissionv1.ParamKind{} }, false},
		"no constraints": {"fairway-records", func(s *admissionv1.ValidatingAdmissionPolicySpec) { s.MatchConstraints = nil }, false},
		"fewer namespaces": {"fairway-unjudged", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			e := &s.MatchConstraints.NamespaceSelector.MatchExpressions[0]
			e.Values = e.Values[1:]
		}, false},
		"other namespaces than those": {"fairway-unjudged", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.NamespaceSelector.MatchExpressions[0].Operator = metav1.LabelSelectorOpNotIn
		}, false},
		"engines elsewhere": {"fairway-engines", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.Variables[1].Expression = "['gitops'].exists(n, request.userInfo.username.startsWith('system:serviceaccount:' + n + ':'))"
		}, true},
		"everybody an engine": {"fairway-engines", func(s *admissionv1.ValidatingAdmissionPolicySpec) {
			s.Variables[1].Expression = "['gitops'].exists(n, request.userInfo.username.startsWith('system:serviceaccount:' + n + ':')) || true"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := shipped(t)
			test.change(&all["ValidatingAdmissionPolicy "+test.policy].(*admissionv1.ValidatingAdmissionPolicy).Spec)
			p := &Policies{Client: holding(t, all), Shipped: want, Changed: func(string) {}}
			gaps, err := p.Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if test.same != (len(gaps) == 0) || !test.same && gaps[0] != "the ValidatingAdmissionPolicy "+test.policy+" is not the one that this version ships" {
				t.Errorf("gaps %q", gaps)
			}
		})
	}
}
