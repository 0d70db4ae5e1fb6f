package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// Deliveries are the marks of delivery of a cluster (ruling 3). They are read from what the informer
// showed and what this process wrote; a mark is written by compare-and-swap before the first object of
// its commit is admitted.
//
// A mark carries no signature, so one counts only if a signed proof of its commit exists, or if this
// process wrote it: whoever forges one can name only what was proven. A mark that this process wrote
// stays for its life, whatever becomes of the object.
type Deliveries struct {
	client client.Client // not cached
	proven func(key change.SourceKey, commit string) bool

	mu     sync.RWMutex
	synced bool
	marks  map[change.SourceKey]*mark
}

// mark is what is known of one Delivery.
type mark struct {
	turn   chan struct{}      // one writer at a time
	object *v1alpha1.Delivery // newest that was seen; nil: none. Never changed.
	mine   []change.Delivered // that this process wrote, newest first
	view   []change.Delivered // what counts, newest first; readers hold it
}

// NewDeliveries are marks that are written with a client that reads from the API server. Proven says
// whether a signed proof of a commit exists.
func NewDeliveries(c client.Client, proven func(key change.SourceKey, commit string) bool) *Deliveries {
	return &Deliveries{client: c, proven: proven, marks: map[change.SourceKey]*mark{}}
}

// Synced says that every Delivery that there is has been observed: until then nobody can tell what was
// delivered.
func (d *Deliveries) Synced() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.synced = true
}

// keyOf is the key of a Delivery; false where its name is not that of its key.
func keyOf(o *v1alpha1.Delivery) (change.SourceKey, bool) {
	s := o.Spec
	key := change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: o.Namespace}
	return key, o.Name == v1alpha1.DeliveryName(s.Repository, s.Branch, s.Path)
}

// Observe takes in a Delivery as it stands in the cluster, and reports whether its name fits its key:
// one under another name is not believed. The object must not be changed afterwards.
func (d *Deliveries) Observe(o *v1alpha1.Delivery) bool {
	key, ok := keyOf(o)
	if !ok {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(key)
	if m.object == nil || m.object.UID != o.UID || newer(o.ResourceVersion, m.object.ResourceVersion) {
		m.object = o
		d.refresh(key, m)
	}
	return true
}

// Forget takes out a Delivery that is gone. What this process wrote in it still counts.
func (d *Deliveries) Forget(o *v1alpha1.Delivery) {
	key, ok := keyOf(o)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.of(key); m.object != nil && m.object.UID == o.UID {
		m.object = nil
		d.refresh(key, m)
	}
}

// Refresh looks again at which marks of a source count, after its proofs changed.
func (d *Deliveries) Refresh(key change.SourceKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m, ok := d.marks[key]; ok {
		d.refresh(key, m)
	}
}

// of is the mark of a source; the caller holds the lock.
func (d *Deliveries) of(key change.SourceKey) *mark {
	m, ok := d.marks[key]
	if !ok {
		m = &mark{turn: make(chan struct{}, 1)}
		d.marks[key] = m
	}
	return m
}

// refresh makes the view anew: the newest delivery first, and of one second those of this process.
func (d *Deliveries) refresh(key change.SourceKey, m *mark) {
	view := slices.Clone(m.mine)
	if m.object != nil {
		for _, s := range m.object.Status.Delivered {
			if !slices.ContainsFunc(view, func(v change.Delivered) bool { return v.Commit == s.Commit }) && d.proven(key, s.Commit) {
				view = append(view, change.Delivered{Commit: s.Commit, Height: s.Height, At: s.At.UTC()})
			}
		}
	}
	slices.SortStableFunc(view, func(a, b change.Delivered) int { return b.At.Compare(a.At) })
	m.view = view[:min(len(view), deliveredLimit)]
}

// Delivered are the commits of a source that its namespace admitted, newest delivery first, and whether
// that could be told.
func (d *Deliveries) Delivered(key change.SourceKey) ([]change.Delivered, change.Found) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.synced {
		return nil, change.CouldNotTell
	}
	if m, ok := d.marks[key]; ok {
		return m.view, change.Present
	}
	return nil, change.Present
}

// errOvertaken is a mark that came too late.
var errOvertaken = errors.New("a newer commit was delivered meanwhile")

// swapLimit bounds how often a write is tried that others get ahead of.
const swapLimit = 8

