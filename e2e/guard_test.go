package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// selfGuarded starts Fairway so that it keeps its webhook configuration.
func selfGuarded(l *serveLab) {
	l.t.Helper()
	ca := filepath.Join(l.dir, "ca.crt")
	if err := os.WriteFile(ca, l.pair.CA, 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.managed = true
	l.more = append(l.more, "--webhook-url", "https://"+l.listen+"/validate", "--webhook-ca", ca)
	l.serve()
	l.until("Fairway makes its configuration", func(ctx context.Context) error {
		_, err := l.hookConfig(ctx)
		return err
	})
}

func (l *serveLab) hookConfig(ctx context.Context) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	return l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, "fairway", metav1.GetOptions{})
}

// TestGuard: the configuration follows the tiers and comes back, on a real API server.
func TestGuard(t *testing.T) {
	l := newServeLabBy(t, selfGuarded)
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"production admits what is proven", productionAdmitsWhatIsProven},
		{"nobody is asked about a sandbox", sandboxIsNobodysBusiness},
		{"a change of tier is in force within 2 s", tierChangesFast},
		{"a change by others is undone within 10 s", tamperingIsUndone},
		{"an emergency is left alone", emergencyIsLeftAlone},
		{"the canary sings", canarySings},
		{"policies that are gone or changed are told", policiesAreTold},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			here := *l
			here.t = t
			chapter.tell(&here)
		}) {
			return // what follows would fail for that alone
		}
	}
}

// metrics are all metrics of the program, as it serves them.
func (l *serveLab) metrics(ctx context.Context) (string, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.pair.CA)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.listen+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// metric is the sum of a metric's series whose labels hold a text.
func (l *serveLab) metric(ctx context.Context, name, labels string) (float64, error) {
	text, err := l.metrics(ctx)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, name) || !strings.Contains(line, labels) {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &value); err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

