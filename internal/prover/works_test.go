package prover_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT33TheStrictestIsProvenFirst: a look is bounded in time, so what takes all of it on a branch of a low
// rank, to which many may push, must not stand before production.
func TestT33TheStrictestIsProvenFirst(t *testing.T) {
	from := func(namespace, name string) tier.Binding {
		return tier.Binding{Namespace: namespace, Name: "tier", Tier: name, Sources: []tier.Source{{Name: namespace, Repository: "apps", Branch: "main", Path: namespace}}}
	}
	cluster := from("fairway-system", "production")
	cluster.Name = "cluster"
	world := &tier.World{
		Tiers: map[string]tier.Tier{
			"sandbox": {Name: "sandbox", Lane: tier.Open}, "staging": {Name: "staging", Rank: 50, Lane: tier.Gated},
			"production": {Name: "production", Rank: 100, Lane: tier.Gated},
		},
		Bindings: map[string]tier.Binding{
			"a-play": from("a-play", "sandbox"), "b-try": from("b-try", "staging"), "c-try": from("c-try", "staging"),
			"shop": from("shop", "production"), "till": from("till", "production"),
		},
		Namespaces:   map[string]tier.Namespace{"a-play": {Name: "a-play"}, "b-try": {Name: "b-try"}, "c-try": {Name: "c-try"}, "shop": {Name: "shop"}, "till": {Name: "till"}},
		Repositories: map[string]tier.Repository{"apps": {Name: "apps"}, "other": {Name: "other"}},
		Cluster:      &cluster,
	}
	var order []string
	for _, w := range prover.Works(world, "apps") {
		order = append(order, w.Source.Name)
	}
	if diff := cmp.Diff([]string{"fairway-system", "shop", "till", "b-try", "c-try"}, order); diff != "" {
		t.Errorf("order of sources (-want +got):\n%s", diff)
	}
	if works := prover.Works(world, "other"); len(works) != 0 {
		t.Errorf("%d sources of another repository", len(works))
	}
}
