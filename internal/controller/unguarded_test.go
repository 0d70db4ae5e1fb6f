package controller

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"
)

// shipped are the policies and bindings of config/policies, by kind and name.
func shipped(t *testing.T) map[string]client.Object {
	t.Helper()
	content, err := os.ReadFile("../../config/policies/fairway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]client.Object{}
	for _, text := range strings.Split(string(content), "\n---\n") {
		var o client.Object = &admissionv1.ValidatingAdmissionPolicy{}
		kind := "ValidatingAdmissionPolicy"
		if strings.Contains(text, "kind: ValidatingAdmissionPolicyBinding\n") {
			o, kind = &admissionv1.ValidatingAdmissionPolicyBinding{}, "ValidatingAdmissionPolicyBinding"
		}
		if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
			t.Fatal(err)
		}
		o.SetGeneration(1)
		all[kind+" "+o.GetName()] = o
	}
	return all
}

// holding is an API server in memory that has these policies and bindings.
func holding(t *testing.T, all map[string]client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := admissionv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, o := range all {
		b = b.WithObjects(o)
	}
	return b.Build()
}

// TestPoliciesThatAreGoneAreTold, and those that refuse less than they were shipped to.
func TestPoliciesThatAreGoneAreTold(t *testing.T) {
	const policy, binding = "ValidatingAdmissionPolicy fairway-webhook", "ValidatingAdmissionPolicyBinding fairway-webhook"
	fails := func(all map[string]client.Object) *admissionv1.ValidatingAdmissionPolicySpec {
		return &all[policy].(*admissionv1.ValidatingAdmissionPolicy).Spec
	}
	binds := func(all map[string]client.Object) *admissionv1.ValidatingAdmissionPolicyBindingSpec {
		return &all[binding].(*admissionv1.ValidatingAdmissionPolicyBinding).Spec
	}
	ignore := admissionv1.Ignore
	for name, test := range map[string]struct {
		tamper func(all map[string]client.Object)
		gaps   []string
		told   []string
	}{
		"as shipped": {func(map[string]client.Object) {}, nil, nil},
		"no policy":  {func(all map[string]client.Object) { delete(all, policy) }, []string{"the " + policy + " is not there"}, []string{policy}},
		"no binding": {func(all map[string]client.Object) { delete(all, binding) }, []string{"the " + binding + " is not there"}, []string{binding}},
		"fails open": {func(all map[string]client.Object) { fails(all).FailurePolicy = &ignore }, []string{"the " + policy + " fails open"}, []string{policy}},
		"warns": {func(all map[string]client.Object) {
			binds(all).ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
		}, []string{"the " + binding + " does not deny everywhere"}, []string{binding}},
		"somewhere":         {func(all map[string]client.Object) { binds(all).MatchResources = &admissionv1.MatchResources{} }, []string{"the " + binding + " does not deny everywhere"}, []string{binding}},
		"of another":        {func(all map[string]client.Object) { binds(all).PolicyName = "other" }, []string{"the " + binding + " does not deny everywhere"}, []string{binding}},
		"asks for nothing":  {func(all map[string]client.Object) { fails(all).Validations[0].Expression = "true" }, nil, []string{policy}},
		"another, the same": {func(all map[string]client.Object) { all[policy].SetUID("new") }, nil, []string{policy}},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			p := &Policies{Changed: func(what string) { told = append(told, what) }}
			look := func(all map[string]client.Object) []string {
				p.Client = holding(t, all)
				gaps, err := p.Look(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return gaps
			}
			if gaps := look(shipped(t)); len(gaps) > 0 || len(told) > 0 {
				t.Fatalf("as shipped: gaps %q, told %q", gaps, told)
			}
			all := shipped(t)
			test.tamper(all)
			if o, there := all[policy]; there && slices.Contains(test.told, policy) {
				o.SetGeneration(2) // as the API server does
			}
			if o, there := all[binding]; there && slices.Contains(test.told, binding) {
				o.SetGeneration(2)
			}
			if diff := cmp.Diff(test.gaps, look(all)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			look(all)
			if diff := cmp.Diff(test.told, told); diff != "" {
				t.Errorf("told, once (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryShippedPolicyIsLookedAfter: the list in the code is that of config/policies.
func TestEveryShippedPolicyIsLookedAfter(t *testing.T) {
	var want []string
	for _, o := range shipped(t) {
		if _, is := o.(*admissionv1.ValidatingAdmissionPolicy); is {
			want = append(want, o.GetName())
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, shippedPolicies()); diff != "" {
		t.Errorf("(-config +code):\n%s", diff)
	}
}
