package main

import (
	"context"
	"slices"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/internal/cli"
)

// serveCluster serves from a cluster's API server: one process, which judges, proves and tells. Until
// everything that decides has been read, reviews are put off.
func serveCluster(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	traces, err := newTraces(ctx, o, "serve", log)
	if err != nil {
		return err
	}
	p, err := startProving(ctx, o, traces, log)
	if err != nil {
		return err
	}
	defer p.stop()
	// In one process the statements need no detour through the cluster, and no look is asked for by it.
	j := newJudging(p.install, p.mirrors, p.keeper)
	guard := newGuarding(p.install)
	if err := p.watch(ctx); err != nil {
		return err
	}
	return run(ctx, o, log, service{
		judge: j, ready: p.ready.Load, fit: p.fit, metrics: p.metrics(guard), traces: traces,
		others: slices.Concat(p.install.work(), p.work(), guard.work(), j.work()),
	})
}
