package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// TestT05Padding: however an object is padded, the answer has the uid and is the judge's or a
// denial. A client's JSON encoder writes <, & and U+2028 as six bytes each, so objects of 3 MiB
// become reviews of 18 and 36 MiB.
func TestT05Padding(t *testing.T) {
	f := serve(t, judgeFunc(refuse), Options{})
	for _, pad := range []string{"a", "<", "&", "\u2028"} {
		for _, size := range []int{1 << 10, 1_300_000, 3 << 20} {
			for _, op := range []admissionv1.Operation{admissionv1.Create, admissionv1.Update} {
				t.Run(fmt.Sprintf("%q×%d %s", pad, size, op), func(t *testing.T) {
					body := padded(t, pad, size, op)
					if got := f.ask(t, "/validate?timeout=10s", body); got.Allowed || got.Result.Code != http.StatusForbidden {
						t.Errorf("answer to %d bytes: %+v", len(body), got)
					}
				})
			}
		}
	}
}

// padded is a review whose objects hold a text of size characters' worth of bytes, escaped as Go's
// encoder does.
func padded(tb testing.TB, pad string, size int, op admissionv1.Operation) []byte {
	tb.Helper()
	value, err := json.Marshal(strings.Repeat(pad, size/len(pad)))
	if err != nil {
		tb.Fatalf("encoding the padding: %v", err)
	}
	object := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":` + string(value) + `}`
	return encoded(tb, func(r *admissionv1.AdmissionRequest) {
		r.Operation, r.Object, r.OldObject = op, raw(object), raw(object)
		if op == admissionv1.Create {
			r.OldObject = raw("null")
		}
	})
}

// TestT05OverTheCap: a body above the cap is answered with its uid, whether its length is declared
// or not.
func TestT05OverTheCap(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{Limits: Limits{Body: 1 << 20}})
	body := padded(t, "<", 1<<20, admissionv1.Create)
	declared := f.ask(t, "/validate?timeout=10s", body)
	if declared.Allowed || !strings.Contains(declared.Result.Message, "above the size") {
		t.Errorf("answer: %+v", declared)
	}
	// A reader of unknown type makes the client send chunks.
	resp, err := f.client.Post(f.url+"/validate?timeout=10s", "application/json", struct{ *bytes.Reader }{bytes.NewReader(body)})
	if err != nil {
		t.Fatalf("posting chunks: %v", err)
	}
	defer resp.Body.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(resp.Body); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if got := decoded(t, data.Bytes()); got.Allowed || !strings.Contains(got.Result.Message, "above the size") {
		t.Errorf("answer to chunks: %+v", got)
	}
	if got := counted(t, f.metrics.unjudged.WithLabelValues(causeTooLarge)); got != 2 {
		t.Errorf("counted %v bodies above the cap, want 2", got)
	}
}

// TestChunkedBody: a body of unknown length below the cap is judged like any other.
func TestChunkedBody(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{})
	body := sized(t, 300<<10)
	resp, err := f.client.Post(f.url+"/validate", "application/json", struct{ *bytes.Reader }{bytes.NewReader(body)})
	if err != nil {
		t.Fatalf("posting chunks: %v", err)
	}
	defer resp.Body.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(resp.Body); err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if !decoded(t, data.Bytes()).Allowed {
		t.Errorf("denied: %s", data.Bytes())
	}
}

// TestT20Panic: a panic of the judge is a denial and a count, never anything else, and its value
// does not get out.
func TestT20Panic(t *testing.T) {
	for name, judge := range map[string]func(){
		"own value": func() { panic("password=hunter2") },
		"runtime":   func() { _ = strings.Fields("one")[1] },
		"type":      func() { _ = any(t).(error) }, //nolint:errcheck // the panic is what is wanted
		"abort":     func() { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, judgeFunc(func(context.Context, *change.Request) policy.Verdict {
				judge()
				return policy.Verdict{Outcome: policy.Allow}
			}), Options{})
			got := f.ask(t, "/validate", encoded(t))
			if got.Allowed || got.Result.Code != http.StatusForbidden {
				t.Errorf("answer: %+v", got)
			}
			if strings.Contains(got.Result.Message, "hunter2") {
				t.Errorf("the panic's value is in the message: %s", got.Result.Message)
			}
			if got := counted(t, f.metrics.panics); got != 1 {
				t.Errorf("counted %v panics, want 1", got)
			}
		})
	}
}

