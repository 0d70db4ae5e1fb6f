package gate

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// takes are the sources that render objects of the kind that a CustomResourceDefinition defines, where it is to be
// deleted: the API server deletes them all with it, and asks nobody about a single one. Only gated namespaces count, so
// that no sandbox keeps a definition.
func (g *Gate) takes(c *inquiry) []policy.RenderFact {
	req := c.facts.Request
	if req.Operation != change.Delete || req.ID.Group != "apiextensions.k8s.io" || req.ID.Kind != "CustomResourceDefinition" {
		return nil
	}
	group, kind := defines(req.Old)
	var facts []policy.RenderFact
	for _, at := range slices.Sorted(maps.Keys(c.world.Bindings)) {
		b := c.world.Bindings[at]
		t, _ := c.world.Tier(at)
		if t.Lane == tier.Open {
			continue
		}
		for _, s := range b.Sources {
			p := g.newestAdmissible(keyOf(b, s), t.Name)
			if p == nil || !slices.ContainsFunc(p.Objects, func(o change.ProvenObject) bool { return o.ID.Group == group && o.ID.Kind == kind }) {
				continue
			}
			for _, judge := range c.facts.Tiers {
				facts = append(facts, policy.RenderFact{
					Source: s.Name + " of " + at, Tier: judge.Name, Absent: change.Present, Delivered: change.Absent, Fills: change.Present,
				})
			}
		}
	}
	return facts
}

// defines is the kind that a CustomResourceDefinition defines; empty where it cannot be read.
func defines(raw []byte) (group, kind string) {
	var crd struct {
		Spec struct {
			Group string `json:"group"`
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
		} `json:"spec"`
	}
	if json.Unmarshal(raw, &crd) != nil {
		return "", ""
	}
	return crd.Spec.Group, crd.Spec.Names.Kind
}
