package forge

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// LimitedError says that the forge is not asked before Until: it said so, or it did not answer.
type LimitedError struct {
	Host  string
	Until time.Time
}

// Error implements error.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("forge %s is not asked before %s", e.Host, e.Until.UTC().Format(time.RFC3339))
}

// The bounds of waiting.
const (
	firstPause   = time.Second
	mostPause    = 5 * time.Minute // after a forge did not answer
	mostPatience = time.Hour       // whatever it says itself
)

// pace is how soon a forge may be asked again.
type pace struct {
	host     string
	mu       sync.Mutex
	until    time.Time
	stumbles int
}

// ask is a LimitedError while the forge wants to be left alone.
func (p *pace) ask(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return &LimitedError{p.host, p.until}
	}
	return nil
}

// stumble doubles the pause after each try in a row that the forge did not answer.
func (p *pace) stumble(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := min(firstPause<<min(p.stumbles, 16), mostPause)
	p.stumbles++
	p.wait(now.Add(pause))
}

func (p *pace) walk() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stumbles = 0
}

func (p *pace) wait(until time.Time) {
	if until.After(p.until) {
		p.until = until
	}
}

// hear takes up what an answer says of the requests that are left, and gives their number; -1 where
// it says nothing. GitHub and GitLab name the headers differently.
func (p *pace) hear(resp *http.Response, now time.Time) int {
	left, err := strconv.Atoi(either(resp.Header, "X-RateLimit-Remaining", "RateLimit-Remaining"))
	if err != nil || left < 0 {
		return -1
	}
	if left == 0 {
		if reset, ok := resetOf(resp.Header, now); ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wait(reset)
		}
	}
	return left
}

// refused is a LimitedError where an answer is no more than the wish to be left alone.
func (p *pace) refused(resp *http.Response, now time.Time) error {
	after, hasAfter := retryAfter(resp.Header, now)
	spent := either(resp.Header, "X-RateLimit-Remaining", "RateLimit-Remaining") == "0"
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
	case resp.StatusCode == http.StatusForbidden && (hasAfter || spent):
	default:
		return nil
	}
	if !hasAfter {
		var told bool
		if after, told = resetOf(resp.Header, now); !told {
			after = now.Add(time.Minute)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait(after)
	return &LimitedError{p.host, p.until}
}

func either(h http.Header, a, b string) string {
	if v := h.Get(a); v != "" {
		return v
	}
	return h.Get(b)
}

// resetOf is when the requests are counted anew: seconds since 1970.
func resetOf(h http.Header, now time.Time) (time.Time, bool) {
	seconds, err := strconv.ParseInt(either(h, "X-RateLimit-Reset", "RateLimit-Reset"), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return soon(time.Unix(seconds, 0), now), true
}

// retryAfter is the header of that name: seconds, or a date.
func retryAfter(h http.Header, now time.Time) (time.Time, bool) {
	v := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(v, 10, 32); err == nil {
		return soon(now.Add(time.Duration(seconds)*time.Second), now), true
	}
	if date, err := http.ParseTime(v); err == nil {
		return soon(date, now), true
	}
	return time.Time{}, false
}

// soon is a time between now and as late as patience lasts.
func soon(t, now time.Time) time.Time {
	if t.Before(now) {
		return now
	}
	if last := now.Add(mostPatience); t.After(last) {
		return last
	}
	return t
}
