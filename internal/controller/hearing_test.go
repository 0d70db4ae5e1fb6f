package controller

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// speaker is an API server that says what a test has it say.
type speaker struct {
	gone atomic.Bool // nobody listens

	mu   sync.Mutex
	made []*watch.FakeWatcher
}

func (s *speaker) source() *toolscache.ListWatch {
	return &toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			if s.gone.Load() {
				return nil, errors.New("connection refused")
			}
			return &corev1.NamespaceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			switch {
			case s.gone.Load():
				return nil, errors.New("connection refused")
			case opts.SendInitialEvents != nil:
				return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind(), "", nil) // as one that knows no streamed lists
			}
			w := watch.NewFakeWithChanSize(8, false)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.made = append(s.made, w)
			return w, nil
		},
	}
}

// watches are those that were begun.
func (s *speaker) watches() []*watch.FakeWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.made)
}

// bookmark is what an API server says where nothing happens.
func (s *speaker) bookmark() {
	all := s.watches()
	all[len(all)-1].Action(watch.Bookmark, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "2"}})
}

// TestR13Hearing: whatever comes by a watch counts as heard, a silent watch is begun anew, and an API
// server that is back after any time is heard at once.
func TestR13Hearing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silence = 2 * time.Minute
		h, s := NewHearing(silence, logr.Discard()), &speaker{}
		informer := h.NewInformer(s.source(), &corev1.Namespace{}, 0, nil)
		if age := h.Age(); age != never {
			t.Errorf("before anything was heard the age is %s", age)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { informer.RunWithContext(ctx); close(ended) }()
		at := func(what string, most time.Duration, watches int) {
			t.Helper()
			synctest.Wait()
			if age := h.Age(); age > most || len(s.watches()) != watches {
				t.Errorf("%s: the age is %s after %d watches, want %s after %d", what, age, len(s.watches()), most, watches)
			}
		}
		at("the watch is accepted", 0, 1)
		pass(time.Minute)
		at("a minute without a word", time.Minute, 1)
		s.bookmark()
		at("a bookmark", 0, 1)
		pass(silence - 1)
		at("silence", silence-1, 1)
		pass(2 * time.Second)
		at("too long a silence", 2*time.Second, 2)

		s.gone.Store(true)
		s.watches()[1].Stop()
		pass(time.Hour)
		if age := h.Age(); age < time.Hour {
			t.Errorf("after an hour without anybody the age is %s", age)
		}
		s.gone.Store(false)
		pass(2 * askGap)
		at("somebody is back", 2*askGap, 3)
		stop()
		<-ended
	})
}

// TestR13Store: an API server that answers watches and has lost its store is not heard.
func TestR13Store(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, lost := NewHearing(time.Minute, logr.Discard()), new(atomic.Bool)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			_ = h.Consult(ctx, func(ctx context.Context) error { // it ends with the context
				if lost.Load() {
					<-ctx.Done()
				}
				return ctx.Err()
			})
		}()
		pass(10*time.Minute + 1)
		if age := h.Age(); age > time.Minute {
			t.Errorf("with its store the age is %s", age)
		}
		lost.Store(true)
		pass(10 * time.Minute)
		if age := h.Age(); age < 9*time.Minute {
			t.Errorf("without its store the age is %s", age)
		}
		stop()
		synctest.Wait()
	})
}

// pass lets the time of a bubble go by, and everybody do what they do then.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}
