package gitrepo

import (
	"hash/maphash"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// memo keeps what never changes once it was found out, since commits are immutable. Each map is
// emptied when it is full: entries are cheap to find out again.
type memo struct {
	mu      sync.Mutex
	heights map[string]int64
	bases   map[[2]string]string // merge bases
	chained map[[2]string]bool   // whether the second is on the first-parent chain of the first
	units   map[change.Unit]*unit
	objects map[string]Object
	seed    maphash.Seed
	recent  string // the commit whose height was asked for last
}

// The most entries of each kind, and the largest commit, that are kept.
const (
	mostRemembered = 4096
	mostKept       = 8 << 10
)

func newMemo() *memo {
	return &memo{heights: map[string]int64{}, bases: map[[2]string]string{}, chained: map[[2]string]bool{},
		units: map[change.Unit]*unit{}, objects: map[string]Object{}, seed: maphash.MakeSeed()}
}

func remember[K comparable, V any](m *memo, in map[K]V, k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(in) >= mostRemembered {
		clear(in)
	}
	in[k] = v
}

func recall[K comparable, V any](m *memo, in map[K]V, k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := in[k]
	return v, ok
}
