package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// Judge decides one request. The context ends shortly before the API server stops waiting; a judge
// that runs past it is answered for with a denial, and keeps its place in the concurrency budget
// until it returns.
//
// The request's Object and Old lie in a buffer that is used again: a judge may keep the request's
// strings, but must copy these bytes if it keeps them after it returned.
type Judge interface {
	Judge(ctx context.Context, req *change.Request) policy.Verdict
}

// Tracer follows reviews for people who look for lost time.
type Tracer interface {
	// Review is told of a review when its headers are there, and returns the context to judge it in and
	// what to call when it was answered: with the request and its verdict, or, where it was shed or could
	// not be read, with no request.
	Review(ctx context.Context, header http.Header) (context.Context, func(*change.Request, policy.Verdict))
}

// Options are what a Server needs from its surroundings. The zero value serves nothing: Serve asks
// for a GetCertificate.
type Options struct {
	// GetCertificate gives the serving certificate for each handshake, so that a rotated one is
	// used at once (certwatcher.CertWatcher has such a method).
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCAs, if set, gives the authorities of client certificates for each handshake; a
	// caller without a certificate of theirs is refused in the handshake (T-31). A nil pool
	// trusts nobody. Probes then belong on a port of their own: see Server.Probes.
	ClientCAs func() *x509.CertPool
	// MinTLS is the lowest TLS version; 0 means TLS 1.3.
	MinTLS uint16
	// Ready, if set, says why the process cannot judge yet; nil means that it can. It is asked for
	// every review and so must be fast: while it returns an error, reviews get 429 (T-48).
	Ready func() error
	// Fit, if set, says why /readyz sends traffic elsewhere while reviews are judged all the same; nil
	// means that nothing speaks against this process.
	Fit func() error
	// Log gets one line for each decision. The zero value discards.
	Log logr.Logger
	// Tracer, if set, follows each review.
	Tracer Tracer
	// Registry gets the front's metrics and is what /metrics shows; nil means one of its own.
	Registry *prometheus.Registry
	// Limits bound what the process spends; zero fields take their defaults.
	Limits Limits
}

// Limits bound what one process spends on reviews. A zero field takes the default in its comment.
type Limits struct {
	Body          int64         // largest body, bytes: 40 MiB, above what an API server can send
	BytesInFlight int64         // of all bodies in memory, bytes: 128 MiB, of which a quarter is kept for small ones
	Concurrent    int           // verdicts at once: 16 × GOMAXPROCS
	Queue         int           // reviews that wait for their turn: 200
	Conns         int           // open connections: 4096, and no more than half of what the process may have open
	ConnsPerPeer  int           // open connections of one address: 1024, and no more than half of Conns
	HeaderBytes   int           // of a request: 16 KiB
	ReadHeader    time.Duration // to finish a handshake, and again for headers: 5 s
	Read          time.Duration // to finish a request with its body: 10 s
	Write         time.Duration // from the end of the headers to the end of the answer: 31 s
	Idle          time.Duration // of a kept connection: 150 s; API servers close theirs after 90 s, and must be first
	Margin        time.Duration // between our deadline and the API server's: 500 ms
	Grace         time.Duration // of serving on after Shutdown began: 10 s
	Linger        time.Duration // of waiting for reviews in flight after that: 5 s
}

// most stands for as many as one likes.
const most = 1 << 20

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	setDefault(&l.Body, 40<<20)
	setDefault(&l.BytesInFlight, 128<<20)
	setDefault(&l.Concurrent, 16*runtime.GOMAXPROCS(0))
	setDefault(&l.Queue, 200)
	l.bindTo(openFiles())
	setDefault(&l.HeaderBytes, 16<<10)
	setDefault(&l.ReadHeader, 5*time.Second)
	setDefault(&l.Read, 10*time.Second)
	setDefault(&l.Write, maxTimeout+time.Second)
	setDefault(&l.Idle, 150*time.Second)
	setDefault(&l.Margin, 500*time.Millisecond)
	setDefault(&l.Grace, 10*time.Second)
	setDefault(&l.Linger, 5*time.Second)
	return l
}

// bindTo fills what is bound by how many files the process may have open: half of them are for what it
// opens itself, the API server and probes among it.
func (l *Limits) bindTo(files uint64) {
	setDefault(&l.Conns, int(min(4096, files/2)))
	setDefault(&l.ConnsPerPeer, min(1024, l.Conns/2))
}

// setDefault sets a zero limit. There is no "without limit": a negative value is taken as zero too.
func setDefault[T ~int | ~int64](limit *T, to T) {
	if *limit <= 0 {
		*limit = to
	}
}
