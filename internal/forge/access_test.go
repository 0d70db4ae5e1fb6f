package forge

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const canary = "canary-7f3a9c"

// get asks for a path and gives the body.
func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// served gives a client of a forge on this machine, and where it is.
func served(t *testing.T, h http.HandlerFunc, edit func(*Access)) (*http.Client, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	a := Access{URL: s.URL, Token: NewSecret(canary), AllowLoopback: true}
	if edit != nil {
		edit(&a)
	}
	c, err := a.Client(GitHub)
	if err != nil {
		t.Fatal(err)
	}
	return c, s.URL
}

// TestT38TokenStaysOnItsHost: no redirect, library or verb of fmt carries the token elsewhere.
func TestT38TokenStaysOnItsHost(t *testing.T) {
	var stolen atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		stolen.Store(true)
		fmt.Fprint(rw, "{}")
	}))
	defer thief.Close()
	c, url := served(t, func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+canary {
			t.Errorf("asked with %q", req.Header.Get("Authorization"))
		}
		switch req.URL.Path {
		case "/away":
			http.Redirect(rw, req, thief.URL+"/", http.StatusFound)
		case "/round":
			http.Redirect(rw, req, "/round", http.StatusFound)
		case "/renamed":
			http.Redirect(rw, req, "/now", http.StatusMovedPermanently)
		default:
			fmt.Fprint(rw, `{"here":true}`)
		}
	}, nil)
	for _, path := range []string{"/away", "/round"} {
		if body, err := get(t, c, url+path); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %q, %v", path, body, err)
		}
	}
	if _, err := get(t, c, thief.URL+"/"); !errors.Is(err, ErrHost) {
		t.Errorf("asking elsewhere: %v", err)
	}
	if stolen.Load() {
		t.Error("the other host was asked")
	}
	if body, err := get(t, c, url+"/renamed"); err != nil || body != `{"here":true}` {
		t.Errorf("renamed: %q, %v", body, err)
	}
	a := Access{URL: url, Token: NewSecret(canary)}
	encoded, _ := json.Marshal(a.Token)
	if all := fmt.Sprintf("%v %+v %#v %s %q %x %s", a, a, a, a.Token, a.Token, a.Token, encoded); strings.Contains(all, canary) || strings.Contains(all, fmt.Sprintf("%x", canary)) {
		t.Errorf("printed: %s", all)
	}
}

func TestLibraryCredentialsAreDropped(t *testing.T) {
	c, url := served(t, func(rw http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(rw, `{"a":%q,"p":%q,"c":%q}`, req.Header.Get("Authorization"), req.Header.Get("Private-Token"), req.Header.Get("Cookie"))
	}, func(a *Access) { a.Token = Secret{} })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"Authorization", "Private-Token", "Cookie"} {
		req.Header.Set(h, "x")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != `{"a":"","p":"","c":""}` {
		t.Errorf("sent %s", body)
	}
}

func TestForbiddenAddresses(t *testing.T) {
	for _, tc := range []struct {
		address          string
		private, machine bool // allowed where private networks are, or this machine is
	}{
		{"140.82.121.4", true, true},
		{"2606:50c0:8000::1", true, true},
		{"10.1.2.3", true, false},
		{"192.168.1.1", true, false},
		{"172.16.0.1", true, false},
		{"100.64.0.1", true, false},
		{"fd12:3456::1", true, false},
		{"64:ff9b::a01:203", true, false}, // 10.1.2.3 by NAT64
		{"::ffff:10.1.2.3", true, false},
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false}, // 169.254.169.254 by NAT64
		{"fe80::1", false, false},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"100.100.100.200", false, false},
		{"168.63.129.16", false, false},
		{"fd00:ec2::254", false, false},
	} {
		at := netip.MustParseAddr(tc.address)
		public := tc.private && tc.machine
		for _, a := range []struct {
			access Access
			want   bool
		}{
			{Access{}, public},
			{Access{AllowPrivate: true}, tc.private},
			{Access{AllowLoopback: true}, tc.machine},
		} {
			if why := a.access.forbids(at); (why == "") != a.want {
				t.Errorf("%s with private %t and loopback %t: %q", at, a.access.AllowPrivate, a.access.AllowLoopback, why)
			}
		}
	}
}

// TestT37NoConnectionToThisMachine: what a name leads to is judged when the connection is made.
func TestT37NoConnectionToThisMachine(t *testing.T) {
	var asked atomic.Bool
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer s.Close()
	for _, host := range []string{"127.0.0.1", "localhost"} {
		url := strings.Replace(s.URL, "127.0.0.1", host, 1)
		c, err := Access{URL: url, AllowPrivate: true}.Client(Gitea)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, c, url); !errors.Is(err, ErrHost) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if asked.Load() {
		t.Error("a connection was made")
	}
}

