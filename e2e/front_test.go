package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// waits is how long the API server waits for the front.
const waits = 3

// frontLab is the HTTP front with the test as its judge, behind a real API server that shows a client
// certificate to webhooks.
type frontLab struct {
	t        *testing.T
	client   kubernetes.Interface
	address  string // of the front itself
	balancer *controlplane.Balancer
	roots    *x509.CertPool
	registry *prometheus.Registry
	callers  atomic.Pointer[x509.CertPool]
	ready    atomic.Bool
	stuck    atomic.Bool
	judged   atomic.Int64
	left     atomic.Int64 // time that the last review had, in nanoseconds
}

// Judge admits, or waits until there is no time left.
func (l *frontLab) Judge(ctx context.Context, r *change.Request) policy.Verdict {
	l.judged.Add(1)
	if end, has := ctx.Deadline(); has {
		l.left.Store(int64(time.Until(end)))
	}
	if l.stuck.Load() {
		<-ctx.Done()
	}
	return policy.Verdict{Outcome: policy.Allow, Lane: policy.LaneOpen, Object: r.ID, Operation: r.Operation, Namespace: r.Namespace}
}

// TestTheFrontBehindAnAPIServer: what the front promises on the wire is what a real API server makes of it.
func TestTheFrontBehindAnAPIServer(t *testing.T) {
	l := newFrontLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*frontLab)
	}{
		{"T-31 only who has a certificate asks", (*frontLab).certified},
		{"T-48 T-50 a review that was put off comes back", (*frontLab).putOff},
		{"R8 a verdict that is late is a denial in time", (*frontLab).late},
		{"T-32 slow callers hold nobody up", (*frontLab).slow},
		{"T-31 another authority counts at once", (*frontLab).rotated},
	} {
		t.Run(chapter.name, func(t *testing.T) {
			here := l.t
			l.t = t
			chapter.tell(l)
			l.t = here
		})
	}
}

func newFrontLab(t *testing.T) *frontLab {
	t.Helper()
	l := &frontLab{t: t, registry: prometheus.NewRegistry(), roots: x509.NewCertPool()}
	dir := t.TempDir()
	callers := l.caller(dir)
	l.callers.Store(callers)
	l.ready.Store(true)
	c, err := controlplane.Start(t.Context(), controlplane.Options{
		ExtraAPIServerArgs: []string{"--admission-control-config-file=" + filepath.Join(dir, "admission.yaml")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if l.client, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	pair, err := c.ServingPair()
	if err != nil {
		t.Fatal(err)
	}
	l.roots.AppendCertsFromPEM(pair.CA)
	l.serve(pair)
	l.guard(pair.CA)
	return l
}

// caller writes what the API server needs to show a certificate to webhooks, and returns its authority,
// which is itself.
func (l *frontLab) caller(dir string) *x509.CertPool {
	l.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		l.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		l.t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.AuthInfos["*"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		ClientKeyData:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
	if err := clientcmd.WriteToFile(*config, filepath.Join(dir, "webhooks.kubeconfig")); err != nil {
		l.t.Fatal(err)
	}
	admission := "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n- name: ValidatingAdmissionWebhook\n  configuration:\n" +
		"    apiVersion: apiserver.config.k8s.io/v1\n    kind: WebhookAdmissionConfiguration\n    kubeConfigFile: " + filepath.Join(dir, "webhooks.kubeconfig") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "admission.yaml"), []byte(admission), 0o600); err != nil {
		l.t.Fatal(err)
	}
	own, err := x509.ParseCertificate(der)
	if err != nil {
		l.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(own)
	return pool
}

// serve starts the front, and a balancer before it whose connections can be cut.
func (l *frontLab) serve(pair controlplane.ServingPair) {
	l.t.Helper()
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	front := webhook.New(l, webhook.Options{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil },
		ClientCAs:      l.callers.Load, Registry: l.registry, Limits: webhook.Limits{ReadHeader: time.Second, Grace: time.Millisecond},
		Ready: func() error {
			if !l.ready.Load() {
				return errors.New("the test says so")
			}
			return nil
		},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.address = listener.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- front.Serve(listener) }()
	l.t.Cleanup(func() {
		if err := front.Shutdown(context.WithoutCancel(l.t.Context())); err != nil {
			l.t.Error(err)
		}
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			l.t.Error(err)
		}
	})
	l.balance("127.0.0.1:0")
	l.t.Cleanup(func() { _ = l.balancer.Close() }) // nothing is open any more
}

func (l *frontLab) balance(address string) {
	l.t.Helper()
	var err error
	always := func(context.Context, string) bool { return true }
	if l.balancer, err = controlplane.NewBalancer(address, always, l.address); err != nil {
		l.t.Fatal(err)
	}
}

// guard has the API server ask about ConfigMaps of the namespace default, and returns when it does.
func (l *frontLab) guard(ca []byte) {
	l.t.Helper()
	template := manifests(l.t, "../config/webhook")[0]
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	convert(l.t, &template, &config)
	config.Webhooks = config.Webhooks[:1]
	hook := &config.Webhooks[0]
	hook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: new("https://" + l.balancer.Address() + "/validate"), CABundle: ca}
	hook.TimeoutSeconds = new(int32(waits))
	hook.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "default"}}
	hook.Rules[0].Rule = admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}
	if _, err := l.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(l.t.Context(), &config, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.until("the API server asks", func() error {
		before := l.judged.Load()
		if err := l.write(); err != nil {
			return err
		}
		if l.judged.Load() == before {
			return errors.New("it does not yet")
		}
		return nil
	})
}

