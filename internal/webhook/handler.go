package webhook

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

const (
	defaultTimeout = 10 * time.Second // of a webhook that names none
	maxTimeout     = 30 * time.Second // that the API server allows
	retryAfter     = time.Second      // what a shed client is asked to wait
	leastWork      = 250 * time.Millisecond
	smallAnswer    = 2000 // bytes

	tooLate = "no verdict within the time that the API server gives"
)

// Refuser is a Judge that can say of a request, at once and while it judges it, whether some tier refuses it
// anything. Where none does, as in one that warns, an answer that is late is no denial.
type Refuser interface {
	Refuses(req *change.Request) bool
}

// exchange is one review on its way through the front. It is used again and again, with its timer.
type exchange struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	arrived  time.Time
	deadline time.Time
	body     body
	req      *change.Request // nil until a whole review was read
	timer    *time.Timer     // calls late, where the judge was asked

	// mu guards the answer: the deadline may give it while the judge still runs.
	mu       sync.Mutex
	answered bool
	traced   func(*change.Request, policy.Verdict) // nil: nobody follows, or it was told
}

// begin takes an exchange for one request.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x, _ := s.exchanges.Get().(*exchange)
	if x == nil {
		x = &exchange{s: s}
	}
	x.w, x.r, x.arrived = w, r, time.Now()
	if s.tracer != nil {
		ctx, traced := s.tracer.Review(r.Context(), r.Header)
		x.r, x.traced = r.WithContext(ctx), traced
	}
	x.deadline = x.arrived.Add(s.timeout(r))
	s.bodies.begin(&x.body, r.ContentLength)
	s.metrics.inFlight.Inc()
	return x
}

// end gives back what the exchange held. An exchange whose timer could not be stopped is not used
// again: the timer's function may still be on its way.
func (x *exchange) end() {
	s := x.s
	s.metrics.inFlight.Dec()
	if s.tracer != nil {
		x.mu.Lock()
		x.follow(nil, policy.Verdict{})
		x.mu.Unlock()
	}
	s.bodies.end(&x.body)
	if x.timer == nil || x.timer.Stop() {
		x.w, x.r, x.req, x.answered = nil, nil, nil, false
		s.exchanges.Put(x)
	}
}

// follow tells the tracer, once, how the review ended; the caller holds mu.
func (x *exchange) follow(req *change.Request, v policy.Verdict) {
	if x.traced != nil {
		x.traced(req, v)
		x.traced = nil
	}
}

// validate answers POST /validate.
func (s *Server) validate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.text(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		s.text(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return
	}
	x := s.begin(w, r)
	defer x.end()
	defer x.rescue()
	x.run()
}

// run takes the review through reading, waiting, parsing and judging. Every way out answers.
func (x *exchange) run() {
	if x.s.ready != nil && x.s.ready() != nil {
		x.shed(shedNotReady)
		return
	}
	err := x.s.readBody(&x.body, x.r)
	switch {
	case errors.Is(err, errShed):
		x.overload(shedBytes)
		return
	case errors.Is(err, errTooLarge):
		x.unreadable(causeTooLarge, "the admission request is above the size that Fairway reads", "Make the object smaller.")
		return
	case err != nil:
		x.unreadable(causeBody, "the admission request did not arrive as a whole", "Try again.")
		return
	}
	x.s.metrics.bodyBytes.Observe(float64(len(x.body.data)))

	ctx := &patience{Context: x.r.Context(), deadline: x.deadline}
	defer ctx.release()
	switch err := x.s.queue.enter(ctx); {
	case errors.Is(err, errShed):
		x.overload(shedQueue)
		return
	case errors.Is(err, context.Canceled):
		x.unreadable(causeGone, "the caller went away", "")
		return
	case err != nil:
		x.unreadable(causeOverload, tooLate, "Try again.")
		return
	}
	defer x.s.queue.leave()
	req, err := x.s.parsers.parse(x.body.data)
	if err != nil {
		x.malformed(req, err)
		return
	}
	x.req = req
	x.judge(ctx)
}

// judge asks for the verdict and gives it. At the deadline the answer goes out without it: an API
// server that times out takes the failure policy, which may admit. The late answer reaches the
// client at once, since the front speaks HTTP/1.1 alone: on HTTP/2 a response ends only when the
// judge returns.
func (x *exchange) judge(ctx context.Context) {
	if left := time.Until(x.deadline); x.timer == nil {
		x.timer = time.AfterFunc(left, x.late)
	} else {
		x.timer.Reset(left)
	}
	v := x.s.judge.Judge(ctx, x.req)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// What a judge says because its time is over is no verdict, whoever of it and the timer is first.
		x.late()
		return
	}
	x.decide(x.req, &v)
}

// late answers because the judge has not answered in time: with a denial, or, where no tier that judges the
// request refuses anything, with none, by which the API server takes the failure policy.
func (x *exchange) late() {
	// This runs beside the handler, where nobody else stops a panic from ending the process.
	defer func() {
		if recover() != nil {
			x.s.metrics.panics.Inc()
		}
	}()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered {
		return
	}
	if x.r.ProtoMajor == 1 {
		// The connection is of no use before the judge returns.
		x.w.Header().Set("Connection", "close")
	}
	x.s.metrics.unjudged.WithLabelValues(causeDeadline).Inc()
	if x.refuses() {
		x.deny(x.req, causeDeadline, tooLate, "Try again.")
	} else {
		x.abstain(tooLate)
		v := unjudged(x.req, tooLate, "")
		v.Abstains = true
		x.s.record(x, x.req, &v, causeDeadline)
	}
	// Where it cannot be flushed, the answer goes out when the handler returns.
	_ = http.NewResponseController(x.w).Flush()
}

