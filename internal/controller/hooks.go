package controller

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Hooks say where the API server finds Fairway, and where it does not look for it.
type Hooks struct {
	// Name is the configuration's.
	Name string
	// Service is the Service of the gates in Namespace; URL, where it is set, is called instead.
	Service, Namespace, URL string
	// System are the namespaces without which neither the cluster nor Fairway could start again after
	// both were down. Gates judge what engines deliver there and nothing else; the shipped policies
	// guard them within the API server.
	System []string
}

// The entries of the configuration. Each fails by itself: what fails closed must not wait for what may
// fail open.
const (
	hookStrict     = "strict.fairway.dev"     // gated namespaces, and every namespace that is not known
	hookLenient    = "lenient.fairway.dev"    // namespaces whose tier records and refuses nothing
	hookEngines    = "engines.fairway.dev"    // what tells an engine where to deliver, in open namespaces
	hookNamespaces = "namespaces.fairway.dev" // Namespaces themselves, whatever they are
	hookSystem     = "system.fairway.dev"     // what engines deliver to the namespaces of Hooks.System
	hookSelf       = "self.fairway.dev"       // Fairway's own kinds, wherever they are
	hookCluster    = "cluster.fairway.dev"    // all else that is in no namespace
)

// Seconds that the API server waits.
const (
	strictSeconds  = 5
	lenientSeconds = 2
)

// Configure is the webhook configuration of a world. An open namespace is in no entry, so that the API
// server asks nobody about it; one that is not known, or whose tier cannot be told, is in the strict
// one. Namespaces are told by the name that the API server forces on them: a label of one's own could
// be taken off.
//
// Every field that the API server would fill in is filled in, so that two configurations are equal
// where their bytes are.
func Configure(w *tier.World, h Hooks, bundle []byte) *admissionv1.ValidatingWebhookConfiguration {
	lenient, open := sorted(w, h.System)
	client := admissionv1.WebhookClientConfig{CABundle: bundle}
	if h.URL != "" {
		client.URL = &h.URL
	} else {
		path, port := "/validate", int32(443)
		client.Service = &admissionv1.ServiceReference{Namespace: h.Namespace, Name: h.Service, Path: &path, Port: &port}
	}
	all := []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect}
	exempt := when(noLeases, noEvents, noReviews, noOwnKinds)
	hooks := []admissionv1.ValidatingWebhook{
		entry(hookStrict, strictSeconds, in(metav1.LabelSelectorOpNotIn, slices.Concat(h.System, lenient, open)),
			exempt, rule(admissionv1.NamespacedScope, "*", all, "*/*")),
		entry(hookNamespaces, strictSeconds, nil, nil,
			rule(admissionv1.ClusterScope, "", all[:3], "namespaces", "namespaces/*")),
		entry(hookSelf, strictSeconds, nil, nil,
			rule(admissionv1.AllScopes, v1alpha1.Group, all[:3], "*/*")),
		entry(hookCluster, strictSeconds, nil,
			when(noNodeStatus, noReviews, noOwnKinds, noNamespaces),
			rule(admissionv1.ClusterScope, "*", all, "*/*")),
	}
	if len(lenient) > 0 {
		soft := entry(hookLenient, lenientSeconds, in(metav1.LabelSelectorOpIn, lenient), exempt, rule(admissionv1.NamespacedScope, "*", all, "*/*"))
		ignore := admissionv1.Ignore
		soft.FailurePolicy = &ignore
		hooks = slices.Insert(hooks, 1, soft)
	}
	if len(open) > 0 {
		hooks = append(hooks, engines(open))
	}
	if len(w.Install.Engines) > 0 && len(h.System) > 0 {
		ofEngines := slices.Concat(exempt, []admissionv1.MatchCondition{{Name: "of-engines", Expression: by(w.Install.Engines)}})
		hooks = append(hooks, entry(hookSystem, strictSeconds, in(metav1.LabelSelectorOpIn, h.System), ofEngines,
			rule(admissionv1.NamespacedScope, "*", all, "*/*")))
	}
	for i := range hooks {
		hooks[i].ClientConfig = *client.DeepCopy()
	}
	return &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: h.Name}, Webhooks: hooks}
}

// SystemOf are the namespaces of Hooks.System by which a configuration was made. One without an entry for them, as
// where no engine is listed, does not say.
func SystemOf(c *admissionv1.ValidatingWebhookConfiguration) (namespaces []string, said bool) {
	for _, hook := range c.Webhooks {
		if hook.Name == hookSystem && hook.NamespaceSelector != nil && len(hook.NamespaceSelector.MatchExpressions) == 1 {
			return hook.NamespaceSelector.MatchExpressions[0].Values, true
		}
	}
	return nil, false
}