// TestT20PanicElsewhere: the same for what surrounds the judge.
func TestT20PanicElsewhere(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{Ready: func() error { panic("ready") }})
	if got := f.ask(t, "/validate", encoded(t)); got.Allowed {
		t.Errorf("answer: %+v", got)
	}
}

// TestT20PanicOfTheLog: an answer that was written stands, whatever happens after it.
func TestT20PanicOfTheLog(t *testing.T) {
	log := funcr.New(func(_, args string) {
		if strings.Contains(args, "admission decided") || strings.Contains(args, "admission panic") {
			panic("log")
		}
	}, funcr.Options{})
	for name, judge := range map[string]judgeFunc{
		"denied": refuse,
		"panic":  func(context.Context, *change.Request) policy.Verdict { panic("judge") },
	} {
		f := serve(t, judge, Options{Log: log})
		if got := f.ask(t, "/validate", encoded(t)); got.Allowed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestT48NotReady: before it is ready the front gives no verdict at all, and says so on /readyz.
func TestT48NotReady(t *testing.T) {
	var ready atomic.Bool
	var judged atomic.Int64
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		judged.Add(1)
		return open(ctx, req)
	}), Options{Ready: func() error {
		if !ready.Load() {
			return errors.New("namespaces not synced")
		}
		return nil
	}})
	for range 20 {
		resp, body := f.post(t, "/validate?timeout=1s", encoded(t))
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
			t.Fatalf("HTTP %d, Retry-After %q: %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
	}
	if resp, body := f.get(t, "/readyz"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "not synced") {
		t.Errorf("/readyz: HTTP %d: %s", resp.StatusCode, body)
	}
	if resp, _ := f.get(t, "/livez"); resp.StatusCode != http.StatusOK {
		t.Errorf("/livez: HTTP %d", resp.StatusCode)
	}
	ready.Store(true)
	if got := f.ask(t, "/validate", encoded(t)); !got.Allowed {
		t.Errorf("answer when ready: %+v", got)
	}
	if got := judged.Load(); got != 1 {
		t.Errorf("%d verdicts, want 1", got)
	}
}

// TestR8Deadline: when the judge is late, a denial goes out before the API server gives up, and its
// place is only free when it returns.
func TestR8Deadline(t *testing.T) {
	release := make(chan struct{})
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		<-ctx.Done()
		<-release
		return open(ctx, req)
	}), Options{Limits: Limits{Margin: 900 * time.Millisecond, Concurrent: 1, Queue: 1}})
	defer close(release)
	began := time.Now()
	got := f.ask(t, "/validate?timeout=1s", encoded(t))
	if took := time.Since(began); took > time.Second {
		t.Errorf("answered after %v", took)
	}
	if got.Allowed || !strings.Contains(got.Result.Message, "no verdict within the time") {
		t.Errorf("answer: %+v", got)
	}
	second := f.ask(t, "/validate?timeout=1s", encoded(t))
	if second.Allowed {
		t.Errorf("answer while the only place is taken: %+v", second)
	}
	for cause, want := range map[string]float64{causeDeadline: 1, causeOverload: 1} {
		if got := counted(t, f.metrics.unjudged.WithLabelValues(cause)); got != want {
			t.Errorf("counted %v × %s, want %v", got, cause, want)
		}
	}
}

// TestR8AVerdictAtTheDeadline: a judge that answers because its time is over has given no verdict,
// whichever of it and the timer comes first.
func TestR8AVerdictAtTheDeadline(t *testing.T) {
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		<-ctx.Done()
		return open(ctx, req)
	}), Options{})
	for range 100 {
		if got := f.ask(t, "/validate?timeout=20ms", encoded(t)); got.Allowed {
			t.Fatalf("answer: %+v", got)
		}
	}
}

