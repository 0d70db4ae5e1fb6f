package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/render/worker"
)

// What one render may use, where nothing else is said; and what it should have, at least, before two run at
// a time. 3000 objects by Kustomize take 200 to 320 MiB.
const (
	workerMemory  = 1 << 30
	workerComfort = 320 << 20
)

// workerProcessor is how long one render may compute. The largest honest ones take some seconds.
const workerProcessor = 20 * time.Second

// renderer renders sources.
type renderer interface {
	Render(ctx context.Context, tree fs.FS, src render.Source) (render.Result, *render.Refusal, error)
}

// newRenderer renders in processes of their own, started from this very program: what a repository
// holds can then neither take this process's memory nor end it.
func newRenderer(scope render.Scope) (renderer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the program to render with: %w", err)
	}
	parallel, memory := workers(debug.SetMemoryLimit(-1))
	return worker.New(worker.Options{Command: []string{self, cli.RenderWorker}, Memory: memory, Parallel: parallel, Processor: workerProcessor}, render.DefaultLimits(), scope), nil
}

// workers says how many render at a time, and how much memory each may take: together as much as GOMEMLIMIT
// leaves this process. They live in the same container, and a kernel that finds it full ends all of it:
// if what a repository makes them take did not stay below the container's limit, one push would keep the
// prover from working (T-33). Where GOMEMLIMIT says nothing each has its fill.
func workers(limit int64) (parallel int, each uint64) {
	all := uint64(max(limit, 0)) //nolint:gosec // it is not negative
	if all/2 >= workerComfort {
		return 2, min(all/2, workerMemory)
	}
	return 1, all
}

// renderWorker is the other side: it renders one source that standard input asks for.
func renderWorker(ctx context.Context) error { return worker.Serve(ctx, os.Stdin, os.Stdout) }
