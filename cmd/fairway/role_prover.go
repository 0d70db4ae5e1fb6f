package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fairway-dev/fairway/internal/cli"
)

// The lease that one prover at a time holds, in Fairway's own namespace. Who cannot renew it within
// leaseRenew stops before another can take it, after leaseTerm.
const (
	leaseName  = "fairway-prover"
	leaseTerm  = 15 * time.Second
	leaseRenew = 10 * time.Second
	leaseRetry = 2 * time.Second
)

// errLeaseLost ends a prover: whatever it was writing is cut off with the process, and another goes on
// from what the cluster holds.
var errLeaseLost = errors.New("the lease was lost; another prover may hold it")

// serveProver runs the prover alone: it does nothing until it holds the lease, and ends when it loses it.
func serveProver(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	cluster, err := connect(o.Kubeconfig)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("naming this prover: %w", err)
	}
	registry := prometheus.NewRegistry()
	leads := prometheus.NewGauge(prometheus.GaugeOpts{Name: "fairway_prover_leads", Help: "1 where this prover holds the lease."})
	registry.MustRegister(append(processMetrics(), leads)...)
	var failed atomic.Pointer[error]
	doors := newDoors(cluster.client, o, log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: o.Namespace, Name: leaseName},
			Client:     cluster.typed.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: host + "-" + strings.ToLower(rand.Text()[:8])},
		},
		LeaseDuration: leaseTerm, RenewDeadline: leaseRenew, RetryPeriod: leaseRetry, ReleaseOnCancel: true, Name: leaseName,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				leads.Set(1)
				if err := lead(ctx, o, log, leading{registry, doors}); err != nil {
					failed.Store(&err)
					cancel()
				}
			},
			OnStoppedLeading: func() { leads.Set(0) },
		},
	})
	if err != nil {
		return fmt.Errorf("taking part in the election of a prover: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	// One that waits is ready: a rollout must not wait for the lease of the prover that it replaces.
	group.Go(func() error { return serveProbes(ctx, o, registry, func() error { return nil }) })
	group.Go(func() error {
		return untilDone(ctx, func(ctx context.Context) error { return serveHooks(ctx, o, doors) })
	})
	group.Go(func() error {
		elector.Run(ctx)
		if err := failed.Load(); err != nil {
			return *err
		}
		if ctx.Err() == nil {
			return errLeaseLost
		}
		return nil
	})
	return group.Wait()
}

// leading is what a prover has whether or not it holds the lease.
type leading struct {
	registry prometheus.Registerer
	doors    *doors
}

// lead proves until the context ends, which is when the lease is lost.
func lead(ctx context.Context, o cli.ServeOptions, log logr.Logger, with leading) error {
	o.Hooks = "" // the door stands open already, and leads here from now on
	traces, err := newTraces(ctx, o, "prover", log)
	if err != nil {
		return err
	}
	if traces != nil {
		defer func() { _ = traces.Shutdown(context.WithoutCancel(ctx)) }() // what is not sent by then is lost
	}
	p, err := startProving(ctx, o, traces, log)
	if err != nil {
		return err
	}
	defer p.stop()
	guard := newGuarding(p.install)
	if err := p.watch(ctx); err != nil {
		return err
	}
	with.doors.lead.Store(p.hooked)
	with.registry.MustRegister(p.metrics(guard)...)
	group, ctx := errgroup.WithContext(ctx)
	for _, work := range slices.Concat(p.install.work(), p.work(), guard.work(), newRotation(p.cluster.client, o, log)) {
		group.Go(func() error { return untilDone(ctx, work) })
	}
	return group.Wait()
}
