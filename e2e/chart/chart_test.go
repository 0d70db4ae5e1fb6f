package chart

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestCertManager: one `helm install` beside cert-manager yields an enforcing Fairway; `helm test` agrees;
// an upgrade loses nothing; the uninstall leaves no webhook behind and blocks nothing (ruling 27).
func TestCertManager(t *testing.T) {
	l := newLab(t)
	l.certManager()
	l.install()
	l.enforced()
	if out, err := l.helm("test", "fairway", "--timeout", "1m"); err != nil {
		t.Errorf("%v", err)
	} else if !strings.Contains(out, "Succeeded") {
		t.Errorf("helm test said:\n%s", out)
	}
	l.tiers("production", "sandbox", "staging")

	t.Run("upgrade", func(t *testing.T) {
		l.as(t)
		if _, err := l.helm(l.args("upgrade", "gate.replicas=2")...); err != nil {
			t.Fatal(err)
		}
		l.enforced()
		l.tiers("production", "sandbox", "staging")
	})
	t.Run("Ruling27Uninstall", func(t *testing.T) {
		l.as(t)
		l.gate()
		l.uninstall()
		l.freed()
	})
}

// as lets a part of a test report for itself.
func (l *lab) as(t *testing.T) {
	before := l.t
	l.t = t
	t.Cleanup(func() { l.t = before })
}

// uninstall takes away a release that was there; the kinds and what is of them stay.
func (l *lab) uninstall() {
	l.t.Helper()
	l.takeBack()
	l.tiers("production", "sandbox", "staging")
}

// takeBack takes a release away, however far it got, and holds that nothing of it blocks anybody.
func (l *lab) takeBack() {
	l.t.Helper()
	if _, err := l.helm("uninstall", "fairway", "--wait", "--timeout", "2m"); err != nil {
		l.t.Fatal(err)
	}
	l.unblocked()
	l.gone()
	l.unblocked() // nobody has put anything back
}

// tiers holds which tiers there are.
func (l *lab) tiers(want ...string) {
	l.t.Helper()
	list, err := l.dynamic.Resource(of("fairway.dev", "v1alpha1", "environmenttiers")).List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	var have []string
	for _, item := range list.Items {
		have = append(have, item.GetName())
	}
	if got := strings.Join(have, " "); got != strings.Join(want, " ") {
		l.t.Errorf("the tiers are %q, want %q", got, want)
	}
}

// TestBuiltIn: without cert-manager the prover makes the certificate, and one `helm install` enforces. Its
// uninstall needs no gate to be alive (ruling 27).
func TestBuiltIn(t *testing.T) {
	l := newLab(t)
	l.install("tls.mode=builtIn")
	l.enforced()
	l.gate()
	t.Run("Ruling27UninstallWithoutGates", func(t *testing.T) {
		l.as(t)
		l.kubelet.lost.Store(true)
		l.refused("failed calling webhook")
		l.uninstall()
		l.freed()
	})
}
