package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// TestT02LabelsOfANamespace: on no way that labels of a Namespace can be written is one added, changed or taken
// off by hand, and it cannot be deleted and made anew.
func TestT02LabelsOfANamespace(t *testing.T) {
	const label = "example.com/environment"
	l := newServeLabOn(t, controlplane.Options{}, (*serveLab).serve)
	ctx := t.Context()
	l.judged("shop", "tier", l.tip(), v1alpha1.VerdictAllow)
	l.unguard()
	// Applied, so that its manager can take it off by an apply.
	l.admitted(l.apply("sara", "sara", manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {"+label+": production}}\n")))
	l.guard()
	spaces := l.as("sara").Resource(corev1.SchemeGroupVersion.WithResource("namespaces"))
	live, err := spaces.Get(ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []struct {
		name  string
		patch string
		edit  func(labels map[string]string)
	}{
		{"added", `{"team":"mallory"}`, func(labels map[string]string) { labels["team"] = "mallory" }},
		{"changed", `{"` + label + `":"sandbox"}`, func(labels map[string]string) { labels[label] = "sandbox" }},
		{"taken off", `{"` + label + `":null}`, func(labels map[string]string) { delete(labels, label) }},
	} {
		edited := live.DeepCopy()
		labels := edited.GetLabels() // a copy
		action.edit(labels)
		edited.SetLabels(labels)
		applied := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop"}}}
		applied.SetLabels(labels)
		for _, way := range []struct {
			name string
			try  func() error
		}{
			{"PATCH", func() error {
				_, err := spaces.Patch(ctx, "shop", types.MergePatchType, []byte(`{"metadata":{"labels":`+action.patch+`}}`), metav1.PatchOptions{})
				return err
			}},
			{"PATCH of the status", func() error {
				_, err := spaces.Patch(ctx, "shop", types.MergePatchType, []byte(`{"metadata":{"labels":`+action.patch+`}}`), metav1.PatchOptions{}, "status")
				return err
			}},
			{"PUT", func() error { _, err := spaces.Update(ctx, edited, metav1.UpdateOptions{}); return err }},
			{"PUT of the status", func() error { _, err := spaces.UpdateStatus(ctx, edited, metav1.UpdateOptions{}); return err }},
			{"PUT of finalize", func() error { _, err := spaces.Update(ctx, edited, metav1.UpdateOptions{}, "finalize"); return err }},
			{"apply", func() error {
				_, err := spaces.Apply(ctx, "shop", applied, metav1.ApplyOptions{FieldManager: "sara", Force: true})
				return err
			}},
		} {
			t.Run(fmt.Sprintf("%s by %s", action.name, way.name), func(t *testing.T) {
				here := *l
				here.t = t
				here.refused(way.try(), "")
			})
		}
	}
	l.refused(spaces.Delete(ctx, "shop", metav1.DeleteOptions{}), "")
	after, err := spaces.Get(ctx, "shop", metav1.GetOptions{})
	if err != nil || after.GetResourceVersion() != live.GetResourceVersion() {
		t.Errorf("the namespace was written: %v, %v", after, err)
	}
}
