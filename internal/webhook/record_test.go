package webhook

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// send gives one review to a handler, without a network.
func send(tb testing.TB, h http.Handler, body []byte) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequest(http.MethodPost, "/validate?timeout=5s", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// series counts what a scrape would store.
func series(tb testing.TB, registry *prometheus.Registry) int {
	tb.Helper()
	families, err := registry.Gather()
	if err != nil {
		tb.Fatalf("gathering: %v", err)
	}
	n := 0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			n += 1 + len(m.GetHistogram().GetBucket())
		}
	}
	return n
}

// TestT59Cardinality: however many objects, users and namespaces come by, the metrics stay few.
func TestT59Cardinality(t *testing.T) {
	registry := prometheus.NewRegistry()
	judges := []judgeFunc{open, refuse}
	turn := 0
	s := New(judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		turn++
		return judges[turn%len(judges)](ctx, req)
	}), Options{Registry: registry})
	template := string(encoded(t, func(r *admissionv1.AdmissionRequest) { r.Namespace = "shop" }))
	h := s.Handler()
	const names = 100_000
	for i := range names {
		name := fmt.Sprintf("web-%d", i)
		body := strings.NewReplacer(`"web"`, `"`+name+`"`, `"shop"`, `"ns-`+name+`"`, "kustomize-controller", "user-"+name).Replace(template)
		if w := send(t, h, []byte(body)); w.Code != http.StatusOK {
			t.Fatalf("HTTP %d: %s", w.Code, w.Body)
		}
	}
	if turn != names {
		t.Fatalf("%d verdicts, want %d", turn, names)
	}
	if n := series(t, registry); n > 200 {
		t.Errorf("%d series", n)
	}
}

// TestMetrics holds the names that dashboards and alerts are built on.
func TestMetrics(t *testing.T) {
	s := New(judgeFunc(refuse), Options{})
	h := s.Handler()
	send(t, h, encoded(t))
	dry := false
	send(t, h, encoded(t, func(r *admissionv1.AdmissionRequest) { r.DryRun = &dry }))
	send(t, h, []byte("hello"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`fairway_admission_requests_total{dry_run="true",lane="refuse",reason="FW201",tier="prod",verdict="Deny"} 1`,
		`fairway_admission_requests_total{dry_run="false",lane="refuse",reason="FW201",tier="prod",verdict="Deny"} 1`,
		`fairway_admission_duration_seconds_count{lane="refuse",verdict="Deny"} 2`,
		`fairway_admission_duration_seconds_bucket{lane="refuse",verdict="Deny",le="10"} 2`,
		`fairway_admission_body_bytes_count 3`,
		`fairway_admission_in_flight 0`,
		`fairway_admission_unjudged_total{cause="malformed"} 1`,
		`fairway_admission_panics_total 0`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if t.Failed() {
		t.Log(w.Body.String())
	}
}

// TestOneLineForADecision: each answer is one log line with a constant message, and nothing of an
// object's content is in it.
func TestOneLineForADecision(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{Verbosity: 1})
	proven := func(ctx context.Context, req *change.Request) policy.Verdict {
		v := open(ctx, req)
		v.Lane, v.Proof = policy.LaneProven, &change.Proof{Commit: "3f2c1ab"}
		return v
	}
	for name, tt := range map[string]struct {
		judge judgeFunc
		body  []byte
		want  []string
	}{
		"allowed":   {proven, encoded(t), []string{`"verdict"="Allow"`, `"lane"="proven"`, `"name"="web"`, `"namespace"="shop"`, `"commit"="3f2c1ab"`, `"dryRun"=true`, `"resource"="deployments.apps"`}},
		"denied":    {refuse, encoded(t), []string{`"verdict"="Deny"`, `"admitted"=false`, `"reasons"=["FW201"]`, `"tier"="prod"`}},
		"malformed": {open, append(encoded(t), 'x'), []string{`"verdict"="Unknown"`, `"cause"="malformed"`}},
	} {
		t.Run(name, func(t *testing.T) {
			lines = nil
			send(t, New(tt.judge, Options{Log: log}).Handler(), bytes.Replace(tt.body, []byte(`"labels":{"name":"no"}`), []byte(`"labels":{"name":"S3cret"}`), 2))
			if len(lines) != 1 {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			for _, want := range append(tt.want, `"msg"="admission decided"`, `"uid"="705ab4f5-6393-11e8-b7cc-42010a800002"`) {
				if !strings.Contains(lines[0], want) {
					t.Errorf("the line lacks %s: %s", want, lines[0])
				}
			}
			if strings.Contains(lines[0], "S3cret") {
				t.Errorf("content in the log: %s", lines[0])
			}
		})
	}
}

// TestT52DryRunIsJudgedAlike: a dry run gets the same verdict and answer.
func TestT52DryRunIsJudgedAlike(t *testing.T) {
	for _, judge := range []judgeFunc{open, refuse} {
		h := New(judge, Options{}).Handler()
		var answers []string
		for _, dry := range []bool{true, false} {
			w := send(t, h, encoded(t, func(r *admissionv1.AdmissionRequest) { r.DryRun = &dry }))
			answers = append(answers, w.Body.String())
		}
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Errorf("answer (-dry run +real):\n%s", diff)
		}
	}
}

// FuzzFront: whatever is sent, the front answers with the judge's denial, a denial of its own with
// the uid, or 400; never with an allow.
func FuzzFront(f *testing.F) {
	good := encoded(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002"}}`))
	f.Add([]byte(`{"request":{"uid":1}}`))
	f.Add([]byte(`{"kind":1,"request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002"}}`))
	h := New(judgeFunc(refuse), Options{}).Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		w := send(t, h, body)
		switch w.Code {
		case http.StatusBadRequest:
			if uid := headUID(body); uid != "" {
				t.Errorf("400 to a request with uid %q", uid)
			}
		case http.StatusOK:
			if strings.Contains(w.Body.String(), `"allowed":true`) || !strings.Contains(w.Body.String(), `"allowed":false`) {
				t.Errorf("answer: %s", w.Body)
			}
		default:
			t.Errorf("HTTP %d", w.Code)
		}
	})
}
