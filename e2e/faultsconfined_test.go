package e2e

import (
	"context"
	"errors"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// fewFiles begins a program that may have 64 files and connections open.
const fewFiles = "ulimit -n 64\n"

// replace puts two gates in place of those that run, each begun by lines of a shell script.
func (c *crew) replace(lines string) {
	c.lab.t.Helper()
	before := maps.Clone(c.gates)
	for range 2 {
		address := c.freeAddress()
		c.begin[gateName(address)] = lines
		c.addGateAt(address)
	}
	c.awaitReady(4)
	for address, gate := range before {
		if err := gate.Stop(); err != nil {
			c.lab.t.Fatal(err)
		}
		delete(c.gates, address)
	}
	c.spread()
	c.awaitReady(2)
}

// confined keeps the load up while gates have little of something, and something takes that from them:
// every answer is a verdict, no gate ends, and each is unready once at most.
func (c *crew) confined(f *traffic, lines string, take func(ctx context.Context, gates []string), enough func() bool) tally {
	c.replace(lines)
	defer c.replace("")
	var gates []string
	for gate := range c.gates {
		gates = append(gates, gate)
	}
	ctx, stop := context.WithCancel(c.lab.t.Context())
	defer stop()
	var all sync.WaitGroup
	flaps := make([]atomic.Int32, len(gates))
	for i, gate := range gates {
		all.Go(func() { c.countFlaps(ctx, gate, &flaps[i]) })
	}
	all.Go(func() { take(ctx, gates) })
	y := f.during(*faultClients, func() {
		c.lab.until("enough was taken from the gates", func(context.Context) error {
			if !enough() {
				return errors.New("not yet")
			}
			return nil
		})
	})
	stop()
	all.Wait()
	c.lives()
	c.awaitReady(2)
	for i := range flaps {
		if n := flaps[i].Load(); n > 1 {
			c.lab.t.Errorf("gate %s was unready %d times", gates[i], n)
		}
	}
	return y
}

// countFlaps counts how often a gate is not ready after it was.
func (c *crew) countFlaps(ctx context.Context, gate string, flaps *atomic.Int32) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	was := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asked, cancel := context.WithTimeout(ctx, time.Second)
		is := c.ready(asked, gate)
		cancel()
		if was && !is && ctx.Err() == nil {
			flaps.Add(1)
		}
		was = is
	}
}

// fewDescriptors: somebody else holds more connections open than gates have descriptors.
func (c *crew) fewDescriptors(f *traffic) {
	var ended atomic.Int64
	y := c.confined(f, fewFiles, func(ctx context.Context, gates []string) {
		var all sync.WaitGroup
		for _, gate := range gates {
			for range 100 {
				all.Go(func() { holdOpen(ctx, gate, &ended) })
			}
		}
		all.Wait()
	}, func() bool { return ended.Load() > 200 })
	f.told("F10 64 file descriptors", y)
	f.spurious(y, 0)
	c.lab.t.Logf("F10 64 file descriptors: gates ended %d of the connections of somebody else", ended.Load())
}

// holdOpen keeps a connection open on which nothing is said, from another address than the API server's.
func holdOpen(ctx context.Context, gate string, ended *atomic.Int64) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	nothing := make([]byte, 1)
	ticker := time.NewTicker(200 * time.Millisecond) // between two tries
	defer ticker.Stop()
	for ctx.Err() == nil {
		<-ticker.C
		connection, err := dialer.DialContext(ctx, "tcp", gate)
		if err != nil {
			continue
		}
		end := context.AfterFunc(ctx, func() { _ = connection.Close() }) // that is what it waits for
		_, _ = connection.Read(nothing)                                  // until the gate ends it
		end()
		ended.Add(1)
		_ = connection.Close() // it may be closed
	}
}
