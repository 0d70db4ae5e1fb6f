package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// gated is what puts the namespace shop into production, with a repository that nothing was proven of.
const gated = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: fairway.dev/v1alpha1
kind: Team
metadata: {name: shop}
spec:
  principals:
    - {name: ada, emails: [ada@example.com]}
---
apiVersion: fairway.dev/v1alpha1
kind: Repository
metadata: {name: fleet}
spec:
  url: https://git.invalid/fleet.git
  branches: [main]
  approvalSources: [Attestation]
---
apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
    - {name: shop, repository: fleet, branch: main, path: shop, render: Plain, fieldManager: kubectl}
`

// gate gates the namespace shop, and awaits that a change of it is refused by a gate.
func (l *lab) gate() {
	l.t.Helper()
	resources := map[string]string{"Namespace": "namespaces", "Team": "teams", "Repository": "repositories", "TierBinding": "tierbindings"}
	for text := range strings.SplitSeq(gated, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			l.t.Fatal(err)
		}
		kind := object.GroupVersionKind()
		client := l.dynamic.Resource(kind.GroupVersion().WithResource(resources[kind.Kind])).Namespace(object.GetNamespace())
		if _, err := client.Create(l.t.Context(), object, metav1.CreateOptions{}); err != nil {
			l.t.Fatal(err)
		}
	}
	l.refused("fairway.dev\" denied the request")
}

// refused awaits that a change of shop is refused, in these words.
func (l *lab) refused(words string) {
	l.t.Helper()
	l.until("shop is guarded", func(ctx context.Context) error {
		err := l.change(ctx, metav1.DryRunAll)
		if err == nil {
			return errors.New("a change of production was admitted")
		}
		if !strings.Contains(err.Error(), words) {
			return fmt.Errorf("it was not refused with %q: %w", words, err)
		}
		return nil
	})
}

// change makes an object in shop that Git knows nothing of.
func (l *lab) change(ctx context.Context, dryRun ...string) error {
	_, err := l.typed.CoreV1().ConfigMaps("shop").Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "forged-"}}, metav1.CreateOptions{DryRun: dryRun})
	return err
}

// freed holds that what was guarded is nobody's any more: it can be changed and removed.
func (l *lab) freed() {
	l.t.Helper()
	if err := l.change(l.t.Context()); err != nil {
		l.t.Errorf("shop is still blocked: %v", err)
	}
	if err := l.typed.CoreV1().Namespaces().Delete(l.t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		l.t.Errorf("shop is still blocked: %v", err)
	}
	l.until("shop ends", func(ctx context.Context) error {
		_, err := l.typed.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
		if err == nil {
			return errors.New("it is still there")
		}
		return nil
	})
}

// TestFailedInstall: an install whose gates never come up, as nothing makes their certificate, is an error,
// blocks nobody, can be taken back, and can be done again.
func TestFailedInstall(t *testing.T) {
	l := newLab(t)
	stop := l.tryWrites()
	args := append(l.args("install", "tls.mode=existingSecret", "tls.existingSecret.name=none"), "--timeout", "15s")
	if _, err := l.helm(args...); err == nil {
		t.Fatal("the install succeeded without a certificate")
	} else if !strings.Contains(err.Error(), "fairway-gate") {
		t.Errorf("the error does not say that the gates are missing: %v", err)
	}
	l.unasked() // no gate has answered, so nobody has to wait for one
	if w := stop(); w.refused > 0 || w.tried == 0 {
		t.Errorf("F14: %d of %d changes were refused while the install failed", w.refused, w.tried)
	} else {
		t.Logf("F14: of %d changes while the install failed none was refused", w.tried)
	}
	l.takeBack()
	l.install("tls.mode=builtIn")
	l.enforced()
	l.tiers("production", "sandbox", "staging")
}