// TestT38NoTokenWithoutTLS: over http nothing leaves the private network.
func TestT38NoTokenWithoutTLS(t *testing.T) {
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:1": true, "http://10.1.2.3": true, "http://192.0.2.1": false, "http://[2001:db8::1]": false, "https://192.0.2.1": true,
	} {
		a := Access{URL: url, AllowLoopback: true, AllowPrivate: true}
		base, err := a.Base()
		if err != nil {
			t.Fatal(err)
		}
		port := cmp.Or(base.Port(), "443")
		err = a.dialer().ControlContext(t.Context(), "tcp", net.JoinHostPort(base.Hostname(), port), nil)
		if (err == nil) != allowed {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestServerMustBeKnown(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "{}") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that hangs up
	s.StartTLS()
	defer s.Close()
	unknown, _ := Access{URL: s.URL, AllowLoopback: true}.Client(GitLab)
	var cert *tls.CertificateVerificationError
	if _, err := get(t, unknown, s.URL); !errors.As(err, &cert) {
		t.Errorf("a server of nobody: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	known, _ := Access{URL: s.URL, AllowLoopback: true, Roots: roots}.Client(GitLab)
	if _, err := get(t, known, s.URL); err != nil {
		t.Error(err)
	}
}

func TestBase(t *testing.T) {
	for url, good := range map[string]bool{
		"https://git.example.com":          true,
		"https://git.example.com/below/":   true,
		"http://git.example.com":           false,
		"https://user:pw@git.example.com":  false,
		"https://git.example.com/?a=b":     false,
		"https:///path":                    false,
		"ftp://git.example.com":            false,
		"git.example.com":                  false,
		"https://git.example.com/#x":       false,
		"":                                 false,
		"https://[::1":                     false,
		"file:///etc/passwd":               false,
		"https://git.example.com:8443/git": true,
	} {
		if u, err := (Access{URL: url}).Base(); (err == nil) != good || good && !strings.HasSuffix(u.Path, "/") {
			t.Errorf("%q: %v, %v", url, u, err)
		}
		if _, err := (Access{URL: url}).Client(GitHub); (err == nil) != good {
			t.Errorf("client of %q: %v", url, err)
		}
	}
}

// TestT33AnswersAreBounded: an answer that is too large, or that two readers could read differently,
// is none.
func TestT33AnswersAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		body []byte
		want error
	}{
		"too large":       {append([]byte(`"`), bytes.Repeat([]byte("x"), mostBytes)...), ErrTooMuch},
		"a name twice":    {[]byte(`{"state":"COMMENTED","state":"APPROVED"}`), ErrAnswer},
		"twice below":     {[]byte(`[{"user":{"id":1,"id":2}}]`), ErrAnswer},
		"no UTF-8":        {[]byte("\"\xff\""), ErrAnswer},
		"something after": {[]byte(`[] []`), ErrAnswer},
		"cut off":         {[]byte(`[{"a":`), ErrAnswer},
		"not JSON":        {[]byte(`<html>log in</html>`), ErrAnswer},
		"empty":           {nil, ErrAnswer},
		"plain":           {[]byte(`[{"a":1}]`), nil},
	} {
		c, url := served(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(tc.body) }, nil)
		if _, err := get(t, c, url); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	var sent, asked atomic.Int32
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	c, url := served(t, func(rw http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		rw.Header().Set("ETag", `W/"1"`)
		rw.Header().Set("Link", `<https://next>; rel="next"`)
		if req.Header.Get("If-None-Match") == `W/"1"` {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		sent.Add(1)
		fmt.Fprint(rw, `{"n":1}`)
	}, func(a *Access) { a.Metrics = metrics })
	for range 3 {
		resp, err := c.Get(url + "/x")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != `{"n":1}` || resp.StatusCode != http.StatusOK || resp.Header.Get("Link") == "" {
			t.Errorf("got %d %s %v", resp.StatusCode, body, resp.Header)
		}
	}
	if sent.Load() != 1 || asked.Load() != 3 {
		t.Errorf("sent %d times of %d", sent.Load(), asked.Load())
	}
	for outcome, want := range map[string]float64{"fresh": 1, "unchanged": 2, "limited": 0, "failed": 0} {
		var m dto.Metric
		if err := metrics.requests.WithLabelValues("GitHub", outcome).Write(&m); err != nil || m.GetCounter().GetValue() != want {
			t.Errorf("%s: %v, %v; want %v", outcome, m.GetCounter().GetValue(), err, want)
		}
	}
}

func TestBookIsBounded(t *testing.T) {
	b := newBook()
	for i := range mostPages + 50 {
		req := httptest.NewRequest(http.MethodGet, fmt.Sprintf("https://forge/%d", i), nil)
		b.put(req, page{tag: "x", body: make([]byte, 100<<10)})
	}
	if b.bytes > mostPageBytes || b.order.Len() != len(b.byURL) || b.order.Len()*(100<<10) != b.bytes {
		t.Errorf("%d bytes in %d pages of %d", b.bytes, b.order.Len(), len(b.byURL))
	}
	if _, ok := b.get(httptest.NewRequest(http.MethodGet, "https://forge/0", nil)); ok {
		t.Error("the oldest page is still there")
	}
}

// TestT39PaceOfAsking: a forge that wants to be left alone, or does not answer, is not asked.
func TestT39PaceOfAsking(t *testing.T) {
	now := at(0)
	for _, tc := range []struct {
		name   string
		status int
		header map[string]string
		until  time.Time
	}{
		{"too many requests", 429, map[string]string{"Retry-After": "30"}, now.Add(30 * time.Second)},
		{"too many, until a date", 429, map[string]string{"Retry-After": now.Add(time.Minute).Format(http.TimeFormat)}, now.Add(time.Minute)},
		{"too many, nothing said", 429, nil, now.Add(time.Minute)},
		{"too many for a year", 429, map[string]string{"Retry-After": "31536000"}, now.Add(mostPatience)},
		{"limit spent, refused", 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(now.Add(time.Minute).Unix())}, now.Add(time.Minute)},
		{"secondary limit", 403, map[string]string{"Retry-After": "60"}, now.Add(time.Minute)},
		{"limit spent by the last answer", 200, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(now.Add(time.Minute).Unix())}, now.Add(time.Minute)},
		{"limit not spent", 200, map[string]string{"RateLimit-Remaining": "1", "RateLimit-Reset": fmt.Sprint(now.Add(time.Minute).Unix())}, now},
		{"forbidden", 403, nil, now},
		{"no gateway", 502, nil, now.Add(firstPause)},
		{"an error of one page", 500, nil, now},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := now
			var asked atomic.Int32
			c, url := served(t, func(rw http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				for k, v := range tc.header {
					rw.Header().Set(k, v)
				}
				rw.WriteHeader(tc.status)
				fmt.Fprint(rw, "{}")
			}, func(a *Access) { a.Now = func() time.Time { return clock } })
			_, err := get(t, c, url)
			var limited *LimitedError
			if refused := tc.status == 429 || tc.status == 403 && tc.header != nil; errors.As(err, &limited) != refused {
				t.Errorf("first: %v", err)
			}
			clock = tc.until.Add(-time.Second)
			if _, err := get(t, c, url); tc.until.After(now) && (!errors.As(err, &limited) || !limited.Until.Equal(tc.until)) {
				t.Errorf("before: %v, want until %s", err, tc.until)
			}
			before := asked.Load()
			if tc.until.After(now) && before != 1 {
				t.Errorf("asked %d times", before)
			}
			clock = tc.until
			_, _ = get(t, c, url)
			if asked.Load() != before+1 {
				t.Error("not asked again when it may be")
			}
		})
	}
}

