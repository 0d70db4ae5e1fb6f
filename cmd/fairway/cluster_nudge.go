package main

import (
	"context"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
)

// nudging asks Flux to try again what would be admitted now.
type nudging struct {
	nudge *controller.Nudge
	bell  *controller.Bell // rings when a proof was made or judged anew
}

// newNudging listens to the proofs of an install, beside whoever does already.
func newNudging(in *install) *nudging {
	n := &nudging{bell: controller.NewBell(200*time.Millisecond, time.Second), nudge: &controller.Nudge{
		Client: in.cluster.client, World: in.state.World, Proofs: in.archive, Marks: in.deliveries, Now: time.Now, Log: in.log,
	}}
	changed := in.archive.Changed
	in.archive.Changed = func(key change.SourceKey) {
		changed(key)
		n.bell.Ring()
	}
	return n
}

func (n *nudging) run(ctx context.Context) error { return n.bell.Run(ctx, statusInterval, n.nudge.Run) }
