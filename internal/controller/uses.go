package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// Use is one change that a break-glass let through.
type Use struct {
	At        time.Time
	User      string
	Operation change.Operation
	Object    change.ObjectID
}

// Uses writes down in the status of a BreakGlass what it let through. Whoever judges has one; all that
// else stands in the status is written by Status. The record is made after the answer (ruling 5).
type Uses struct {
	// Client reads from the API server itself: a count from a cache could be written twice.
	Client client.Client

	mu      sync.Mutex
	waiting map[objectName][]Use
}

// usesKept bounds the uses of one BreakGlass that wait to be written; more are counted only by what is
// left of them in the audit log.
const usesKept = 1024

// usedShown is the most uses that a status lists.
const usedShown = 64

// Used notes a use of a BreakGlass. It never blocks.
func (u *Uses) Used(namespace, name string, use Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = map[objectName][]Use{}
	}
	at := objectName{namespace, name}
	if len(u.waiting[at]) < usesKept {
		u.waiting[at] = append(u.waiting[at], use)
	}
}

// Write writes down what waits. What cannot be written now is an error, and waits on.
func (u *Uses) Write(ctx context.Context) error {
	u.mu.Lock()
	waiting := map[objectName][]Use{}
	for at, uses := range u.waiting {
		waiting[at] = slices.Clone(uses)
	}
	u.mu.Unlock()
	var problems []error
	for at, uses := range waiting {
		if err := u.write(ctx, at, uses); err != nil {
			problems = append(problems, fmt.Errorf("recording the use of BreakGlass %s/%s: %w", at.namespace, at.name, err))
			continue
		}
		u.mu.Lock()
		if u.waiting[at] = slices.Delete(u.waiting[at], 0, len(uses)); len(u.waiting[at]) == 0 {
			delete(u.waiting, at)
		}
		u.mu.Unlock()
	}
	return errors.Join(problems...)
}

// write adds uses to one BreakGlass. One that is gone has nothing to be written in.
func (u *Uses) write(ctx context.Context, at objectName, uses []Use) error {
	var b v1alpha1.BreakGlass
	if err := u.Client.Get(ctx, client.ObjectKey{Namespace: at.namespace, Name: at.name}, &b); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, use := range uses {
		b.Status.Uses++
		b.Status.Used = slices.Insert(b.Status.Used, 0, v1alpha1.BreakGlassUse{
			At: metav1.NewTime(use.At.UTC().Truncate(time.Second)), User: use.User,
			Operation: string(use.Operation), Object: reference(use.Object),
		})
	}
	b.Status.ClosedAt = nil // a use that is told of late is a debt that nobody has looked at
	b.Status.Used = shown(b.Status.Used)
	if err := u.Client.Status().Update(ctx, &b); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// shown are as many uses as a status lists: the newest of each object come first into the list, so that many changes of
// one do not hide that of another, and then the newest of all. They stay in order, newest first.
func shown(used []v1alpha1.BreakGlassUse) []v1alpha1.BreakGlassUse {
	again := make([]bool, len(used)) // of an object with a newer use
	seen := map[v1alpha1.ObjectReference]bool{}
	for i, u := range used {
		again[i], seen[u.Object] = seen[u.Object], true
	}
	extra := len(used) - usedShown
	for i := len(used) - 1; i >= 0 && extra > 0; i-- {
		if again[i] {
			used, extra = slices.Delete(used, i, i+1), extra-1
		}
	}
	return used[:min(len(used), usedShown)]
}

// Glassed tells of the uses that a BreakGlass has come to record since it was seen before.
func (s *Status) Glassed(before, now *v1alpha1.BreakGlass) {
	if before == nil || now.Status.Uses <= before.Status.Uses {
		return
	}
	n := min(int(now.Status.Uses-before.Status.Uses), len(now.Status.Used))
	binding := bindingOf(now, s.World())
	for _, u := range now.Status.Used[:n] {
		s.Events.Eventf(binding, nil, corev1.EventTypeWarning, "BreakGlassUsed", "BreakGlass",
			"%s let %s through: %s %s %s", now.Name, u.User, u.Operation, u.Object.Kind, u.Object.Name)
	}
}
