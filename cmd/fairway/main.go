// Command fairway is the webhook, the prover and the command line of Fairway in one binary. This
// package wires the rooms together and holds no rules of its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairway-dev/fairway/internal/cli"
)

// release is the version, set by the linker.
var release string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	rooms := cli.Rooms{
		Version: release,
		Serve:   serve, Inspect: inspect, Lint: lint, Doctor: doctor, Retire: retire, Audit: audit, Stamp: stamp, RenderWorker: renderWorker, Approve: approve, Rollback: rollback, BreakGlassRequest: breakGlassRequest, BreakGlassApprove: breakGlassApprove,
	}
	code := cli.Run(ctx, rooms, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
