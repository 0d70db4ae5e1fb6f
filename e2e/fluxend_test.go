package e2e

import (
	"context"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/story"
)

var (
	fluxSpot = reference("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "flux-system", "spot")
	fluxLamp = reference("v1", "ConfigMap", "shop", "lamp")
)

// fluxLeftovers: ruling 13. What kubectl wrote under a name of its own Flux takes over to itself before it
// applies. That holds nothing up: neither after a restart by an owner nor after an edit that was let in.
func fluxLeftovers(l *fluxLab) {
	ctx := l.t.Context()
	web := manifest(l.t, fluxWeb)
	const restartedAt = "kubectl.kubernetes.io/restartedAt"
	_, err := l.on("sara", web).Patch(ctx, "web-eu", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"metadata":{"annotations":{"`+restartedAt+`":"2026-11-26T12:00:00Z"}}}}}`), metav1.PatchOptions{FieldManager: "kubectl-rollout"})
	l.admitted(err)
	before := len(l.asked(`"lane":"hygiene"`, `"admitted":true`, `"user":"`+kustomizeController+`"`))
	l.trigger("sara", "shop")
	l.ready("shop", l.tip())
	if len(l.asked(`"lane":"hygiene"`, `"admitted":true`, `"user":"`+kustomizeController+`"`)) == before {
		l.t.Error("Flux took nothing over: this shows nothing")
	}
	l.until("Flux owns and drops the restart", func(ctx context.Context) error {
		live, err := l.get(ctx, fluxWeb)
		if err != nil {
			return err
		}
		notes, _, _ := unstructured.NestedStringMap(live.Object, "spec", "template", "metadata", "annotations")
		if notes[restartedAt] != "" {
			return errors.New("the annotation is there")
		}
		for _, e := range live.GetManagedFields() {
			if strings.HasPrefix(e.Manager, "kubectl") {
				return errors.New("an entry of " + e.Manager + " is there")
			}
		}
		return nil
	})

	l.unguard()
	banner := manifest(l.t, fluxBanner)
	if _, err := l.on("sara", banner).Patch(ctx, "banner-eu", types.MergePatchType, []byte(`{"metadata":{"annotations":{"note":"x"}},"data":{"text":"free","gift":"x"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
	l.trigger("sara", "shop")
	l.ready("shop", l.tip())
	l.field(fluxBanner, "is immutable sale", "data", "text")
	l.field(fluxBanner, "<nil>", "data", "gift")
	l.field(fluxBanner, "<nil>", "metadata", "annotations", "note")
}

// fluxPrunes: ruling 17, by the engine itself. It is away until the commit is approved: a
// kustomize-controller before 1.9 forgets what it was not allowed to prune.
func fluxPrunes(l *fluxLab) {
	if err := l.kustomize.Stop(); err != nil {
		l.t.Fatal(err)
	}
	merge := l.land("Drop the banner\n\nTicket: SHOP-9", map[string]string{
		"shop/production/kustomization.yaml": "resources: [web.yaml, service.yaml, settings.yaml, store.yaml]\n", story.BannerPath: "",
	})
	l.judged("shop", "tier", merge, "Allow")
	l.startKustomize()
	l.ready("shop", merge)
	l.gone(fluxBanner)
	if len(l.asked(`"operation":"DELETE"`, `"name":"banner-eu"`, `"lane":"delete"`, `"admitted":true`, kustomizeController)) == 0 {
		l.t.Error("nobody pruned it: this shows nothing")
	}
}

// fluxFinalizes: a Kustomization that Git drops is pruned by the root, and its finalizer deletes what it
// had applied: what Git still renders stays, and holds the Kustomization, until Git drops it too.
func fluxFinalizes(l *fluxLab) {
	ctx := l.t.Context()
	// What was applied before the tier was guarded was never delivered, and is nobody's to prune.
	l.ready("spot", l.land("Light the lamp\n\nTicket: SHOP-12", map[string]string{
		"shop/spot/lamp.yaml": strings.ReplaceAll(l.fleet()["shop/spot/lamp.yaml"], "yes", "bright"),
	}))
	if err := l.kustomize.Stop(); err != nil { // as in fluxPrunes
		l.t.Fatal(err)
	}
	merge := l.land("Drop the spot\n\nTicket: SHOP-10", map[string]string{spotPath: ""})
	l.judged("fairway-system", "cluster", merge, "Allow")
	l.startKustomize()
	l.ready("flux-system", merge)
	l.until("the finalizer is refused", func(context.Context) error {
		if len(l.asked(`"operation":"DELETE"`, `"name":"lamp"`, `"admitted":false`, "FW308", kustomizeController)) == 0 {
			return errors.New("nobody tried to delete the lamp")
		}
		return nil
	})
	l.field(fluxLamp, "bright", "data", "on")
	spot := manifest(l.t, fluxSpot)
	_, err := l.on("sara", spot).Patch(ctx, "spot", types.MergePatchType, []byte(`{"metadata":{"finalizers":[]}}`), metav1.PatchOptions{})
	l.refused(err, "fairway.dev")

	began := time.Now()
	merge = l.land("Drop the lamp\n\nTicket: SHOP-11", map[string]string{"shop/spot/lamp.yaml": "", "shop/spot/README.md": "Nothing is here.\n"})
	l.gone(fluxLamp)
	l.gone(fluxSpot)
	l.t.Logf("gone %s after the commit that dropped it", time.Since(began).Round(100*time.Millisecond))
	l.ready("shop", merge)
}

// fluxRestarts: of Flux and of Fairway.
func fluxRestarts(l *fluxLab) {
	if err := l.kustomize.Kill(); err != nil {
		l.t.Fatal(err)
	}
	if err := l.program.Stop(); err != nil {
		l.t.Fatal(err)
	}
	before, err := l.get(l.t.Context(), fluxWeb)
	if err != nil {
		l.t.Fatal(err)
	}
	l.serve()
	l.startKustomize()
	l.trigger("sara", "shop")
	l.ready("shop", l.tip())
	after, err := l.get(l.t.Context(), fluxWeb)
	if err != nil || after.GetResourceVersion() != before.GetResourceVersion() {
		l.t.Errorf("the Deployment was written: %v", err)
	}
	// No refusal of a whole story began with the lane of finalizers, whatever was wrong.
	if lines := l.asked(`"user":"`+kustomizeController+`"`, `"reasons":["FW306"`); len(lines) > 0 {
		l.t.Errorf("Flux was told of a lane that it does not want: %s", lines[0])
	}
}

// fluxRetries: where Fairway may not ask Flux, an approval that comes late is found after retryInterval.
func fluxRetries(l *fluxLab) {
	ctx := l.t.Context()
	merge := l.land("Retry often\n\nTicket: SHOP-13", map[string]string{
		shopPath: strings.ReplaceAll(kustomization("shop", "shop/production", shaped), "retryInterval: 1h", "retryInterval: 3s"),
	})
	l.ready("flux-system", merge)
	l.ready("shop", merge)
	l.unguard()
	if err := l.typed.RbacV1().ClusterRoleBindings().Delete(ctx, "fairway-nudge", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
	asked := func() string {
		k, err := l.kustomizationNow(ctx, "shop")
		if err != nil {
			l.t.Fatal(err)
		}
		return k.GetAnnotations()["reconcile.fluxcd.io/requestedAt"]
	}
	before := asked()
	merge, head, err := l.shop.Land(ctx, "sara", "Change the word\n\nTicket: SHOP-14", map[string]string{
		"shop/production/settings.yaml": strings.ReplaceAll(l.fleet()["shop/production/settings.yaml"], "hunter2", "hunter4"),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.stuck("shop", merge, "fairway.dev")
	l.judged("shop", "tier", merge, "Pending")
	began := time.Now()
	l.approve(head, "sam", "paula")
	l.ready("shop", merge)
	l.t.Logf("live %s after the last approval, at a retryInterval of 3 s", time.Since(began).Round(100*time.Millisecond))
	if after := asked(); after != before {
		l.t.Errorf("somebody asked Flux at %s: this shows nothing", after)
	}
}

// gone awaits that an object is not there any more.
func (l *fluxLab) gone(text string) {
	l.t.Helper()
	l.until("it is gone:\n"+text, func(ctx context.Context) error {
		_, err := l.get(ctx, text)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
}
