package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/telemetry"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// proveTimeout bounds one look at one repository.
const proveTimeout = 5 * time.Minute

// leastRetention is the shortest time for which gates let the record of a break-glass that was used be kept.
const leastRetention = policy.GlassKept

// errNotReady is why reviews are put off at the start.
var errNotReady = errors.New("what decides has not been read yet")

// serve runs gate, prover or both until the context ends.
func serve(ctx context.Context, o cli.ServeOptions) error {
	level := slog.LevelWarn
	if o.Verbose {
		level = slog.LevelInfo
	}
	log := logr.FromSlogHandler(slog.NewJSONHandler(o.Log, &slog.HandlerOptions{Level: level}))
	ctrllog.SetLogger(log)
	if o.Role != cli.RoleProver && o.MaxStaleness < leastStaleness {
		return mistaken(fmt.Errorf("--max-staleness is %s, and must be at least %s", o.MaxStaleness, leastStaleness))
	}
	if o.GlassRetention != 0 && o.GlassRetention < leastRetention {
		return mistaken(fmt.Errorf("--break-glass-retention is %s, and must be at least %s, or 0 for ever", o.GlassRetention, leastRetention))
	}
	switch {
	case o.Role == cli.RoleGate:
		return serveGate(ctx, o, log)
	case o.Role == cli.RoleProver:
		return serveProver(ctx, o, log)
	case o.Dir == "":
		return serveCluster(ctx, o, log)
	}
	return serveDir(ctx, o, log)
}

// serveDir serves from YAML files, with everything else in memory.
func serveDir(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	traces, err := newTraces(ctx, o, "serve", log)
	if err != nil {
		return err
	}
	seen := newObserver(traces)
	in, err := newDirInstall(o, log, seen)
	if err != nil {
		return err
	}
	return run(ctx, o, log, service{
		metrics: append(seen.collectors(), looks(in.keeper)), traces: traces,
		judge: in.gate, ready: in.keeper.Settled,
		others: []func(context.Context) error{in.directory.watch(in.keeper.Changed), in.keeper.Run},
	})
}

// dirInstall is an install without a cluster, wired and not yet running.
type dirInstall struct {
	directory *directory
	mirrors   *mirrors
	keeper    *prover.Keeper
	rooms     gate.Rooms // that the gate works with
	gate      *gate.Gate
}

func newDirInstall(o cli.ServeOptions, log logr.Logger, seen *observer) (*dirInstall, error) {
	key, err := digestKey(o.StateDir)
	if err != nil {
		return nil, err
	}
	d, err := newDirectory(o, log)
	if err != nil {
		return nil, err
	}
	renders, err := newRenderer(d.schemas)
	if err != nil {
		return nil, err
	}
	in := &dirInstall{directory: d, mirrors: &mirrors{
		dir: filepath.Join(o.StateDir, "mirrors"), key: key, renderer: renders,
		schema: func() canon.Schema { return d.schemas.current() }, now: time.Now, open: map[string]*mirrored{},
		credentials: func(context.Context, string) (remoteAccess, error) { return remoteAccess{}, nil },
		forges:      anonymous(nil),
		alarm:       func(repository, what string) { log.Info("look at this", "repository", repository, "what", what) },
	}}
	in.keeper = prover.NewKeeper(d.state.World, in.mirrors, d.shelf, prover.Settings{
		Interval: o.Interval, Timeout: proveTimeout, Now: time.Now, Watcher: seen,
		Report: func(repository string, err error) {
			log.Error(err, "repository could not be proven", "repository", repository)
		},
	})
	in.rooms = gate.Rooms{
		World: d.state.World, Types: func() canon.Types { return d.schemas.current() }, Proofs: d.shelf.Index, Marks: d.shelf.Marks,
		Live: noCluster{}, Records: records{state: d.state, ways: in.mirrors, selfSigned: neverSigned},
		Glasses: glassAsked{d.glass, d.state, time.Now}, Making: in.keeper,
		Origins: origins{}, Engines: engines{live: noCluster{}, world: d.state.World}, Compile: store.Requested{Own: o.Namespace}, Key: key, Now: time.Now, Sealing: sealing(o),
	}
	in.gate = gate.New(in.rooms)
	return in, nil
}

