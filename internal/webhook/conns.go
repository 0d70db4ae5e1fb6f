package webhook

import (
	"net"
	"net/netip"
	"sync"

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
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
