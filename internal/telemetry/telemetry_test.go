package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

const commit = "3f2c1ab0000000000000000000000000000000aa"

// recorded are the spans that a story made, by their names.
func recorded(t *testing.T, story func(traces *Traces)) map[string]sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	traces := with(Settings{Ratio: 1, Role: "serve", Version: "test"}, sdktrace.WithSpanProcessor(recorder))
	story(traces)
	if err := traces.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := map[string]sdktrace.ReadOnlySpan{}
	for _, span := range recorder.Ended() {
		all[span.Name()] = span
	}
	return all
}

// TestReviewJoinsTheCommit: the span of a review links to the trace in which the prover's work on the same
// commit stands, though the two know nothing of each other.
func TestReviewJoinsTheCommit(t *testing.T) {
	key := change.SourceKey{Repository: "apps", Branch: "main", Path: "shop", Namespace: "shop"}
	began := time.Now().Add(-time.Second)
	proved := recorded(t, func(traces *Traces) {
		ctx, looked := traces.Look(t.Context(), "apps")
		ctx, ended := traces.Source(ctx, key)
		traces.Judged(ctx, key, commit, policy.Verdict{Outcome: policy.Allow, Tier: "production"}, began)
		ended(nil)
		looked(errors.New("reading https://user:secret@git.example.com: no"))
	})
	reviewed := recorded(t, func(traces *Traces) {
		_, ended := traces.Review(t.Context(), http.Header{})
		ended(&change.Request{Operation: "CREATE"}, policy.Verdict{
			Outcome: policy.Deny, Tier: "production", Commit: commit, Findings: []policy.Finding{{Code: "FW103", Outcome: policy.Pending}},
		})
	})
	judged, links := proved["judge commit"], reviewed["review"].Links()
	if len(links) != 1 || links[0].SpanContext.TraceID() != judged.SpanContext().TraceID() {
		t.Errorf("the review links to %v, want to trace %s", links, judged.SpanContext().TraceID())
	}
	if got := judged.StartTime(); !got.Equal(began) {
		t.Errorf("the work began at %s, want %s", got, began)
	}
	if within := judged.Links(); len(within) != 1 || within[0].SpanContext.SpanID() != proved["prove"].SpanContext().SpanID() {
		t.Errorf("the commit links to %v, want to the look that judged it", within)
	}
	if proved["prove"].Parent().SpanID() != proved["look"].SpanContext().SpanID() {
		t.Error("proving a source is no part of the look")
	}
	if text := proved["look"].Status().Description; strings.Contains(text, "secret") {
		t.Errorf("a span holds a credential: %q", text)
	}
}

// TestReviewFollowsTheAPIServer: where the API server traces a request, the review is a part of its trace,
// sampled or not as the API server decided.
func TestReviewFollowsTheAPIServer(t *testing.T) {
	for flags, want := range map[string]int{"01": 1, "00": 0} {
		spans := recorded(t, func(traces *Traces) {
			header := http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + flags}}
			_, ended := traces.Review(t.Context(), header)
			ended(nil, policy.Verdict{}) // shed
		})
		if len(spans) != want {
			t.Fatalf("flags %s: %d spans, want %d", flags, len(spans), want)
		}
		if want == 1 && spans["review"].SpanContext().TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("the review is in trace %s", spans["review"].SpanContext().TraceID())
		}
	}
}

// TestRatio: without a parent the ratio decides, and a ratio of zero makes nothing.
func TestRatio(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	traces := with(Settings{}, sdktrace.WithSpanProcessor(recorder))
	_, ended := traces.Review(t.Context(), http.Header{})
	ended(&change.Request{}, policy.Verdict{})
	if got := len(recorder.Ended()); got != 0 {
		t.Errorf("%d spans, want none", got)
	}
}

// TestSends holds that spans reach a collector over OTLP, and that one that is away fails nobody.
func TestSends(t *testing.T) {
	got := make(chan string, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
	}))
	defer collector.Close()
	traces, err := New(t.Context(), Settings{Endpoint: collector.URL + "/v1/traces", Ratio: 1, Role: "gate", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, ended := traces.Review(t.Context(), http.Header{})
	ended(&change.Request{Operation: "DELETE"}, policy.Verdict{Outcome: policy.Deny, Tier: "production"})
	if err := traces.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := <-got
	for _, want := range []string{"/v1/traces application/x-protobuf", "fairway-gate", "review", "production"} {
		if !strings.Contains(sent, want) {
			t.Errorf("the collector got %q, want %q in it", sent, want)
		}
	}
	away, err := New(t.Context(), Settings{Endpoint: "http://127.0.0.1:1/v1/traces", Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, ended = away.Review(t.Context(), http.Header{})
	ended(&change.Request{}, policy.Verdict{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := away.Shutdown(ctx); err != nil {
		t.Errorf("a collector that is away held up the end: %v", err)
	}
}

// TestIdentities: chance gives no two alike, and a commit always the same.
func TestIdentities(t *testing.T) {
	a, _ := identities{}.NewIDs(t.Context())
	b, _ := identities{}.NewIDs(t.Context())
	if a == b || !a.IsValid() {
		t.Errorf("%s and %s", a, b)
	}
	if diff := cmp.Diff(ofCommit(commit).TraceID().String(), ofCommit(commit).TraceID().String()); diff != "" {
		t.Error(diff)
	}
}
