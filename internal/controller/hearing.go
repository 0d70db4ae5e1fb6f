package controller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// Hearing knows how old what a cache holds may be: the API server has told of everything that happened
// until it was heard last. It is heard on a watch when it accepts it, and with each event or bookmark,
// which API servers send about every minute where nothing happens. A watch that stays silent for longer
// than is usual is begun anew, since a connection can be open and dead. Make it with NewHearing.
type Hearing struct {
	silence time.Duration
	log     logr.Logger

	mu   sync.Mutex // held to add an ear
	ears atomic.Pointer[[]*ear]
}

// ear is when one watch was heard last; nil: never.
type ear struct {
	kind string
	last atomic.Pointer[time.Time]
}

const (
	// askGap is the time between two tries to reach an API server that does not answer. Informers
	// wait longer and longer, up to a minute, and are as far behind when it is back.
	askGap = 500 * time.Millisecond
	// askTimeout bounds one look at the API server's store.
	askTimeout = 5 * time.Second
	// never is the age of what was never heard.
	never = time.Duration(math.MaxInt64)
)

// NewHearing begins a watch anew after the given silence.
func NewHearing(silence time.Duration, log logr.Logger) *Hearing {
	return &Hearing{silence: silence, log: log}
}

// Age is how long ago the API server was heard on the watch that has been silent longest. It goes by
// the clock that counts more: one of them stands still while a machine sleeps, and the other can be set.
func (h *Hearing) Age() time.Duration {
	ears := h.ears.Load()
	if ears == nil {
		return never
	}
	now, age := time.Now(), time.Duration(0)
	for _, e := range *ears {
		last := e.last.Load()
		if last == nil {
			return never
		}
		age = max(age, now.Sub(*last), now.Round(0).Sub(last.Round(0)))
	}
	return age
}

// ear adds one more to hear by. Until it hears something, it has heard nothing for ever.
func (h *Hearing) ear(kind string) *ear {
	h.mu.Lock()
	defer h.mu.Unlock()
	ears, e := []*ear(nil), &ear{kind: kind}
	if before := h.ears.Load(); before != nil {
		ears = slices.Clone(*before)
	}
	ears = append(ears, e)
	h.ears.Store(&ears)
	return e
}

func (e *ear) heard() {
	now := time.Now()
	e.last.Store(&now)
}

// NewInformer is toolscache.NewSharedIndexInformer with an ear to its watch.
func (h *Hearing) NewInformer(from toolscache.ListerWatcher, sample runtime.Object, resync time.Duration, by toolscache.Indexers) toolscache.SharedIndexInformer {
	e, source := h.ear(fmt.Sprintf("%T", sample)), toolscache.ToListerWatcherWithContext(from)
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (list runtime.Object, err error) {
			return list, h.reach(ctx, e, func() error {
				list, err = source.ListWithContext(ctx, opts)
				return err
			})
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (w watch.Interface, err error) {
			if err := h.reach(ctx, e, func() error {
				w, err = source.WatchWithContext(ctx, opts)
				return err
			}); err != nil {
				return nil, err
			}
			return h.listen(e, w), nil
		},
	}, sample, resync, by)
}

// reach asks until the API server answers, whatever it says.
func (h *Hearing) reach(ctx context.Context, e *ear, ask func() error) error {
	ticker := time.NewTicker(wait.Jitter(askGap, 0.5)) // gates that lost it together come back apart
	defer ticker.Stop()
	for try := 1; ; try++ {
		err := ask()
		if answered := apierrors.APIStatus(nil); err == nil || errors.As(err, &answered) {
			return err
		}
		if try == 1 {
			h.log.Info("the API server is not reached; trying on", "kind", e.kind, "problem", err.Error())
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// listen notes what comes by a watch, and ends the watch where nothing does.
func (h *Hearing) listen(e *ear, w watch.Interface) watch.Interface {
	e.heard()
	silent := time.AfterFunc(h.silence, w.Stop)
	return listened{silent: silent, Interface: watch.Filter(w, func(event watch.Event) (watch.Event, bool) {
		e.heard()
		silent.Reset(h.silence)
		return event, true
	})}
}

// listened is a watch with an ear to it.
type listened struct {
	watch.Interface
	silent *time.Timer
}

// Stop ends the watch.
func (l listened) Stop() {
	l.silent.Stop()
	l.Interface.Stop()
}

// Consult has something read from the API server's own store, as long as the context lasts: an API
// server that has lost its store answers watches all the same, from memory that grows old.
func (h *Hearing) Consult(ctx context.Context, read func(context.Context) error) error {
	e := h.ear("store")
	e.heard() // the caller has just read what it began with
	ticker := time.NewTicker(min(h.silence, time.Minute))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		asked, cancel := context.WithTimeout(ctx, askTimeout)
		if err := read(asked); err == nil {
			e.heard()
		}
		cancel()
	}
}
