package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"

	"github.com/fairway-dev/fairway/internal/canon"
)

// TestMinor: the API server that all tests run on is the one that was asked for (FAIRWAY_KUBERNETES), so that no run
// is taken for one on another minor.
func TestMinor(t *testing.T) {
	client, err := kubernetes.NewForConfig(cluster(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	want := os.Getenv("FAIRWAY_KUBERNETES")
	if want == "" {
		want = "1.37"
	}
	if !strings.HasPrefix(version.GitVersion, "v"+want+".") {
		t.Errorf("the API server is %s, want %s", version.GitVersion, want)
	}
}

// TestT61FieldThatTheServerLacks: what Git says and the API server does not keep is never bound. A field that it
// does not know is refused by itself, before any webhook; one that it knows and drops, because the feature is off,
// makes a difference that is named.
func TestT61FieldThatTheServerLacks(t *testing.T) {
	l := newBindingLab(t)
	const at = `spec.template.spec.volumes[name="tmp"].emptyDir.mode` // of 1.37, and off there
	git := l.placed(t, parseManifest(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: newer}
spec:
  selector: {matchLabels: {app: newer}}
  template:
    metadata: {labels: {app: newer}}
    spec: {containers: [{name: a, image: "a:1"}], volumes: [{name: tmp, emptyDir: {mode: 448}}]}
`))
	s, err := l.apply(t, git, true)
	if err != nil {
		if !strings.Contains(err.Error(), ".emptyDir.mode: field not declared in schema") {
			t.Error(err)
		}
		t.Logf("the API server refuses it: %v", err)
		return
	}
	if l.bind(t, s).BoundTo(l.digest(t, git)) {
		t.Error("bound, although the API server dropped a field")
	}
	paths, err := canon.Differ(parse(t, s.Object), bindingManager, git, l.schema)
	if d := cmp.Diff([]string{at}, paths); err != nil || d != "" {
		t.Errorf("Differ (-want +got), error %v:\n%s", err, d)
	}
}