// refuses reports whether some tier that judges the request refuses anything; the caller holds mu, so that the
// buffer of the request is still its own. Where the judge cannot say, one does.
func (x *exchange) refuses() (is bool) {
	defer func() {
		if recover() != nil {
			x.s.metrics.panics.Inc()
			is = true
		}
	}()
	r, says := x.s.judge.(Refuser)
	return !says || r.Refuses(x.req)
}

// rescue turns a panic of the judge or of the front into a denial (T-20, R9): a crash must not be
// read as anything but a refusal.
func (x *exchange) rescue() {
	what := recover()
	if what == nil {
		return
	}
	// A second panic, of the log perhaps, must not take an answer back that was written already.
	defer func() { _ = recover() }()
	x.s.metrics.panics.Inc()
	x.unreadable(causePanic, "Fairway failed on this request", "Report the entry in Fairway's log.")
	x.s.log.Info("admission panic", "reason", panicText(what), "stack", string(debug.Stack()))
}

// panicText is what may be told of a panic: what the runtime itself says. Other values may hold parts of objects.
func panicText(what any) string {
	if err, ok := what.(runtime.Error); ok {
		return err.Error()
	}
	return "panic of the program's own"
}

// overload sheds the request where it can come back in time, and else denies it (T-50).
func (x *exchange) overload(cause string) {
	if time.Now().Add(retryAfter + leastWork).Before(x.deadline) {
		x.shed(cause)
		return
	}
	x.unreadable(causeOverload, "Fairway is overloaded", "Try again.")
}

// shed asks the API server to come back: HTTP 429 with Retry-After, which its client retries within
// the webhook's timeout. It is never a verdict.
func (x *exchange) shed(cause string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answered = true // with no verdict
	x.s.metrics.shed.WithLabelValues(cause).Inc()
	discard(x.r.Body)
	x.w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	x.s.text(x.w, http.StatusTooManyRequests, "no room right now: "+cause)
}

// unreadable denies a request that did not come to a verdict, by the uid in its head; without one
// there is nothing to answer to, and the client gets a bare error.
func (x *exchange) unreadable(cause, why, remedy string) {
	req := x.req
	if req == nil {
		if len(x.body.data) == 0 {
			// Whatever fails here, there is no uid then.
			_ = x.body.fill(x.r.Body, freeBytes)
		}
		req = &change.Request{UID: headUID(x.body.data)}
	}
	x.refuse(req, cause, why, remedy)
}

// malformed denies a review that cannot be read in exactly one way.
func (x *exchange) malformed(req *change.Request, err error) {
	if req.UID == "" {
		req.UID = headUID(x.body.data) // it stands behind what is wrong
	}
	x.refuse(req, causeMalformed, "the admission request cannot be read: "+err.Error(), "")
}

// refuse denies without a verdict of the judge.
func (x *exchange) refuse(req *change.Request, cause, why, remedy string) {
	discard(x.r.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered {
		return
	}
	x.s.metrics.unjudged.WithLabelValues(cause).Inc()
	if req.UID == "" {
		x.answered = true
		x.s.text(x.w, http.StatusBadRequest, "no admission request can be read from the body")
		return
	}
	x.deny(req, cause, why, remedy)
}

// deny answers and records a denial of the front's own; the caller holds mu.
func (x *exchange) deny(req *change.Request, cause, why, remedy string) {
	x.write(req.UID, plainStatus(why, remedy))
	v := unjudged(req, why, remedy)
	x.s.record(x, req, &v, cause)
}

// decide answers and records the judge's verdict, unless the deadline was first.
func (x *exchange) decide(req *change.Request, v *policy.Verdict) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered {
		return
	}
	if v.Abstains {
		x.abstain("what decides here may be out of force")
	} else {
		x.write(req.UID, v.Status())
	}
	x.s.record(x, req, v, "")
}

// abstain answers with an HTTP error, by which the API server takes the failure policy; the caller holds
// mu.
func (x *exchange) abstain(why string) {
	x.answered = true
	x.s.text(x.w, http.StatusServiceUnavailable, "no verdict: "+why)
}

// write sends the answer; the caller holds mu.
func (x *exchange) write(uid string, a policy.Status) {
	out := x.s.answers.get()
	defer x.s.answers.put(out)
	out.b = appendAnswer(out.b, uid, &a)
	h := x.w.Header()
	x.s.closeWhileDraining(x.w)
	h["Content-Type"] = x.s.jsonType
	// net/http finds the length of a small answer by itself, unless it is flushed before the end, as
	// a late denial is.
	if len(out.b) > smallAnswer || !a.Allowed {
		h.Set("Content-Length", strconv.Itoa(len(out.b)))
	}
	x.answered = true
	x.w.WriteHeader(http.StatusOK)
	// A client that went away is nothing to report.
	_, _ = x.w.Write(out.b)
}

// timeout is how long a request may take: what the API server says it waits, less the margin.
func (s *Server) timeout(r *http.Request) time.Duration {
	timeout := defaultTimeout
	text, plain := strings.CutPrefix(r.URL.RawQuery, "timeout=")
	if !plain || strings.ContainsAny(text, "&;%+") {
		text = r.URL.Query().Get("timeout") // not as API servers write it
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		timeout = min(d, maxTimeout)
	}
	return timeout - min(s.limits.Margin, timeout/2)
}

// isJSON compares a media type, whatever its parameters.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}
