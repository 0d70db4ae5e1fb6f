// Package telemetry sends traces to an OpenTelemetry collector, where an install asks for it: one span for
// each review, one for each look at a repository and one for each commit that was judged.
//
// The spans on one commit are in one trace, whose identity is computed from the commit; the span of a
// review that was judged by a proof links to it. So whoever looks at a denial finds the prover's work on
// the same commit, and neither process had to hand anything to the other.
//
// It refuses to hold anything up: spans wait in a bounded queue, and are dropped when the collector is
// away. No span holds the content of an object. Without an endpoint there is no tracer, and nothing is
// dialled: with one, the collector is the only address beside the API server that a gate talks to.
package telemetry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// Settings say where traces go.
type Settings struct {
	Endpoint string  // URL of an OTLP/HTTP collector, such as http://collector:4318/v1/traces
	Ratio    float64 // of the traces that nobody upstream has decided on: 0 to 1
	Role     string  // gate, prover or serve
	Version  string
}

// Traces makes spans and sends them. Make it with New.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	headers  propagation.TraceContext
}

// New begins to send traces to a collector. That it is away is no error, now or later.
func New(ctx context.Context, s Settings) (*Traces, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.Endpoint))
	if err != nil {
		return nil, fmt.Errorf("preparing traces for %q: %w", s.Endpoint, err)
	}
	return with(s, sdktrace.WithBatcher(exporter)), nil
}

// with makes traces that go where an option says.
func with(s Settings, to sdktrace.TracerProviderOption) *Traces {
	t := &Traces{provider: sdktrace.NewTracerProvider(to,
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.Ratio))),
		sdktrace.WithIDGenerator(identities{}),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.namespace", "fairway"),
			attribute.String("service.name", "fairway-"+s.Role),
			attribute.String("service.version", s.Version),
		)),
	)}
	t.tracer = t.provider.Tracer("github.com/fairway-dev/fairway")
	return t
}

// Shutdown sends what is still waiting, for as long as the context lasts.
func (t *Traces) Shutdown(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// Review begins the span of one review, as a child of the API server's where that traces. The function
// ends it: with the request and its verdict, or with neither where the review was shed or could not be read.
func (t *Traces) Review(ctx context.Context, header http.Header) (context.Context, func(*change.Request, policy.Verdict)) {
	ctx = t.headers.Extract(ctx, propagation.HeaderCarrier(header))
	ctx, span := t.tracer.Start(ctx, "review", trace.WithSpanKind(trace.SpanKindServer))
	return ctx, func(req *change.Request, v policy.Verdict) {
		defer span.End()
		if req == nil || !span.IsRecording() {
			return
		}
		span.SetAttributes(
			attribute.String("fairway.operation", string(req.Operation)),
			attribute.String("fairway.resource", req.Resource.String()),
			attribute.String("fairway.namespace", req.Namespace),
			attribute.String("fairway.name", req.ID.Name),
			attribute.Bool("fairway.dry_run", req.DryRun),
			attribute.String("fairway.tier", v.Tier),
			attribute.String("fairway.lane", string(v.Lane)),
			attribute.String("fairway.verdict", v.Outcome.String()),
			attribute.Bool("fairway.admitted", v.Admits()),
			attribute.StringSlice("fairway.reasons", unmet(v)),
		)
		if v.Commit != "" {
			span.SetAttributes(attribute.String("fairway.commit", v.Commit))
			span.AddLink(trace.Link{SpanContext: ofCommit(v.Commit)})
		}
	}
}

// unmet are the codes of the findings that are not met.
func unmet(v policy.Verdict) []string {
	var all []string
	for _, f := range v.Findings {
		if f.Outcome != policy.Allow {
			all = append(all, string(f.Code))
		}
	}
	return all
}

// Look begins the span of one look at a repository.
func (t *Traces) Look(ctx context.Context, repository string) (context.Context, func(error)) {
	ctx, span := t.tracer.Start(ctx, "look", trace.WithAttributes(attribute.String("fairway.repository", repository)))
	return ctx, func(err error) { end(span, err) }
}

// Source begins the span of proving one source, within a look.
func (t *Traces) Source(ctx context.Context, key change.SourceKey) (context.Context, func(error)) {
	ctx, span := t.tracer.Start(ctx, "prove", trace.WithAttributes(source(key)...))
	return ctx, func(err error) { end(span, err) }
}

func source(key change.SourceKey) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("fairway.repository", key.Repository), attribute.String("fairway.branch", key.Branch),
		attribute.String("fairway.path", key.Path), attribute.String("fairway.namespace", key.Namespace),
	}
}

// end ends a span. Only that it failed is told: the text of an error may name what credentials were for.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "failed")
	}
	span.End()
}

// Judged tells of one commit that was judged for a source, in the trace of the commit. The work on it
// began within the context, at a time.
func (t *Traces) Judged(ctx context.Context, key change.SourceKey, commit string, v policy.Verdict, began time.Time) {
	options := []trace.SpanStartOption{
		trace.WithNewRoot(), trace.WithTimestamp(began), trace.WithAttributes(source(key)...), trace.WithAttributes(
			attribute.String("fairway.commit", commit), attribute.String("fairway.tier", v.Tier),
			attribute.String("fairway.verdict", v.Outcome.String()), attribute.StringSlice("fairway.reasons", unmet(v)),
		),
	}
	if within := trace.SpanContextFromContext(ctx); within.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: within}))
	}
	_, span := t.tracer.Start(context.WithValue(ctx, commitKey{}, commit), "judge commit", options...)
	span.End()
}

// commitKey is what the identity of a trace is computed from, in a context.
type commitKey struct{}

// ofCommit is the identity of the trace of a commit. Its span stands for all of the work on it.
func ofCommit(commit string) trace.SpanContext {
	sum := sha256.Sum256([]byte("fairway-trace-1\x00" + commit))
	config := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled}
	copy(config.TraceID[:], sum[:16])
	copy(config.SpanID[:], sum[16:24])
	return trace.NewSpanContext(config)
}
