package main

import (
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/store"
)

// glassAsked is the gate's view of requests for break-glass that somebody stores or deletes.
type glassAsked struct {
	book  *glassBook
	state *store.State
	now   func() time.Time
}

// Asked is what such a request amounts to. One that cannot be read as a break-glass is none.
func (a glassAsked) Asked(namespace string, object, old []byte) policy.GlassRequest {
	was, stored := glassIn(old)
	is, ok := glassIn(object)
	switch {
	case !ok && stored:
		out := policy.GlassRequest{Used: change.FoundIf(was.Status.Uses > 0 || len(was.Status.Used)+len(was.Status.Debt) > 0)}
		if was.Status.ClosedAt != nil {
			out.ClosedAt = was.Status.ClosedAt.Time
		}
		return out
	case !ok:
		return policy.GlassRequest{Good: change.Absent, Tied: change.Absent, Why: "it cannot be read"}
	}
	out := policy.GlassRequest{Tied: change.FoundIf(tied(is, was))}
	if stored {
		out.Stripped = change.FoundIf(slices.ContainsFunc(was.Spec.Approvals, func(a string) bool { return !slices.Contains(is.Spec.Approvals, a) }))
		return out // its request is what it was, and approvals open something or nothing
	}
	is.Namespace, is.UID, is.Status = namespace, "", v1alpha1.BreakGlassStatus{}
	world := a.state.World()
	if _, known := world.Namespaces[namespace]; !known {
		return out // a namespace that was made just now: nobody can tell yet
	}
	w := a.book.of(&is, world.People, a.now()).weigh(&is, world)
	out.This, out.Good = w.open, change.FoundIf(len(w.bad) == 0)
	for _, no := range w.bad {
		out.Why = no.String()
	}
	out.Ask(a.state.Glasses(), a.now())
	return out
}

// glassIn reads a break-glass; false: there is none.
func glassIn(raw []byte) (v1alpha1.BreakGlass, bool) {
	var b v1alpha1.BreakGlass
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &b) != nil {
		return v1alpha1.BreakGlass{}, false
	}
	return b, true
}

// tied reports whether a break-glass gets finalizers or owners that it did not have.
func tied(is, was v1alpha1.BreakGlass) bool {
	return slices.ContainsFunc(is.Finalizers, func(f string) bool { return !slices.Contains(was.Finalizers, f) }) ||
		slices.ContainsFunc(is.OwnerReferences, func(o metav1.OwnerReference) bool {
			return !slices.ContainsFunc(was.OwnerReferences, func(had metav1.OwnerReference) bool { return had.UID == o.UID })
		})
}
