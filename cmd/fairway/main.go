// Command fairway is the webhook, the prover and the command line of Fairway in one binary. This
// package wires the rooms together and holds no rules of its own.
package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairway-dev/fairway/internal/cli"
)

// release is the version, set by the linker.
var release string

func main() {
	log.SetOutput(unquoted{os.Stderr})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	rooms := cli.Rooms{
		Version: release,
		Serve:   serve, Inspect: inspect, Lint: lint, Doctor: doctor, Retire: retire, Audit: audit, Stamp: stamp, Team: team, RenderWorker: renderWorker, Approve: approve, Rollback: rollback, BreakGlassRequest: breakGlassRequest, BreakGlassApprove: breakGlassApprove,
	}
	code := cli.Run(ctx, rooms, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// unquoted is where libraries write with package log. When a server sends what nobody asked it for, net/http
// writes that down, and it may hold the token that the server was asked with before (T-38).
type unquoted struct{ to io.Writer }

// Write implements io.Writer. It is given one message at a time.
func (u unquoted) Write(message []byte) (int, error) {
	told := message
	if bytes.Contains(message, []byte("Unsolicited response")) {
		told = []byte("a server sent what nobody had asked for; it is not quoted\n")
	}
	if _, err := u.to.Write(told); err != nil {
		return 0, err
	}
	return len(message), nil
}
