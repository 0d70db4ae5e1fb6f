package e2e

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/story"
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
