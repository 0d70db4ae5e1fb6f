package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairway-dev/fairway/internal/cli"
)

// probeTimeout bounds every part of a probe.
const probeTimeout = 5 * time.Second

// serveProbes answers /livez, /readyz and /metrics for a process that answers no reviews.
func serveProbes(ctx context.Context, o cli.ServeOptions, registry *prometheus.Registry, ready func() error) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") }) // nobody to tell
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok") // nobody to tell
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return serveHTTP(ctx, o, mux)
}

// serveHTTP serves probes without TLS until the context ends; without an address it only waits.
// Kubelets and scrapers have no client certificate.
func serveHTTP(ctx context.Context, o cli.ServeOptions, handler http.Handler) error {
	if o.Probes == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Probes)
	if err != nil {
		return fmt.Errorf("listening for probes: %w", err)
	}
	_, _ = fmt.Fprintln(o.Log, "fairway: probes on http://"+listener.Addr().String()) // nothing is lost if nobody reads it
	server := &http.Server{Handler: handler, ReadTimeout: probeTimeout, WriteTimeout: 2 * probeTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve says so
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving probes on %s: %w", listener.Addr(), err)
	}
	return nil
}
