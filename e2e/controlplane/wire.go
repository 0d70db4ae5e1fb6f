package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Wire is a way to an address that can stall: connections stay open, new ones are accepted, and nothing
// gets through, as behind a network that lost its mind and tells nobody.
type Wire struct {
	listener net.Listener
	to       string
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu   sync.Mutex
	open chan struct{} // closed while bytes pass
}

// NewWire lays a way from a free port of loopback to an address.
func NewWire(to string) (*Wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("laying a wire: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Wire{listener: listener, to: to, cancel: cancel, open: make(chan struct{})}
	close(w.open)
	w.done.Go(func() { w.accept(ctx) })
	return w, nil
}

// Address is where the wire begins.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// Stall holds every byte back from now on.
func (w *Wire) Stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = make(chan struct{})
}

// Resume lets the bytes pass again, those held back first.
func (w *Wire) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.open)
}

// Close cuts the wire.
func (w *Wire) Close() error {
	w.cancel()
	err := w.listener.Close()
	w.done.Wait()
	return err
}

func (w *Wire) accept(ctx context.Context) {
	for {
		near, err := w.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		w.done.Go(func() { w.carry(ctx, near) })
	}
}

// carry joins a connection with what is at the end of the wire.
func (w *Wire) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	if w.pass(ctx) != nil {
		return
	}
	far, err := new(net.Dialer).DialContext(ctx, "tcp", w.to)
	if err != nil {
		return
	}
	join(ctx, near, far, func(to net.Conn) io.Writer { return gated{ctx, w, to} })
}

// pass waits until bytes pass.
func (w *Wire) pass(ctx context.Context) error {
	w.mu.Lock()
	open := w.open
	w.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-open:
		return nil
	}
}

// gated is the end of a way that lets bytes out while the wire passes them.
type gated struct {
	ctx context.Context
	w   *Wire
	to  net.Conn
}

func (g gated) Write(p []byte) (int, error) {
	if err := g.w.pass(g.ctx); err != nil {
		return 0, err
	}
	return g.to.Write(p)
}
