package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Uncovered are the ways to write that would reach no gate, or need none to be admitted, under a webhook
// configuration, in words and sorted. They are told of namespaces that a tier judges, of those that nobody
// knows, and of what is in no namespace. What an API server serves is what its discovery says; a nil
// configuration is one that is not there.
//
// Whatever cannot be told counts as a gap: an entry that selects objects, or has a condition that is not
// Fairway's, brings nothing to a gate for certain.
func Uncovered(config *admissionv1.ValidatingWebhookConfiguration, discovered []*metav1.APIResourceList, w *tier.World, h Hooks) []string {
	if config == nil {
		return []string{"there is no webhook configuration " + h.Name + ", so no gate is asked about anything"}
	}
	var hooks []admissionv1.ValidatingWebhook
	for _, hook := range config.Webhooks {
		if h.calls(hook.ClientConfig) && selectsAll(hook.ObjectSelector) {
			hooks = append(hooks, hook)
		}
	}
	var gaps []string
	where := map[string][]string{} // what is said, of which namespaces
	all := writes(discovered)
	for _, s := range spots(hooks, w, h.System) {
		for _, said := range s.gaps(hooks, all) {
			if s.names == nil {
				gaps = append(gaps, said+" in the cluster's scope")
				continue
			}
			where[said] = append(where[said], s.names...)
		}
	}
	ofEngines := asEngine(hooks, w)
	for _, s := range engineSpots(ofEngines, w, h.System) {
		for _, said := range s.gaps(ofEngines, all) {
			where[said+" by engines"] = append(where[said+" by engines"], s.names...)
		}
	}
	for said, names := range where {
		slices.Sort(names)
		gap := said + " in " + names[0]
		if more := len(names) - 1; more > 0 {
			gap += fmt.Sprintf(" and %d more", more)
		}
		gaps = append(gaps, gap)
	}
	slices.Sort(gaps)
	return gaps
}

// calls reports whether an entry calls a gate. Where somebody else keeps the configuration, nobody knows
// where the gates are.
func (h Hooks) calls(c admissionv1.WebhookClientConfig) bool {
	switch {
	case h.URL != "":
		return c.URL != nil && *c.URL == h.URL
	case h.Service != "":
		return c.Service != nil && c.Service.Namespace == h.Namespace && c.Service.Name == h.Service
	}
	return true
}

func selectsAll(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0
}

// spot is where something is written: the cluster's scope, or namespaces that the same entries select.
type spot struct {
	names    []string // none: the cluster's scope
	selected []bool   // by entry
	mayFail  bool     // its tier refuses nothing, so that an answer need not be had
	what     func(write) bool
}

// unknown stands for namespaces that nobody knows yet: each is judged by the strictest tier.
const unknown = "namespaces that are new"

// spots are all places where a gate must be asked.
func spots(hooks []admissionv1.ValidatingWebhook, w *tier.World, system []string) []spot {
	anywhere := spot{what: func(w write) bool { return !w.namespaced && !w.ofNamespaces() }}
	var selections []func(string) bool
	for _, hook := range hooks {
		selections = append(selections, selection(hook.NamespaceSelector))
		anywhere.selected = append(anywhere.selected, true) // selectors of namespaces do not narrow it
	}
	like := map[string]*spot{}
	add := func(kind, name string, s spot) {
		for _, selects := range selections {
			s.selected = append(s.selected, selects(name))
		}
		key := fmt.Sprint(kind, s.mayFail, s.selected)
		if like[key] == nil {
			like[key] = &s
		}
		like[key].names = append(like[key].names, name)
	}
	names := append(slices.Sorted(maps.Keys(w.Namespaces)), unknown)
	for _, name := range names {
		add("everywhere", name, spot{what: func(w write) bool { return w.everywhere() && (w.namespaced || w.ofNamespaces()) }})
		t, _ := w.Tier(name)
		if t.Lane == tier.Open || slices.Contains(system, name) {
			continue
		}
		judged := func(w write) bool { return w.namespaced && !w.everywhere() }
		add("judged", name, spot{mayFail: t.Enforcement == tier.Warn || t.Enforcement == tier.Audit, what: judged})
	}
	all := []spot{anywhere}
	for _, s := range like {
		all = append(all, *s)
	}
	return all
}

// engineSpots are the system namespaces of a sealed install, where gates judge what engines bring.
func engineSpots(hooks []admissionv1.ValidatingWebhook, w *tier.World, system []string) []spot {
	if !w.Install.Sealed || len(w.Install.Engines) == 0 {
		return nil
	}
	var all []spot
	for _, name := range system {
		s := spot{names: []string{name}, what: func(w write) bool { return w.namespaced && !w.everywhere() }}
		for _, hook := range hooks {
			s.selected = append(s.selected, selection(hook.NamespaceSelector)(name))
		}
		all = append(all, s)
	}
	return all
}

