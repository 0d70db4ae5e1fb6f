package webhook

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// followed is a tracer that writes down how reviews ended.
type followed struct{ ends []string }

type followedKey struct{}

func (f *followed) Review(ctx context.Context, header http.Header) (context.Context, func(*change.Request, policy.Verdict)) {
	ctx = context.WithValue(ctx, followedKey{}, header.Get("Content-Type"))
	return ctx, func(req *change.Request, v policy.Verdict) {
		end := "no request"
		if req != nil {
			end = req.ID.Name + " " + v.Outcome.String()
		}
		f.ends = append(f.ends, end)
	}
}

// TestTracer: each review is followed to exactly one end, and judged in the tracer's context.
func TestTracer(t *testing.T) {
	f := &followed{}
	judge := judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		if ctx.Value(followedKey{}) != "application/json" {
			t.Error("the judge does not see the tracer's context")
		}
		return refuse(ctx, req)
	})
	s := New(judge, Options{Tracer: f})
	for range 2 { // exchanges are used again
		send(t, s.Handler(), encoded(t))
	}
	send(t, s.Handler(), []byte("hello"))                                                                          // no uid: HTTP 400
	send(t, New(judge, Options{Tracer: f, Ready: func() error { return context.Canceled }}).Handler(), encoded(t)) // shed
	want := []string{"web Deny", "web Deny", "no request", "no request"}
	if diff := cmp.Diff(want, f.ends); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
