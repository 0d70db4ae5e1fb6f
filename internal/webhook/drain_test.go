package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// TestR11Drain: a planned restart loses nothing. Clients with kept connections run against two
// fronts behind one name; one of them goes away under load, and no request fails.
func TestR11Drain(t *testing.T) {
	a := newAuthority(t)
	leaving := a.serve(t, judgeFunc(open), Options{Limits: Limits{Grace: 2 * time.Second}})
	staying := a.serve(t, judgeFunc(open), Options{})
	var moved atomic.Bool
	var clients sync.WaitGroup
	var answered, toLeaving atomic.Int64
	stop := make(chan struct{})
	body := encoded(t)
	for range 8 {
		client := a.client()
		client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			to := leaving.url
			if moved.Load() {
				to = staying.url
			}
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(to, "https://"))
		}
		clients.Go(func() {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Post("https://fairway.test/validate", "application/json", bytes.NewReader(body))
				if err != nil {
					t.Errorf("request %d failed: %v", answered.Load(), err)
					return
				}
				data, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !decoded(t, data).Allowed {
					t.Errorf("request %d: %v: %s", answered.Load(), err, data)
				}
				if answered.Add(1); !moved.Load() {
					toLeaving.Add(1)
				}
			}
		})
	}
	await(t, func() bool { return answered.Load() > 500 })
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ended <- leaving.Shutdown(ctx)
	}()
	await(t, leaving.draining.Load)
	if resp, why := leaving.get(t, "/readyz"); resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
		t.Errorf("/readyz while draining: HTTP %d, close %v: %s", resp.StatusCode, resp.Close, why)
	}
	during := answered.Load()
	await(t, func() bool { return answered.Load() > during+20 })
	moved.Store(true) // the end points have moved
	if err := <-ended; err != nil {
		t.Errorf("shutting down: %v", err)
	}
	after := answered.Load()
	await(t, func() bool { return answered.Load() > max(after+500, 2000) })
	close(stop)
	clients.Wait()
	t.Logf("%d requests answered, %d of them before the end points moved", answered.Load(), toLeaving.Load())
}

// await waits for a condition, for half a minute at most.
func await(tb testing.TB, condition func() bool) {
	tb.Helper()
	again, end := time.NewTicker(time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-end:
			tb.Fatal("waited half a minute in vain")
		}
	}
}

// TestShutdownCutsOff: a judge that never returns does not keep the process.
func TestShutdownCutsOff(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	f := serve(t, judgeFunc(func(ctx context.Context, req *change.Request) policy.Verdict {
		close(entered)
		<-release
		return open(ctx, req)
	}), Options{})
	lost := make(chan error, 1)
	go func() {
		resp, err := f.client.Post(f.url+"/validate", "application/json", bytes.NewReader(encoded(t)))
		if err == nil {
			resp.Body.Close()
			err = fmt.Errorf("HTTP %d", resp.StatusCode)
		}
		lost <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Shutdown(ctx); err == nil {
		t.Error("shut down with a request in flight")
	}
	<-lost
}
