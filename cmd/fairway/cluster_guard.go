package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/tier"
)

// guarding is the role that keeps the webhook configuration and proves that it works. The prover that
// leads has it.
type guarding struct {
	*install
	guard *controller.Guard
	bell  *controller.Bell

	up       prometheus.Gauge
	tampered *prometheus.CounterVec
	paused   prometheus.Gauge

	lit     moment      // before the last canary that a gate refused
	earlier moment      // before the one before that
	dark    bool        // none has refused one since
	torn    atomic.Bool // somebody else changed the configuration since
	tried   atomic.Bool // the configuration was kept, or could not be: from then on the canary says which
}

// The rhythms of the guard: a change that nobody told of is undone within 10 s, and enforcement that
// ended is known within 15 s.
const (
	guardInterval  = 5 * time.Second
	canaryInterval = 15 * time.Second
	canaryTimeout  = 10 * time.Second
)

func newGuarding(in *install) *guarding {
	g := &guarding{
		install: in, bell: controller.NewBell(20*time.Millisecond, 200*time.Millisecond),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairway_enforcement_up", Help: "1 where the last canary was refused by a gate through the API server.",
		}),
		tampered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_config_tamper_total", Help: "Changes of the webhook configuration that were not Fairway's.",
		}, []string{"what"}),
		paused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairway_emergency", Help: "1 while an emergency keeps Fairway from its webhook configuration.",
		}),
	}
	g.guard = &controller.Guard{
		Client: in.cluster.client, World: in.state.World, Now: time.Now, Answers: answers, Account: in.account,
		Hooks: hooksOf(in.o),
		Tampered: func(what string, entries []string) {
			g.tampered.WithLabelValues(what).Inc()
			g.torn.Store(true)
			g.log.Error(nil, "the webhook configuration was not left as Fairway made it; it is made again", "what", what, "entries", entries)
			in := ""
			if len(entries) > 0 {
				in = " in " + strings.Join(entries, ", ")
			}
			note := "the webhook configuration was " + what + " by somebody else and is made again" + in
			g.warn("ConfigTampered", note[:min(len(note), 1000)], nil) // names are of letters, digits and dots
			g.auditBell.Ring()                                         // between two canaries nobody else learns of what went by
		},
		Paused: g.pause,
	}
	if in.o.Webhook.CA != "" {
		g.guard.Bundle = func() ([]byte, error) {
			bundle, err := os.ReadFile(in.o.Webhook.CA)
			if err != nil {
				return nil, fmt.Errorf("reading the authority of the gates: %w", err)
			}
			return bundle, nil
		}
	}
	if g.keeps() {
		in.hooks = append(in.hooks, hooks{renewed: func(*tier.World) { g.bell.Ring() }})
	}
	return g
}

// hooksOf say where the API server finds the gates.
func hooksOf(o cli.ServeOptions) controller.Hooks {
	return controller.Hooks{
		Name: o.Webhook.Name, Service: o.Webhook.Service, Namespace: o.Namespace, URL: o.Webhook.URL, System: system(o),
	}
}

// system are the namespaces that no gate judges, sorted.
func system(o cli.ServeOptions) []string {
	all := append(slices.Clone(o.Webhook.System), o.Namespace)
	slices.Sort(all)
	return slices.Compact(all)
}

// keeps reports whether there is a configuration to keep.
func (g *guarding) keeps() bool { return g.o.Webhook.Service != "" || g.o.Webhook.URL != "" }

func (g *guarding) metrics() []prometheus.Collector {
	if !g.keeps() {
		return nil
	}
	return []prometheus.Collector{g.up, g.tampered, g.paused}
}

// work is what the role does until the context ends.
func (g *guarding) work() []func(context.Context) error {
	if !g.keeps() {
		return nil
	}
	return []func(context.Context) error{
		func(ctx context.Context) error { return g.bell.Run(ctx, guardInterval, g.reconcile) }, g.watchCanary,
	}
}

func (g *guarding) reconcile(ctx context.Context) error {
	if !g.ready.Load() {
		return nil
	}
	err := g.guard.Reconcile(ctx)
	if err != nil {
		g.log.Info("the webhook configuration is not as it should be yet", "problem", err.Error())
	}
	g.tried.Store(true)
	return err
}

