package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// deliveredLimit bounds how many commits of a source are remembered: what is older cannot be
// rolled back to.
const deliveredLimit = 64

// Marks remember in memory which commits each source delivered, for an install without a cluster.
type Marks struct {
	mu        sync.RWMutex
	delivered map[change.SourceKey][]change.Delivered
}

// NewMarks are marks without any delivery.
func NewMarks() *Marks { return &Marks{delivered: map[change.SourceKey][]change.Delivered{}} }

// Delivered are the commits of a source that its namespace admitted, newest delivery first. It can
// always be told.
func (m *Marks) Delivered(key change.SourceKey) ([]change.Delivered, change.Found) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.delivered[key], change.Present
}

// Deliver keeps the mark of a commit. A commit that is delivered again, after a roll-back, comes
// first again. One that is older than the newest and no roll-back is refused: what was judged before
// a newer one came must be judged again.
func (m *Marks) Deliver(_ context.Context, key change.SourceKey, d change.Delivered, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have := m.delivered[key]; len(have) > 0 && d.Height < have[0].Height && !d.Back {
		return fmt.Errorf("marking the delivery of %s in namespace %q: %w", d.Commit, key.Namespace, errOvertaken)
	}
	m.delivered[key] = marked(m.delivered[key], d)
	return nil
}

// marked is the list with a delivery at its head. The list given is not changed: readers hold it.
func marked(list []change.Delivered, d change.Delivered) []change.Delivered {
	kept := slices.DeleteFunc(slices.Clone(list), func(old change.Delivered) bool { return old.Commit == d.Commit })
	kept = slices.Insert(kept, 0, d)
	return kept[:min(len(kept), deliveredLimit)]
}
