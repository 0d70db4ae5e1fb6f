package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/render"
	"github.com/fairway-dev/fairway/internal/render/worker"
)

// workerMemory is what one render may use. The limits on what it reads keep every honest source far
// below it.
const workerMemory = 1 << 30

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
	return worker.New(worker.Options{Command: []string{self, cli.RenderWorker}, Memory: workerMemory, Parallel: 2, Processor: workerProcessor}, render.DefaultLimits(), scope), nil
}

// renderWorker is the other side: it renders one source that standard input asks for.
func renderWorker(ctx context.Context) error { return worker.Serve(ctx, os.Stdin, os.Stdout) }
