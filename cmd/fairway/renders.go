package main

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/prover"
)

// rendersKept and renderBytes bound how many renders of one repository are kept, and what they hold: some for
// each source's newest commits. A render within its limits can hold tens of megabytes of names, and
// whoever may push makes twenty of them with one push (T-33).
const (
	rendersKept = 256
	renderBytes = 64 << 20
)

// retryAfter is how long a refusal is kept that was the machine's, not the commit's: not for ever, and
// not so short that each look at the repository renders what ends the renderer.
const retryAfter = 10 * time.Minute

// renders keeps what sources rendered to, since the same commit, source and kinds always render to
// the same digests: a proof that is judged again does not have to be rendered again. Nil keeps nothing.
type renders struct {
	now  func() time.Time
	mu   sync.Mutex
	kept map[[sha256.Size]byte]keptRender
	size int // of what is kept, in bytes
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
	at, size := sha256.Sum256([]byte(key)), sizeOf(rendered)
	r.size -= sizeOf(r.kept[at].rendered)
	delete(r.kept, at)
	if r.kept == nil || len(r.kept) >= rendersKept || r.size+size > renderBytes {
		r.kept, r.size = map[[sha256.Size]byte]keptRender{}, 0 // all at once: what is still wanted comes back at the next look
	}
	if size > renderBytes {
		return
	}
	have := keptRender{rendered: rendered}
	if mayPass {
		have.again = r.now().Add(retryAfter)
	}
	r.kept[at], r.size = have, r.size+size
}

// sizeOf is about how many bytes a render holds: its texts, and what each costs beside its letters.
func sizeOf(r prover.Rendered) int {
	const each = 24
	size := len(r.Refusal)
	for _, o := range r.Objects {
		size += len(o.ID.Group) + len(o.ID.Kind) + len(o.ID.Namespace) + len(o.ID.Name) + len(o.Version) + len(o.Digest) + 5*each
	}
	for _, names := range [][]string{r.Closure.Files, r.Closure.Dirs, r.Closure.Missing} {
		for _, name := range names {
			size += len(name) + each
		}
	}
	return size
}
