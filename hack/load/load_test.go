package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// TestServers: each server answers the payloads as a closed loop wants them, so that figures compare
// work that was really done.
func TestServers(t *testing.T) {
	const size = 6 << 10
	all, err := servers([]int{size})
	if err != nil {
		t.Fatal(err)
	}
	var every []string
	for _, s := range all {
		every = append(every, s.name)
		t.Run(s.name, func(t *testing.T) {
			cert, err := certificate()
			if err != nil {
				t.Fatal(err)
			}
			address, err := freeAddress()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.serve(ctx, address, cert) }()
			if err := reachable(address, cert, ended); err != nil {
				t.Fatal(err)
			}
			roots, err := authorities(cert.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}}}
			for _, operation := range []string{"CREATE", "UPDATE"} {
				body, err := payload(size, operation)
				if err != nil {
					t.Fatal(err)
				}
				l := loop{client: &http.Client{Transport: transport}, url: "https://" + address + "/validate?timeout=5s", body: body}
				if times, err := l.run(2, 0); err != nil || len(times) != 2 {
					t.Errorf("%s: %d answers: %v", operation, len(times), err)
				}
			}
			transport.CloseIdleConnections()
			cancel()
			<-ended
		})
	}
	if diff := cmp.Diff(everyServer, strings.Join(every, ",")); diff != "" {
		t.Errorf("servers (-named +there):\n%s", diff)
	}
}

// TestLanes: what the gate is measured at are the lanes that the servers are named after.
func TestLanes(t *testing.T) {
	const size = 6 << 10
	for _, tt := range []struct {
		lane      tier.Lane
		operation string
		want      policy.Lane
	}{
		{tier.Open, "CREATE", policy.LaneOpen},
		{tier.Gated, "CREATE", policy.LaneProven},
		{tier.Gated, "UPDATE", policy.LaneNoOp},
	} {
		g, err := judge(tt.lane, []int{1 << 10, size})
		if err != nil {
			t.Fatal(err)
		}
		body, err := payload(size, tt.operation)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(chan policy.Verdict, 1)
		front := webhook.New(watched{g, seen}, webhook.Options{})
		r := httptest.NewRequest(http.MethodPost, "/validate", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		front.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if v := <-seen; v.Lane != tt.want || v.Outcome != policy.Allow {
			t.Errorf("%s in a tier that is %s: %s by %q: %s", tt.operation, tt.lane, v.Outcome, v.Lane, v.Message())
		}
	}
}

// watched shows the verdicts of a judge.
type watched struct {
	inner webhook.Judge
	seen  chan<- policy.Verdict
}

// Judge judges, and shows.
func (w watched) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	v := w.inner.Judge(ctx, req)
	w.seen <- v
	return v
}

// TestPayload: the object has about the size that was asked for, and is one that decodes.
func TestPayload(t *testing.T) {
	for _, size := range []int{1 << 10, 6 << 10, 200 << 10} {
		body, err := payload(size, "UPDATE")
		if err != nil {
			t.Fatal(err)
		}
		var review admissionv1.AdmissionReview
		if err := json.Unmarshal(body, &review); err != nil {
			t.Fatal(err)
		}
		if n := len(review.Request.Object.Raw); n < size*9/10 || n > size*11/10+700 {
			t.Errorf("object of %d bytes for %d", n, size)
		}
		if !json.Valid(review.Request.Object.Raw) || string(review.Request.Object.Raw) != string(review.Request.OldObject.Raw) {
			t.Errorf("objects of an UPDATE of %d bytes differ", size)
		}
	}
	if _, err := payload(1, "DELETE"); err == nil {
		t.Error("a payload for DELETE")
	}
}

// TestMissedBars: the bars compare with the floor of the same cell, and with nothing else.
func TestMissedBars(t *testing.T) {
	cell := func(size int, ratio float64, p99 time.Duration) []result {
		return []result{
			{Server: floor, Size: size, Clients: 8, ToFloor: 1, P99: time.Millisecond},
			{Server: "front", Size: size, Clients: 8, ToFloor: ratio, P99: p99},
		}
	}
	for name, tt := range map[string]struct {
		results []result
		want    []string
	}{
		"within":        {append(cell(6<<10, .45, time.Millisecond), cell(200<<10, .25, time.Microsecond)...), nil},
		"6 KiB":         {cell(6<<10, .46, 0), []string{"front, 6144 bytes, 8 clients: CPU 0.46 of the floor's, bar 0.45"}},
		"200 KiB":       {cell(200<<10, .26, 0), []string{"front, 204800 bytes, 8 clients: CPU 0.26 of the floor's, bar 0.25"}},
		"late":          {cell(1<<10, .9, time.Second), []string{"front, 1024 bytes, 8 clients: p99 1s above the floor's 1ms"}},
		"nothing asked": {cell(1<<10, .9, 0), nil},
	} {
		if diff := cmp.Diff(tt.want, missedBars(tt.results)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNumbers(t *testing.T) {
	got, err := numbers("1, 8,32")
	if diff := cmp.Diff([]int{1, 8, 32}, got); diff != "" || err != nil {
		t.Errorf("numbers: %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "0", "-1", "x", "1,,2"} {
		if _, err := numbers(bad); err == nil || !strings.Contains(err.Error(), "not a list") {
			t.Errorf("numbers(%q): %v", bad, err)
		}
	}
}
