package forge

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what is asked of forges. No label holds a name that somebody else chooses.
type Metrics struct {
	requests *prometheus.CounterVec
	left     *prometheus.GaugeVec
}

// NewMetrics registers the metrics. It panics where they are registered already.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_forge_requests_total",
			Help: "Requests to forges, by kind of forge and outcome: fresh, unchanged (ETag), limited (not sent, or refused for its rate) and failed.",
		}, []string{"forge", "outcome"}),
		left: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairway_forge_requests_left",
			Help: "Requests that the forge still allows in its current window, as it said last.",
		}, []string{"forge"}),
	}
	registry.MustRegister(m.requests, m.left)
	return m
}

// counts are the metrics of one kind of forge.
type counts struct {
	fresh, unchanged, limited, failed prometheus.Counter
	left                              prometheus.Gauge
}

// of gives the counts of a forge; those of no Metrics are counted nowhere.
func (m *Metrics) of(kind Kind) counts {
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	outcome := func(name string) prometheus.Counter { return m.requests.WithLabelValues(string(kind), name) }
	return counts{outcome("fresh"), outcome("unchanged"), outcome("limited"), outcome("failed"), m.left.WithLabelValues(string(kind))}
}