// service is what run keeps going.
type service struct {
	judge webhook.Judge
	// ready says whether reviews can be judged yet; once they can, it is not asked again.
	ready func() bool
	// fit says why reviews had better go to another process; nil: never.
	fit     func() error
	metrics []prometheus.Collector
	traces  *telemetry.Traces // nil: off
	others  []func(context.Context) error
}

// run serves reviews with a judge while the others work. The first to fail ends all.
func run(ctx context.Context, o cli.ServeOptions, log logr.Logger, s service) error {
	certs, err := certificates(o)
	if err != nil {
		return err
	}
	var settled atomic.Bool
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(processMetrics(), s.metrics...)...)
	accepted := newChain(o, log, certs)
	registry.MustRegister(accepted.metrics()...)
	ready := func() error {
		if err := accepted.Ready(); err != nil {
			return err
		}
		if settled.Load() || s.ready() {
			settled.Store(true)
			return nil
		}
		return errNotReady
	}
	callers, err := clientAuthorities(o, log)
	if err != nil {
		return err
	}
	server := webhook.New(s.judge, webhook.Options{
		GetCertificate: certs.GetCertificate, ClientCAs: callers, Log: log, Tracer: tracer(s.traces), Registry: registry,
		Limits: webhook.Limits{Grace: grace(o)}, Ready: ready, Fit: s.fit,
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	_, _ = fmt.Fprintln(o.Log, "fairway: listening on https://"+listener.Addr().String()) // nothing is lost if nobody reads it
	// What the judge reads is kept current as long as anything is answered, so the work ends last.
	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	working, end := context.WithCancel(failed)
	defer end()
	for _, work := range append(s.others, certs.Start, webhook.PaceGarbage, accepted.Run) {
		group.Go(func() error { return untilDone(working, work) })
	}
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error { return serveHTTP(working, o, server.Probes()) })
	group.Go(func() error {
		defer end()
		select {
		case <-ctx.Done():
		case <-failed.Done():
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err := server.Shutdown(stop)
		if s.traces != nil {
			err = errors.Join(err, s.traces.Shutdown(stop))
		}
		return err
	})
	return group.Wait()
}

// clientAuthorities are those of callers; nil where everybody may call.
func clientAuthorities(o cli.ServeOptions, log logr.Logger) (func() *x509.CertPool, error) {
	if o.ClientCA == "" {
		return nil, nil
	}
	a, err := newAuthorities(o.ClientCA, log)
	if err != nil {
		return nil, err
	}
	return a.current, nil
}

// untilDone runs work; that it ended because it was told to is no error.
func untilDone(ctx context.Context, work func(context.Context) error) error {
	if err := work(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// grace is how long the front goes on serving after it was told to stop. Nobody has to learn of it
// where no cluster routes to it.
func grace(o cli.ServeOptions) time.Duration {
	if o.Dir != "" {
		return time.Millisecond
	}
	return o.Drain
}

func certificates(o cli.ServeOptions) (*certwatcher.CertWatcher, error) {
	crt, key := filepath.Join(o.TLSDir, "tls.crt"), filepath.Join(o.TLSDir, "tls.key")
	if _, err := os.Stat(crt); errors.Is(err, os.ErrNotExist) && o.SelfSigned {
		if err := selfSign(o.TLSDir, o.TLSNames, time.Now()); err != nil {
			return nil, err
		}
	}
	certs, err := certwatcher.New(crt, key)
	if err != nil {
		return nil, fmt.Errorf("reading the serving certificate: %w", err)
	}
	return certs, nil
}
