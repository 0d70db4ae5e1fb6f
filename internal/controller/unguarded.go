package controller

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shippedPolicies are the names of the ValidatingAdmissionPolicies of config/policies; each has a binding
// of the same name.
func shippedPolicies() []string {
	return []string{
		"fairway-emergency", "fairway-engines", "fairway-keys", "fairway-mutation",
		"fairway-namespaces", "fairway-records", "fairway-unjudged", "fairway-webhook",
	}
}

// Policies looks after the shipped ValidatingAdmissionPolicies, which nothing in the API guards. It tells
// what became of them and restores nothing: they belong to whoever installed them.
type Policies struct {
	Client client.Reader // not cached
	// Shipped are the policies as this version ships them, by name; one that is not there is not compared.
	Shipped map[string]admissionv1.ValidatingAdmissionPolicySpec
	// Changed is told of each policy or binding that is not what the last look saw.
	Changed func(what string)

	seen map[string]sighting
}

// sighting is one version of the spec of an object.
type sighting struct {
	uid        types.UID
	generation int64
}

// Look returns what no policy guards any more, in words: policies and bindings that are gone, and those
// that refuse nothing, less than everywhere or something else than they were shipped to, whenever that came to be.
func (p *Policies) Look(ctx context.Context) ([]string, error) {
	var gaps []string
	for _, name := range shippedPolicies() {
		policy, binding := &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}
		there, err := p.see(ctx, "ValidatingAdmissionPolicy "+name, name, policy)
		if err != nil {
			return nil, err
		}
		bound, err := p.see(ctx, "ValidatingAdmissionPolicyBinding "+name, name, binding)
		if err != nil {
			return nil, err
		}
		shipped, known := p.Shipped[name]
		switch {
		case !there:
			gaps = append(gaps, "the ValidatingAdmissionPolicy "+name+" is not there")
		case policy.Spec.FailurePolicy != nil && *policy.Spec.FailurePolicy != admissionv1.Fail:
			gaps = append(gaps, "the ValidatingAdmissionPolicy "+name+" fails open")
		case known && !asShipped(policy.Spec, shipped):
			gaps = append(gaps, "the ValidatingAdmissionPolicy "+name+" is not the one that this version ships")
		case !bound:
			gaps = append(gaps, "the ValidatingAdmissionPolicyBinding "+name+" is not there")
		case !denies(binding.Spec, name):
			gaps = append(gaps, "the ValidatingAdmissionPolicyBinding "+name+" does not deny everywhere")
		}
	}
	return gaps, nil
}

func denies(s admissionv1.ValidatingAdmissionPolicyBindingSpec, policy string) bool {
	return s.PolicyName == policy && s.ParamRef == nil && s.MatchResources == nil && slices.Contains(s.ValidationActions, admissionv1.Deny)
}

// see reads an object, reports whether it is there, and tells where it is not what it was.
func (p *Policies) see(ctx context.Context, what, name string, o client.Object) (bool, error) {
	err := p.Client.Get(ctx, client.ObjectKey{Name: name}, o)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("looking for %s: %w", what, err)
	}
	var now sighting // of what is not there
	if err == nil {
		now = sighting{o.GetUID(), o.GetGeneration()}
	}
	if before, known := p.seen[what]; known && before != now {
		p.Changed(what)
	}
	if p.seen == nil {
		p.seen = map[string]sighting{}
	}
	p.seen[what] = now
	return err == nil, nil
}
