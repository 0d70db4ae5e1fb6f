package controller

import (
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// Exemption is a part of the API that no gate is asked about, on purpose.
type Exemption struct {
	Group     string
	Resources []string // plural names, with a sub-resource after a slash
	Why       string
}

// Exemptions are all of them. What is not listed here, and is written without a gate being asked, is a gap.
func Exemptions() []Exemption {
	const locked = "the API server shows these kinds to no webhook, lest a webhook lock itself in; policies and RBAC guard them"
	const events = "they configure nothing, and there are many"
	const questions = "questions about rights are stored nowhere"
	return []Exemption{
		{"admissionregistration.k8s.io", []string{
			"mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations",
			"validatingadmissionpolicies", "validatingadmissionpolicies/status", "validatingadmissionpolicybindings",
			"validatingwebhookconfigurations",
		}, locked},
		{"", []string{"events"}, events},
		{"events.k8s.io", []string{"events"}, events},
		{"coordination.k8s.io", []string{"leases"}, "without heartbeats nodes and leaders count as dead"},
		{"authentication.k8s.io", []string{"selfsubjectreviews", "tokenreviews"}, questions},
		{"authorization.k8s.io", []string{
			"localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews",
		}, questions},
	}
}

// write is a way to change something that an API server serves.
type write struct {
	group, resource, sub string
	operation            admissionv1.OperationType
	namespaced           bool
	versions             []string // that serve it
}

// place names what is written.
func (w write) place() string {
	name := w.resource
	if w.sub != "" {
		name += "/" + w.sub
	}
	if w.group != "" {
		name += " of " + w.group
	}
	return name
}

// key orders ways to write, and is another for each.
func (w write) key() string { return w.place() + " " + string(w.operation) }

// everywhere reports whether it is judged in all namespaces, those of no gated tier too.
func (w write) everywhere() bool {
	return w.group == v1alpha1.Group || w.ofNamespaces()
}

func (w write) ofNamespaces() bool { return w.group == "" && w.resource == "namespaces" }

// exempt reports whether no gate is asked on purpose.
func (w write) exempt() bool {
	name := strings.TrimSuffix(w.resource+"/"+w.sub, "/")
	return slices.ContainsFunc(Exemptions(), func(e Exemption) bool {
		return e.Group == w.group && slices.Contains(e.Resources, name)
	})
}

// writes are all ways to write of a discovery that are not exempt, sorted.
func writes(discovered []*metav1.APIResourceList) []write {
	served := map[string]write{}
	for _, list := range discovered {
		group, version, grouped := strings.Cut(list.GroupVersion, "/")
		if !grouped {
			group, version = "", list.GroupVersion
		}
		kinds := map[string]string{} // of what sub-resources are of
		for _, r := range list.APIResources {
			kinds[r.Name] = r.Kind
		}
		for _, r := range list.APIResources {
			w := write{group: group, namespaced: r.Namespaced}
			w.resource, w.sub, _ = strings.Cut(r.Name, "/")
			for _, w.operation = range operations(r, kinds[w.resource]) {
				if !w.exempt() {
					w.versions = append(slices.Clone(served[w.key()].versions), version)
					served[w.key()] = w
				}
			}
		}
	}
	var all []write
	for _, key := range slices.Sorted(maps.Keys(served)) {
		all = append(all, served[key])
	}
	return all
}

// operations are what webhooks are told of the verbs that write. Of a sub-resource that opens a connection
// every verb is one; it takes options of a kind of its own, where others take an object.
func operations(r metav1.APIResource, of string) []admissionv1.OperationType {
	var all []admissionv1.OperationType
	for _, verb := range r.Verbs {
		sub := strings.Contains(r.Name, "/")
		switch {
		case sub && strings.HasSuffix(r.Kind, "Options") && r.Kind != of:
			all = append(all, admissionv1.Connect)
		case verb == "create":
			all = append(all, admissionv1.Create)
		case verb == "patch" && !sub:
			all = append(all, admissionv1.Create, admissionv1.Update) // an apply makes what is not there
		case verb == "update", verb == "patch":
			all = append(all, admissionv1.Update)
		case verb == "delete", verb == "deletecollection":
			all = append(all, admissionv1.Delete)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
