package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// How long the record of a closed BreakGlass stays that let nothing through. Whoever asks again and again, and lets
// every window go by, has the newest of them kept alone; those stay long enough for a use that is told of late.
const (
	unusedKept   = 7 * 24 * time.Hour
	unusedNewest = 8 // of each requester in each namespace
	unusedLeast  = time.Hour
)

// retiredAtOnce is the most BreakGlasses that one round deletes.
const retiredAtOnce = 256

// Retention deletes the records of BreakGlasses some time after they were closed: their window is over, and nothing
// differs from Git because of them. One that is not closed is evidence, and stays however old it is; so does one
// whose state anybody has changed since it was looked at. What they let through stands in the audit log of the API
// server; who asked, who agreed and why is told in the log when a record goes.
type Retention struct {
	Reader client.Reader // cache
	Writer client.Writer
	World  func() *tier.World
	Events Recorder
	Now    func() time.Time
	Log    logr.Logger
	// Keep is how long the record of one that was used stays; 0: for ever.
	Keep time.Duration
	// Retired is called for each that is deleted.
	Retired func()
}

// Sweep deletes what has been kept for long enough. What cannot be deleted now is an error, and is tried again by
// the next call.
func (r *Retention) Sweep(ctx context.Context) error {
	var list v1alpha1.BreakGlassList
	if err := r.Reader.List(ctx, &list); err != nil {
		return fmt.Errorf("reading BreakGlasses: %w", err)
	}
	var problems []error
	gone := retired(list.Items, r.Keep, r.Now())
	for _, b := range gone[:min(len(gone), retiredAtOnce)] {
		r.tell(b)
		err := r.Writer.Delete(ctx, b, client.Preconditions{UID: &b.UID, ResourceVersion: &b.ResourceVersion})
		if err != nil {
			if !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				problems = append(problems, fmt.Errorf("deleting BreakGlass %s/%s: %w", b.Namespace, b.Name, err))
			}
			continue
		}
		r.Retired()
		if used(b) {
			r.Events.Eventf(bindingOf(b, r.World()), nil, corev1.EventTypeNormal, "BreakGlassRetired", "BreakGlass",
				"the record of %s, asked for by %s and used %d times, is deleted %s after it was closed", b.Name, b.Status.Requester, b.Status.Uses,
				r.Now().Sub(b.Status.ClosedAt.Time).Round(time.Minute))
		}
	}
	return errors.Join(problems...)
}

// tell writes down what goes. The log says it by default of one that let something through.
func (r *Retention) tell(b *v1alpha1.BreakGlass) {
	const message = "the record of a break-glass is deleted"
	about := []any{
		"namespace", b.Namespace, "name", b.Name, "user", b.Spec.User, "reason", b.Spec.Reason, "ticket", b.Spec.Ticket,
		"requester", b.Status.Requester, "approvers", b.Status.Approvers, "uses", b.Status.Uses,
		"from", b.Spec.NotBefore.Time, "until", b.Spec.NotAfter.Time, "closed", b.Status.ClosedAt.Time,
	}
	if used(b) {
		r.Log.Error(nil, message, about...)
		return
	}
	r.Log.Info(message, about...)
}

// used reports whether anything went through by a BreakGlass, as far as its status knows.
func used(b *v1alpha1.BreakGlass) bool {
	return b.Status.Uses > 0 || len(b.Status.Used) > 0 || len(b.Status.Debt) > 0
}

// retired are the BreakGlasses that were kept for long enough, those that were closed first in front.
func retired(all []v1alpha1.BreakGlass, keep time.Duration, now time.Time) []*v1alpha1.BreakGlass {
	var gone []*v1alpha1.BreakGlass
	unused := map[[2]string][]*v1alpha1.BreakGlass{}
	for i := range all {
		b := &all[i]
		closed := b.Status.ClosedAt
		if closed == nil || now.Before(b.Spec.NotAfter.Time) || closed.Before(&b.Spec.NotAfter) {
			continue
		}
		age := now.Sub(closed.Time)
		switch {
		case used(b) && (keep == 0 || age < keep):
		case used(b), age >= unusedKept:
			gone = append(gone, b)
		default:
			whose := [2]string{b.Namespace, b.Status.Requester}
			unused[whose] = append(unused[whose], b)
		}
	}
	for _, of := range unused {
		slices.SortFunc(of, func(a, b *v1alpha1.BreakGlass) int { return b.Status.ClosedAt.Compare(a.Status.ClosedAt.Time) })
		for _, b := range of[min(len(of), unusedNewest):] {
			if now.Sub(b.Status.ClosedAt.Time) >= unusedLeast {
				gone = append(gone, b)
			}
		}
	}
	slices.SortFunc(gone, func(a, b *v1alpha1.BreakGlass) int {
		return cmp.Or(a.Status.ClosedAt.Compare(b.Status.ClosedAt.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return gone
}
