package webhook

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errShed says that there is no room right now. It turns into HTTP 429, never into a verdict.
var errShed = errors.New("no room")

const (
	// freeBytes of each body are not charged: they are what the uid is read from when there is no
	// budget left. Connections are limited, so these bytes are too.
	freeBytes = 8 << 10
	// smallBody is the largest body that is charged to the part kept for small ones.
	smallBody = 256 << 10
)

// budget bounds the bytes of bodies in memory. Large bodies share three quarters of it, so that a
// flood of them leaves room for ordinary traffic (T-58).
type budget struct {
	small, large share
}

// newBudget splits the budget. The large part always has room for one body of the largest size, of
// each of two callers: otherwise such a body could never be judged.
func newBudget(l Limits) *budget {
	quarter := l.BytesInFlight / 4
	return &budget{
		small: share{total: max(quarter, 2*smallBody), peers: map[string]int64{}},
		large: share{total: max(l.BytesInFlight-quarter, 2*l.Body), peers: map[string]int64{}},
	}
}

// part is the share for a body of the declared length; a negative one is unknown.
func (b *budget) part(declared int64) *share {
	if declared >= 0 && declared <= smallBody {
		return &b.small
	}
	return &b.large
}

// share is one part of the budget. One peer gets at most half of it: whoever can reach the port
// and holds room by sending slowly cannot hold all of it against the API server (T-31).
type share struct {
	total int64

	mu    sync.Mutex
	used  int64
	peers map[string]int64 // by address
}

// take takes n bytes for a peer, or nothing.
func (s *share) take(peer string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+n > s.total || s.peers[peer]+n > s.total/2 {
		return false
	}
	s.used += n
	s.peers[peer] += n
	return true
}

// give gives back what was taken.
func (s *share) give(peer string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.peers[peer] -= n; s.peers[peer] == 0 {
		delete(s.peers, peer)
	}
}

// queue bounds the verdicts at once and the reviews that wait for one.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	longest int64
}

func newQueue(concurrent, longest int) *queue {
	return &queue{slots: make(chan struct{}, concurrent), longest: int64(longest)}
}

// enter waits for a place until the context ends. It fails with errShed where too many wait
// already, and with the context's error.
func (q *queue) enter(ctx context.Context) error {
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	defer q.waiting.Add(-1)
	if q.waiting.Add(1) > q.longest {
		return errShed
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the place back.
func (q *queue) leave() { <-q.slots }
