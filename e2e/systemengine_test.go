package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// fleetEngine is an engine that may do everything in the cluster, as Flux's own are installed.
const fleetEngine = "system:serviceaccount:flux-system:kustomize-controller"

// systemSettings are what the platform delivers to a namespace of the cluster's own.
const systemSettings = `apiVersion: v1
kind: ConfigMap
metadata: {name: platform, namespace: kube-system}
data: {a: b}
`

// TestT18AnEngineInSystemNamespaces: the engine that delivers sandboxes, without review, could place there what is
// beyond every tier. Gates judge what it brings, from what the cluster binding's sources render; nobody else is
// asked about, and goes on when no gate answers.
func TestT18AnEngineInSystemNamespaces(t *testing.T) {
	l := newServeLabBy(t, selfGuarded)
	l.until("the install is sealed", func(context.Context) error {
		text := strings.Replace(clusterBinding("sandbox"), "install: {", `install: {engines: ["`+fleetEngine+`"], `, 1)
		return l.apply("admin", "admin", manifest(t, text))
	})
	l.until("the configuration asks about engines", func(ctx context.Context) error {
		config, err := l.hookConfig(ctx)
		if err == nil && !slices.ContainsFunc(config.Webhooks, func(h admissionregistrationv1.ValidatingWebhook) bool { return h.Name == "system.fairway.dev" }) {
			err = errors.New("not yet")
		}
		return err
	})
	place := func(user, namespace, name string) error {
		object := manifest(t, strings.NewReplacer("kube-system", namespace, "platform", name).Replace(systemSettings))
		_, err := l.on(user, object).Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for _, namespace := range []string{"kube-system", "kube-node-lease", "fairway-system"} {
		l.until("an engine is asked about in "+namespace, func(context.Context) error {
			if place(fleetEngine, namespace, "slip") == nil {
				return errors.New("it may place something")
			}
			return nil
		})
		l.refused(place(fleetEngine, namespace, "slip"), "production")
		l.admitted(place("root", namespace, "slip"))
	}
	l.admitted(place(fleetEngine, "play", "slip")) // a sandbox is free

	merge := l.land("Settings of the platform\n\nTicket: SHOP-18", map[string]string{"clusters/main/settings.yaml": systemSettings})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	settings := l.stamped(systemSettings, merge, "fleet")
	l.until("the engine delivers what the platform approved", func(context.Context) error {
		return l.apply(fleetEngine, "deployer", settings)
	})
	changed := settings.DeepCopy()
	changed.Object["data"] = map[string]any{"a": "c"}
	l.refused(l.apply(fleetEngine, "deployer", changed), "a")
	// With no gate alive the cluster's own work goes on, and the engine's does not.
	if err := l.program.Stop(); err != nil {
		t.Fatal(err)
	}
	l.admitted(place("root", "kube-system", "slip"))
	if err := place(fleetEngine, "kube-system", "slip"); err == nil || !strings.Contains(err.Error(), "system.fairway.dev") {
		t.Errorf("with no gate alive an engine gets %v", err)
	}
}
