package webhook

import (
	"context"
	"sync"
	"time"
)

// patience is the context of one verdict. It is context.WithDeadline, made only when somebody waits
// on it: most verdicts come from memory and never do, and the timer, the registration with the
// request's context and their garbage cost a tenth of all that a small request does.
type patience struct {
	context.Context // of the HTTP request, which ends when the caller goes away or the handler returns
	deadline        time.Time

	mu     sync.Mutex
	inner  context.Context // nil until somebody waits
	cancel context.CancelFunc
}

// Deadline is when the verdict is due.
func (p *patience) Deadline() (time.Time, bool) { return p.deadline, true }

// Done is closed at the deadline, and when the request's context ends.
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inner == nil {
		p.inner, p.cancel = context.WithDeadline(p.Context, p.deadline)
	}
	return p.inner.Done()
}

// Err says why the context has ended.
func (p *patience) Err() error {
	if inner := p.made(); inner != nil {
		return inner.Err()
	}
	if err := p.Context.Err(); err != nil {
		return err
	}
	if time.Now().Before(p.deadline) {
		return nil
	}
	return context.DeadlineExceeded
}

// Value is the request's. Through the inner context it also tells the context package where the
// deadline comes from, so that contexts made of this one need no goroutine of their own.
func (p *patience) Value(key any) any {
	if inner := p.made(); inner != nil {
		return inner.Value(key)
	}
	return p.Context.Value(key)
}

// release ends the inner context, where there is one.
func (p *patience) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}

func (p *patience) made() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inner
}
