package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// TestServeNeedsCertificate: there is no plain HTTP by mistake.
func TestServeNeedsCertificate(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	defer ln.Close()
	if err := New(judgeFunc(open), Options{}).Serve(ln); err == nil {
		t.Error("served without a certificate")
	}
}

func TestT64TLSVersion(t *testing.T) {
	a := newAuthority(t)
	f := a.serve(t, judgeFunc(open), Options{})
	old := a.client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	if resp, err := old.Get(f.url + "/livez"); err == nil {
		resp.Body.Close()
		t.Error("TLS 1.2 was served")
	}
}

// TestT32HTTPVersions: who could speak HTTP/2, as an API server does to a webhook at its loopback address, is
// answered in HTTP/1.1, where a late answer is not held back.
func TestT32HTTPVersions(t *testing.T) {
	a := newAuthority(t)
	f := a.serve(t, judgeFunc(open), Options{})
	if resp, _ := f.post(t, "/validate", encoded(t)); resp.ProtoMajor != 1 {
		t.Errorf("HTTP/1.1 client got %s", resp.Proto)
	}
	f.client = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: a.pool, ServerName: "fairway.test"},
	}}
	defer f.client.CloseIdleConnections()
	if resp, body := f.post(t, "/validate", encoded(t)); resp.ProtoMajor != 1 || !decoded(t, body).Allowed {
		t.Errorf("HTTP/2 client got %s: %s", resp.Proto, body)
	}
}

// TestCertificateReload: a rotated certificate is used by the next handshake.
func TestCertificateReload(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	var now atomic.Pointer[authority]
	now.Store(&first)
	f := serve(t, judgeFunc(open), Options{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return now.Load().certificate(h)
	}})
	f.client = first.client()
	f.ask(t, "/validate", encoded(t))
	now.Store(&second)
	f.ask(t, "/validate", encoded(t)) // on the kept connection
	f.client = second.client()
	f.ask(t, "/validate", encoded(t))
}

// TestT31ClientCertificates: with authorities set, a caller without their certificate does not get
// through the handshake, and a rotated authority counts from the next one.
func TestT31ClientCertificates(t *testing.T) {
	server, first, second := newAuthority(t), newAuthority(t), newAuthority(t)
	var pool atomic.Pointer[x509.CertPool]
	pool.Store(first.pool)
	f := server.serve(t, judgeFunc(open), Options{ClientCAs: pool.Load})
	as := func(a *authority) error {
		client := server.client(func(c *tls.Config) {
			if a != nil {
				c.Certificates = []tls.Certificate{a.leaf}
			}
		})
		defer client.CloseIdleConnections()
		resp, err := client.Get(f.url + "/livez")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	check := func(when string, a *authority, want bool) {
		t.Helper()
		if err := as(a); (err == nil) != want {
			t.Errorf("%s: %v", when, err)
		}
	}
	check("no certificate", nil, false)
	check("known authority", &first, true)
	check("unknown authority", &second, false)
	pool.Store(second.pool)
	check("after rotation, old authority", &first, false)
	check("after rotation, new authority", &second, true)
	pool.Store(nil)
	check("no authorities loaded", &second, false)
}

// TestT32SlowLoris: connections that send a little and wait are cut off, and good traffic does not
// notice.
func TestT32SlowLoris(t *testing.T) {
	a := newAuthority(t)
	f := a.serve(t, judgeFunc(open), Options{Limits: Limits{
		ReadHeader: 300 * time.Millisecond, Read: 600 * time.Millisecond, HeaderBytes: 4 << 10,
	}})
	config := &tls.Config{RootCAs: a.pool, ServerName: "fairway.test"}
	address := strings.TrimPrefix(f.url, "https://")
	var slow sync.WaitGroup
	for i := range 60 {
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("dialing: %v", err)
		}
		defer raw.Close()
		slow.Go(func() {
			var c net.Conn = raw
			if i%3 != 0 { // a third does not even shake hands
				c = tls.Client(raw, config)
				head := "POST /validate HTTP/1.1\r\nHost: fairway.test\r\n"
				if i%3 == 2 {
					head += "Content-Type: application/json\r\nContent-Length: 41943040\r\n\r\n{"
				}
				if _, err := io.WriteString(c, head); err != nil {
					t.Errorf("writing a head: %v", err)
				}
			}
			// Read returns when the server has had enough.
			_ = raw.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("connection %d was never cut off", i)
			}
		})
	}
	for range 50 {
		if got := f.ask(t, "/validate", encoded(t)); !got.Allowed {
			t.Errorf("good traffic: %+v", got)
		}
	}
	slow.Wait()
}

