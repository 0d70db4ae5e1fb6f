package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/internal/authority"
)

// rotating is a rotation on a cluster that holds nothing but what it makes, and a clock to turn.
func rotating(t *testing.T) (*rotation, *time.Time) {
	t.Helper()
	scheme, err := knownKinds()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	return &rotation{
		client: fake.NewClientBuilder().WithScheme(scheme).Build(), log: testr.New(t), namespace: "fairway-system",
		secret: "fairway-tls", webhook: "fairway", every: time.Second, now: func() time.Time { return now },
		set: authority.Settings{Host: "fairway.fairway-system.svc", Serving: 24 * time.Hour, Authority: 240 * time.Hour, Settle: 2 * time.Second},
	}, &now
}

func (r *rotation) secretNamed(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	var s corev1.Secret
	if err := r.client.Get(t.Context(), types.NamespacedName{Namespace: r.namespace, Name: name}, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// tell writes the bundle into the webhook configuration, as the guard does.
func (r *rotation) tell(t *testing.T) {
	t.Helper()
	config := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: r.webhook}}
	err := r.client.Get(t.Context(), client.ObjectKeyFromObject(config), config)
	config.Webhooks = []admissionregistrationv1.ValidatingWebhook{{
		Name: "strict.fairway.dev", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: r.secretNamed(t, r.secret).Data["ca.crt"]},
	}}
	if err != nil {
		err = r.client.Create(t.Context(), config)
	} else {
		err = r.client.Update(t.Context(), config)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rotation) stepped(t *testing.T) {
	t.Helper()
	if err := r.step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRotationKeepsASecretThatWorks: at every turn, over a year, the Secret that gates mount holds a pair
// that the bundle in the webhook configuration verifies, and no key of an authority.
func TestRotationKeepsASecretThatWorks(t *testing.T) {
	r, now := rotating(t)
	r.stepped(t)
	r.tell(t)
	seen := map[string]bool{}
	for range 365 * 3 {
		*now = now.Add(8 * time.Hour)
		r.stepped(t)
		serving := r.secretNamed(t, "fairway-tls")
		config, err := configuration(t.Context(), r.client, r.webhook)
		if err != nil {
			t.Fatal(err)
		}
		if err := authority.Verify(serving.Data["tls.crt"], config.Webhooks[0].ClientConfig.CABundle, r.set.Host, *now); err != nil {
			t.Fatalf("at %s: %v", now, err)
		}
		if _, err := tls.X509KeyPair(serving.Data["tls.crt"], serving.Data["tls.key"]); err != nil {
			t.Fatal(err)
		}
		for part := range serving.Data {
			if strings.Contains(part, "signer") || strings.Contains(part, "next") {
				t.Fatalf("gates would mount %s", part)
			}
		}
		seen[string(r.secretNamed(t, authoritySecret).Data["signer.crt"])] = true
		r.tell(t) // a turn later
	}
	if len(seen) < 50 {
		t.Errorf("%d authorities in a year of ten-day ones", len(seen))
	}
}

// TestRotationLeavesAlone: what is good is not written again.
func TestRotationLeavesAlone(t *testing.T) {
	r, _ := rotating(t)
	r.stepped(t)
	before := r.secretNamed(t, "fairway-tls").ResourceVersion
	r.stepped(t)
	if after := r.secretNamed(t, "fairway-tls").ResourceVersion; after != before {
		t.Errorf("the Secret went from version %s to %s", before, after)
	}
}

// TestChainWaitsForTheBundle: a gate is not ready while the webhook configuration does not verify what it
// serves, is ready without one, and stays ready once it was.
func TestChainWaitsForTheBundle(t *testing.T) {
	r, now := rotating(t)
	r.stepped(t)
	serving := r.secretNamed(t, "fairway-tls")
	pair, err := tls.X509KeyPair(serving.Data["tls.crt"], serving.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{
		reach: func() (client.Reader, error) { return r.client, nil }, log: testr.New(t), webhook: "fairway", host: r.set.Host,
		serving: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, now: func() time.Time { return *now },
	}
	if err := c.check(t.Context()); err != nil {
		t.Errorf("without a configuration nobody calls: %v", err)
	}
	r.tell(t)
	if err := c.check(t.Context()); err != nil {
		t.Error(err)
	}
	other, _ := rotating(t)
	other.stepped(t)
	config, err := configuration(t.Context(), r.client, "fairway")
	if err != nil {
		t.Fatal(err)
	}
	config.Webhooks[0].ClientConfig.CABundle = other.secretNamed(t, "fairway-tls").Data["ca.crt"]
	if err := r.client.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := c.check(t.Context()); err == nil || !strings.Contains(err.Error(), "strict.fairway.dev") {
		t.Errorf("the bundle of another authority: %v", err)
	}
	if c.Ready() == nil {
		t.Error("ready before the chain was seen to hold")
	}
	c.held.Store(true)
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := c.expiry(); got != float64(leaf.NotAfter.Unix()) {
		t.Errorf("the metric says %f", got)
	}
	if bytes.Contains(serving.Data["ca.crt"], []byte("KEY")) {
		t.Error("the bundle holds a key")
	}
}
