package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/story"
)

// TestFluxSettings tries the settings that docs/engines/flux.md recommends, and those of which it says something.
func TestFluxSettings(t *testing.T) {
	tellFlux(t, newFluxLabOf(t, settledWorld()), []fluxChapter{
		{"variables come from Git", fluxVariables},
		{"an artifact is held against commits", fluxArtifact},
		{"so are a bucket and what others make", fluxBucket},
		{"source-controller forgets everything while an approval waits", fluxForgets},
		{"health, order and rest", fluxWaits},
		{"notes by which Flux leaves objects alone", fluxNotes},
		{"what Git says in notes", fluxNoted},
		{"what is refused says why", fluxRefusals},
		{"Flux in a gated namespace", fluxGated},
		{"who has no account of its own can do little", fluxAccounts},
		{"a hub delivers to this cluster", fluxHub},
		{"what steers Flux is audited", fluxAudited},
	})
}

// What is delivered to the shop.
var (
	euWeb      = reference("apps/v1", "Deployment", "shop", "eu-web")
	euBanner   = reference("v1", "ConfigMap", "shop", "eu-banner")
	euSettings = reference("v1", "ConfigMap", "shop", "eu-settings")
	lateNote   = reference("v1", "ConfigMap", "shop", "late")
	ociLamp    = reference("v1", "ConfigMap", "shop", "oci-lamp")
	fluxValue  = reference("v1", "ConfigMap", "flux-system", "values")
)

// patch changes an object by a merge patch.
func (l *fluxLab) patch(user, manager, text, body string) error {
	l.t.Helper()
	object := manifest(l.t, text)
	_, err := l.on(user, object).Patch(l.t.Context(), object.GetName(), types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: manager})
	return err
}

// patchStatus is patch for the status of an object.
func (l *fluxLab) patchStatus(user string, object *unstructured.Unstructured, body string) error {
	l.t.Helper()
	_, err := l.on(user, object).Patch(l.t.Context(), object.GetName(), types.MergePatchType, []byte(body), metav1.PatchOptions{}, "status")
	return err
}

// unwatched changes an object while neither Fairway nor Flux looks.
func (l *fluxLab) unwatched(changes ...func() error) {
	l.t.Helper()
	if err := l.kustomize.Stop(); err != nil {
		l.t.Fatal(err)
	}
	l.unguard()
	for _, change := range changes {
		if err := change(); err != nil {
			l.t.Fatal(err)
		}
	}
	l.guard()
	l.startKustomize()
}

// fluxVariables: ADR 0025. A value changes by an approved commit, and not by a hand.
func fluxVariables(l *fluxLab) {
	l.field(euSettings, "eu-west-1", "data", "region")
	merge := l.land("Move north\n\nTicket: SHOP-3", map[string]string{
		valuesPath: settledValues("eu-north-1"), "shop/production/settings.yaml": settings(", more: \"yes\""),
	})
	l.ready("shop", merge)
	l.field(euSettings, "eu-north-1", "data", "region")
	l.field(euSettings, "none", "data", "zone")
	l.field(euSettings, "yes", "data", "more")

	l.refused(l.patch("sara", "kubectl-edit", fluxValue, `{"data":{"region":"mars"}}`), "ContentDiffers")
	more := manifest(l.t, strings.ReplaceAll(settledValues("mars"), "name: values", "name: more"))
	l.refused(l.apply("sara", "sara", more), "fairway.dev")

	// Where nobody guards the ConfigMap, what Flux makes of it is refused.
	l.unwatched(func() error {
		return l.patch("sara", "slip", fluxValue, `{"metadata":{"annotations":{"kustomize.toolkit.fluxcd.io/reconcile":"disabled"}},"data":{"region":"mars"}}`)
	})
	l.trigger("sara", "shop")
	l.told("shop", "eu-settings", "ContentDiffers", "fairway.dev")
	l.field(euSettings, "eu-north-1", "data", "region")
	l.unwatched(func() error {
		return l.patch("sara", "slip", fluxValue, `{"metadata":{"annotations":{"kustomize.toolkit.fluxcd.io/reconcile":null}}}`)
	})
	l.field(fluxValue, "eu-north-1", "data", "region")
	l.ready("shop", merge)
}

