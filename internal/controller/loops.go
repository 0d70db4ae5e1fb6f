package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Others are the webhooks of a cluster that are not Fairway's, each named "configuration/webhook". Those that
// mutate are asked like those that validate, and are shown as such.
func Others(ctx context.Context, c client.Reader, own string) ([]admissionv1.ValidatingWebhook, error) {
	var validating admissionv1.ValidatingWebhookConfigurationList
	if err := c.List(ctx, &validating); err != nil {
		return nil, fmt.Errorf("looking for webhooks of others: %w", err)
	}
	var mutating admissionv1.MutatingWebhookConfigurationList
	if err := c.List(ctx, &mutating); err != nil {
		return nil, fmt.Errorf("looking for webhooks of others: %w", err)
	}
	var all []admissionv1.ValidatingWebhook
	for _, config := range validating.Items {
		if config.Name == own {
			continue
		}
		for _, hook := range config.Webhooks {
			hook.Name = config.Name + "/" + hook.Name
			all = append(all, hook)
		}
	}
	for _, config := range mutating.Items {
		for _, hook := range config.Webhooks {
			all = append(all, admissionv1.ValidatingWebhook{
				Name: config.Name + "/" + hook.Name, ClientConfig: hook.ClientConfig, Rules: hook.Rules, FailurePolicy: hook.FailurePolicy,
				MatchPolicy: hook.MatchPolicy, NamespaceSelector: hook.NamespaceSelector, ObjectSelector: hook.ObjectSelector,
			})
		}
	}
	return all, nil
}

// Loops are the webhooks of others that could keep Fairway, and themselves, from starting again (T-51), in words
// and sorted: each fails closed, is asked about what Fairway needs to start, and runs in a namespace that gates
// judge. Once all are down the API server refuses Fairway's Pods for want of the other's answer, and the other's
// for want of a gate's.
//
// Conditions are not read: one that leaves Fairway out cannot be told from one that does not. A selector of
// objects that asks for a label counts as leaving Fairway out, since it is for whoever puts the label on.
func Loops(others []admissionv1.ValidatingWebhook, w *tier.World, h Hooks) []string {
	own := labels.Set(w.Namespaces[h.Namespace].Labels)
	var loops []string
	for _, hook := range others {
		s := hook.ClientConfig.Service
		if s == nil || !startsByGates(s.Namespace, w, h) || hook.FailurePolicy != nil && *hook.FailurePolicy != admissionv1.Fail ||
			!slices.ContainsFunc(hook.Rules, ofStart) || !selects(hook.NamespaceSelector, own) || optIn(hook.ObjectSelector) {
			continue
		}
		loops = append(loops, fmt.Sprintf("%s is asked about the Pods of %s, and runs in %s, whose Pods gates are asked about",
			hook.Name, h.Namespace, s.Namespace))
	}
	slices.Sort(loops)
	return loops
}

// startsByGates reports whether nothing starts in a namespace while no gate answers.
func startsByGates(namespace string, w *tier.World, h Hooks) bool {
	t, _ := w.Tier(namespace)
	return namespace != h.Namespace && !slices.Contains(h.System, namespace) && t.Refuses()
}

// ofStart reports whether a rule is about something without which no Pod of Fairway serves: the Pod, its place on
// a node, the node's word that it runs, its end points, and the lease of the prover.
func ofStart(r admissionv1.RuleWithOperations) bool {
	const create, update = admissionv1.Create, admissionv1.Update
	pods := func(sub string, operation admissionv1.OperationType) write {
		return write{group: "", versions: []string{"v1"}, resource: "pods", sub: sub, operation: operation, namespaced: true}
	}
	for _, w := range []write{
		pods("", create), pods("binding", create), pods("status", update),
		{group: "discovery.k8s.io", versions: []string{"v1"}, resource: "endpointslices", operation: create, namespaced: true},
		{group: "discovery.k8s.io", versions: []string{"v1"}, resource: "endpointslices", operation: update, namespaced: true},
		{group: "coordination.k8s.io", versions: []string{"v1"}, resource: "leases", operation: create, namespaced: true},
		{group: "coordination.k8s.io", versions: []string{"v1"}, resource: "leases", operation: update, namespaced: true},
	} {
		if matches(r, w, "v1") {
			return true
		}
	}
	return false
}

// selects reports whether a selector takes a set of labels; one that cannot be read takes everything.
func selects(s *metav1.LabelSelector, set labels.Set) bool {
	if selectsAll(s) {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err != nil || selector.Matches(set)
}

// optIn reports whether a selector takes only what has a label.
func optIn(s *metav1.LabelSelector) bool {
	return !selectsAll(s) && (len(s.MatchLabels) > 0 || slices.ContainsFunc(s.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		return r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpExists
	}))
}

// Looped notes the webhooks that could keep Fairway from starting again.
func (s *Status) Looped(loops []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops = &loops
}

func (s *Status) loopsNow() (loops []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loops == nil {
		return nil, false
	}
	return *s.loops, true
}

func looped(loops []string) finding {
	if len(loops) == 0 {
		return finding{v1alpha1.ConditionWebhookLoop, false, v1alpha1.ReasonStartsAlone, "no webhook of others keeps Fairway from starting"}
	}
	return finding{v1alpha1.ConditionWebhookLoop, true, v1alpha1.ReasonWaitsInCircle, fmt.Sprintf(
		"once both are down neither starts again: have the webhook leave out Fairway's namespace, or list its own in webhook.systemNamespaces: %d: %s",
		len(loops), strings.Join(loops, "; "))}
}
