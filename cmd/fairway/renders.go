package main

import (
	"crypto/sha256"
	"sync"

	"github.com/fairway-dev/fairway/internal/prover"
)

// rendersKept bounds how many renders of one repository are kept: some for each source's newest
// commits.
const rendersKept = 256

// renders keeps what sources rendered to, since the same commit, source and kinds always render to
// the same digests: a proof that is judged again does not have to be rendered again. Nil keeps nothing.
type renders struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte]prover.Rendered
}

func (r *renders) get(key string) (prover.Rendered, bool) {
	if r == nil {
		return prover.Rendered{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.kept[sha256.Sum256([]byte(key))]
	return have, ok
}

func (r *renders) put(key string, rendered prover.Rendered) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil || len(r.kept) >= rendersKept {
		r.kept = map[[sha256.Size]byte]prover.Rendered{} // all at once: what is still wanted comes back at the next look
	}
	r.kept[sha256.Sum256([]byte(key))] = rendered
}
