package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	manifests "github.com/fairway-dev/fairway/config"
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
	shipped, err := controller.ShippedPolicies(manifests.Policies(), p.o.Namespace, p.o.Webhook.System)
	if err != nil {
		p.log.Error(err, "policies in force cannot be compared") // a part of the program, which a test reads
	}
	p.policies = &controller.Policies{Client: p.cluster.client, Shipped: shipped, Changed: func(what string) {
		p.changes.Inc()
		p.log.Error(nil, "what guards Fairway within the API server is not what it was", "what", what)
		kind, name, _ := strings.Cut(what, " ")
		p.warn("PolicyChanged", "the "+what+" was changed, removed or made again; was it you? Install it again if not",
			&corev1.ObjectReference{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind, Name: name})
	}}
}

// lookForGaps tells of what the cluster has that no gate is asked about and no policy guards.
func (p *proving) lookForGaps(ctx context.Context) error {
	if !p.ready.Load() {
		return errNotReady
	}
	gaps, err := controller.Gaps(ctx, p.cluster.client)
	unguarded, unread := p.policies.Look(ctx)
	uncovered, unseen := p.lookForUncovered(ctx)
	if err := errors.Join(err, unread, unseen); err != nil {
		if why := err.Error(); p.toldUnknown != why { // it is asked again every second
			p.log.Info("nobody knows what no gate is asked about", "problem", why)
			p.toldUnknown = why
		}
		return err
	}
	p.toldUnknown = ""
	gaps = slices.Concat(unguarded, uncovered, controller.OpenEngines(p.state.World()), gaps)
	p.gaps.Set(float64(len(gaps)))
	if !slices.Equal(p.toldGaps, gaps) {
		p.log.Error(nil, "what no gate is asked about, or no shipped policy guards, is not what it was", "gaps", gaps)
		p.toldGaps = gaps
	}
	p.status.Gapped(gaps)
	p.statusBell.Ring()
	return nil
}

// lookForUncovered returns what the webhook configuration leaves out of what the API server serves, where two
// looks saw it: between a change of tiers and that of the configuration one look sees what is no gap.
func (p *proving) lookForUncovered(ctx context.Context) ([]string, error) {
	h := hooksOf(p.o)
	config, err := p.cluster.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, h.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		config = nil
	case err != nil:
		return nil, fmt.Errorf("reading the webhook configuration: %w", err)
	}
	_, served, err := p.cluster.typed.Discovery().ServerGroupsAndResourcesWithContext(ctx)
	// Of other servers that do not answer the APIService tells.
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("reading what the API server serves: %w", err)
	}
	now := controller.Uncovered(config, served, p.state.World(), h)
	twice := slices.DeleteFunc(slices.Clone(now), func(gap string) bool { return !slices.Contains(p.uncovered, gap) })
	if len(twice) < len(now) {
		p.gapBell.Ring()
	}
	p.uncovered = now
	return twice, nil
}
