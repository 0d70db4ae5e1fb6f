package chart

import (
	"strings"
	"testing"
	"time"

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

	t.Run("T18 certificates are Fairway's", func(t *testing.T) {
		l.as(t)
		l.certificatesAreFairways()
	})
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

// takeBack takes a release away, however far it got, and holds that nothing of it blocks anybody, soon and
// for good (F14).
func (l *lab) takeBack() {
	l.t.Helper()
	stop, began := l.tryWrites(), time.Now()
	if _, err := l.helm("uninstall", "fairway", "--wait", "--timeout", "2m"); err != nil {
		l.t.Fatal(err)
	}
	done := time.Now()
	l.unblocked()
	l.gone()
	l.unblocked() // nobody has put anything back
	w, took := stop(), done.Sub(began).Round(time.Millisecond)
	if w.refused == 0 {
		l.t.Logf("F14: of %d changes during the uninstall of %s and after none was refused", w.tried, took)
		return
	}
	l.t.Logf("F14: the last of %d changes that were refused was so %s after the uninstall began, which took %s; %d followed",
		w.refused, w.last.Sub(began).Round(time.Millisecond), took, w.tried-w.refused)
	if late := w.last.Sub(done); late > writableWithin {
		l.t.Errorf("the cluster refused a change %s after the release was gone", late)
	}
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
