package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	t.Run("upgrade from the version before", l.upgradeFromBefore)
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

// upgradeFromBefore installs the chart under an older version's number, changed in what upgrades stumble
// over, and upgrades it to what there is.
func (l *lab) upgradeFromBefore(t *testing.T) {
	l.as(t)
	l.uninstall()
	before := filepath.Join(t.TempDir(), "before")
	if err := os.CopyFS(before, os.DirFS(chartFolder)); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(before, "Chart.yaml"), "version: 0.1.0", "version: 0.0.9")
	// A kind that was different, and an object that is no more.
	rewrite(t, filepath.Join(before, "files/crds/fairway.dev_teams.yaml"), "    - fairway\n", "    - before\n")
	if err := os.WriteFile(filepath.Join(before, "templates/old.yaml"),
		[]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fairway-old, namespace: {{ .Release.Namespace }}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := l.args("install")
	args[2] = before
	if _, err := l.helm(args...); err != nil {
		t.Fatal(err)
	}
	l.enforced()
	if _, err := l.helm(l.args("upgrade")...); err != nil {
		t.Fatal(err)
	}
	l.enforced()
	if _, err := l.typed.CoreV1().ConfigMaps(own).Get(t.Context(), "fairway-old", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what the chart does not have any more is still there (%v)", err)
	}
	crd, err := l.dynamic.Resource(of("apiextensions.k8s.io", "v1", "customresourcedefinitions")).Get(t.Context(), "teams.fairway.dev", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedStringSlice(crd.Object, "spec", "names", "categories"); len(got) != 1 || got[0] != "fairway" {
		t.Errorf("the kind was not upgraded: its categories are %q", got)
	}
	l.tiers("production", "sandbox", "staging")
}

func rewrite(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
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
