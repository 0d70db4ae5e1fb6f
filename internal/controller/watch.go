package controller

import (
	"context"
	"fmt"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Watch has every object of a kind shown to seen, with the one that it takes the place of where there
// is one, and those that are gone to gone. Both are called from one goroutine for each kind, and must
// neither block nor change what they are given. The result reports whether all objects that there were
// have been shown.
func Watch[T client.Object](ctx context.Context, informers cache.Informers, sample T, seen func(before, now T), gone func(T)) (synced func() bool, err error) {
	informer, err := informers.GetInformer(ctx, sample, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", sample, err)
	}
	var none T
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if now, ok := obj.(T); ok {
				seen(none, now)
			}
		},
		UpdateFunc: func(old, obj any) {
			before, had := old.(T)
			if now, ok := obj.(T); ok && had {
				seen(before, now)
			}
		},
		DeleteFunc: func(obj any) {
			if last, missed := obj.(toolscache.DeletedFinalStateUnknown); missed {
				obj = last.Obj
			}
			if o, ok := obj.(T); ok {
				gone(o)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", sample, err)
	}
	return registration.HasSynced, nil
}

// Decides reports whether the difference between two states of an object of Fairway's kinds can change
// any verdict: a status that this process writes itself does not.
func Decides(before, now metav1.Object) bool {
	return before.GetUID() != now.GetUID() || before.GetGeneration() != now.GetGeneration() ||
		(before.GetDeletionTimestamp() == nil) != (now.GetDeletionTimestamp() == nil)
}

// NamespaceDecides is Decides for Namespaces, whose labels decide.
func NamespaceDecides(before, now metav1.Object) bool {
	return before.GetUID() != now.GetUID() || !reflect.DeepEqual(before.GetLabels(), now.GetLabels()) ||
		(before.GetDeletionTimestamp() == nil) != (now.GetDeletionTimestamp() == nil)
}

// Bell makes one call of many: who rings it is heard soon, and everybody who rang meanwhile with them.
type Bell struct {
	rung  chan struct{}
	quiet time.Duration
	limit time.Duration
}

// NewBell is a bell that is answered when nobody has rung for the time quiet, and limit after the first
// ringing at the latest.
func NewBell(quiet, limit time.Duration) *Bell {
	return &Bell{rung: make(chan struct{}, 1), quiet: quiet, limit: limit}
}

// Ring asks for an answer. It never blocks.
func (b *Bell) Ring() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// Run answers the bell until the context ends, and without a ringing every interval; 0 means never. An
// answer that fails is asked for again after a second.
func (b *Bell) Run(ctx context.Context, interval time.Duration, answer func(context.Context) error) error {
	idle := interval
	if idle <= 0 {
		idle = 1 << 62
	}
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-b.rung:
			if !b.settle(ctx) {
				return context.Cause(ctx)
			}
		}
		next := idle
		if err := answer(ctx); err != nil {
			next = min(next, time.Second)
		}
		timer.Reset(next)
	}
}

// settle waits until nobody rings any more; false: the context ended.
func (b *Bell) settle(ctx context.Context) bool {
	limit, quiet := time.NewTimer(b.limit), time.NewTimer(b.quiet)
	defer limit.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-limit.C:
			return true
		case <-quiet.C:
			return true
		case <-b.rung:
			quiet.Reset(b.quiet)
		}
	}
}
