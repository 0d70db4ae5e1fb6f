package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Balancer spreads connections over backends as a Service does: by connection, over those that are said
// to be ready, without looking at what is in them. The API server accepts no loopback address behind a
// Service, so webhooks under test stand behind this one.
type Balancer struct {
	listener net.Listener
	ready    func(ctx context.Context, backend string) bool
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu       sync.Mutex
	backends []string // all
	up       []string // those that answered last that they are ready
	next     int
}

// probeEvery is how often each backend is asked, as kubelets and end points would learn of it.
const probeEvery = 100 * time.Millisecond

// NewBalancer listens on an address; ready says whether a backend wants new connections.
func NewBalancer(address string, ready func(ctx context.Context, backend string) bool, backends ...string) (*Balancer, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("balancing: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Balancer{listener: listener, ready: ready, cancel: cancel, backends: backends}
	b.done.Go(func() { b.probe(ctx) })
	b.done.Go(func() { b.accept(ctx) })
	return b, nil
}

// Address is where it listens.
func (b *Balancer) Address() string { return b.listener.Addr().String() }

// Set puts other backends in place of those before. Open connections stay.
func (b *Balancer) Set(backends ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = backends
}

// Ready is how many backends are ready.
func (b *Balancer) Ready() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.up)
}

// Close closes the listener and every connection.
func (b *Balancer) Close() error {
	b.cancel()
	err := b.listener.Close()
	b.done.Wait()
	return err
}

func (b *Balancer) probe(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		b.mu.Lock()
		backends := b.backends
		b.mu.Unlock()
		var up []string
		for _, one := range backends {
			asked, cancel := context.WithTimeout(ctx, time.Second)
			if b.ready(asked, one) {
				up = append(up, one)
			}
			cancel()
		}
		b.mu.Lock()
		b.up = up
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (b *Balancer) accept(ctx context.Context) {
	var pipes sync.WaitGroup
	defer pipes.Wait()
	for {
		client, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		pipes.Go(func() { b.pipe(ctx, client) })
	}
}

// pick is the next ready backend; empty where there is none.
func (b *Balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.up) == 0 {
		return ""
	}
	b.next++
	return b.up[b.next%len(b.up)]
}

func (b *Balancer) pipe(ctx context.Context, client net.Conn) {
	defer client.Close()
	to := b.pick()
	if to == "" {
		return
	}
	backend, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	join(ctx, client, backend, func(to net.Conn) io.Writer { return to })
}

// join copies between two connections until either ends or the context does, and closes both. What is for
// one of them is written by way of through.
func join(ctx context.Context, a, b net.Conn, through func(to net.Conn) io.Writer) {
	closeBoth := func() { _, _ = a.Close(), b.Close() } // the copies end with an error
	defer context.AfterFunc(ctx, closeBoth)()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(through(way[1]), way[0]) // whichever side ends, both do
			closeBoth()
		})
	}
	both.Wait()
}
