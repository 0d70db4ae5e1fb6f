package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// judgeFunc is a judge made of a function.
type judgeFunc func(context.Context, *change.Request) policy.Verdict

func (f judgeFunc) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	return f(ctx, req)
}

// open admits everything, as the lane of an open tier does.
func open(_ context.Context, req *change.Request) policy.Verdict {
	return policy.Verdict{
		Outcome: policy.Allow, Lane: policy.LaneOpen, Tier: "dev", Generation: 3, Enforcement: tier.Enforce,
		Object: req.ID, Operation: req.Operation, Namespace: req.Namespace,
	}
}

// sized is a CREATE whose object has about n bytes, in many small fields.
func sized(tb testing.TB, n int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"name":"V%d","value":"some value, number %d"},`, i, i)
	}
	object := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"env":[` +
		strings.TrimSuffix(b.String(), ",") + `]}}`
	return encoded(tb, func(r *admissionv1.AdmissionRequest) {
		r.Operation, r.Object, r.OldObject = admissionv1.Create, raw(object), raw("null")
	})
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1 << 10, 6 << 10, 200 << 10} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			data := sized(b, n)
			p := new(parserPool)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := p.parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// discarder is a response that goes nowhere.
type discarder struct{ header http.Header }

func (d *discarder) Header() http.Header         { return d.header }
func (d *discarder) Write(p []byte) (int, error) { return len(p), nil }
func (d *discarder) WriteHeader(int)             {}

// rig is a front without HTTP: each call of its once answers the same review.
type rig struct {
	h    http.Handler
	r    *http.Request
	w    *discarder
	body *bytes.Reader
	data []byte
}

func newRig(data []byte) *rig {
	g := &rig{
		h: New(judgeFunc(open), Options{}).Handler(), w: &discarder{header: http.Header{}},
		r: httptest.NewRequest(http.MethodPost, "/validate?timeout=5s", nil), body: bytes.NewReader(data), data: data,
	}
	g.r.Header.Set("Content-Type", "application/json")
	g.r.Body, g.r.ContentLength = io.NopCloser(g.body), int64(len(data))
	return g
}

func (g *rig) once() {
	g.body.Reset(g.data)
	g.h.ServeHTTP(g.w, g.r)
}

// BenchmarkHandler is the whole front without HTTP: body, decoding, open lane, answer, metrics. What
// it takes beyond BenchmarkParse is bar P1.
func BenchmarkHandler(b *testing.B) {
	for _, n := range []int{1 << 10, 6 << 10, 200 << 10} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			g := newRig(sized(b, n))
			b.ReportAllocs()
			b.SetBytes(int64(len(g.data)))
			for b.Loop() {
				g.once()
			}
		})
	}
}

// BenchmarkLog is the front with the log line of each decision, beside BenchmarkHandler.
func BenchmarkLog(b *testing.B) {
	g := newRig(sized(b, 6<<10))
	g.h = New(judgeFunc(open), Options{Log: logr.FromSlogHandler(slog.NewJSONHandler(io.Discard, nil))}).Handler()
	b.ReportAllocs()
	for b.Loop() {
		g.once()
	}
}