// Deliver keeps the mark of a commit, and returns once the API server has it. A commit that is older
// than the newest and no roll-back is refused: what was judged before a newer one came must be judged
// again.
func (d *Deliveries) Deliver(ctx context.Context, key change.SourceKey, at change.Delivered, proof string) error {
	at.At = at.At.UTC().Truncate(time.Second)
	mark := v1alpha1.Delivered{Commit: at.Commit, Height: at.Height, At: metav1.NewTime(at.At), ProvenCommit: proof}
	edit := func(status *v1alpha1.DeliveryStatus, counted []change.Delivered) (bool, error) {
		if len(counted) > 0 && counted[0].Commit == at.Commit {
			return false, nil // somebody else has just marked it
		}
		if len(counted) > 0 && at.Height < counted[0].Height && !at.Back {
			return false, errOvertaken
		}
		status.Delivered = slices.DeleteFunc(slices.Clone(status.Delivered), func(old v1alpha1.Delivered) bool { return old.Commit == at.Commit })
		status.Delivered = slices.Insert(status.Delivered, 0, mark)
		status.Delivered = status.Delivered[:min(len(status.Delivered), deliveredLimit)]
		status.DeliveredHead = at.Commit
		return true, nil
	}
	if err := d.swap(ctx, key, edit, &at); err != nil {
		return fmt.Errorf("marking the delivery of %s in namespace %q: %w", at.Commit, key.Namespace, err)
	}
	return nil
}

// Prove keeps how far a source was proven.
func (d *Deliveries) Prove(ctx context.Context, key change.SourceKey, head v1alpha1.ProvenHead) error {
	edit := func(status *v1alpha1.DeliveryStatus, _ []change.Delivered) (bool, error) {
		if p := status.ProvenHead; p != nil && p.Commit == head.Commit && p.Height == head.Height && p.PolicyDigest == head.PolicyDigest {
			return false, nil
		}
		status.ProvenHead = &head
		return true, nil
	}
	if err := d.swap(ctx, key, edit, nil); err != nil {
		return fmt.Errorf("noting how far namespace %q is proven: %w", key.Namespace, err)
	}
	return nil
}

// edit changes a status, given the marks that count, and reports whether anything must be written.
type edit func(status *v1alpha1.DeliveryStatus, counted []change.Delivered) (bool, error)

// swap changes the status of a source's Delivery by compare-and-swap. Mine is a mark of this process to
// remember once it is written.
func (d *Deliveries) swap(ctx context.Context, key change.SourceKey, alter edit, mine *change.Delivered) error {
	d.mu.Lock()
	turn := d.of(key).turn
	d.mu.Unlock()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for range swapLimit {
		object, counted := d.current(key)
		if object == nil {
			if err := d.fetch(ctx, key); err != nil {
				return err
			}
			continue
		}
		next := object.DeepCopy()
		write, err := alter(&next.Status, counted)
		if err != nil || !write {
			return err
		}
		next.Status.ObservedGeneration = next.Generation
		err = d.client.Status().Update(ctx, next)
		switch {
		case err == nil:
			d.wrote(key, next, mine)
			return nil
		case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
			if err := d.fetch(ctx, key); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return fmt.Errorf("others changed it %d times", swapLimit)
}

func (d *Deliveries) current(key change.SourceKey) (*v1alpha1.Delivery, []change.Delivered) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m := d.marks[key]
	return m.object, m.view
}

func (d *Deliveries) wrote(key change.SourceKey, o *v1alpha1.Delivery, mine *change.Delivered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(key)
	m.object = o
	if mine != nil {
		m.mine = marked(m.mine, *mine)
	}
	d.refresh(key, m)
}

// fetch reads a Delivery from the API server, and makes it where there is none.
func (d *Deliveries) fetch(ctx context.Context, key change.SourceKey) error {
	name := v1alpha1.DeliveryName(key.Repository, key.Branch, key.Path)
	object := &v1alpha1.Delivery{}
	err := d.client.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		object = &v1alpha1.Delivery{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: name},
			Spec:       v1alpha1.DeliverySpec{Repository: key.Repository, Branch: key.Branch, Path: key.Path},
		}
		if err = d.client.Create(ctx, object); apierrors.IsAlreadyExists(err) {
			return nil // the next try reads it
		}
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.of(key)
	m.object = object
	d.refresh(key, m)
	return nil
}