// TestT32HugeHeaders: headers above the bound are refused.
func TestT32HugeHeaders(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/validate", bytes.NewReader(encoded(t)))
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Padding", strings.Repeat("x", 64<<10))
	resp, err := f.client.Do(req)
	if err != nil {
		return // cut off while it was sending
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
}

// TestT32ConnectionLimit: one address cannot hold all connections.
func TestT32ConnectionLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	m := New(judgeFunc(open), Options{}).metrics
	refused := m.shed.WithLabelValues(shedConns)
	ln := newConnLimiter(inner, Limits{Conns: 3, ConnsPerPeer: 2}, refused)
	defer ln.Close()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatalf("dialing from %s: %v", from, err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	cutOff := func(c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("connection above a bound: %v", err)
		}
	}
	dial("127.0.0.1")
	first := <-accepted
	dial("127.0.0.1")
	<-accepted
	cutOff(dial("127.0.0.1")) // the third of one address
	dial("127.0.0.2")
	<-accepted
	cutOff(dial("127.0.0.3")) // the fourth in all
	first.Close()
	first.Close() // a second Close gives nothing back
	dial("127.0.0.1")
	<-accepted
	cutOff(dial("127.0.0.1"))
	if got := counted(t, refused); got != 3 {
		t.Errorf("counted %v refused connections, want 3", got)
	}
}

// TestT50Shed: at many times the capacity every request is answered: judged, or asked to come
// back; nothing that the judge would deny is admitted, and everybody who comes back gets through.
func TestT50Shed(t *testing.T) {
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		time.Sleep(2 * time.Millisecond) // the work of a verdict
		return refuse(ctx, req)
	}), Options{Limits: Limits{Concurrent: 2, Queue: 4}})
	body := encoded(t)
	var shed, denied atomic.Int64
	var clients sync.WaitGroup
	for range 24 {
		clients.Go(func() {
			for done := 0; done < 20; {
				resp, data := f.post(t, "/validate?timeout=5s", body)
				switch resp.StatusCode {
				case http.StatusOK:
					if decoded(t, data).Allowed {
						t.Error("admitted under load")
					}
					denied.Add(1)
					done++
				case http.StatusTooManyRequests:
					if resp.Header.Get("Retry-After") != "1" {
						t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
					}
					shed.Add(1)
				default:
					t.Errorf("HTTP %d: %s", resp.StatusCode, data)
					done++
				}
			}
		})
	}
	clients.Wait()
	if denied.Load() != 480 || shed.Load() == 0 {
		t.Errorf("%d denied, %d shed", denied.Load(), shed.Load())
	}
	if got := counted(t, f.metrics.shed.WithLabelValues(shedQueue)); got != float64(shed.Load()) {
		t.Errorf("counted %v shed, want %d", got, shed.Load())
	}
}

// TestT50ShedTooLate: where there is no time to come back, the answer is a denial with the uid.
func TestT50ShedTooLate(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		entered <- struct{}{}
		<-release
		return open(ctx, req)
	}), Options{Limits: Limits{Concurrent: 1, Queue: 1}})
	var busy sync.WaitGroup
	busy.Go(func() { f.ask(t, "/validate?timeout=30s", encoded(t)) })
	<-entered
	busy.Go(func() { f.ask(t, "/validate?timeout=30s", encoded(t)) })
	await(t, func() bool { return f.queue.waiting.Load() > 0 })
	if got := f.ask(t, "/validate?timeout=1s", encoded(t)); got.Allowed || !strings.Contains(got.Result.Message, "overloaded") {
		t.Errorf("answer: %+v", got)
	}
	if resp, _ := f.post(t, "/validate?timeout=2s", encoded(t)); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("HTTP %d where there is time to come back", resp.StatusCode)
	}
	close(release)
	<-entered
	busy.Wait()
}

// TestT58Memory: large reviews in parallel stay within the byte budget, and small ones get through
// beside them.
func TestT58Memory(t *testing.T) {
	const budget = 160 << 20
	hold := make(chan struct{})
	var inside atomic.Int64
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		if len(req.Object) > 1<<20 {
			inside.Add(1)
			defer inside.Add(-1)
			<-hold
		}
		return refuse(ctx, req)
	}), Options{Limits: Limits{BytesInFlight: budget, Concurrent: 100, Read: time.Minute}})
	large, small := padded(t, "<", 3<<20, admissionv1.Create), encoded(t)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var shed, judged atomic.Int64
	var clients sync.WaitGroup
	for range 24 {
		clients.Go(func() {
			resp, data := f.post(t, "/validate?timeout=30s", large)
			switch resp.StatusCode {
			case http.StatusTooManyRequests:
				shed.Add(1)
			case http.StatusOK:
				judged.Add(1)
				if decoded(t, data).Allowed {
					t.Error("admitted")
				}
			default:
				t.Errorf("HTTP %d", resp.StatusCode)
			}
		})
	}
	most := int64(budget-budget/4) / 2 // of one address
	await(t, func() bool { return shed.Load()+inside.Load() == 24 })
	for range 20 {
		f.ask(t, "/validate", small)
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	if fit := most / int64(len(large)); inside.Load() > fit || inside.Load() == 0 {
		t.Errorf("%d large bodies of %d bytes in memory, at most %d fit", inside.Load(), len(large), fit)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > budget {
		t.Errorf("the heap grew by %d bytes within a budget of %d", grown, budget)
	}
	close(hold)
	clients.Wait()
	await(t, func() bool {
		f.budget.large.mu.Lock()
		defer f.budget.large.mu.Unlock()
		return f.budget.large.used == 0 && len(f.budget.large.peers) == 0
	})
	t.Logf("%d judged, %d shed", judged.Load(), shed.Load())
}
