package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// TestT29GapsAreTold: what no webhook is shown stands in a condition of the binding that guards the install.
func TestT29GapsAreTold(t *testing.T) {
	scheme := runtime.NewScheme()
	object := func(group, kind, name string, spec map[string]any) client.Object {
		gv := schema.GroupVersion{Group: group, Version: "v1"}
		scheme.AddKnownTypeWithName(gv.WithKind(kind), &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(gv.WithKind(kind+"List"), &unstructured.UnstructuredList{})
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": gv.String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
		}}
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		object("apiregistration.k8s.io", "APIService", "v1.apps", map[string]any{}),
		object("apiregistration.k8s.io", "APIService", "v1.metrics", map[string]any{"service": map[string]any{"name": "m"}}),
		object("admissionregistration.k8s.io", "MutatingAdmissionPolicy", "slip", map[string]any{}),
	).Build()
	got, err := Gaps(t.Context(), api)
	want := []string{
		"the API v1.metrics is served by another server, which may ask no webhook",
		"the MutatingAdmissionPolicy slip changes objects, and who changes it is no gate's to judge",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	none, err := Gaps(t.Context(), fake.NewClientBuilder().WithScheme(scheme).Build())
	if err != nil || len(none) != 0 {
		t.Errorf("nothing to tell: %q, %v", none, err)
	}

	w := production(t)
	cluster := &v1alpha1.TierBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: "cluster", Generation: 1}}
	o := newOffice(t, w, nil, cluster)
	for _, gaps := range [][]string{got, nil} {
		o.Gapped(gaps)
		o.write(t)
		var b v1alpha1.TierBinding
		if err := o.api.Get(t.Context(), client.ObjectKeyFromObject(cluster), &b); err != nil {
			t.Fatal(err)
		}
		if is := meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionCoverageGap); is != (len(gaps) > 0) {
			t.Errorf("with %d gaps the conditions are %+v", len(gaps), b.Status.Conditions)
		}
	}
}
