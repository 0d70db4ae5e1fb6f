package main

import (
	"context"
	"slices"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/internal/cli"
)

// serveCluster serves from a cluster's API server: one process, which judges, proves and tells. Until
// everything that decides has been read, reviews are put off.
func serveCluster(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	traces, err := newTraces(ctx, o, "serve", log)
	if err != nil {
		return err
	}
	seen := newObserver(traces)
	in, err := newInstall(ctx, o, log, seen)
	if err != nil {
		return err
	}
	if err := in.makeKeys(ctx); err != nil {
		return err
	}
	p, err := newProving(in)
	if err != nil {
		return err
	}
	defer p.stop()
	// In one process the statements need no detour through the cluster, and no look is asked for by it.
	j := newJudging(in, p.mirrors, p.keeper)
	guard := newGuarding(in)
	if err := in.watch(ctx); err != nil {
		return err
	}
	return run(ctx, o, log, service{
		judge: j, ready: in.ready.Load,
		metrics: slices.Concat(seen.collectors(), guard.metrics(), []prometheus.Collector{looks(p.keeper), p.forges}), traces: traces,
		others: slices.Concat(in.work(), p.work(), guard.work(), j.work()),
	})
}
