package v1alpha1

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestAddToScheme(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var got []string
	for kind := range scheme.KnownTypes(GroupVersion) {
		if object, err := scheme.New(GroupVersion.WithKind(kind)); err != nil || object.DeepCopyObject() == nil {
			t.Errorf("%s: %v", kind, err)
		}
		if _, own := scheme.KnownTypes(GroupVersion)[kind+"List"]; own {
			got = append(got, kind)
		}
	}
	slices.Sort(got)
	want := []string{"BreakGlass", "Delivery", "EnvironmentTier", "ProvenCommit", "Repository", "Team", "TierBinding"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