// write tries one write that the front is asked about.
func (l *frontLab) write() error {
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "front-"}}
	_, err := l.client.CoreV1().ConfigMaps("default").Create(l.t.Context(), settings, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func (l *frontLab) until(what string, question func() error) {
	l.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(l.t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = question()
		return last == nil, nil
	})
	if err != nil {
		l.t.Fatalf("%s: %v (last: %v)", what, err, last)
	}
}

// counted is the sum of a metric's series that have a label's value.
func (l *frontLab) counted(name, label string) float64 {
	l.t.Helper()
	families, err := l.registry.Gather()
	if err != nil {
		l.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, pair := range m.GetLabel() {
				if f.GetName() == name && pair.GetValue() == label {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// certified: the API server shows its certificate; who has none does not get through the handshake.
func (l *frontLab) certified() {
	if err := l.write(); err != nil {
		l.t.Errorf("the API server: %v", err)
	}
	connection, err := tls.Dial("tcp", l.address, &tls.Config{RootCAs: l.roots, MinVersion: tls.VersionTLS13})
	if err == nil {
		// Of a certificate that is missing a TLS 1.3 client hears with the first read.
		_ = connection.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = connection.Read(make([]byte, 1))
		_ = connection.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		l.t.Errorf("without a certificate: %v", err)
	}
}

// putOff: the API server tries again what was answered with 429, when Retry-After says, within the time it
// waits; the request never learns of it.
func (l *frontLab) putOff() {
	const shed = "fairway_admission_shed_total"
	before, judged := l.counted(shed, "not_ready"), l.judged.Load()
	l.ready.Store(false)
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- l.write() }()
	l.until("it is put off", func() error {
		if l.counted(shed, "not_ready") == before {
			return errors.New("not yet")
		}
		return nil
	})
	l.ready.Store(true)
	err, took := <-ended, time.Since(began)
	if err != nil {
		l.t.Errorf("it did not come back: %v", err)
	}
	if took < time.Second || took > waits*time.Second {
		l.t.Errorf("it took %s, where Retry-After says one second and the API server waits %d", took, waits)
	}
	if n := l.judged.Load() - judged; n != 1 {
		l.t.Errorf("it was judged %d times", n)
	}
	l.t.Logf("put off %v times, admitted after %s", l.counted(shed, "not_ready")-before, took.Round(time.Millisecond))
}

// late: the judge has what the API server waits, less the margin, and a denial with its reason is there
// before that ends.
func (l *frontLab) late() {
	l.stuck.Store(true)
	defer l.stuck.Store(false)
	began := time.Now()
	err := l.write()
	took := time.Since(began)
	if err == nil || !strings.Contains(err.Error(), "denied the request") || !strings.Contains(err.Error(), "no verdict within the time") {
		l.t.Errorf("got %v", err)
	}
	if left := time.Duration(l.left.Load()); took >= waits*time.Second || left > waits*time.Second-500*time.Millisecond || left < time.Second {
		l.t.Errorf("answered after %s, the judge had %s", took, left)
	}
	l.t.Logf("denied after %s", took.Round(time.Millisecond))
}

// slow: connections that say nothing are closed, and what the API server asks meanwhile is answered.
func (l *frontLab) slow() {
	var all []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", l.address)
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, c)
	}
	for range 20 {
		began := time.Now()
		if err := l.write(); err != nil || time.Since(began) > 2*time.Second {
			l.t.Errorf("a write took %s, %v", time.Since(began), err)
		}
	}
	for _, c := range all {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			l.t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			l.t.Fatalf("a caller that says nothing is still there: %v", err)
		}
		_ = c.Close() // the other side did
	}
}

// rotated: with another authority in force the API server's certificate counts for nothing from its next
// connection on, which fails closed; with its own it counts again. Nothing is started anew.
func (l *frontLab) rotated() {
	own := l.callers.Load()
	for _, step := range []struct {
		pool *x509.CertPool
		let  bool
	}{{x509.NewCertPool(), false}, {own, true}} {
		l.callers.Store(step.pool)
		address := l.balancer.Address()
		if err := l.balancer.Close(); err != nil {
			l.t.Fatal(err)
		}
		l.balance(address)
		l.until(fmt.Sprintf("it is let by: %t", step.let), func() error {
			err := l.write()
			switch {
			case step.let:
				return err
			case err == nil:
				return errors.New("it was admitted")
			case !strings.Contains(err.Error(), "failed calling webhook") || !strings.Contains(err.Error(), "tls"):
				return err
			}
			return nil
		})
	}
}