// asEngine are the entries as the engines of an install meet them: a condition that asks about them holds.
func asEngine(hooks []admissionv1.ValidatingWebhook, w *tier.World) []admissionv1.ValidatingWebhook {
	met := slices.Clone(hooks)
	for i := range met {
		met[i].MatchConditions = slices.DeleteFunc(slices.Clone(met[i].MatchConditions), func(c admissionv1.MatchCondition) bool {
			return words(c.Expression) == words(by(w.Install.Engines))
		})
	}
	return met
}

// selection reports of a namespace whether an entry is asked about it. Only the name that the API server forces
// counts: what selects by another label asks about nothing for certain, since labels can be taken off (T-02).
func selection(s *metav1.LabelSelector) func(name string) bool {
	if selectsAll(s) {
		return func(string) bool { return true }
	}
	only := len(s.MatchExpressions) == 1 && len(s.MatchLabels) == 0 && s.MatchExpressions[0].Key == corev1.LabelMetadataName
	if !only {
		return func(string) bool { return false }
	}
	named := map[string]bool{} // there may be thousands
	for _, name := range s.MatchExpressions[0].Values {
		named[name] = true
	}
	switch s.MatchExpressions[0].Operator {
	case metav1.LabelSelectorOpIn:
		return func(name string) bool { return named[name] }
	case metav1.LabelSelectorOpNotIn:
		return func(name string) bool { return !named[name] }
	}
	return func(string) bool { return false }
}

// gaps are those of a spot, one for each place. Where nothing of it is brought to a gate, that is one.
func (s spot) gaps(hooks []admissionv1.ValidatingWebhook, all []write) []string {
	unasked, unneeded := map[string][]string{}, map[string][]string{} // operations by place
	asked := 0
	for _, w := range all {
		if !s.what(w) {
			continue
		}
		is, closed := s.asks(hooks, w)
		switch {
		case !is:
			unasked[w.place()] = append(unasked[w.place()], string(w.operation))
			continue
		case !closed && !s.mayFail:
			unneeded[w.place()] = append(unneeded[w.place()], string(w.operation))
		}
		asked++
	}
	if asked == 0 && len(unasked) > 1 {
		return []string{"no gate is asked about anything"}
	}
	var gaps []string
	for place, operations := range unasked {
		gaps = append(gaps, fmt.Sprintf("no gate is asked about %s of %s", strings.Join(operations, ", "), place))
	}
	for place, operations := range unneeded {
		gaps = append(gaps, fmt.Sprintf("no gate need answer for %s of %s", strings.Join(operations, ", "), place))
	}
	return gaps
}

// asks reports whether a gate is asked about a way to write, and whether it is refused when none answers.
func (s spot) asks(hooks []admissionv1.ValidatingWebhook, w write) (asked, closed bool) {
	for i, hook := range hooks {
		if s.selected[i] && brings(hook, w) {
			asked = true
			closed = closed || hook.FailurePolicy == nil || *hook.FailurePolicy == admissionv1.Fail
		}
	}
	return asked, closed
}

// brings reports whether the rules of an entry have a way to write, and its conditions do not leave it out.
func brings(hook admissionv1.ValidatingWebhook, w write) bool {
	if slices.ContainsFunc(hook.MatchConditions, func(c admissionv1.MatchCondition) bool { return leavesOut(c.Expression, w) }) {
		return false
	}
	missed := func(version string) bool {
		return !slices.ContainsFunc(hook.Rules, func(r admissionv1.RuleWithOperations) bool { return matches(r, w, version) })
	}
	if hook.MatchPolicy != nil && *hook.MatchPolicy == admissionv1.Exact {
		return !slices.ContainsFunc(w.versions, missed)
	}
	// A write in one version is shown in another that the rules have.
	return slices.ContainsFunc(w.versions, func(version string) bool { return !missed(version) })
}

// leavesOut reports whether a condition keeps a way to write from a gate. What Fairway's own conditions leave
// out is exempt, or another entry's; of any other nobody knows.
func leavesOut(expression string, w write) bool {
	switch words(expression) {
	case words(noLeases), words(noEvents), words(noReviews), words(noNodeStatus):
		return false
	case words(noOwnKinds):
		return w.group == v1alpha1.Group
	case words(noNamespaces):
		return w.ofNamespaces()
	}
	return true
}

// words are those of an expression, however its lines are broken.
func words(expression string) string { return strings.Join(strings.Fields(expression), " ") }

// matches reports whether a rule names a way to write, in one version.
func matches(r admissionv1.RuleWithOperations, w write, version string) bool {
	names := func(list []string, one string) bool { return slices.Contains(list, "*") || slices.Contains(list, one) }
	operation := slices.Contains(r.Operations, admissionv1.OperationAll) || slices.Contains(r.Operations, w.operation)
	scope := r.Scope == nil || *r.Scope == admissionv1.AllScopes || (*r.Scope == admissionv1.NamespacedScope) == w.namespaced
	return operation && scope && names(r.APIGroups, w.group) && names(r.APIVersions, version) &&
		slices.ContainsFunc(r.Resources, func(name string) bool {
			resource, sub, _ := strings.Cut(name, "/")
			return (resource == "*" || resource == w.resource) && (sub == "*" || sub == w.sub)
		})
}