// engines is the entry for objects of engines in open namespaces, which can reach into gated ones. It
// fails open: what they deliver is judged where it arrives, and a sandbox is not held up for them.
func engines(open []string) admissionv1.ValidatingWebhook {
	r := rule(admissionv1.NamespacedScope, "", []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete}, "*/*")
	r.APIGroups = engineGroups()
	hook := entry(hookEngines, lenientSeconds, in(metav1.LabelSelectorOpIn, open), nil, r)
	ignore := admissionv1.Ignore
	hook.FailurePolicy = &ignore
	return hook
}

// engineGroups are the API groups of what tells an engine where to deliver.
func engineGroups() []string {
	return []string{"kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "argoproj.io"}
}

// sorted are the names of namespaces whose tier refuses nothing but records, and of those that are open.
// System namespaces are in neither.
func sorted(w *tier.World, system []string) (lenient, open []string) {
	for _, name := range slices.Sorted(maps.Keys(w.Namespaces)) {
		t, _ := w.Tier(name)
		switch {
		case slices.Contains(system, name):
		case t.Lane == tier.Open:
			open = append(open, name)
		case t.Enforcement == tier.Warn || t.Enforcement == tier.Audit:
			lenient = append(lenient, name)
		}
	}
	return lenient, open
}

// by is the condition that one of these users asks. Whoever works in the namespaces of Hooks.System by another
// name is not held up when no gate answers, so that the cluster can start; an engine brings there what
// somebody pushed, perhaps to a repository that nobody reviews.
func by(users []string) string {
	quoted := make([]string, len(users))
	for i, u := range slices.Sorted(slices.Values(users)) {
		quoted[i] = strconv.QuoteToASCII(u)
	}
	return `has(request.userInfo.username) && request.userInfo.username in [` + strings.Join(quoted, ", ") + `]`
}

func in(operator metav1.LabelSelectorOperator, names []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: operator, Values: names},
	}}
}

func rule(scope admissionv1.ScopeType, group string, operations []admissionv1.OperationType, resources ...string) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{Operations: operations, Rule: admissionv1.Rule{
		APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: resources, Scope: &scope,
	}}
}

func entry(name string, seconds int32, namespaces *metav1.LabelSelector, conditions []admissionv1.MatchCondition, r admissionv1.RuleWithOperations) admissionv1.ValidatingWebhook {
	fail, equivalent, effects := admissionv1.Fail, admissionv1.Equivalent, admissionv1.SideEffectClassNoneOnDryRun
	if namespaces == nil {
		namespaces = &metav1.LabelSelector{}
	}
	return admissionv1.ValidatingWebhook{
		Name: name, AdmissionReviewVersions: []string{"v1"}, Rules: []admissionv1.RuleWithOperations{r},
		FailurePolicy: &fail, MatchPolicy: &equivalent, SideEffects: &effects, TimeoutSeconds: &seconds,
		NamespaceSelector: namespaces, ObjectSelector: &metav1.LabelSelector{}, MatchConditions: conditions,
	}
}

// The conditions under which the API server asks nobody. They use fields that are always there, or ask
// first: one that fails denies the request (T-45). A field that is empty counts as missing.
const (
	// Heartbeats of components: without them nodes count as dead.
	noLeases = `!(request.resource.group == "coordination.k8s.io" && request.resource.resource == "leases" && ` +
		`!has(request.subResource))`
	// Events configure nothing, and there are many.
	noEvents = `!(request.resource.group in ["", "events.k8s.io"] && request.resource.resource == "events" && ` +
		`!has(request.subResource))`
	// A kubelet says that its own node lives: without it no pod can start, ours included.
	noNodeStatus = `!(request.resource.group == "" && request.resource.resource == "nodes" && ` +
		`request.operation in ["CREATE", "UPDATE"] && (!has(request.subResource) || request.subResource == "status") && ` +
		`has(request.userInfo.groups) && "system:nodes" in request.userInfo.groups)`
	// Questions about rights are stored nowhere. API servers before 1.37 send them to webhooks.
	noReviews = `!(request.resource.group in ["authentication.k8s.io", "authorization.k8s.io"] && ` +
		`request.operation == "CREATE" && request.resource.resource in ["tokenreviews", "selfsubjectreviews", ` +
		`"subjectaccessreviews", "localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"])`
	// What another entry asks about is asked once.
	noOwnKinds   = `request.resource.group != "` + v1alpha1.Group + `"`
	noNamespaces = `!(request.resource.group == "" && request.resource.resource == "namespaces")`
)

// when names conditions by their names, in turn.
func when(conditions ...string) []admissionv1.MatchCondition {
	names := map[string]string{
		noLeases: "no-leases", noEvents: "no-events", noNodeStatus: "no-node-status", noReviews: "no-reviews",
		noOwnKinds: "no-own-kinds", noNamespaces: "no-namespaces",
	}
	var all []admissionv1.MatchCondition
	for _, c := range conditions {
		all = append(all, admissionv1.MatchCondition{Name: names[c], Expression: c})
	}
	return all
}
