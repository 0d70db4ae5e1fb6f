package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// The bars of T-32, and how its traffic goes.
const (
	slowTimes  = 2                      // p99 of good traffic beside slow connections stays below so many times what it was
	slowRSS    = 64 << 10               // KiB that the process may grow by
	slowPeers  = 8                      // addresses that the slow connections come from: one alone may hold fewer
	slowPace   = time.Second            // between two bytes
	goodPace   = 20 * time.Millisecond  // between two good reviews of one client
	slowBefore = 30 * time.Second       // of good traffic alone, at most
	slowAgain  = 100 * time.Millisecond // before a connection that could not be opened is tried again
)

// phase is good traffic over some time, and what the server held.
type phase struct {
	name     string
	requests int
	p50, p99 time.Duration
	resident int   // KiB, the most of a sample each second
	held     int   // slow connections, mean of the same
	cut      int64 // slow connections that the server ended
}

// besideSlow sends good reviews at an even pace, first alone and then beside slow connections, to one server.
func (p plan) besideSlow(out io.Writer) error {
	child, err := start(p.servers[len(p.servers)-1], p.sizes)
	if err != nil {
		return err
	}
	defer child.stop()
	alone, err := p.phase(child, "alone", min(slowBefore, p.duration), nil)
	if err != nil {
		return err
	}
	slow, err := startCrowd(p.slow, child.hello)
	if err != nil {
		return err
	}
	beside, err := p.phase(child, fmt.Sprintf("beside %d slow", p.slow), p.duration, slow)
	if err := errors.Join(err, slow.stop()); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "good traffic\treviews\tp50\tp99\tmost resident MiB\tslow held\tslow cut off\t")
	for _, x := range []phase{alone, beside} {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%d\t%d\t\n", x.name, x.requests, x.p50.Round(time.Microsecond), x.p99.Round(time.Microsecond), x.resident>>10, x.held, x.cut)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if p.check {
		return t32(alone, beside, p.slow)
	}
	return nil
}

// t32 says which bar of T-32 is missed.
func t32(alone, beside phase, slow int) error {
	var missed []error
	if beside.p99 >= slowTimes*alone.p99 {
		missed = append(missed, fmt.Errorf("p99 is %s, want less than %d times %s", beside.p99, slowTimes, alone.p99))
	}
	if grown := beside.resident - alone.resident; grown >= slowRSS {
		missed = append(missed, fmt.Errorf("the process grew by %d MiB, want less than %d", grown>>10, slowRSS>>10))
	}
	if beside.held < slow*9/10 || beside.cut == 0 {
		missed = append(missed, fmt.Errorf("of %d slow connections %d were held and %d cut off: that shows nothing", slow, beside.held, beside.cut))
	}
	return errors.Join(missed...)
}

// phase sends good reviews for some time. Each must be allowed.
func (p plan) phase(child *process, name string, d time.Duration, slow *crowding) (phase, error) {
	roots, err := authorities(child.Cert)
	if err != nil {
		return phase{}, err
	}
	body, err := payload(p.sizes[0], p.operation)
	if err != nil {
		return phase{}, err
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
		MaxIdleConnsPerHost: p.clients[0], DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	l := loop{client: &http.Client{Transport: transport}, url: "https://" + child.Address + "/validate?timeout=5s", body: body}
	if _, err := l.run(p.clients[0], p.warmup); err != nil {
		return phase{}, err
	}
	sampled := slow.sample(child.cmd.Process.Pid)
	times, err := l.paced(p.clients[0], d)
	if err != nil {
		return phase{}, fmt.Errorf("%s: %w", name, err)
	}
	x, err := sampled()
	if err != nil {
		return phase{}, err
	}
	slices.Sort(times)
	x.name, x.requests, x.p50, x.p99 = name, len(times), times[len(times)/2], times[len(times)*99/100]
	return x, nil
}

// paced sends at an even pace, and gives the time that each request took.
func (l loop) paced(clients int, d time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	times, errs := make([][]time.Duration, clients), make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			pace := time.NewTicker(goodPace)
			defer pace.Stop()
			for errs[i] == nil {
				began := time.Now()
				errs[i] = l.once(context.WithoutCancel(ctx))
				times[i] = append(times[i], time.Since(began))
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
			}
		})
	}
	all.Wait()
	return slices.Concat(times...), errors.Join(errs...)
}

// sample looks each second at what is held, and at the memory of the server's process; what it returns ends that
// and tells. A nil crowd is none.
func (c *crowding) sample(pid int) (told func() (phase, error)) {
	ctx, end := context.WithCancel(context.Background())
	var x phase
	var failed error
	sum, n, last := 0, 0, crowded{}
	var all sync.WaitGroup
	all.Go(func() {
		pace := time.NewTicker(time.Second)
		defer pace.Stop()
		for failed == nil {
			var now int
			now, failed = resident(pid)
			x.resident = max(x.resident, now)
			if n++; c != nil && failed == nil {
				failed = c.ask(&last)
				sum += last.Held
			}
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
		}
	})
	return func() (phase, error) {
		end()
		all.Wait()
		x.held, x.cut = sum/n, last.Cut
		return x, failed
	}
}

// resident is the memory that a process has, in KiB, as Linux tells it: what getrusage tells is the most it ever
// had, which may have been when it started.
func resident(pid int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("asking for memory: %w", err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		return 0, fmt.Errorf("reading %q: %w", raw, err)
	}
	return pages * os.Getpagesize() >> 10, nil
}
