package webhook

import (
	"context"
	"errors"
	"net/http"
	"testing"

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
