package main

import (
	"context"
	"time"

	"github.com/fairway-dev/fairway/internal/controller"
)

// retireInterval is the longest time between two looks for records of break-glasses that may go; whatever becomes of
// a break-glass asks for one, too.
const retireInterval = 10 * time.Minute

// judgedGlasses takes note of what every break-glass amounts to now.
func (p *proving) judgedGlasses(all map[[2]string]controller.Glass) {
	p.status.Glasses(all)
	p.retireBell.Ring()
}

// retire deletes the records of break-glasses that were closed long ago, until the context ends. Where that is not
// possible they stay, and it is told and tried again at the next look.
func (p *proving) retire(ctx context.Context) error {
	retention := &controller.Retention{
		Reader: p.cache, Writer: p.cluster.client, World: p.state.World, Events: p.events, Now: time.Now, Log: p.log,
		Keep: p.o.GlassRetention, Retired: p.retired.Inc,
	}
	return p.retireBell.Run(ctx, retireInterval, func(ctx context.Context) error {
		if !p.ready.Load() {
			return errNotReady
		}
		if err := retention.Sweep(ctx); err != nil {
			p.log.Error(err, "records of break-glass are kept for longer than they need be")
		}
		return nil
	})
}
