package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A turn that is over rests for twice the time that it took before it is another's: where handshakes alone would keep
// a core busy, the reviews on open connections get the better part of it. A time that was long, since the process was
// kept from running, is no reason to rest long; and one in which nothing was computed is none to rest, or callers who
// send their hello byte by byte would use all turns up.
const (
	restTimes = 2
	leastRest = 100 * time.Microsecond
	mostRest  = 2 * time.Millisecond
)

// lastHandshakes is how long handshakes may take that were begun when the listener closed.
const lastHandshakes = time.Second

// errPanicked says that the program failed in a handshake, and not the client.
var errPanicked = errors.New("panic in a handshake")

// handshakes is a listener whose connections have shaken hands. net/http would do that too, but with a thousand that
// begin in one moment every review on a connection that is open already would wait for all of them: one costs as much
// as many reviews. So they take turns. And each is done on a stack of its own that nothing keeps, since a connection
// that says nothing afterwards would hold on to the deep one that a handshake needs (T-32).
type handshakes struct {
	net.Listener
	config   *tls.Config
	patience time.Duration // for one handshake
	failed   func(from net.Addr, why error)
	turns    turns
	shaken   chan shaken
	closed   chan struct{}
	close    func() // closes closed, once
}

// shaken is what Accept returns.
type shaken struct {
	conn net.Conn
	err  error
}

// shakeHands begins to accept connections. It ends when the listener is closed.
func shakeHands(ln net.Listener, c *tls.Config, patience time.Duration, failed func(net.Addr, error)) *handshakes {
	h := &handshakes{
		Listener: ln, config: c, patience: patience, failed: failed,
		turns: make(turns, max(1, runtime.GOMAXPROCS(0)/2)), shaken: make(chan shaken), closed: make(chan struct{}),
	}
	h.close = sync.OnceFunc(func() { close(h.closed) })
	go h.begin()
	return h
}

// begin begins a handshake with each connection.
func (h *handshakes) begin() {
	over, end := context.WithCancel(context.Background())
	defer end()
	var pending sync.WaitGroup
	defer close(h.shaken)
	defer pending.Wait()
	for {
		c, err := h.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			time.AfterFunc(lastHandshakes, end)
			return
		case err != nil:
			select {
			case h.shaken <- shaken{err: err}: // net/http knows which of them pass, and waits
			case <-h.closed:
			}
		default:
			pending.Go(func() { h.shake(over, c) })
		}
	}
}

// shake shakes hands and passes the connection on. A connection that fails is closed.
func (h *handshakes) shake(over context.Context, raw net.Conn) {
	secure, err := h.compute(over, raw)
	if err != nil {
		if plain := (tls.RecordHeaderError{}); errors.As(err, &plain) && plain.Conn != nil {
			// As net/http has it, for who forgot the s of https.
			_, _ = io.WriteString(raw, "HTTP/1.0 400 Bad Request\r\n\r\nFairway speaks HTTPS here.\n")
		}
		h.failed(raw.RemoteAddr(), err)
		_ = raw.Close() // it was never used
		return
	}
	select {
	case h.shaken <- shaken{conn: secure}:
	case <-over.Done():
		_ = raw.Close()
	}
}

// compute does one handshake. A panic of what looks certificates up fails that one alone.
func (h *handshakes) compute(over context.Context, raw net.Conn) (secure *tls.Conn, err error) {
	ctx, cancel := context.WithTimeout(over, h.patience)
	defer cancel()
	c := &turnConn{Conn: raw, turns: h.turns, ended: ctx.Done()}
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("%w: %s\n%s", errPanicked, panicText(what), debug.Stack())
		}
		c.yield()
		c.turns, c.ended = nil, nil
	}()
	secure = tls.Server(c, h.config)
	return secure, secure.HandshakeContext(ctx)
}

// Accept is the next connection that has shaken hands. After Close, it is one that had begun.
func (h *handshakes) Accept() (net.Conn, error) {
	next, ok := <-h.shaken
	if !ok {
		return nil, net.ErrClosed
	}
	return next.conn, next.err
}

// Close accepts no more connections. Handshakes that were begun have a second left.
func (h *handshakes) Close() error {
	h.close()
	return h.Listener.Close()
}

// turns are how many handshakes are computed at once.
type turns chan struct{}

// turnConn has a handshake wait for its turn whenever it has heard from the client, and give it back before it waits
// for more: who says nothing, or stops in the midst, holds nobody up.
type turnConn struct {
	net.Conn
	turns turns           // nil after the handshake
	ended <-chan struct{} // when the handshake has taken too long
	held  bool            // a turn
	since time.Time       // it is held
}

// Read reads.
func (c *turnConn) Read(b []byte) (int, error) {
	if c.turns == nil {
		return c.Conn.Read(b)
	}
	c.yield()
	n, err := c.Conn.Read(b)
	select {
	case c.turns <- struct{}{}:
		c.held, c.since = true, time.Now()
	case <-c.ended:
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *turnConn) yield() {
	if !c.held {
		return
	}
	c.held = false
	all, rest := c.turns, restTimes*time.Since(c.since)
	if rest < leastRest {
		<-all
		return
	}
	time.AfterFunc(min(rest, mostRest), func() { <-all })
}
