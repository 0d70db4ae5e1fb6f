package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// refuse denies everything: the judge that padding, panics and bursts must not get around.
func refuse(_ context.Context, req *change.Request) policy.Verdict {
	return policy.Verdict{
		Outcome: policy.Deny, Lane: policy.LaneRefuse, Tier: "prod", Generation: 7, Enforcement: tier.Enforce,
		Object: req.ID, Operation: req.Operation, Namespace: req.Namespace,
		Findings: []policy.Finding{{Code: "FW201", Outcome: policy.Deny, Reason: "not what Git renders", Detail: "no proof"}},
	}
}

// authority is a certificate authority of a test, with one leaf for servers and clients.
type authority struct {
	pool *x509.CertPool
	leaf tls.Certificate
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("generating a key: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fairway"}, DNSNames: []string{"fairway.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatalf("creating a certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("parsing a certificate: %v", err)
	}
	a := authority{pool: x509.NewCertPool(), leaf: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
	a.pool.AddCert(cert)
	return a
}

// certificate is the leaf, as Options ask for it.
func (a authority) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &a.leaf, nil }

// client trusts the authority and speaks HTTP/1.1 on kept connections, as API servers do.
func (a authority) client(with ...func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: a.pool, ServerName: "fairway.test", NextProtos: []string{"http/1.1"}}
	for _, w := range with {
		w(config)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 25}}
}

// front is a server on loopback.
type front struct {
	*Server
	url    string
	client *http.Client
}

// serve runs a front with TLS until the test ends, with a certificate of its own.
func serve(tb testing.TB, judge Judge, opts Options) front {
	tb.Helper()
	return newAuthority(tb).serve(tb, judge, opts)
}

// serve runs a front with the authority's certificate, unless the options have another.
func (a authority) serve(tb testing.TB, judge Judge, opts Options) front {
	tb.Helper()
	if opts.GetCertificate == nil {
		opts.GetCertificate = a.certificate
	}
	if opts.Limits.Grace == 0 {
		opts.Limits.Grace = time.Millisecond
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listening: %v", err)
	}
	f := front{Server: New(judge, opts), url: "https://" + ln.Addr().String(), client: a.client()}
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ln) }()
	tb.Cleanup(func() {
		f.client.CloseIdleConnections()
		if !f.draining.Load() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := f.Shutdown(ctx); err != nil {
				tb.Errorf("shutting down: %v", err)
			}
		}
		if err := <-ended; err != nil {
			tb.Errorf("serving: %v", err)
		}
	})
	return f
}

// post sends a review and gives the HTTP answer with its body read.
func (f front) post(tb testing.TB, path string, body []byte) (*http.Response, []byte) {
	tb.Helper()
	resp, err := f.client.Post(f.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		tb.Fatalf("posting a review: %v", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("reading an answer: %v", err)
	}
	return resp, data
}

// ask sends a review and wants a well-formed answer to it, with its uid.
func (f front) ask(tb testing.TB, path string, body []byte) *admissionv1.AdmissionResponse {
	tb.Helper()
	resp, data := f.post(tb, path, body)
	if resp.StatusCode != http.StatusOK {
		tb.Fatalf("HTTP %d: %s", resp.StatusCode, data)
	}
	return decoded(tb, data)
}

// decoded is an answer as the API server takes it: of the right version, with the uid of typed().
func decoded(tb testing.TB, data []byte) *admissionv1.AdmissionResponse {
	tb.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(data, &review); err != nil {
		tb.Fatalf("decoding the answer %s: %v", data, err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil {
		tb.Fatalf("not an answer that the API server takes: %s", data)
	}
	if got, want := review.Response.UID, typed().Request.UID; got != want {
		tb.Fatalf("answer to uid %q, want %q", got, want)
	}
	return review.Response
}

// get reads one of the probes.
func (f front) get(tb testing.TB, path string) (*http.Response, string) {
	tb.Helper()
	resp, err := f.client.Get(f.url + path)
	if err != nil {
		tb.Fatalf("getting %s: %v", path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("reading %s: %v", path, err)
	}
	return resp, string(data)
}

// counted is the value of one counter or gauge.
func counted(tb testing.TB, m prometheus.Metric) float64 {
	tb.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		tb.Fatalf("reading a metric: %v", err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
