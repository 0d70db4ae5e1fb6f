package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/policy"
)

// serveGate runs the gate alone. It listens at once and puts reviews off until it has reached the API
// server, found its keys, read everything that decides and passed its own test; an outage of either at
// the start is waited for, not died of.
func serveGate(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	traces, err := newTraces(ctx, o, "gate", log)
	if err != nil {
		return err
	}
	late := &lateGate{o: o, log: log, seen: newObserver(traces)}
	return run(ctx, o, log, service{
		judge: late, ready: late.ready, fit: late.fit, metrics: late.seen.collectors(), traces: traces,
		others: []func(context.Context) error{late.work},
	})
}

// lateGate is a gate that is not there from the beginning.
type lateGate struct {
	o       cli.ServeOptions
	log     logr.Logger
	seen    *observer
	judging atomic.Pointer[judging]
}

// startGap is the time between two tries to start.
const startGap = time.Second

// work starts the gate and keeps it current.
func (l *lateGate) work(ctx context.Context) error {
	ticker := time.NewTicker(startGap)
	defer ticker.Stop()
	var said string
	for {
		j, works, err := l.start(ctx)
		if err == nil {
			l.judging.Store(j)
			group, ctx := errgroup.WithContext(ctx)
			for _, work := range works {
				group.Go(func() error { return untilDone(ctx, work) })
			}
			return group.Wait()
		}
		if errors.Is(err, errOtherKey) {
			return err // waiting heals nothing
		}
		if now := err.Error(); now != said {
			said = now
			l.log.Error(err, "the gate cannot start yet")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// start makes the gate. A try that failed leaves nothing running.
func (l *lateGate) start(ctx context.Context) (j *judging, works []func(context.Context) error, err error) {
	in, err := newInstall(ctx, l.o, l.log, l.seen)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			in.broadcaster.Shutdown() // the one thing that works before it is told to
		}
	}()
	if err := in.takeKeys(ctx); err != nil {
		return nil, nil, err
	}
	making := newWishes(in)
	j = newJudging(in, &ways{world: in.state.World, deliveries: in.deliveries, now: time.Now}, making)
	if err := in.watch(ctx); err != nil {
		return nil, nil, err
	}
	return j, append(append(in.work(), j.work()...), making.Run), nil
}

// ready reports whether everything that decides has been read and the gate tells good from bad.
func (l *lateGate) ready() bool {
	j := l.judging.Load()
	return j != nil && j.install.ready.Load() && selfTest(j) == nil
}

// fit says why reviews had better go to another gate.
func (l *lateGate) fit() error {
	if j := l.judging.Load(); j != nil {
		return j.install.fit()
	}
	return nil // it is not ready anyway
}

// Judge decides one request; the front asks only when the gate is ready.
func (l *lateGate) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	if j := l.judging.Load(); j != nil {
		return j.Judge(ctx, req)
	}
	return policy.Verdict{} // the zero verdict is no admission
}

// Refuses reports whether some tier refuses what is asked where it is not proven.
func (l *lateGate) Refuses(req *change.Request) bool {
	j := l.judging.Load()
	return j == nil || j.Refuses(req)
}

// selfTest asks a judge for two verdicts that every install agrees on: the heartbeat of a component is
// admitted, and a proof that somebody made by hand is not.
func selfTest(judge interface {
	Judge(ctx context.Context, req *change.Request) policy.Verdict
}) error {
	nobody := change.User{Name: "fairway:self-test"}
	good := &change.Request{
		UID: "self-test", Operation: change.Create, User: nobody, DryRun: true,
		Kind:     change.Kind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
		Resource: change.Resource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
		ID:       change.ObjectID{Group: "coordination.k8s.io", Kind: "Lease", Namespace: "kube-node-lease", Name: "self-test"},
		Object:   []byte(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"self-test","namespace":"kube-node-lease"}}`),
	}
	bad := &change.Request{
		UID: "self-test", Operation: change.Create, User: nobody, DryRun: true,
		Kind:     change.Kind{Group: "fairway.dev", Version: "v1alpha1", Kind: "ProvenCommit"},
		Resource: change.Resource{Group: "fairway.dev", Version: "v1alpha1", Resource: "provencommits"},
		ID:       change.ObjectID{Group: "fairway.dev", Kind: "ProvenCommit", Namespace: "default", Name: "self-test"},
		Object:   []byte(`{"apiVersion":"fairway.dev/v1alpha1","kind":"ProvenCommit","metadata":{"name":"self-test","namespace":"default"}}`),
	}
	ctx, cancel := context.WithTimeout(context.Background(), startGap)
	defer cancel()
	if v := judge.Judge(ctx, good); v.Outcome != policy.Allow {
		return fmt.Errorf("the self-test's lease came to %s", v.Outcome)
	}
	if v := judge.Judge(ctx, bad); v.Outcome == policy.Allow {
		return errors.New("the self-test's forged proof was admitted")
	}
	return nil
}
