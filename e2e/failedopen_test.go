package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// trial is a tier that refuses nothing and records, so that its entry fails open; nobody delivers into its
// namespace, so that no proof speaks of any kind there.
const trial = `apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: trial}
spec: {rank: 50, lane: Gated, enforcement: Audit, source: {declared: Required}}
`

// TestF3FailingOpenIsSweptUp: while no gate is up, objects of a tier that fails open are admitted unjudged, and
// those of one that fails closed are not. Within 60 s of the gates' return every one of the former is named,
// whatever its writer claims or does later, and nothing that gates had judged before.
func TestF3FailingOpenIsSweptUp(t *testing.T) {
	c := &crew{}
	var probes string
	l := newServeLabBy(t, func(l *serveLab) {
		ca := filepath.Join(l.dir, "ca.crt")
		if err := os.WriteFile(ca, l.pair.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		l.managed, c.tlsDir, c.lab = true, l.dir, l
		probes = c.freeAddress()
		c.moreProver = []string{
			"--webhook-url", "https://" + l.listen + "/validate", "--webhook-ca", ca, "--probes", probes, "--audit-interval", "1h",
		}
		c.start(l)
		l.until("Fairway makes its configuration", func(ctx context.Context) error {
			_, err := l.hookConfig(ctx)
			return err
		})
	})
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.apply("admin", "admin", manifest(t, trial)))
	l.admitted(l.apply("admin", "admin", manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: pilot}\n")))
	c.binds("pilot", "trial")
	l.until("the tier has an entry that fails open", func(ctx context.Context) error {
		config, err := l.hookConfig(ctx)
		if err == nil && !strings.Contains(config.String(), "lenient.fairway.dev") {
			err = errors.New("it has none")
		}
		return err
	})
	keep := func(namespace, name string) error {
		// What its writer says of when it was written, and by whom, counts for nothing.
		long := metav1.NewTime(time.Now().Add(-24 * time.Hour))
		o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: long}}
		if owner, err := l.typed.CoreV1().ServiceAccounts(namespace).Get(t.Context(), "default", metav1.GetOptions{}); err == nil {
			o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ServiceAccount", Name: owner.Name, UID: owner.UID, Controller: new(true)}}
		}
		_, err := l.typedAs("mallory").CoreV1().ConfigMaps(namespace).Create(t.Context(), o, metav1.CreateOptions{})
		return err
	}
	l.admitted(keep("pilot", "earlier"))
	l.admitted(keep("pilot", "rewritten"))
	c.up(probes, 1)
	sung := c.canaries()
	l.until("what was written so far is known to have been judged", func(context.Context) error {
		if now := c.canaries(); now < sung+2 { // one of them was sent after it
			return fmt.Errorf("%d canaries so far", now-sung)
		}
		return nil
	})

	for address, gate := range c.gates {
		if err := gate.Kill(); err != nil {
			t.Fatal(err)
		}
		delete(c.gates, address)
	}
	c.spread()
	c.up(probes, 0)
	unjudged := []string{"free", "second", "touched"}
	for _, name := range unjudged {
		l.admitted(keep("pilot", name))
	}
	_, err := l.typedAs("mallory").CoreV1().ConfigMaps("pilot").Patch(t.Context(), "rewritten", types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]},"data":{"a":"b"}}`), metav1.PatchOptions{})
	l.admitted(err)
	_, err = l.typedAs("mallory").RbacV1().Roles("pilot").Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "wide"}}, metav1.CreateOptions{})
	l.admitted(err)
	_, err = l.typedAs("mallory").CoreV1().Secrets("pilot").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}}, metav1.CreateOptions{})
	l.admitted(err)
	if keep("shop", "free") == nil || l.deliver(story.Banner, first) == nil {
		t.Error("production is open while nobody judges")
	}
	l.admitted(keep("play", "free"))

	c.addGate()
	c.addGate()
	c.awaitReady(2)
	back := time.Now()
	l.admitted(keep("pilot", "afterwards"))
	c.up(probes, 1)
	_, err = l.typedAs("mallory").CoreV1().ConfigMaps("pilot").Patch(t.Context(), "touched", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
	l.admitted(err) // which hides nothing
	for _, what := range []string{"ConfigMap pilot/free", "ConfigMap pilot/second", "ConfigMap pilot/rewritten", "Role pilot/wide"} {
		l.event("FailedOpen", "TierBinding", "tier", "pilot", what+" was written between")
	}
	l.event("FailedOpen", "TierBinding", "tier", "pilot", "ConfigMap pilot/touched was written")
	took := time.Since(back)
	t.Logf("everything was named %s after two gates were ready", took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("it took %s, want 60 s", took)
	}
	l.event("FailedOpen", "TierBinding", "cluster", "fairway-system", "no gate is known to have answered")
	events, err := l.typed.EventsV1().Events("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		for _, not := range []string{"pilot/earlier", "play/free", "shop/", "kube-root-ca"} {
			if e.Reason == "FailedOpen" && strings.Contains(e.Note, not) {
				t.Errorf("it is told: %s", e.Note)
			}
		}
	}
	if n := c.scraped(t.Context(), probes, `fairway_failed_open_objects_total{tier="trial"}`); n < 4 {
		t.Errorf("%v objects are counted, want 4 at least", n)
	}
	if log := c.provers["prover-a"].Log(); !strings.Contains(log, "objects were written meanwhile or since") || !strings.Contains(log, "v1 Secret: ") {
		t.Error("the log does not tell, or not of the kind that may not be read")
	}
}

// canaries are how many forged proofs the gates say that they have refused.
func (c *crew) canaries() int {
	n := 0
	for _, gate := range c.gates {
		n += strings.Count(gate.Log(), `"resource":"provencommits.fairway.dev"`)
	}
	return n
}

// up awaits what the prover says of enforcement.
func (c *crew) up(probes string, want float64) {
	c.lab.t.Helper()
	c.lab.until(fmt.Sprintf("enforcement is %v", want), func(ctx context.Context) error {
		if is := c.scraped(ctx, probes, "fairway_enforcement_up"); is != want {
			return fmt.Errorf("it is %v", is)
		}
		return nil
	})
}

// scraped is the value of a series of the prover; -1: there is none.
func (c *crew) scraped(ctx context.Context, probes, series string) float64 {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+probes+"/metrics", nil)
	if err != nil {
		return -1
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		var value float64
		if rest, is := strings.CutPrefix(line, series+" "); is {
			if _, err := fmt.Sscan(rest, &value); err == nil {
				return value
			}
		}
	}
	return -1
}
