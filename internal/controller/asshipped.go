package controller

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// policyUnjudged is the policy whose namespaces an install chooses.
const policyUnjudged = "fairway-unjudged"

// ShippedPolicies reads the policies that a version ships (YAML, for the namespace fairway-system) as they are in
// an install: in its own namespace, and with the namespaces of which no gate judges what people do.
func ShippedPolicies(text, own string, system []string) (map[string]admissionv1.ValidatingAdmissionPolicySpec, error) {
	all := map[string]admissionv1.ValidatingAdmissionPolicySpec{}
	for _, part := range strings.Split(strings.ReplaceAll(text, "fairway-system", own), "\n---\n") {
		var policy admissionv1.ValidatingAdmissionPolicy
		if err := yaml.Unmarshal([]byte(part), &policy); err != nil {
			return nil, fmt.Errorf("reading the shipped policies: %w", err)
		}
		if policy.Kind != "ValidatingAdmissionPolicy" {
			continue
		}
		if policy.Name == policyUnjudged {
			policy.Spec.MatchConstraints.NamespaceSelector = in(metav1.LabelSelectorOpIn, append(slices.Clone(system), own))
		}
		all[policy.Name] = policy.Spec
	}
	return all, nil
}

// asShipped reports whether a policy that is in force asks what the shipped one does, of the same requests. What it
// says to people does not matter.
func asShipped(live, shipped admissionv1.ValidatingAdmissionPolicySpec) bool {
	return live.ParamKind == nil && slices.Equal(demands(live), demands(shipped)) && slices.Equal(constrained(live.MatchConstraints), constrained(shipped.MatchConstraints))
}

// demands are what a policy asks, in its order.
func demands(s admissionv1.ValidatingAdmissionPolicySpec) []string {
	var all []string
	for _, c := range s.MatchConditions {
		all = append(all, "if "+c.Name+": "+ours(c.Expression))
	}
	for _, v := range s.Variables {
		all = append(all, "let "+v.Name+": "+ours(v.Expression))
	}
	for _, v := range s.Validations {
		all = append(all, "must: "+ours(v.Expression))
	}
	for _, a := range s.AuditAnnotations {
		all = append(all, "note "+a.Key+": "+ours(a.ValueExpression))
	}
	return all
}

// What an install sets in the expressions of policies (charts/fairway/templates/policies.yaml): the namespaces of
// engines, and the account of cert-manager, for its own kinds and the Secrets of certificates.
var (
	engineNamespaces = regexp.MustCompile(`\['?[-a-z0-9', ]*\]\.exists\(n, request\.userInfo\.username\.startsWith\('system:serviceaccount:' \+ n \+ ':'\)\)`)
	certificateUser  = regexp.MustCompile(`^request\.userInfo\.username == '[A-Za-z0-9:._@/-]+' && \(request\.kind\.group in \['cert-manager\.io', 'acme\.cert-manager\.io'\] \|\| ` +
		`request\.kind\.kind == 'Secret' && \['fairway-tls', 'fairway-ca'\]\.exists\(n, \(object == null \? oldObject : object\)\.metadata\.name\.startsWith\(n\)\)\) \|\| `)
)

// ours is an expression without its line breaks and what an install sets in it.
func ours(expression string) string {
	return certificateUser.ReplaceAllString(engineNamespaces.ReplaceAllString(words(expression), "ENGINES"), "")
}

// constrained are the requests that a policy is about, with what the API server fills in.
func constrained(m *admissionv1.MatchResources) []string {
	if m == nil {
		return nil
	}
	all := []string{"of " + metav1.FormatLabelSelector(m.ObjectSelector)}
	if s := m.NamespaceSelector; s != nil {
		s = s.DeepCopy()
		for i := range s.MatchExpressions {
			slices.Sort(s.MatchExpressions[i].Values)
			s.MatchExpressions[i].Values = slices.Compact(s.MatchExpressions[i].Values)
		}
		all = append(all, "in "+metav1.FormatLabelSelector(s))
	} else {
		all = append(all, "in "+metav1.FormatLabelSelector(&metav1.LabelSelector{}))
	}
	if m.MatchPolicy != nil && *m.MatchPolicy != admissionv1.Equivalent {
		all = append(all, "exactly")
	}
	for but, rules := range map[string][]admissionv1.NamedRuleWithOperations{"all": m.ResourceRules, "but": m.ExcludeResourceRules} {
		for _, r := range rules {
			scope := admissionv1.AllScopes
			if r.Scope != nil {
				scope = *r.Scope
			}
			all = append(all, fmt.Sprintf("%s %q of %q in %q for %q named %q, %s", but, r.Resources, r.APIGroups, r.APIVersions, r.Operations, r.ResourceNames, scope))
		}
	}
	slices.Sort(all)
	return all
}
