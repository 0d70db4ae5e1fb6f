package webhook

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deaf is a connection of a client that says its first word and hears nothing, until the test ends.
type deaf struct {
	net.Conn
	over <-chan struct{}
}

// Read never has anything.
func (d deaf) Read([]byte) (int, error) {
	<-d.over
	return 0, io.EOF
}

// TestT32HandshakesTakeTurns: few handshakes are computed at once, however many begin; who stops in the midst of one, or
// fails, holds nobody up.
func TestT32HandshakesTakeTurns(t *testing.T) {
	var inside, most atomic.Int64
	a := newAuthority(t)
	f := a.serve(t, judgeFunc(open), Options{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		now := inside.Add(1)
		defer inside.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(time.Millisecond) // as if it took long to compute
		return a.certificate(hello)
	}})
	address := strings.TrimPrefix(f.url, "https://")
	over := make(chan struct{})
	var all, deafs sync.WaitGroup
	for range 50 {
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		deafs.Go(func() {
			_ = tls.Client(deaf{raw, over}, &tls.Config{ServerName: "fairway.test", MinVersion: tls.VersionTLS13}).Handshake()
		})
		all.Go(func() {
			// It does not know the authority.
			if c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "fairway.test", MinVersion: tls.VersionTLS13}); err == nil {
				t.Error("a certificate of nobody is believed")
				_ = c.Close()
			}
		})
	}
	all.Wait()
	if got := f.ask(t, "/validate", encoded(t)); !got.Allowed {
		t.Errorf("answer after all of them: %+v", got)
	}
	close(over)
	deafs.Wait()
	if got, want := most.Load(), int64(max(1, runtime.GOMAXPROCS(0)/2)); got > want || got == 0 {
		t.Errorf("%d handshakes were computed at once, want %d at most", got, want)
	}
}
