package main

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/prover"
)

// rendersKept bounds how many renders of one repository are kept: some for each source's newest
// commits.
const rendersKept = 256

// retryAfter is how long a refusal is kept that was the machine's, not the commit's: not for ever, and
// not so short that each look at the repository renders what ends the renderer.
const retryAfter = 10 * time.Minute

// renders keeps what sources rendered to, since the same commit, source and kinds always render to
// the same digests: a proof that is judged again does not have to be rendered again. Nil keeps nothing.
type renders struct {
	now  func() time.Time
	mu   sync.Mutex
	kept map[[sha256.Size]byte]keptRender
}

// keptRender is a render, and when it is to be tried again; never is zero.
type keptRender struct {
	rendered prover.Rendered
	again    time.Time
}

func (r *renders) get(key string) (prover.Rendered, bool) {
	if r == nil {
		return prover.Rendered{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.kept[sha256.Sum256([]byte(key))]
	if ok && !have.again.IsZero() && !r.now().Before(have.again) {
		return prover.Rendered{}, false
	}
	return have.rendered, ok
}

func (r *renders) put(key string, rendered prover.Rendered, mayPass bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil || len(r.kept) >= rendersKept {
		r.kept = map[[sha256.Size]byte]keptRender{} // all at once: what is still wanted comes back at the next look
	}
	have := keptRender{rendered: rendered}
	if mayPass {
		have.again = r.now().Add(retryAfter)
	}
	r.kept[sha256.Sum256([]byte(key))] = have
}
