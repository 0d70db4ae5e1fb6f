package webhook

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// TestR13Abstains: where the judge abstains the API server gets an HTTP error, by which it takes the
// failure policy, and the process sends traffic elsewhere while it answers.
func TestR13Abstains(t *testing.T) {
	cutOff := errors.New("the API server was last heard 11m0s ago")
	f := serve(t, judgeFunc(func(_ context.Context, req *change.Request) policy.Verdict {
		return policy.Verdict{Abstains: true, Lane: policy.LaneRefuse, Tier: "sandbox", Object: req.ID, Operation: req.Operation}
	}), Options{Fit: func() error { return cutOff }})
	response, body := f.post(t, "/validate?timeout=2s", encoded(t))
	if !response.Close {
		t.Error("the connection is kept, and the next review comes here again")
	}
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d: %s", response.StatusCode, body)
	}
	ready, err := f.client.Get(f.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Body.Close()
	if ready.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz is HTTP %d", ready.StatusCode)
	}
}

// knowing is a judge that never answers in time, and knows whether somebody refuses.
type knowing struct {
	judgeFunc
	refuses func() bool
}

func (k knowing) Refuses(*change.Request) bool { return k.refuses() }

// TestR8LateWhereNobodyRefuses: a tier that warns or records never denies, and an answer that is late is no reason
// to. The failure policy decides, which the API server knows; where some tier refuses, or nobody can say, it is a
// denial as ever.
func TestR8LateWhereNobodyRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		refuses func() bool
		code    int
	}{
		"nobody refuses":      {func() bool { return false }, http.StatusServiceUnavailable},
		"somebody refuses":    {func() bool { return true }, http.StatusOK},
		"who refuses, panics": {func() bool { panic("the test has it") }, http.StatusOK},
	} {
		for _, hangs := range []bool{false, true} {
			release := make(chan struct{})
			f := serve(t, knowing{func(ctx context.Context, req *change.Request) policy.Verdict {
				<-ctx.Done()
				if hangs {
					<-release
				}
				return open(ctx, req)
			}, tt.refuses}, Options{})
			began := time.Now()
			response, body := f.post(t, "/validate?timeout=200ms", encoded(t))
			if took := time.Since(began); hangs && took > 5*time.Second {
				t.Errorf("%s: answered after %s", name, took)
			}
			close(release)
			if response.StatusCode != tt.code {
				t.Errorf("%s: HTTP %d, want %d: %s", name, response.StatusCode, tt.code, body)
			}
			if tt.code == http.StatusOK && decoded(t, body).Allowed {
				t.Errorf("%s: admitted", name)
			}
			if got := counted(t, f.metrics.unjudged.WithLabelValues(causeDeadline)); got != 1 {
				t.Errorf("%s: counted %v times", name, got)
			}
		}
	}
}