// sandboxIsNobodysBusiness: bar P3, an open tier costs no call.
func sandboxIsNobodysBusiness(l *serveLab) {
	ctx := l.t.Context()
	l.until("the sandbox is in no entry", func(ctx context.Context) error {
		config, err := l.hookConfig(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(config.Webhooks[0].NamespaceSelector.MatchExpressions[0].Values, "play") {
			return errors.New("not yet")
		}
		return nil
	})
	const verdicts = "fairway_admission_requests_total"
	// The API server learns of it a moment later.
	l.until("the API server asks nobody about it", func(ctx context.Context) error {
		before, err := l.metric(ctx, verdicts, `lane="open"`)
		if err != nil {
			return err
		}
		sandboxIsFree(l)
		after, err := l.metric(ctx, verdicts, `lane="open"`)
		if err == nil && after != before {
			return fmt.Errorf("%v calls", after-before)
		}
		return err
	})
	before, err := l.metric(ctx, verdicts, `lane="open"`)
	if err != nil {
		l.t.Fatal(err)
	}
	for range 50 {
		sandboxIsFree(l)
	}
	if after, err := l.metric(ctx, verdicts, `lane="open"`); err != nil || after != before {
		l.t.Errorf("100 writes in a sandbox cost %v calls, %v", after-before, err)
	}
}

// tierChangesFast measures from the change of a binding to the first verdict by the new tier.
func tierChangesFast(l *serveLab) {
	ctx := l.t.Context()
	note := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: play}\ndata: {a: b}\n")
	try := func() error {
		_, err := l.on("sara", note).Create(ctx, note, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	bindings := l.as("admin").Resource(fairwayResource("TierBinding")).Namespace("play")
	for _, step := range []struct {
		tier   string
		closed bool
	}{{"production", true}, {"sandbox", false}, {"production", true}, {"sandbox", false}} {
		began := time.Now()
		_, err := bindings.Patch(ctx, "tier", types.MergePatchType, []byte(`{"spec":{"tier":"`+step.tier+`"}}`), metav1.PatchOptions{})
		l.admitted(err)
		l.until("the tier "+step.tier+" is in force", func(context.Context) error {
			if err := try(); (err != nil) != step.closed {
				return fmt.Errorf("not yet: %w", errors.Join(err, errors.New("still as before")))
			}
			return nil
		})
		took := time.Since(began)
		l.t.Logf("%s was in force after %s", step.tier, took.Round(time.Millisecond))
		if took > 2*time.Second {
			l.t.Errorf("the tier %s was in force after %s, want 2 s", step.tier, took)
		}
	}
}

// tamperingIsUndone: T-06, without the policies that would refuse it at once.
func tamperingIsUndone(l *serveLab) {
	hooks := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	for name, tamper := range map[string]func(context.Context) error{
		"removed": func(ctx context.Context) error { return hooks.Delete(ctx, "fairway", metav1.DeleteOptions{}) },
		"changed": func(ctx context.Context) error {
			_, err := hooks.Patch(ctx, "fairway", types.JSONPatchType, []byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`), metav1.PatchOptions{})
			return err
		},
	} {
		before, err := l.metric(l.t.Context(), "fairway_config_tamper_total", name)
		if err != nil {
			l.t.Fatal(err)
		}
		began := time.Now()
		if err := tamper(l.t.Context()); err != nil {
			l.t.Fatal(err)
		}
		l.until("what was "+name+" is back", func(ctx context.Context) error {
			config, err := l.hookConfig(ctx)
			if err == nil && *config.Webhooks[0].FailurePolicy != admissionregistrationv1.Fail {
				err = errors.New("it fails open")
			}
			return err
		})
		took := time.Since(began)
		l.t.Logf("what was %s was back after %s", name, took.Round(time.Millisecond))
		if took > 10*time.Second {
			l.t.Errorf("it took %s, want 10 s", took)
		}
		if after, err := l.metric(l.t.Context(), "fairway_config_tamper_total", name); err != nil || after != before+1 {
			l.t.Errorf("%s: %v alarms, %v", name, after-before, err)
		}
	}
}

// emergencyIsLeftAlone: with a valid lease nothing is restored, and everybody is told; without it all is.
func emergencyIsLeftAlone(l *serveLab) {
	ctx := l.t.Context()
	leases := l.typed.CoordinationV1().Leases("fairway-system")
	now, seconds := metav1.NowMicro(), int32(600)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "fairway-emergency"}, Spec: coordinationv1.LeaseSpec{RenewTime: &now, LeaseDurationSeconds: &seconds}}
	if _, err := leases.Create(ctx, lease, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.until("Fairway tells of the emergency", func(ctx context.Context) error {
		if is, err := l.metric(ctx, "fairway_emergency", ""); err != nil || is != 1 {
			return fmt.Errorf("the metric is %v, %w", is, err)
		}
		return nil
	})
	l.until("an Event tells of it", func(ctx context.Context) error {
		list, err := l.typed.EventsV1().Events("fairway-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == "Emergency" {
				return nil
			}
		}
		return fmt.Errorf("of %d Events none", len(list.Items))
	})
	if err := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, "fairway", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	looks, err := l.metric(ctx, "fairway_repository_looks_total", "")
	if err != nil {
		l.t.Fatal(err)
	}
	// Looks come every 2 s: after four of them it would have been made again.
	l.until("some seconds have gone by", func(ctx context.Context) error {
		if now, err := l.metric(ctx, "fairway_repository_looks_total", ""); err != nil || now < looks+4 {
			return fmt.Errorf("%v looks, %w", now-looks, err)
		}
		return nil
	})
	if _, err := l.hookConfig(ctx); err == nil {
		l.t.Error("it was made again in an emergency")
	}
	if err := leases.Delete(ctx, "fairway-emergency", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.until("it is made again", func(ctx context.Context) error {
		_, err := l.hookConfig(ctx)
		return err
	})
}

// canarySings: enforcement is proven through the API server.
func canarySings(l *serveLab) {
	l.until("the canary was refused", func(ctx context.Context) error {
		if up, err := l.metric(ctx, "fairway_enforcement_up", ""); err != nil || up != 1 {
			return fmt.Errorf("the metric is %v, %w", up, err)
		}
		return nil
	})
}
