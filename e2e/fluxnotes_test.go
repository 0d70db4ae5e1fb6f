package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fluxKey is the prefix of the labels and annotations by which Flux is told how to treat an object.
const fluxKey = "kustomize.toolkit.fluxcd.io/"

// fluxNotes: whoever may write an object could have Flux leave it alone, or delete it to make it anew.
func fluxNotes(l *fluxLab) {
	for _, note := range []string{"reconcile: disabled", "ssa: Ignore", "ssa: IfNotPresent", "ssa: Merge", "force: enabled", "prune: disabled", "substitute: disabled"} {
		key, value, _ := strings.Cut(note, ": ")
		for _, field := range []string{"annotations", "labels"} {
			body := fmt.Sprintf(`{"metadata":{%q:{%q:%q}}}`, field, fluxKey+key, value)
			l.refused(l.patch("sara", "kubectl-edit", euBanner, body), "ContentDiffers")
			l.refused(l.patch(kustomizeController, "kustomize-controller", euBanner, body), "ContentDiffers")
		}
	}
}

// noted is a ConfigMap with a note to Flux.
func noted(name, note, on, more string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop, annotations: {%s%s}}\ndata: {lit: %q}\n%s", name, fluxKey, note, on, more)
}

// fluxNoted: the same notes in Git are part of what was approved. What Flux leaves alone for them is not
// delivered, and nothing is deleted for one.
func fluxNoted(l *fluxLab) {
	objects := func(on string) string {
		return strings.Join([]string{
			named("late", "second"), noted("once", "ssa: IfNotPresent", on, ""), noted("never", "ssa: Ignore", on, ""), noted("left", "reconcile: disabled", on, ""),
			noted("merged", "ssa: Merge", on, ""), noted("fixed", "force: enabled", "first", "immutable: true\n"),
		}, "---\n")
	}
	of := func(name string) string { return reference("v1", "ConfigMap", "shop", name) }
	l.ready("late", l.land("Note\n\nTicket: SHOP-12", map[string]string{"shop/late/late.yaml": objects("first")}))
	l.field(of("once"), "first", "data", "lit")
	l.field(of("merged"), "first", "data", "lit")
	l.ready("late", l.land("Note more\n\nTicket: SHOP-13", map[string]string{"shop/late/late.yaml": objects("second")}))
	l.field(of("once"), "first", "data", "lit")
	l.field(of("merged"), "second", "data", "lit")
	for _, name := range []string{"never", "left"} {
		if _, err := l.get(l.t.Context(), of(name)); !apierrors.IsNotFound(err) {
			l.t.Errorf("%s is there: %v", name, err)
		}
	}
	before, err := l.get(l.t.Context(), of("fixed"))
	if err != nil {
		l.t.Fatal(err)
	}
	merge := l.land("Change what is fixed\n\nTicket: SHOP-14", map[string]string{
		"shop/late/late.yaml": strings.ReplaceAll(objects("second"), `"first"`, `"second"`),
	})
	l.stuck("late", merge, "fairway.dev")
	l.until("Flux tries to delete what it cannot change", func(context.Context) error {
		if len(l.asked(`"operation":"DELETE"`, `"name":"fixed"`, `"admitted":false`, "FW308", porter)) == 0 {
			return errors.New("it has not")
		}
		return nil
	})
	if after, err := l.get(l.t.Context(), of("fixed")); err != nil || after.GetUID() != before.GetUID() {
		l.t.Errorf("it is another one now, or gone: %v", err)
	}
	l.ready("late", l.land("Leave it\n\nTicket: SHOP-15", map[string]string{"shop/late/late.yaml": objects("second")}))

	// What kubectl left is the engines' to take over, so an account that is not listed cannot.
	banner, err := l.get(l.t.Context(), euBanner)
	if err != nil {
		l.t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(banner.Object, "data", "text")
	l.unwatched(
		func() error { return l.patch("sara", "kubectl-edit", euBanner, `{"data":{"text":"free"}}`) },
		func() error { return l.patch("sara", "kubectl-edit", lateNote, `{"data":{"lit":"free"}}`) },
		func() error { return l.patch("sara", "slip", of("bare"), `{"data":{"lit":"free"}}`) },
	)
	l.field(euBanner, text, "data", "text")
	l.ready("shop", l.tip())
	l.told("late", "fairway.dev", "ConfigMap/shop/late")
	l.unwatched(func() error { // an administrator has Flux make it anew
		late := manifest(l.t, lateNote)
		return l.on("admin", late).Delete(l.t.Context(), "late", metav1.DeleteOptions{})
	})
	l.field(lateNote, "second", "data", "lit")
}
