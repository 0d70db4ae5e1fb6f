package controller

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
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
}

// Use is one change that a break-glass let through.
type Use struct {
	At        time.Time
	User      string
	Operation change.Operation
	Object    change.ObjectID
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

// usesKept bounds the uses of one BreakGlass that wait to be written; more are counted only by what is
// left of them in the audit log.
const usesKept = 1024

// Used notes a use of a BreakGlass. It never blocks; the record is written a moment later (ruling 5).
func (s *Status) Used(namespace, name string, u Use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uses == nil {
		s.uses = map[objectName][]Use{}
	}
	at := objectName{namespace, name}
	if len(s.uses[at]) < usesKept {
		s.uses[at] = append(s.uses[at], u)
	}
}

// The most that a status lists.
const (
	usedShown = 64
	debtShown = 64
)

func (s *Status) glass(o *v1alpha1.BreakGlass) {
	s.mu.Lock()
	g, judged := s.glasses[objectName{o.Namespace, o.Name}]
	uses := slices.Clone(s.uses[objectName{o.Namespace, o.Name}])
	sweep := s.sweeps[bindingName{o.Namespace, v1alpha1.BindingName}]
	s.mu.Unlock()
	if !judged {
		return
	}
	status := &o.Status
	status.ObservedGeneration = o.Generation
	status.Requester, status.Approvers = g.Requester, slices.Compact(slices.Sorted(slices.Values(g.Approvers)))
	for _, u := range uses {
		status.Uses++
		status.Used = slices.Insert(status.Used, 0, v1alpha1.BreakGlassUse{
			At: metav1.NewTime(u.At.UTC().Truncate(time.Second)), User: u.User, Operation: string(u.Operation), Object: reference(u.Object),
		})
	}
	status.Used = status.Used[:min(len(status.Used), usedShown)]
	status.Debt = debt(status.Used, sweep)
	over := !s.Now().Before(o.Spec.NotAfter.Time)
	if over && len(status.Debt) == 0 && status.ClosedAt == nil {
		now := metav1.NewTime(s.Now().UTC().Truncate(time.Second))
		status.ClosedAt = &now
	}
	set(&status.Conditions, o.Generation, glassFindings(o, g, s.Now())...)
}

// usedNow tells of the uses that a status has just come to record, and forgets them. A write from a
// stale cache conflicts, so that none is counted twice.
func (s *Status) usedNow(before, after *v1alpha1.BreakGlass) {
	n := int(after.Status.Uses - before.Status.Uses)
	if n <= 0 {
		return
	}
	at := objectName{after.Namespace, after.Name}
	s.mu.Lock()
	s.uses[at] = slices.Delete(s.uses[at], 0, min(n, len(s.uses[at])))
	if len(s.uses[at]) == 0 {
		delete(s.uses, at)
	}
	s.mu.Unlock()
	binding := bindingOf(after, s.World())
	for _, u := range after.Status.Used[:min(n, len(after.Status.Used))] {
		s.Events.Eventf(binding, nil, corev1.EventTypeWarning, "BreakGlassUsed", "BreakGlass",
			"%s let %s through: %s %s %s", after.Name, u.User, u.Operation, u.Object.Kind, u.Object.Name)
	}
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

// debt are the objects that were changed and are not as Git has them, as far as the last sweep tells.
func debt(used []v1alpha1.BreakGlassUse, sweep *Sweep) []v1alpha1.ObjectReference {
	var left []v1alpha1.ObjectReference
	for _, u := range used {
		id := change.ObjectID{Group: u.Object.Group, Kind: u.Object.Kind, Namespace: u.Object.Namespace, Name: u.Object.Name}
		unknown := sweep == nil || !sweep.At.After(u.At.Time)
		if (unknown || sweep.Differs(id)) && !slices.Contains(left, u.Object) && len(left) < debtShown {
			left = append(left, u.Object)
		}
	}
	return left
}

func glassFindings(o *v1alpha1.BreakGlass, g Glass, now time.Time) []finding {
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
