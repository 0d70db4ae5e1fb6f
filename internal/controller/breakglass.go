package controller

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Glass is what the statements of a BreakGlass amount to.
type Glass struct {
	Requester string
	Approvers []string
	// Refusals say why it opens nothing; none: it is valid.
	Refusals []string
	// Waits: approvals are all that is missing.
	Waits bool
	// Beyond says why it is not looked at although nothing is wrong with it; empty: it is.
	Beyond string
}

// Glasses notes what every BreakGlass amounts to, by namespace and name.
func (s *Status) Glasses(all map[[2]string]Glass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.glasses = map[objectName]Glass{}
	for at, g := range all {
		s.glasses[objectName{at[0], at[1]}] = g
	}
}

// debtShown is the most that a status lists of debt.
const debtShown = 64

func (s *Status) glass(o *v1alpha1.BreakGlass) {
	s.mu.Lock()
	g, judged := s.glasses[objectName{o.Namespace, o.Name}]
	sweep := s.sweeps[bindingName{o.Namespace, v1alpha1.BindingName}]
	s.mu.Unlock()
	if !judged {
		return
	}
	status := &o.Status
	status.ObservedGeneration = o.Generation
	status.Requester, status.Approvers = g.Requester, slices.Compact(slices.Sorted(slices.Values(g.Approvers)))
	status.Debt = debt(status, sweep)
	over := !s.Now().Before(o.Spec.NotAfter.Time)
	if over && len(status.Debt) == 0 && status.ClosedAt == nil {
		now := metav1.NewTime(s.Now().UTC().Truncate(time.Second))
		status.ClosedAt = &now
	}
	set(&status.Conditions, o.Generation, glassFindings(o, g, s.Now(), reviewWithin(o, s.World()))...)
}

// bindingOf is the object that people look at for a break-glass: the binding of its namespace.
func bindingOf(o *v1alpha1.BreakGlass, w *tier.World) *v1alpha1.TierBinding {
	b := &v1alpha1.TierBinding{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: v1alpha1.BindingName}}
	if o.Namespace == w.Install.Namespace {
		b.Name = v1alpha1.ClusterBindingName
	}
	b.APIVersion, b.Kind = v1alpha1.GroupVersion.String(), "TierBinding"
	return b
}

// reviewWithin is how soon after its window what a break-glass left behind must be in Git; 0: at no time.
func reviewWithin(o *v1alpha1.BreakGlass, w *tier.World) time.Duration {
	t, _ := w.Tier(o.Namespace)
	if o.Namespace == w.Install.Namespace && w.Cluster != nil {
		t, _ = w.ClusterTier()
	}
	return t.BreakGlass.ReviewWithin
}

// debt are the objects that were changed and are not as Git has them, as far as the last sweep tells. What was owed
// stays owed until a sweep after the last use finds it in order: the list of uses holds the newest alone.
func debt(status *v1alpha1.BreakGlassStatus, sweep *Sweep) []v1alpha1.ObjectReference {
	var left []v1alpha1.ObjectReference
	owes := func(o v1alpha1.ObjectReference, at time.Time) {
		id := change.ObjectID{Group: o.Group, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		unknown := sweep == nil || !sweep.At.After(at)
		if (unknown || sweep.Differs(id)) && !slices.Contains(left, o) && len(left) < debtShown {
			left = append(left, o)
		}
	}
	for _, o := range status.Debt {
		if !slices.ContainsFunc(status.Used, func(u v1alpha1.BreakGlassUse) bool { return u.Object == o }) && len(status.Used) > 0 {
			owes(o, status.Used[0].At.Time)
		}
	}
	for _, u := range status.Used {
		owes(u.Object, u.At.Time)
	}
	return left
}

func glassFindings(o *v1alpha1.BreakGlass, g Glass, now time.Time, within time.Duration) []finding {
	ready := finding{v1alpha1.ConditionReady, true, v1alpha1.ReasonCompiled, "its statements verify"}
	active := finding{v1alpha1.ConditionActive, true, v1alpha1.ReasonInWindow, "it covers " + o.Spec.User}
	expired := finding{v1alpha1.ConditionExpired, false, v1alpha1.ReasonInWindow, "until " + o.Spec.NotAfter.UTC().Format(time.RFC3339)}
	settled := finding{v1alpha1.ConditionSettled, true, v1alpha1.ReasonNoDebt, "nothing differs from Git because of it"}
	switch {
	case !now.Before(o.Spec.NotAfter.Time):
		active.is, active.reason, active.message = false, v1alpha1.ReasonWindowOver, "its window is over"
		expired.is, expired.reason, expired.message = true, v1alpha1.ReasonWindowOver, "its window is over"
	case now.Before(o.Spec.NotBefore.Time):
		active.is, active.reason, active.message = false, v1alpha1.ReasonNotYet, "its window has not begun"
		expired.reason = v1alpha1.ReasonNotYet
	case g.Beyond != "":
		active.is, active.reason, active.message = false, v1alpha1.ReasonTooMany, g.Beyond
	case g.Waits:
		active.is, active.reason, active.message = false, v1alpha1.ReasonNeedsApproval, join(g.Refusals)
	case len(g.Refusals) > 0:
		active.is, active.reason, active.message = false, v1alpha1.ReasonBadStatement, join(g.Refusals)
	}
	if len(g.Refusals) > 0 {
		ready = finding{v1alpha1.ConditionReady, g.Waits, v1alpha1.ReasonInvalid, join(g.Refusals)}
		if g.Waits {
			ready.reason = v1alpha1.ReasonCompiled
		}
	}
	if len(o.Status.Debt) > 0 {
		settled = finding{v1alpha1.ConditionSettled, false, v1alpha1.ReasonDebt, "objects differ from Git: see status.debt"}
		if due := o.Spec.NotAfter.Add(within); within > 0 && !now.Before(due) {
			settled.reason, settled.message = v1alpha1.ReasonOverdue, "objects differ from Git since the review was due at "+due.UTC().Format(time.RFC3339)+": see status.debt"
		}
	}
	return []finding{ready, active, expired, settled}
}

func join(lines []string) string {
	out := ""
	for i, l := range lines {
		if i > 0 {
			out += "; "
		}
		out += l
	}
	return out
}
