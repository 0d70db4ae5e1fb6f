package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/internal/controller"
)

// gapInterval is how long a guard may be gone before people are told.
const gapInterval = 15 * time.Second

// newGaps adds what looks for gaps to the role.
func (p *proving) newGaps() {
	p.gaps = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairway_coverage_gaps", Help: "Ways to change objects that no gate is asked about and no shipped policy guards.",
	})
	p.changes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairway_policy_changes_total", Help: "Changes of the shipped ValidatingAdmissionPolicies and their bindings.",
	})
	p.policies = &controller.Policies{Client: p.cluster.client, Changed: func(what string) {
		p.changes.Inc()
		p.log.Error(nil, "what guards Fairway within the API server is not what it was", "what", what)
		p.warn("PolicyChanged", "the "+what+" was changed, removed or made again; was it you? Install it again if not")
	}}
}

// lookForGaps tells of what the cluster has that no gate is asked about and no policy guards.
func (p *proving) lookForGaps(ctx context.Context) error {
	gaps, err := controller.Gaps(ctx, p.cluster.client)
	unguarded, unread := p.policies.Look(ctx)
	if err := errors.Join(err, unread); err != nil {
		p.log.Info("nobody knows what no gate is asked about", "problem", err.Error())
		return err
	}
	gaps = slices.Concat(unguarded, gaps)
	p.gaps.Set(float64(len(gaps)))
	p.status.Gapped(gaps)
	p.statusBell.Ring()
	return nil
}