// TestT39ASlowForgeIsLeftAlone: one that does not answer in time, or stops in the middle, is not waited for
// again at once.
func TestT39ASlowForgeIsLeftAlone(t *testing.T) {
	for name, begin := range map[string]bool{"no answer": false, "half an answer": true} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{}, 9)
			c, url := served(t, func(rw http.ResponseWriter, req *http.Request) {
				if begin {
					_, _ = rw.Write([]byte("{"))
					_ = http.NewResponseController(rw).Flush()
				}
				asked <- struct{}{}
				<-req.Context().Done()
			}, func(a *Access) { a.Now = func() time.Time { return at(0) } })
			c.Timeout = 200 * time.Millisecond
			if _, err := get(t, c, url); err == nil {
				t.Fatal("an answer")
			}
			<-asked
			var limited *LimitedError
			if _, err := get(t, c, url); !errors.As(err, &limited) {
				t.Errorf("the next: %v", err)
			}
			if len(asked) != 0 {
				t.Error("asked again")
			}
		})
	}
}

func TestPauseDoubles(t *testing.T) {
	p, now := &pace{host: "forge"}, at(0)
	var waits []time.Duration
	for range 12 {
		p.stumble(now)
		var limited *LimitedError
		if !errors.As(p.ask(now), &limited) {
			t.Fatal("asked at once")
		}
		waits = append(waits, limited.Until.Sub(now))
		now = limited.Until
	}
	if waits[0] != time.Second || waits[1] != 2*time.Second || waits[11] != mostPause {
		t.Errorf("waits %v", waits)
	}
	p.walk()
	p.stumble(now)
	if err := p.ask(now.Add(firstPause)); err != nil {
		t.Errorf("after an answer: %v", err)
	}
}
