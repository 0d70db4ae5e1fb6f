package webhook

import (
	"crypto/tls"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// connLimiter bounds open connections, in all and of one address, so that a single pod that holds
// connections open cannot shut the API server out (T-32). What is above a bound is closed at once:
// leaving it in the backlog would stop good connections behind it.
type connLimiter struct {
	net.Listener
	total, perPeer int
	refused        prometheus.Counter

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]int
}

func newConnLimiter(ln net.Listener, l Limits, refused prometheus.Counter) *connLimiter {
	return &connLimiter{
		Listener: ln, total: l.Conns, perPeer: l.ConnsPerPeer, refused: refused,
		peers: map[netip.Addr]int{},
	}
}

// Accept is the next connection within the bounds.
func (l *connLimiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := peerOf(c)
		if l.take(peer) {
			return &limitedConn{Conn: c, release: sync.OnceFunc(func() { l.release(peer) })}, nil
		}
		l.refused.Inc()
		_ = c.Close() // it was never used
	}
}

func (l *connLimiter) take(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || l.peers[peer] >= l.perPeer {
		return false
	}
	l.open++
	l.peers[peer]++
	return true
}

func (l *connLimiter) release(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

// peerOf is the address of the other side; all connections without an IP address count as one peer.
func peerOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	release func()
	turn    atomic.Pointer[turns] // that it holds one of
}

// Read reads. Who waits for the other side has computed what there was to compute.
func (c *limitedConn) Read(b []byte) (int, error) {
	c.yield()
	return c.Conn.Read(b)
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	c.yield()
	c.release()
	return c.Conn.Close()
}

func (c *limitedConn) yield() {
	if held := c.turn.Swap(nil); held != nil {
		<-*held
	}
}

// turns are how many handshakes are computed at once. A handshake costs as much as many reviews, and a thousand
// that begin in one moment would have every review on a connection that is open already wait for all of them (T-32).
type turns chan struct{}

// takeTurns has handshakes wait for their turn from the moment when the client's first message is there: one that says
// nothing takes none. The turn ends when the server waits for the client again.
func takeTurns(c *tls.Config) {
	all := make(turns, max(1, runtime.GOMAXPROCS(0)/2))
	before := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if conn, ok := hello.Conn.(*limitedConn); ok {
			select {
			case all <- struct{}{}:
				conn.turn.Store(&all)
			case <-hello.Context().Done():
				return nil, hello.Context().Err()
			}
		}
		if before == nil {
			return nil, nil
		}
		return before(hello)
	}
}
