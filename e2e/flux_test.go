package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestFlux tells one story with the real controllers of Flux; its chapters build on each other.
func TestFlux(t *testing.T) {
	tellFlux(t, newFluxLab(t), []fluxChapter{
		{"what Flux applies is what Git renders", fluxBinds},
		{"a commit reaches two tiers", fluxTwoTiers},
		{"hands are refused", fluxHands},
		{"T-15: a status is its engine's alone", fluxForgedStatus},
		{"T-15: what steers Flux comes from Git", fluxSteered},
		{"what drifted is put right", fluxDrift},
		{"T-15: force deletes nothing", fluxForce},
		{"what kubectl left behind", fluxLeftovers},
		{"what Git dropped goes", fluxPrunes},
		{"T-21: what Git dropped waits for its approval", fluxPrunesLate},
		{"a Kustomization goes, and takes along what Git dropped", fluxFinalizes},
		{"restarts change nothing", fluxRestarts},
		{"Flux tries again by itself", fluxRetries},
	})
}

// fluxChapter is one of a story with the controllers of Flux.
type fluxChapter struct {
	name string
	tell func(*fluxLab)
}

// tellFlux tells chapters one after the other, and goes on with the programs that each leaves running.
func tellFlux(t *testing.T, l *fluxLab, chapters []fluxChapter) {
	for _, chapter := range chapters {
		if !t.Run(chapter.name, func(t *testing.T) {
			here, lab := *l, *l.serveLab
			lab.t = t
			here.serveLab = &lab
			defer func() {
				l.kustomize, l.source, l.flags, l.program = here.kustomize, here.source, here.flags, lab.program
			}()
			chapter.tell(&here)
		}) {
			return // what follows would fail for that alone
		}
	}
}

