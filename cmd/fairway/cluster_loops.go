package main

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/internal/controller"
)

// looping looks for webhooks of others that could keep Fairway and themselves from starting again.
type looping struct {
	install *install
	status  *controller.Status
	loops   prometheus.Gauge
	told    []string // by the log
	// toldUnknown is why nobody knows of loops, as the log tells it.
	toldUnknown string
}

func newLooping(in *install, status *controller.Status) *looping {
	return &looping{install: in, status: status, loops: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairway_webhook_loops", Help: "Webhooks of others that wait for Fairway to start while Fairway waits for them.",
	})}
}

func (l *looping) look(ctx context.Context) error {
	if !l.install.ready.Load() {
		return errNotReady
	}
	h := hooksOf(l.install.o)
	others, err := controller.Others(ctx, l.install.cluster.client, h.Name)
	if err != nil {
		if why := err.Error(); l.toldUnknown != why { // it is asked again every second
			l.install.log.Info("nobody knows which webhooks could keep Fairway from starting", "problem", why)
			l.toldUnknown = why
		}
		return err
	}
	l.toldUnknown = ""
	loops := controller.Loops(others, l.install.state.World(), h)
	l.loops.Set(float64(len(loops)))
	if !slices.Equal(l.told, loops) {
		l.install.log.Error(nil, "webhooks of others that could keep Fairway from starting again are not what they were", "webhooks", loops)
		l.told = loops
	}
	l.status.Looped(loops)
	l.install.statusBell.Ring()
	return nil
}
