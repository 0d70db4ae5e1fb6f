package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/authority"
	"github.com/fairway-dev/fairway/internal/cli"
)

// chain watches whether API servers will accept the serving certificate of this process: whether the
// bundle in each entry of the webhook configuration verifies it. A gate is ready only from then on; later
// it goes on and shows the metric, since who cannot call it gains nothing from its being unready.
type chain struct {
	reach   func() (client.Reader, error) // the cluster
	log     logr.Logger
	webhook string // name of the configuration; empty: nothing to compare with
	host    string
	serving func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	now     func() time.Time

	held     atomic.Bool // once
	accepted atomic.Bool // now
}

// newChain watches the certificate that a watcher of files has.
func newChain(o cli.ServeOptions, log logr.Logger, certs *certwatcher.CertWatcher) *chain {
	c := &chain{log: log, webhook: o.WebhookConfiguration, serving: certs.GetCertificate, now: time.Now}
	if len(o.TLSNames) > 0 {
		c.host = o.TLSNames[0]
	}
	var reader client.Reader
	c.reach = func() (client.Reader, error) { // the API server may be away at the start
		if reader == nil {
			cluster, err := connect(o.Kubeconfig)
			if err != nil {
				return nil, err
			}
			reader = cluster.client
		}
		return reader, nil
	}
	return c
}

// The time between two looks, before the chain has held and after.
const (
	chainSoon  = time.Second
	chainLater = 30 * time.Second
)

// errChain is why a gate that nobody would accept is not ready.
var errChain = errors.New("the webhook configuration does not hold the chain of the serving certificate yet")

// Ready says why no API server would accept the certificate yet.
func (c *chain) Ready() error {
	if c.webhook == "" || c.held.Load() {
		return nil
	}
	return errChain
}

// Run compares until the context ends.
func (c *chain) Run(ctx context.Context) error {
	if c.webhook == "" {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		err := c.check(ctx)
		c.accepted.Store(err == nil)
		wait := chainLater
		if err == nil {
			c.held.Store(true)
			said = ""
		} else if wait = chainSoon; ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			c.log.Info("API servers would not accept the serving certificate", "problem", said)
		}
		timer.Reset(wait)
	}
}

// check says why an API server would not accept the certificate. Without a configuration nobody calls.
func (c *chain) check(ctx context.Context) error {
	cluster, err := c.reach()
	if err != nil {
		return err
	}
	found, err := configuration(ctx, cluster, c.webhook)
	if err != nil || found == nil {
		return err
	}
	serving, err := c.serving(nil)
	if err != nil {
		return fmt.Errorf("reading the serving certificate: %w", err)
	}
	var text []byte
	for _, der := range serving.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	for _, w := range found.Webhooks {
		if err := authority.Verify(text, w.ClientConfig.CABundle, c.host, c.now()); err != nil {
			return fmt.Errorf("webhook %q: %w", w.Name, err)
		}
	}
	return nil
}

// metrics show the serving certificate.
func (c *chain) metrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fairway_serving_certificate_expiry_timestamp_seconds", Help: "When the serving certificate ends; 0: there is none.",
		}, c.expiry),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fairway_serving_certificate_accepted", Help: "1 where the bundle in the webhook configuration verifies the serving certificate.",
		}, func() float64 {
			if c.accepted.Load() {
				return 1
			}
			return 0
		}),
	}
}

// expiry is when the certificate ends, in seconds since 1970.
func (c *chain) expiry() float64 {
	pair, err := c.serving(nil)
	if err != nil || len(pair.Certificate) == 0 {
		return 0
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return 0
	}
	return float64(leaf.NotAfter.Unix())
}
