package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

var faultLeaves = flag.Int("fault-leaves", 5, "how many serving certificates follow each other; there is an authority for each ten of them, and one more")

// Certificates live for seconds here, since they are renewed after two thirds of their lives.
const (
	leafLife, authorityLife = 6 * time.Second, 18 * time.Second
	rotationCheck           = 250 * time.Millisecond
)

// certificateRights are what the chart gives a prover that makes certificates, and gates that wait for theirs
// to be known.
const certificateRights = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: fairway-certificates, namespace: fairway-system}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], resourceNames: [fairway-tls, fairway-authority], verbs: [get, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: fairway-certificates, namespace: fairway-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: fairway-certificates}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:serviceaccount:fairway-system:fairway-prover"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fairway-gate-webhook}
rules:
- {apiGroups: [admissionregistration.k8s.io], resources: [validatingwebhookconfigurations], resourceNames: [fairway], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: fairway-gate-webhook}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: fairway-gate-webhook}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:serviceaccount:fairway-system:fairway-gate"}]
`

// mount is a Secret as a kubelet shows it to those who mount it, with a count of what was in it.
type mount struct {
	dir                 string
	leaves, authorities atomic.Int64
}

// TestT47Rotation has the prover renew serving certificates and authorities under load, as it does where
// nothing else makes them, while a real API server calls the gates by the bundle that it is given: nothing
// that is proven is refused for it, and nothing else is admitted (F9).
func TestT47Rotation(t *testing.T) {
	c, m := &crew{}, &mount{}
	l := newServeLabBy(t, func(l *serveLab) { c.startRotating(l, m) })
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.until("the first delivery", func(context.Context) error { return l.deliver(story.Banner, first) })
	leaves, authorities := m.leaves.Load()+int64(*faultLeaves), m.authorities.Load()+int64(*faultLeaves/10+1)
	f := &traffic{lab: l, commit: first}
	y := f.during(*faultClients, func() {
		for m.leaves.Load() < leaves || m.authorities.Load() < authorities {
			had := m.leaves.Load()
			l.until("the next certificate", func(context.Context) error {
				if m.leaves.Load() == had {
					return errors.New("there is none")
				}
				return nil
			})
		}
	})
	t.Logf("F9: %d serving certificates and %d authorities followed those before", m.leaves.Load(), m.authorities.Load())
	f.told("F9 certificates and authorities rotate", y)
	f.spurious(y, 0)
	if y.unanswered > 0 {
		t.Errorf("%d unproven requests were refused by an error", y.unanswered)
	}
	c.lives()
	c.recordedVerdicts()
}

// startRotating starts a crew whose prover makes the certificates and the webhook configuration.
func (c *crew) startRotating(l *serveLab, m *mount) {
	l.t.Helper()
	m.dir = filepath.Join(l.dir, "mounted")
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	for _, object := range documents(l.t, []byte(certificateRights)) {
		l.create(l.as("admin"), &object)
	}
	l.managed, c.tlsDir = true, m.dir
	c.moreProver = []string{
		"--rotate-secret", "fairway-tls", "--rotate-name", "127.0.0.1", "--rotate-every", leafLife.String(), "--rotate-authority", authorityLife.String(),
		"--rotate-check", rotationCheck.String(), "--webhook-url", "https://" + l.listen + "/validate", "--webhook-ca", filepath.Join(m.dir, "ca.crt"),
	}
	c.moreGate = []string{"--webhook-configuration", "fairway", "--tls-name", "127.0.0.1"}
	m.follow(l)
	c.prepare(l)
	c.addProver("prover-a")
	l.until("there is a certificate", func(context.Context) error {
		if m.leaves.Load() == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	for range 2 {
		c.addGate()
	}
	c.awaitReady(2)
	l.until("Fairway makes its configuration", func(ctx context.Context) error {
		_, err := l.hookConfig(ctx)
		return err
	})
}

// follow writes what the Secret holds into the folder, each time that it changes.
func (m *mount) follow(l *serveLab) {
	ctx, stop := context.WithCancel(context.WithoutCancel(l.t.Context()))
	w, err := l.typed.CoreV1().Secrets("fairway-system").Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "fairway-tls").String()})
	if err != nil {
		l.t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for event := range w.ResultChan() {
			secret, ok := event.Object.(*corev1.Secret)
			if !ok || event.Type == watch.Deleted {
				continue
			}
			if err := m.write(secret.Data); err != nil && ctx.Err() == nil {
				l.t.Errorf("mounting the certificate: %v", err)
			}
		}
	})
	l.t.Cleanup(func() { stop(); w.Stop(); done.Wait() })
}

func (m *mount) write(parts map[string][]byte) error {
	for _, one := range []struct {
		name  string
		count *atomic.Int64
	}{{"ca.crt", &m.authorities}, {"tls.key", new(atomic.Int64)}, {"tls.crt", &m.leaves}} {
		path := filepath.Join(m.dir, one.name)
		before, err := os.ReadFile(path)
		switch {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return err
		case bytes.Equal(before, parts[one.name]):
			continue
		}
		if err := os.WriteFile(path+".next", parts[one.name], 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".next", path); err != nil {
			return err
		}
		// A bundle grows by one authority when it becomes known, and shrinks when one has ended.
		if one.name != "ca.crt" || bytes.Count(parts[one.name], []byte("BEGIN")) >= bytes.Count(before, []byte("BEGIN")) {
			one.count.Add(1)
		}
	}
	return nil
}
