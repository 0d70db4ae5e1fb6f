package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// Gate and prover are two processes that speak through the Delivery of a source: a gate asks for a
// look, the prover says which question its last look answered, and leaves the signed statements that a
// roll-back needs. None of it is evidence: a number makes somebody wait or not, and a statement is
// verified by who reads it.

// The most that a Delivery holds of statements; the API says the same.
const (
	// RollbackLimit is how many it holds.
	RollbackLimit = 16
	// RollbackSize is how long each may be, in bytes.
	RollbackSize = 16 << 10
)

// Ask asks for a look at the repository of a source that begins after now, and returns the number of
// the question.
func (d *Deliveries) Ask(ctx context.Context, key change.SourceKey) (int64, error) {
	var number int64
	edit := func(status *v1alpha1.DeliveryStatus, _ []change.Delivered) (bool, error) {
		number = max(status.Asked, status.Looked) + 1
		status.Asked = number
		return true, nil
	}
	if err := d.swap(ctx, key, edit, nil); err != nil {
		return 0, fmt.Errorf("asking for a look at repository %q: %w", key.Repository, err)
	}
	return number, nil
}

// Asked is the last question about a source and the last that was answered, as far as was seen.
func (d *Deliveries) Asked(key change.SourceKey) (asked, looked int64) {
	object := d.seen(key)
	if object == nil {
		return 0, 0
	}
	return object.Status.Asked, object.Status.Looked
}

// Rollbacks are the signed statements that stand in the Delivery of a source, unverified. They must not
// be changed.
func (d *Deliveries) Rollbacks(key change.SourceKey) []string {
	object := d.seen(key)
	if object == nil {
		return nil
	}
	return object.Status.Rollbacks
}

// Answer keeps what a look at a source came to: the question that it answered, and the statements that
// stand now.
func (d *Deliveries) Answer(ctx context.Context, key change.SourceKey, question int64, rollbacks []string) error {
	if question == 0 && len(rollbacks) == 0 && d.seen(key) == nil {
		return nil // no reason to make one
	}
	edit := func(status *v1alpha1.DeliveryStatus, _ []change.Delivered) (bool, error) {
		if status.Looked >= question && slices.Equal(status.Rollbacks, rollbacks) {
			return false, nil
		}
		status.Looked, status.Rollbacks = max(status.Looked, question), rollbacks
		return true, nil
	}
	if err := d.swap(ctx, key, edit, nil); err != nil {
		return fmt.Errorf("answering for repository %q: %w", key.Repository, err)
	}
	return nil
}

// seen is the newest Delivery of a source that was seen; nil where there is none.
func (d *Deliveries) seen(key change.SourceKey) *v1alpha1.Delivery {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if m, ok := d.marks[key]; ok {
		return m.object
	}
	return nil
}
