package telemetry

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"
)

// identities give a trace on a commit the identity that is computed from it, and everything else one by
// chance.
type identities struct{}

// NewIDs returns the identities of a trace and its first span.
func (identities) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if commit, ok := ctx.Value(commitKey{}).(string); ok {
		return ofCommit(commit).TraceID(), chance[trace.SpanID]()
	}
	return chance[trace.TraceID](), chance[trace.SpanID]()
}

// NewSpanID returns the identity of a span within a trace.
func (identities) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	return chance[trace.SpanID]()
}

// chance is an identity that no other is like. All zeroes would be no identity; that never comes up.
func chance[T trace.TraceID | trace.SpanID]() T {
	var id T
	switch id := any(&id).(type) {
	case *trace.TraceID:
		_, _ = rand.Read(id[:]) // it never fails
	case *trace.SpanID:
		_, _ = rand.Read(id[:])
	}
	return id
}
