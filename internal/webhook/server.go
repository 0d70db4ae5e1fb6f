package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Server is the HTTP front. Make it with New.
type Server struct {
	judge     Judge
	ready     func() error
	fit       func() error
	log       logr.Logger
	decisions slog.Handler // what log writes to, for the line of each decision
	tracer    Tracer       // nil: nobody follows
	limits    Limits
	metrics   *metrics
	budget    *budget
	queue     *queue
	bodies    bodyPools
	parsers   parserPool
	answers   bufferPool
	exchanges sync.Pool
	jsonType  []string // shared by all answers: net/http only reads it
	scrape    http.Handler
	http      *http.Server
	draining  atomic.Bool
	closed    chan struct{} // closed when Shutdown has ended
	end       func()        // closes closed, once
}

// New makes a front for a judge. It starts nothing: call Serve.
func New(judge Judge, opts Options) *Server {
	registry := opts.Registry
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	logger := opts.Log
	if logger.GetSink() == nil {
		logger = logr.Discard()
	}
	limits := opts.Limits.withDefaults()
	s := &Server{
		judge:     judge,
		ready:     opts.Ready,
		fit:       opts.Fit,
		log:       logger,
		decisions: logr.ToSlogHandler(logger),
		tracer:    opts.Tracer,
		limits:    limits,
		metrics:   newMetrics(registry),
		budget:    newBudget(limits),
		queue:     newQueue(limits.Concurrent, limits.Queue),
		scrape:    promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
		jsonType:  []string{"application/json"},
		closed:    make(chan struct{}),
	}
	s.end = sync.OnceFunc(func() { close(s.closed) })
	s.http = s.httpServer(opts)
	return s
}

// httpServer sets every limit that net/http has: none of them has a safe default there.
func (s *Server) httpServer(opts Options) *http.Server {
	// HTTP/2, which an API server would take for a webhook at its loopback address, is not offered: a late
	// answer would wait there until the judge returns, and many streams on a connection would pass the bounds
	// on connections.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         tlsConfig(opts),
		ReadHeaderTimeout: s.limits.ReadHeader,
		ReadTimeout:       s.limits.Read,
		WriteTimeout:      s.limits.Write,
		IdleTimeout:       s.limits.Idle,
		MaxHeaderBytes:    s.limits.HeaderBytes,
		Protocols:         protocols,
		ErrorLog:          log.New(lineWriter{s.log.V(1)}, "", 0),
	}
}

// Serve answers on a listener with TLS until Shutdown has ended, and then returns nil. It refuses
// to serve without a certificate: there is no plain HTTP for reviews.
func (s *Server) Serve(ln net.Listener) error {
	if c := s.http.TLSConfig; c.GetCertificate == nil && c.GetConfigForClient == nil {
		return errors.New("serving admission reviews: no serving certificate")
	}
	limited := newConnLimiter(ln, s.limits, s.metrics.shed.WithLabelValues(shedConns))
	shaken := shakeHands(limited, s.http.TLSConfig, s.limits.ReadHeader, s.handshakeFailed)
	if err := s.http.Serve(shaken); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving admission reviews on %s: %w", ln.Addr(), err)
	}
	<-s.closed
	return nil
}

// handshakeFailed tells of a failed handshake.
func (s *Server) handshakeFailed(from net.Addr, why error) {
	if errors.Is(why, errPanicked) {
		s.metrics.panics.Inc()
		s.log.Info("admission panic", "reason", why.Error())
		return
	}
	s.log.V(1).Info("handshake failed", "from", from.String(), "reason", cut(why.Error(), 200))
}

// Shutdown ends the service without failing a call. At once /readyz says no, so that end points
// move away; for the grace period everything is still answered, with "Connection: close" so that
// each kept connection ends at a moment when its client knows (closing idle ones under the client
// loses requests: the API server does not replay a POST); then the listener closes and requests in
// flight are waited for, and cut off after the linger. Where the context ends, all of it ends at once.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	s.draining.Store(true)
	s.log.Info("admission front draining", "grace", s.limits.Grace.String())
	timer := time.NewTimer(s.limits.Grace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.Linger)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shutting the admission front down: %w", err), s.http.Close())
	}
	return nil
}

// Handler is everything the front answers, for Serve and for tests. Paths are compared as they
// are: http.ServeMux would redirect unclean ones (T-64).
func (s *Server) Handler() http.Handler {
	probes := s.Probes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/validate" {
			s.validate(w, r)
			return
		}
		probes.ServeHTTP(w, r)
	})
}

// Probes is /readyz, /livez and /metrics alone, for a port of their own: kubelets and scrapers have
// no client certificate. /livez depends on nothing, so that an outage elsewhere restarts nobody;
// /readyz says why not.
func (s *Server) Probes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.text(w, http.StatusMethodNotAllowed, "method not allowed")
			return
		}
		switch r.URL.Path {
		case "/livez":
			s.text(w, http.StatusOK, "ok")
		case "/readyz":
			if why := s.unready(); why != nil {
				s.text(w, http.StatusServiceUnavailable, "not ready: "+why.Error())
				return
			}
			s.text(w, http.StatusOK, "ok")
		case "/metrics":
			s.closeWhileDraining(w)
			s.scrape.ServeHTTP(w, r)
		default:
			s.text(w, http.StatusNotFound, "not found")
		}
	})
}

// unready says why no more traffic should come; nil means that it should. Draining is unready and
// still answers reviews.
func (s *Server) unready() error {
	if s.draining.Load() {
		return errors.New("draining")
	}
	for _, speak := range []func() error{s.ready, s.fit} {
		if speak == nil {
			continue
		}
		if why := speak(); why != nil {
			return why
		}
	}
	return nil
}

// closeWhileDraining asks the client to open its next connection elsewhere, as it does while another
// process had better be asked: kept connections know nothing of /readyz.
func (s *Server) closeWhileDraining(w http.ResponseWriter) {
	if s.draining.Load() || s.fit != nil && s.fit() != nil {
		w.Header().Set("Connection", "close")
	}
}

// text answers with one plain line.
func (s *Server) text(w http.ResponseWriter, code int, line string) {
	s.closeWhileDraining(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(line)+1)) // what is flushed ends there, whenever the handler does
	w.WriteHeader(code)
	// A client that went away is nothing to report.
	_, _ = w.Write([]byte(line + "\n"))
}

// tlsConfig is TLS 1.3 with certificates asked for at each handshake.
func tlsConfig(opts Options) *tls.Config {
	base := &tls.Config{
		GetCertificate: opts.GetCertificate,
		MinVersion:     opts.MinTLS,
		NextProtos:     []string{"http/1.1"},
		// API servers resume no session; and one would keep the authorities of the day it began.
		SessionTicketsDisabled: true,
	}
	if base.MinVersion == 0 {
		base.MinVersion = tls.VersionTLS13
	}
	if opts.ClientCAs == nil {
		return base
	}
	base.ClientAuth = tls.RequireAndVerifyClientCert
	outer := base.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool := opts.ClientCAs()
		if pool == nil {
			// Without a pool crypto/tls would trust the system's authorities.
			return nil, errors.New("no client authorities loaded")
		}
		c := base.Clone()
		c.ClientCAs = pool
		return c, nil
	}
	return outer
}

// lineWriter hands net/http's own complaints to the log.
type lineWriter struct{ log logr.Logger }

// Write logs one line.
func (l lineWriter) Write(p []byte) (int, error) {
	l.log.Info("connection failed", "reason", cut(strings.TrimSpace(string(p)), 200))
	return len(p), nil
}
