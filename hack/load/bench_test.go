package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// BenchmarkVerdict is bar P1: a whole review of a 6 KiB Deployment in process, without HTTP, in each of
// the lanes, and the verdict alone. The rest is decoding, answering and counting.
func BenchmarkVerdict(b *testing.B) {
	const size = 6 << 10
	for _, bb := range []struct {
		name, operation string
		lane            tier.Lane
	}{
		{"open", "CREATE", tier.Open},
		{"no-op", "UPDATE", tier.Gated},
		{"proven", "CREATE", tier.Gated},
	} {
		g, err := judge(bb.lane, []int{size})
		if err != nil {
			b.Fatal(err)
		}
		body, err := payload(size, bb.operation)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name+"/review", func(b *testing.B) {
			h := webhook.New(g, webhook.Options{}).Handler()
			reader := bytes.NewReader(body)
			r := httptest.NewRequest(http.MethodPost, "/validate?timeout=5s", nil)
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
			w := &nowhere{header: http.Header{}}
			defer cpu(b)()
			for b.Loop() {
				reader.Reset(body)
				h.ServeHTTP(w, r)
			}
		})
		b.Run(bb.name+"/verdict", func(b *testing.B) {
			req := read(b, body)
			ctx := b.Context()
			defer cpu(b)()
			for b.Loop() {
				if v := g.Judge(ctx, req); v.Outcome != policy.Allow {
					b.Fatal(v.Message())
				}
			}
		})
	}
}

// cpu reports allocations, and from when it is called until what it returns is, the CPU time of an
// operation: on a shared machine the wall clock measures the neighbours.
func cpu(b *testing.B) func() {
	b.ReportAllocs()
	used := func() int64 {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return r.Utime.Nano() + r.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// nowhere is a response that goes nowhere.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// read is the request that the front makes of a review.
func read(tb testing.TB, body []byte) *change.Request {
	tb.Helper()
	asked := make(chan *change.Request, 1)
	front := webhook.New(copier{asked}, webhook.Options{})
	r := httptest.NewRequest(http.MethodPost, "/validate", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	front.Handler().ServeHTTP(httptest.NewRecorder(), r)
	return <-asked
}

// copier hands on a copy of a request.
type copier struct{ asked chan<- *change.Request }

// Judge copies what it must not keep.
func (c copier) Judge(_ context.Context, req *change.Request) policy.Verdict {
	kept := *req
	kept.Object, kept.Old = bytes.Clone(req.Object), bytes.Clone(req.Old)
	c.asked <- &kept
	return policy.Verdict{}
}