// pause tells of an emergency for as long as it lasts.
func (g *guarding) pause(is bool) {
	if !is {
		g.paused.Set(0)
		return
	}
	g.paused.Set(1)
	g.log.Error(nil, "an emergency keeps Fairway from its webhook configuration", "lease", controller.EmergencyLease)
	g.warn("Emergency", "an emergency keeps Fairway from its webhook configuration: see Lease "+controller.EmergencyLease, nil)
}

// warn tells people on the binding that guards the install. Of several warnings with a reason that follow each
// other only those about different objects are told apart; about may be nil.
func (in *install) warn(reason, note string, about runtime.Object) {
	on := &v1alpha1.TierBinding{ObjectMeta: metav1.ObjectMeta{Namespace: in.o.Namespace, Name: v1alpha1.ClusterBindingName}}
	on.APIVersion, on.Kind = v1alpha1.GroupVersion.String(), "TierBinding"
	in.events.Eventf(on, about, corev1.EventTypeWarning, reason, "Guard", "%s", note)
}

// watchCanary proves again and again that enforcement is on. When it comes back, everything that was
// admitted meanwhile is looked for: entries that fail open let it by.
func (g *guarding) watchCanary(ctx context.Context) error {
	ticker := time.NewTicker(canaryInterval)
	defer ticker.Stop()
	var before error
	for {
		before = g.sing(ctx, before)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// sing tries one canary and returns what it came to. It does so whether or not the configuration could be
// kept: one that was removed and cannot be made again is what it is there to find.
func (g *guarding) sing(ctx context.Context, before error) error {
	if !g.tried.Load() {
		return before
	}
	asked, cancel := context.WithTimeout(ctx, canaryTimeout)
	defer cancel()
	at := g.written(asked)
	now := controller.Canary(asked, g.cluster.client, forgedProof(g.o.Namespace))
	if ctx.Err() == nil {
		g.enforced(now, before)
		g.passed(at, now, func() moment { return g.written(asked) })
	}
	return now
}

func (g *guarding) enforced(now, before error) {
	switch {
	case now != nil:
		g.up.Set(0)
		g.log.Error(now, "enforcement is not on")
		g.warn("NotEnforcing", now.Error(), nil)
	case before != nil:
		g.log.Info("enforcement is on again; everything that was admitted meanwhile is looked for")
		g.auditBell.Ring()
		fallthrough
	default:
		g.up.Set(1)
	}
}

// forgedProof is a proof that the schema admits and nobody signed.
func forgedProof(namespace string) *v1alpha1.ProvenCommit {
	digest, commit := strings.Repeat("0", 64), strings.Repeat("0", 40)
	return &v1alpha1.ProvenCommit{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "fairway-canary"},
		Spec: v1alpha1.ProvenCommitSpec{
			Source:    v1alpha1.ProvenSource{Name: "canary", Repository: "canary", Branch: "canary", Path: "canary", SourceDigest: digest},
			ClusterID: "canary", NamespaceUID: "canary", Commit: commit, Tree: commit, Height: 1,
			Shard: v1alpha1.Shard{Count: 1}, Prover: "canary", ProvenAt: metav1.NewTime(time.Unix(0, 0)),
			Signature: v1alpha1.Signature{KeyID: digest, Value: strings.Repeat("A", 86) + "=="},
		},
	}
}

// answers asks the gates behind a client configuration whether they are ready, and trusts the bundle of
// it alone: a configuration whose bundle does not hold the chain that is served would stop the cluster.
func answers(ctx context.Context, c admissionv1.WebhookClientConfig) error {
	at := url.URL{Scheme: "https", Path: "/readyz"}
	if c.URL != nil {
		u, err := url.Parse(*c.URL)
		if err != nil {
			return fmt.Errorf("reading the URL of the gates: %w", err)
		}
		at.Host = u.Host
	} else {
		at.Host = c.Service.Name + "." + c.Service.Namespace + ".svc:" + strconv.Itoa(int(*c.Service.Port))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CABundle) {
		return errors.New("there is no bundle yet to trust them by")
	}
	client := &http.Client{
		Timeout:       canaryTimeout,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fmt.Errorf("asking the gates: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the gates: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // nothing is read of it
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the gates: %s", answer.Status)
	}
	return nil
}