// fluxArtifact: ADR 0025. An OCI artifact delivers what an approved commit renders, whatever it says of itself.
func fluxArtifact(l *fluxLab) {
	l.field(ociLamp, "dark", "data", "lit")
	merge := l.land("Light\n\nTicket: SHOP-4", map[string]string{"shop/artifact/lamp.yaml": lampOf("bright")})
	l.push(merge, map[string]string{"lamp.yaml": lampOf("bright")})
	l.field(ociLamp, "bright", "data", "lit")

	l.push(merge, map[string]string{"lamp.yaml": lampOf("forged")})
	l.told("artifact", "oci-lamp", "fairway.dev", "ContentDiffers")
	l.push(merge, map[string]string{"lamp.yaml": lampOf("bright"), "more.yaml": named("more", "forged")})
	l.told("artifact", "oci-more", "fairway.dev")

	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Dim\n\nTicket: SHOP-5", map[string]string{"shop/artifact/lamp.yaml": lampOf("dim")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.push(merge, map[string]string{"lamp.yaml": lampOf("dim")})
	l.told("artifact", "oci-lamp", "fairway.dev", merge[:12])
	l.field(ociLamp, "bright", "data", "lit")
	began := time.Now()
	l.approve(head, "sam", "paula")
	l.field(ociLamp, "dim", "data", "lit")
	l.t.Logf("live %s after the last approval, at an interval of an hour", time.Since(began).Round(100*time.Millisecond))
}

// fluxBucket: likewise of a Bucket, and of an ExternalArtifact, which here nobody but the test makes.
func fluxBucket(l *fluxLab) {
	lamps := func(on string) map[string]string {
		return map[string]string{"shop/bucket/lamp.yaml": named("bucket", on), "shop/external/lamp.yaml": named("external", on)}
	}
	l.land("Fill the bucket\n\nTicket: SHOP-41", lamps("second"))
	inBucket, external := reference("v1", "ConfigMap", "shop", "bucket"), reference("v1", "ConfigMap", "shop", "external")
	for _, on := range []string{"second", "forged"} {
		l.bucket.put(map[string]string{"lamp.yaml": named("bucket", on)})
		l.external(map[string]string{"lamp.yaml": named("external", on)})
		if on == "forged" {
			l.told("bucket", "fairway.dev", "ContentDiffers")
			l.told("external", "fairway.dev", "ContentDiffers")
		}
		l.field(inBucket, "second", "data", "lit")
		l.field(external, "second", "data", "lit")
	}
}

// fluxForgets: an approval that comes after source-controller has lost its artifacts, twice, is enough.
func fluxForgets(l *fluxLab) {
	forget := func() {
		if err := l.source.Stop(); err != nil {
			l.t.Fatal(err)
		}
		if err := os.RemoveAll(l.storage); err != nil {
			l.t.Fatal(err)
		}
	}
	forget()
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Spring\n\nTicket: SHOP-6", map[string]string{
		story.BannerPath: strings.ReplaceAll(story.Banner, "winter", "spring"),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.startSource()
	l.stuck("shop", merge, "fairway.dev")
	forget()
	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, "Allow")
	l.startSource()
	l.ready("shop", merge)
	l.field(euBanner, "spring sale", "data", "text")
}

// fluxWaits: Flux says what is not healthy, holds what depends on it, and rests where Git says so.
func fluxWaits(l *fluxLab) {
	l.land("Start\n\nTicket: SHOP-7", map[string]string{
		story.WebPath: story.Web(1, "", "1.0"), "shop/late/late.yaml": named("late", "second"),
	})
	l.told("shop", "Deployment/shop/eu-web", "timeout") // no node runs here
	l.field(euWeb, "1", "spec", "replicas")
	l.told("late", "dependency 'flux-system/shop' is not ready")
	l.field(lateNote, "first", "data", "lit")
	merge := l.land("Stop\n\nTicket: SHOP-8", map[string]string{
		story.WebPath: story.Web(0, "", "1.0"),
		shopPath:      l.settledFleet()[shopPath] + "  healthChecks: [{apiVersion: apps/v1, kind: Deployment, name: eu-web, namespace: shop}]\n",
	})
	l.ready("shop", merge)
	l.ready("late", merge)
	l.field(lateNote, "second", "data", "lit")

	merge = l.land("Rest\n\nTicket: SHOP-9", map[string]string{shopPath: l.settledFleet()[shopPath] + "  suspend: true\n"})
	l.ready("flux-system", merge)
	merge = l.land("Summer\n\nTicket: SHOP-10", map[string]string{story.BannerPath: strings.ReplaceAll(story.Banner, "winter", "summer")})
	l.ready("flux-system", merge)
	l.judged("shop", "tier", merge, "Allow")
	l.refused(l.patch("sara", "flux", fluxShop, `{"spec":{"suspend":false}}`), "fairway.dev") // flux resume
	l.field(euBanner, "spring sale", "data", "text")
	merge = l.land("Go on\n\nTicket: SHOP-11", map[string]string{shopPath: l.settledFleet()[shopPath]})
	l.ready("shop", merge)
	l.field(euBanner, "summer sale", "data", "text")
}
