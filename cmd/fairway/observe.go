package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/telemetry"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// observer counts what the prover and the audit do, and follows it where traces are asked for. The
// metrics are described in docs/observability.md; no label holds a name that whoever writes objects or
// commits can choose.
type observer struct {
	traces *telemetry.Traces // nil: off

	looks     *prometheus.HistogramVec
	judged    *prometheus.CounterVec
	audited   *prometheus.GaugeVec
	auditedAt *prometheus.GaugeVec
	denials   prometheus.Counter
	rejected  *prometheus.CounterVec
	opened    *prometheus.CounterVec
	glass     *prometheus.GaugeVec
	silence   prometheus.Collector

	age atomic.Pointer[func() time.Duration] // of what was heard last from the API server
}

func newObserver(traces *telemetry.Traces) *observer {
	o := &observer{
		traces: traces,
		looks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairway_repository_look_duration_seconds", Help: "Time of looks at repositories: fetching, proving, storing.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"result"}),
		judged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_commits_judged_total", Help: "Judgements of commits for a source, by its tier and verdict.",
		}, []string{"tier", "verdict"}),
		audited: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairway_audit_objects", Help: "Live objects in the last audit, by the tier of their binding and what was found.",
		}, []string{"tier", "state"}),
		auditedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairway_audit_oldest_timestamp_seconds", Help: "When the binding of a tier that was audited longest ago was audited.",
		}, []string{"tier"}),
		denials: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairway_denial_events_dropped_total", Help: "Denials that no Event tells of: there were too many, or there is no binding.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_proofs_rejected_total", Help: "ProvenCommits that were not believed, by reason.",
		}, []string{"reason"}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_failed_open_objects_total", Help: "Objects written while no gate is known to have answered, by tier.",
		}, []string{"tier"}),
		glass: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairway_break_glasses", Help: "BreakGlass objects that are stored, by what they amount to.",
		}, []string{"state"}),
	}
	o.silence = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fairway_cluster_silence_seconds", Help: "How long ago the API server was last heard, on the watch that has been silent longest; 0 before the first.",
	}, func() float64 {
		if age := o.age.Load(); age != nil {
			return min((*age)().Seconds(), (24 * time.Hour).Seconds()) // never heard is long ago
		}
		return 0
	})
	return o
}

// hears shows from now on how old what was heard from the API server is.
func (o *observer) hears(age func() time.Duration) { o.age.Store(&age) }

// collectors are the observer's metrics.
func (o *observer) collectors() []prometheus.Collector {
	return []prometheus.Collector{o.looks, o.judged, o.audited, o.auditedAt, o.denials, o.rejected, o.opened, o.glass, o.silence}
}

// Look follows one look at a repository.
func (o *observer) Look(ctx context.Context, repository string) (context.Context, func(error)) {
	began, ended := time.Now(), func(error) {}
	if o.traces != nil {
		ctx, ended = o.traces.Look(ctx, repository)
	}
	return ctx, func(err error) {
		result := "ok"
		if err != nil {
			result = "failed"
		}
		o.looks.WithLabelValues(result).Observe(time.Since(began).Seconds())
		ended(err)
	}
}

// Source follows the proving of one source.
func (o *observer) Source(ctx context.Context, key change.SourceKey) (context.Context, func([]prover.Result, error)) {
	began, ended := time.Now(), func(error) {}
	if o.traces != nil {
		ctx, ended = o.traces.Source(ctx, key)
	}
	return ctx, func(results []prover.Result, err error) {
		for _, r := range results {
			if len(r.Proof.Judgements) > 0 {
				o.judged.WithLabelValues(r.Proof.Judgements[0].Tier, r.Verdict.Outcome.String()).Inc()
			}
			if o.traces != nil {
				o.traces.Judged(ctx, key, r.Proof.Commit, r.Verdict, began)
			}
		}
		ended(err)
	}
}

// swept shows what one round of audits found. A tier that no binding is in any more is shown no more.
func (o *observer) swept(sweeps []audited) {
	o.audited.Reset()
	o.auditedAt.Reset()
	oldest := map[string]time.Time{}
	for _, a := range sweeps {
		for state, ids := range map[string][]change.ObjectID{
			"bound": a.Sweep.Bound, "behind": a.Sweep.Behind, "drifted": a.Sweep.Drifted,
			"missing": a.Sweep.Missing, "inherited": a.Sweep.Inherited,
		} {
			o.audited.WithLabelValues(a.Binding.Tier, state).Add(float64(len(ids)))
		}
		if at, seen := oldest[a.Binding.Tier]; !seen || a.Sweep.At.Before(at) {
			oldest[a.Binding.Tier] = a.Sweep.At
		}
	}
	for name, at := range oldest {
		o.auditedAt.WithLabelValues(name).Set(float64(at.UnixMilli()) / 1000)
	}
}

// newTraces begins to send traces where an install asks for them; nil: it does not.
func newTraces(ctx context.Context, o cli.ServeOptions, role string, log logr.Logger) (*telemetry.Traces, error) {
	if o.TraceEndpoint == "" {
		return nil, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.V(0).Info("traces could not be sent", "problem", err.Error())
	}))
	return telemetry.New(ctx, telemetry.Settings{
		Endpoint: o.TraceEndpoint, Ratio: o.TraceRatio, Role: role, Version: cli.Version(release),
	})
}

// tracer is the webhook's, or none.
func tracer(traces *telemetry.Traces) webhook.Tracer {
	if traces == nil {
		return nil // and no interface that holds nil
	}
	return traces
}

// processMetrics are what every process shows of itself.
func processMetrics() []prometheus.Collector {
	return []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fairway_build_info", Help: "Always 1; the version is the label.",
			ConstLabels: prometheus.Labels{"version": cli.Version(release)},
		}, func() float64 { return 1 }),
	}
}

// publish tells of one round of audits: in metrics, and in Reports where the cluster has them.
func (in *install) publish(ctx context.Context, bindings []tier.Binding, sweeps []audited) {
	in.observer.swept(sweeps)
	reports := controller.Reports{Client: in.cluster.client, Namespace: in.o.Namespace}
	for _, a := range sweeps {
		if err := reports.Write(ctx, a.Binding, a.Sweep); err != nil {
			in.log.Info("a report could not be written", "namespace", a.Binding.Namespace, "problem", err.Error())
		}
	}
	if err := reports.Prune(ctx, bindings); err != nil {
		in.log.Info("reports could not be pruned", "problem", err.Error())
	}
}