// Some of what Flux delivers.
var (
	fluxWeb      = reference("apps/v1", "Deployment", "shop", "web-eu")
	fluxBanner   = reference("v1", "ConfigMap", "shop", "banner-eu")
	fluxSettings = reference("v1", "ConfigMap", "shop", "settings-eu")
	fluxService  = reference("v1", "Service", "shop", "web-eu")
	fluxNote     = reference("v1", "ConfigMap", "play", "note")
	fluxShop     = reference("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "flux-system", "shop")
	fluxApps     = reference("source.toolkit.fluxcd.io/v1", "GitRepository", "flux-system", "apps")
)

// fluxBinds: every transformation of a Kustomization, applied under enforcement: objects that change and
// objects that are new, of kinds that Flux normalises and of others.
func fluxBinds(l *fluxLab) {
	merge := l.land("Sell in winter\n\nTicket: SHOP-3", map[string]string{
		story.WebPath:                        story.Web(2, "", "1.1"),
		"shop/production/kustomization.yaml": "resources: [web.yaml, banner.yaml, service.yaml, settings.yaml, store.yaml]\n",
		"shop/production/service.yaml":       "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n  selector: {app: web}\n  ports: [{name: web, port: 80}, {name: admin, port: 81, targetPort: admin}]\n",
		"shop/production/settings.yaml":      strings.ReplaceAll(l.fleet()["shop/production/settings.yaml"], "hunter2", "hunter3"),
		"shop/production/store.yaml": `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: shop}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers: [{name: store, image: registry.example.com/store:1, ports: [{containerPort: 80}], resources: {limits: {cpu: 0.5}}}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: night, image: registry.example.com/night:1}]}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: store, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}
  maxReplicas: 3
`,
	})
	l.ready("shop", merge)
	live, err := l.get(l.t.Context(), fluxWeb)
	if err != nil {
		l.t.Fatal(err)
	}
	containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
	if got := containers[0].(map[string]any)["image"]; got != "registry.example.com/eu/web:1.1" {
		l.t.Errorf("the image is %v", got)
	}
	l.field(fluxSettings, "eu-west-1", "data", "region")
	l.field(fluxService, "ClientIP", "spec", "sessionAffinity")
	l.field(fluxBanner, "shop", "metadata", "labels", "team")
}

// fluxTwoTiers: one commit, judged for each namespace by its own tier. The sandbox has it in seconds,
// production when it is approved, without another commit, and without waiting for Flux's interval.
func fluxTwoTiers(l *fluxLab) {
	began := time.Now()
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Both\n\nTicket: SHOP-4", map[string]string{
		"shop/sandbox/note.yaml": note("second"), story.BannerPath: strings.ReplaceAll(story.Banner, "winter", "spring"),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.field(fluxNote, "second", "data", "text")
	l.t.Logf("live in the sandbox after %s", time.Since(began).Round(100*time.Millisecond))
	l.stuck("shop", merge, "fairway.dev")
	l.judged("shop", "tier", merge, "Pending")
	l.field(fluxBanner, "winter sale", "data", "text")

	began = time.Now()
	l.approve(head, "sam", "paula")
	l.ready("shop", merge)
	l.t.Logf("live in production %s after the last approval, at an interval of an hour", time.Since(began).Round(100*time.Millisecond))
	l.field(fluxBanner, "spring sale", "data", "text")

	// A sandbox needs no review at all: an unsigned commit straight to main.
	began = time.Now()
	if _, err := l.shop.Push(l.t.Context(), "sara", false, "Try", map[string]string{"shop/sandbox/note.yaml": note("third")}); err != nil {
		l.t.Fatal(err)
	}
	l.field(fluxNote, "third", "data", "text")
	l.t.Logf("an unsigned push is live in the sandbox after %s", time.Since(began).Round(100*time.Millisecond))
}

// fluxHands: T-14 and ruling 17. Nobody is Flux by its name.
func fluxHands(l *fluxLab) {
	ctx := l.t.Context()
	live, err := l.get(ctx, fluxBanner)
	if err != nil {
		l.t.Fatal(err)
	}
	for user, manager := range map[string]string{"sara": "kubectl-edit", kustomizeController: "kustomize-controller"} {
		_, err = l.on(user, live).Patch(ctx, live.GetName(), types.MergePatchType, []byte(`{"data":{"text":"free"}}`), metav1.PatchOptions{FieldManager: manager})
		l.refused(err, "ContentDiffers")
	}
	forged := manifest(l.t, fluxBanner+"data: {text: free}\n")
	forged.SetLabels(live.GetLabels())
	forged.SetAnnotations(live.GetAnnotations())
	l.refused(l.apply(kustomizeController, "kustomize-controller", forged), "ContentDiffers")
	l.refused(l.on(kustomizeController, live).Delete(ctx, live.GetName(), metav1.DeleteOptions{}), "StillInGit")
}

// fluxForgedStatus: who claims a revision, or another place to fetch the files from, would have Flux
// apply what he likes with what Flux may. His claim is refused, and what came of it would be.
func fluxForgedStatus(l *fluxLab) {
	ctx := l.t.Context()
	for text, body := range map[string]string{
		fluxShop: `{"status":{"lastAttemptedRevision":"main@sha1:` + strings.Repeat("f", 40) + `"}}`,
		fluxApps: `{"status":{"artifact":{"url":"http://127.0.0.1:1/evil.tar.gz","digest":"sha256:` + strings.Repeat("e", 64) + `"}}}`,
	} {
		object := manifest(l.t, text)
		_, err := l.on("sara", object).Patch(ctx, object.GetName(), types.MergePatchType, []byte(body), metav1.PatchOptions{}, "status")
		l.refused(err, "written by the engines")
	}
}

// fluxSteered: Kustomizations and what feeds them, in the right place and in the wrong one.
func fluxSteered(l *fluxLab) {
	ctx := l.t.Context()
	shop, apps := manifest(l.t, fluxShop), manifest(l.t, fluxApps)
	for _, body := range []string{
		`{"spec":{"path":"./shop/sandbox"}}`, `{"spec":{"prune":false}}`, `{"spec":{"force":true}}`, `{"spec":{"suspend":true}}`,
		`{"spec":{"patches":[]}}`, `{"spec":{"sourceRef":{"name":"other"}}}`, `{"metadata":{"labels":{"a":"b"}}}`, `{"metadata":{"finalizers":[]}}`,
	} {
		_, err := l.on("sara", shop).Patch(ctx, "shop", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		l.refused(err, "fairway.dev")
	}
	for _, body := range []string{
		`{"spec":{"url":"https://git.example.com/evil"}}`, `{"spec":{"ref":{"branch":"other"}}}`, `{"spec":{"suspend":true}}`, `{"spec":{"ignore":"*"}}`,
	} {
		_, err := l.on("sara", apps).Patch(ctx, "apps", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		l.refused(err, "fairway.dev")
	}
	l.refused(l.on("sara", shop).Delete(ctx, "shop", metav1.DeleteOptions{}), "StillInGit")
	l.refused(l.on("sara", apps).Delete(ctx, "apps", metav1.DeleteOptions{}), "StillInGit")

	// A sandbox has its own, and none that reaches out of it.
	wrong := strings.ReplaceAll(kustomization("sneak", "shop/production", "  targetNamespace: shop\n"), "namespace: flux-system", "namespace: play")
	l.refused(l.apply("sara", "sara", manifest(l.t, wrong)), "no proof speaks of")
	source := manifest(l.t, fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: play}\n"+
		"spec: {interval: 1h, url: %q, ref: {branch: main}}\n", l.git.URL+"/apps.git"))
	l.admitted(l.apply("sara", "sara", source))
	sneak := manifest(l.t, strings.ReplaceAll(strings.ReplaceAll(wrong, "  targetNamespace: shop\n", ""), "1h", "1s"))
	l.admitted(l.apply("sara", "sara", sneak))
	l.until("what it delivers into the shop is refused", func(ctx context.Context) error {
		live, err := l.on("sara", sneak).Get(ctx, "sneak", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if told := conditionIs(live, "Ready", "True"); told == nil || !strings.Contains(told.Error(), "fairway.dev") {
			return fmt.Errorf("its condition: %w", told)
		}
		return nil
	})
	afar := manifest(l.t, strings.ReplaceAll(kustomization("afar", "shop/production", ""), "namespace: flux-system", "namespace: play"))
	if err := unstructured.SetNestedField(afar.Object, "flux-system", "spec", "sourceRef", "namespace"); err != nil {
		l.t.Fatal(err)
	}
	l.admitted(l.apply("sara", "sara", afar))
	l.until("Flux takes no source from another namespace", func(ctx context.Context) error {
		live, err := l.on("sara", afar).Get(ctx, "afar", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if told := conditionIs(live, "Ready", "True"); told == nil || !strings.Contains(told.Error(), "cross-namespace") {
			return fmt.Errorf("its condition: %w", told)
		}
		return nil
	})
	l.admitted(l.on("sara", afar).Delete(ctx, "afar", metav1.DeleteOptions{}))
	l.admitted(l.on("sara", sneak).Delete(ctx, "sneak", metav1.DeleteOptions{}))
	l.admitted(l.on("sara", source).Delete(ctx, "apps", metav1.DeleteOptions{}))
}

// fluxDrift: Flux looks at everything at each interval, which is a row of no-ops, and puts right what
// changed while nobody watched.
func fluxDrift(l *fluxLab) {
	ctx := l.t.Context()
	l.trigger("sara", "shop")
	l.trigger("sara", "flux-system")
	refused := len(l.asked(`"user":"`+kustomizeController+`"`, `"admitted":false`, `"namespace":"flux-system"`))
	if refused > 0 {
		l.t.Errorf("%d requests about Flux's own objects were refused", refused)
	}
	if len(l.asked(`"user":"`+kustomizeController+`"`, `"dryRun":true`, `"lane":"no-op"`, `"name":"banner-eu"`)) == 0 {
		l.t.Error("no dry run of an unchanged object took the no-op lane")
	}
	l.unguard()
	banner := manifest(l.t, fluxBanner)
	if _, err := l.on("sara", banner).Patch(ctx, "banner-eu", types.MergePatchType, []byte(`{"data":{"text":"free","more":"x"}}`), metav1.PatchOptions{FieldManager: "slip"}); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
	l.trigger("sara", "shop")
	l.field(fluxBanner, "spring sale", "data", "text")
}

// fluxForce: with force, Flux deletes and makes anew what it takes for a change of an immutable field,
// and it takes messages for one. A refusal never reads like it, whatever a commit says of itself, and
// where a field really is immutable the deletion is refused.
func fluxForce(l *fluxLab) {
	ctx := l.t.Context()
	deletes := func() int { return len(l.asked(`"operation":"DELETE"`, `"namespace":"shop"`, kustomizeController)) }
	merge := l.land("Force\n\nTicket: SHOP-5", map[string]string{shopPath: kustomization("shop", "shop/production", "  force: true\n"+shaped)})
	l.ready("flux-system", merge)
	l.ready("shop", merge)
	before, err := l.get(ctx, fluxBanner)
	if err != nil {
		l.t.Fatal(err)
	}
	asked := deletes()
	merge, head, err := l.shop.Land(ctx, "sara", "spec.selector is immutable: field is immutable, immutable field\n\nTicket: SHOP-6", map[string]string{
		story.BannerPath: strings.ReplaceAll(story.Banner, "winter", "is immutable"),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.stuck("shop", merge, "fairway.dev")
	l.judged("shop", "tier", merge, "Pending")
	l.trigger("sara", "shop")
	l.stuck("shop", merge, "fairway.dev")
	if n := deletes() - asked; n > 0 {
		l.t.Errorf("Flux tried to delete %d times", n)
	}
	after, err := l.get(ctx, fluxBanner)
	if err != nil || after.GetUID() != before.GetUID() {
		l.t.Errorf("the object is another one now, or gone: %v", err)
	}
	l.approve(head, "sam", "paula")
	l.ready("shop", merge)

	web, err := l.get(ctx, fluxWeb)
	if err != nil {
		l.t.Fatal(err)
	}
	merge = l.land("Select anew\n\nTicket: SHOP-7", map[string]string{story.WebPath: strings.ReplaceAll(story.Web(2, "", "1.1"), "app: web", "app: shop")})
	l.judged("shop", "tier", merge, "Allow")
	l.stuck("shop", merge, "renders it")
	if still, err := l.get(ctx, fluxWeb); err != nil || still.GetUID() != web.GetUID() {
		l.t.Errorf("the Deployment is another one now, or gone: %v", err)
	}
	if len(l.asked(`"operation":"DELETE"`, `"name":"web-eu"`, `"admitted":false`)) == 0 {
		l.t.Error("Flux did not try to delete what it cannot change: this shows nothing")
	}
	merge = l.land("Select as before\n\nTicket: SHOP-8", map[string]string{
		story.WebPath: story.Web(2, "", "1.1"), shopPath: kustomization("shop", "shop/production", shaped),
	})
	l.ready("shop", merge)
}