// TestDeadlineOfJudge: the judge gets what the API server says it waits, less the margin.
func TestDeadlineOfJudge(t *testing.T) {
	s := New(judgeFunc(open), Options{})
	for query, want := range map[string]time.Duration{
		"timeout=5s":        4500 * time.Millisecond,
		"timeout=2s":        1500 * time.Millisecond,
		"timeout=1s":        500 * time.Millisecond,
		"timeout=100ms":     50 * time.Millisecond,
		"":                  9500 * time.Millisecond,
		"timeout=1h":        29500 * time.Millisecond,
		"timeout=-5s":       9500 * time.Millisecond,
		"timeout=soon":      9500 * time.Millisecond,
		"a=b&timeout=5s":    4500 * time.Millisecond,
		"timeout=5%73&x=%":  4500 * time.Millisecond,
		"timeout=5s&z=1":    4500 * time.Millisecond,
		"timeout=9999999h":  9500 * time.Millisecond,
		"timeout=2562047h":  29500 * time.Millisecond,
		"timeout=0s":        9500 * time.Millisecond,
		"timeout=5s;x=1":    9500 * time.Millisecond,
		"timeout=%35s&x=y":  4500 * time.Millisecond,
		"timeout=5s#ignore": 9500 * time.Millisecond,
	} {
		r := httptest.NewRequest(http.MethodPost, "/validate", nil)
		r.URL.RawQuery = query
		if got := s.timeout(r); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

// TestBadRequests: what has no uid gets a bare error, what has one a denial.
func TestBadRequests(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{})
	good := string(encoded(t))
	for name, tt := range map[string]struct {
		body string
		code int
	}{
		"empty":             {"", 400},
		"no JSON":           {"hello", 400},
		"no request":        {`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, 400},
		"no uid":            {strings.Replace(good, `"uid":"705`, `"uld":"705`, 1), 400},
		"cut off":           {good[:len(good)/2], 200},
		"trailing":          {good + "{}", 200},
		"other version":     {strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v2", 1), 200},
		"other name inside": {strings.Replace(good, `"name":"web","namespace":"shop","managed`, `"name":"db","namespace":"shop","managed`, 1), 200},
	} {
		t.Run(name, func(t *testing.T) {
			resp, data := f.post(t, "/validate", []byte(tt.body))
			if resp.StatusCode != tt.code {
				t.Fatalf("HTTP %d, want %d: %s", resp.StatusCode, tt.code, data)
			}
			if tt.code == http.StatusOK && decoded(t, data).Allowed {
				t.Errorf("allowed")
			}
		})
	}
}

// TestT64NoRedirects: no path and no method is answered with a redirect.
func TestT64NoRedirects(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{})
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/", "/validate", "/validate/", "//validate", "/./validate", "/x/../validate", "/readyz/", "//readyz", "/metrics/..", "/%2e%2e/validate"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH"} {
			req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatalf("request: %v", err)
			}
			resp, err := f.client.Do(req)
			if err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			resp.Body.Close()
			if resp.StatusCode/100 == 3 || resp.Header.Get("Location") != "" {
				t.Errorf("%s %s: HTTP %d to %q", method, path, resp.StatusCode, resp.Header.Get("Location"))
			}
			if resp.StatusCode == http.StatusOK && (path != "/validate" && !strings.HasPrefix(path, "/readyz")) {
				t.Errorf("%s %s: HTTP 200", method, path)
			}
		}
	}
}

func TestMethodAndContentType(t *testing.T) {
	h := New(judgeFunc(open), Options{}).Handler()
	for _, tt := range []struct {
		method, media string
		want          int
	}{
		{"POST", "application/json", 200},
		{"POST", "application/json; charset=utf-8", 200},
		{"POST", "Application/JSON", 200},
		{"POST", "application/yaml", 415},
		{"POST", "application/vnd.kubernetes.protobuf", 415},
		{"POST", "", 415},
		{"GET", "application/json", 405},
		{"PUT", "application/json", 405},
	} {
		r := httptest.NewRequest(tt.method, "/validate", bytes.NewReader(encoded(t)))
		r.Header.Set("Content-Type", tt.media)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s %q: HTTP %d, want %d", tt.method, tt.media, w.Code, tt.want)
		}
	}
}
