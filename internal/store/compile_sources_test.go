package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// TestRuling03AKeyIsOfOneSource: proofs and deliveries are kept under repository, branch, path and
// namespace. A second source under the key of another takes nothing from it, least of all in Fairway's own
// namespace from the cluster binding, without whose proofs nothing there would ever change again.
func TestRuling03AKeyIsOfOneSource(t *testing.T) {
	from := func(namespace, name string, sources ...string) v1alpha1.TierBinding {
		b := v1alpha1.TierBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.TierBindingSpec{Tier: "production"}}
		for i, path := range sources {
			b.Spec.Sources = append(b.Spec.Sources, v1alpha1.Source{Name: name + string(rune('a'+i)), Repository: "apps", Branch: "main", Path: path})
		}
		return b
	}
	world := Compile(Kinds{
		Tiers:        []v1alpha1.EnvironmentTier{{ObjectMeta: metav1.ObjectMeta{Name: "production"}}},
		Repositories: []v1alpha1.Repository{{ObjectMeta: metav1.ObjectMeta{Name: "apps"}}},
		Bindings: []v1alpha1.TierBinding{
			from("fairway-system", "tier", "fleet", "own"), from("fairway-system", "cluster", "fleet"), from("shop", "tier", "fleet", "web", "web"),
		},
	}, Settings{Namespace: "fairway-system"}, nil)
	got := map[string][]string{}
	for _, s := range world.Cluster.Sources {
		got["cluster"] = append(got["cluster"], s.Name)
	}
	for namespace, b := range world.Bindings {
		for _, s := range b.Sources {
			got[namespace] = append(got[namespace], s.Name)
		}
	}
	want := map[string][]string{"cluster": {"clustera"}, "fairway-system": {"tierb"}, "shop": {"tiera", "tierb"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources in force (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		`binding fairway-system/tier: source "tiera" reads what source "clustera" reads, and counts for nothing: give it a path of its own`,
		`binding shop/tier: source "tierc" reads what source "tierb" reads, and counts for nothing: give it a path of its own`,
	}, world.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if b, _, ok := SourceOf(world, change.SourceKey{Repository: "apps", Branch: "main", Path: "fleet", Namespace: "fairway-system"}); !ok || b.Name != "cluster" {
		t.Errorf("proofs of the cluster binding's source are taken for those of %q", b.Name)
	}
}
