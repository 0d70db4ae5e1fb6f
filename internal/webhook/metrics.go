package webhook

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/internal/policy"
)

// Causes for which no verdict was asked or taken, as they stand in metrics and logs.
const (
	shedBytes    = "bytes"     // no room for the body
	shedQueue    = "queue"     // too many wait for a verdict
	shedNotReady = "not_ready" // the process cannot judge yet
	shedConns    = "conns"     // too many connections

	causeMalformed = "malformed"
	causeTooLarge  = "too_large"
	causeBody      = "body" // the body did not arrive
	causeOverload  = "overload"
	causeGone      = "gone" // the caller went away before its turn
	causeDeadline  = "deadline"
	causePanic     = "panic"
)

// metrics are what the front counts. No label holds a name that whoever writes objects can choose:
// tiers come from the configuration, all else from closed lists (T-59).
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	bodyBytes prometheus.Histogram
	inFlight  prometheus.Gauge
	shed      *prometheus.CounterVec
	unjudged  *prometheus.CounterVec
	panics    prometheus.Counter
}

// newMetrics registers the metrics. It panics where they are registered already: two fronts must
// not share a registry.
func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_admission_requests_total",
			Help: "Reviews answered with a verdict, by tier, lane, verdict, first unmet reason code and dry run.",
		}, []string{"tier", "lane", "verdict", "reason", "dry_run"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "fairway_admission_duration_seconds",
			Help:                            "Time from the end of a review's headers to its answer.",
			Buckets:                         []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"lane", "verdict"}),
		bodyBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "fairway_admission_body_bytes",
			Help:    "Sizes of reviews that were read.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 4, 9),
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairway_admission_in_flight",
			Help: "Reviews that are being read, judged or answered.",
		}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_admission_shed_total",
			Help: "Reviews answered with HTTP 429 and connections closed unread, by cause.",
		}, []string{"cause"}),
		unjudged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_admission_unjudged_total",
			Help: "Reviews denied, or refused with an HTTP error, without a verdict of the judge, by cause.",
		}, []string{"cause"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairway_admission_panics_total",
			Help: "Panics of the judge or the front, each of which denied a request.",
		}),
	}
	registry.MustRegister(m.requests, m.duration, m.bodyBytes, m.inFlight, m.shed, m.unjudged, m.panics)
	return m
}

// noTier is the label of what no tier that exists decided. Its name is whatever the request says, and each would be
// a series (T-59).
const noTier = "(none)"

// decided counts one verdict.
func (m *metrics) decided(v *policy.Verdict, dryRun bool, took time.Duration) {
	verdict, lane := v.Outcome.String(), string(v.Lane)
	reason := ""
	if codes := unmet(v); len(codes) > 0 {
		reason = codes[0]
	}
	inTier := v.Tier
	if v.TierMissing {
		inTier = noTier
	}
	m.requests.WithLabelValues(inTier, lane, verdict, reason, strconv.FormatBool(dryRun)).Inc()
	m.duration.WithLabelValues(lane, verdict).Observe(took.Seconds())
}
