package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// late is a connection of a client that says its first word and hears nothing for a while.
type late struct {
	net.Conn
	hears <-chan struct{}
}

// Read waits and reads.
func (l late) Read(b []byte) (int, error) {
	<-l.hears
	return l.Conn.Read(b)
}

// inside counts who is inside at once.
type inside struct{ now, most atomic.Int64 }

// work is what takes long to compute.
func (i *inside) work() {
	now := i.now.Add(1)
	defer i.now.Add(-1)
	for seen := i.most.Load(); now > seen && !i.most.CompareAndSwap(seen, now); seen = i.most.Load() {
	}
	for began := time.Now(); time.Since(began) < time.Millisecond; {
	}
}

// listening shakes hands on loopback until the test ends.
func listening(t *testing.T, c *tls.Config) *handshakes {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := shakeHands(ln, c, 10*time.Second, func(net.Addr, error) {})
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestT32HandshakesTakeTurns: few handshakes are computed at once, however many begin, in each part of one that costs;
// who stops in the midst of one, or fails, holds nobody up.
func TestT32HandshakesTakeTurns(t *testing.T) {
	a := newAuthority(t)
	for _, tt := range []struct {
		name   string
		server func(c *tls.Config, work func())
		client func(c *tls.Config)
	}{
		{name: "the server's signature", server: func(c *tls.Config, work func()) {
			c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				work()
				return a.certificate(hello)
			}
		}},
		{name: "the server's signature after a second hello", server: func(c *tls.Config, work func()) {
			c.CurvePreferences = []tls.CurveID{tls.CurveP384} // of which clients send no key at first
			c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				work()
				return a.certificate(hello)
			}
		}},
		{name: "the client's certificate", server: func(c *tls.Config, work func()) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.pool
			c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
				work()
				return nil
			}
		}, client: func(c *tls.Config) { c.Certificates = []tls.Certificate{a.leaf} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var computed inside
			server := &tls.Config{GetCertificate: a.certificate, MinVersion: tls.VersionTLS13}
			tt.server(server, computed.work)
			h := listening(t, server)
			client := &tls.Config{RootCAs: a.pool, ServerName: "fairway.test", MinVersion: tls.VersionTLS13}
			if tt.client != nil {
				tt.client(client)
			}
			const good = 50
			over := make(chan struct{})
			var all sync.WaitGroup
			defer all.Wait()
			defer close(over)
			for range good {
				for _, wrap := range []func(net.Conn) net.Conn{
					func(c net.Conn) net.Conn { return late{c, over} },
					func(c net.Conn) net.Conn { return c },
				} {
					raw, err := net.Dial("tcp", h.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					defer raw.Close()
					all.Go(func() { _ = tls.Client(wrap(raw), client).Handshake() })
				}
			}
			for range good {
				c, err := h.Accept()
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
			}
			if got, want := computed.most.Load(), int64(max(1, runtime.GOMAXPROCS(0)/2)); got > want || got == 0 {
				t.Errorf("%d were computed at once, want %d at most", got, want)
			}
		})
	}
}

// TestT32DripsUseNoTurnUp: a turn in which a byte was read and nothing computed is another's at once.
func TestT32DripsUseNoTurnUp(t *testing.T) {
	all, atOnce := make(turns, 1), 0
	for range 100 { // of which the machine may interrupt some
		ours, theirs := net.Pipe()
		go func() { _, _ = theirs.Write([]byte{22}) }()
		c := &turnConn{Conn: ours, turns: all}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c.yield()
		if len(all) == 0 {
			atOnce++
		}
		_, _ = ours.Close(), theirs.Close()
	}
	if atOnce < 50 {
		t.Errorf("%d of 100 turns were given back at once", atOnce)
	}
}

// TestClosingLosesNoHandshake: a handshake that was begun when the listener closed is still accepted, and one that
// never ends keeps the listener for a moment only.
func TestClosingLosesNoHandshake(t *testing.T) {
	a := newAuthority(t)
	begun := make(chan struct{}, 2)
	h := listening(t, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		begun <- struct{}{}
		return a.certificate(hello)
	}})
	over, closed := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(over)
	for _, hears := range []chan struct{}{over, closed} {
		raw, err := net.Dial("tcp", h.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		all.Go(func() {
			c := tls.Client(late{raw, hears}, &tls.Config{RootCAs: a.pool, ServerName: "fairway.test", MinVersion: tls.VersionTLS13})
			if err := c.Handshake(); err != nil && hears == closed {
				t.Errorf("the handshake fails: %v", err)
			}
		})
		<-begun
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	close(closed)
	c, err := h.Accept()
	if err != nil {
		t.Fatalf("the handshake that was begun is lost: %v", err)
	}
	_ = c.Close()
	if _, err := h.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the last one Accept says %v, want that it is closed", err)
	}
}

// TestT20PanicInAHandshake: it ends that handshake, gives its turn back, and the process serves on.
func TestT20PanicInAHandshake(t *testing.T) {
	a := newAuthority(t)
	var asked atomic.Int64
	f := a.serve(t, judgeFunc(open), Options{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if asked.Add(1) <= 10 {
			panic("no certificate")
		}
		return a.certificate(hello)
	}})
	for range 10 {
		if c, err := tls.Dial("tcp", strings.TrimPrefix(f.url, "https://"), &tls.Config{RootCAs: a.pool, ServerName: "fairway.test"}); err == nil {
			t.Error("it shook hands without a certificate")
			_ = c.Close()
		}
	}
	if got := f.ask(t, "/validate", encoded(t)); !got.Allowed {
		t.Errorf("answer after the panics: %+v", got)
	}
	if got := counted(t, f.metrics.panics); got != 10 {
		t.Errorf("%v panics are counted, want 10", got)
	}
}

// TestPlainHTTP: who forgets the s of https is told.
func TestPlainHTTP(t *testing.T) {
	f := serve(t, judgeFunc(open), Options{})
	raw, err := net.Dial("tcp", strings.TrimPrefix(f.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(raw, "GET /readyz HTTP/1.1\r\nHost: fairway.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(raw)
	if want := "Fairway speaks HTTPS here"; !strings.Contains(string(got), want) {
		t.Errorf("it answers %q (%v), want %q in it", got, err, want)
	}
}
