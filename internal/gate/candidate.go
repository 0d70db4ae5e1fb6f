package gate

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// candidate holds one proof against the request.
func (g *Gate) candidate(c *inquiry, s change.Spoken, source tier.Source, b tier.Binding) policy.Candidate {
	out := policy.Candidate{Proof: *s.Proof, Manager: source.FieldManager, Via: source.Via}
	out.Fit, out.Paths, out.Tolerated = g.fit(c, s.Object, source)
	for _, t := range c.facts.Tiers {
		out.Standings = append(out.Standings, policy.Standing{
			Tier: t.Name, Digests: []string{c.world.PolicyDigest(t, b, source)}, Newest: g.newestAt(s.Proof, t.Name),
		})
	}
	delivered, known := g.rooms.Marks.Delivered(s.Proof.Key)
	if known != change.CouldNotTell {
		out.Marked = change.FoundIf(len(delivered) > 0)
	}
	if len(delivered) > 0 {
		out.Delivered = &delivered[0]
	}
	out.OfRollback = change.FoundIf(source.Via.ByHelm() && c.object != nil && ofRollback(c.object))
	out.WentBack = len(delivered) > 0 && delivered[0].Commit == s.Proof.Commit &&
		slices.ContainsFunc(delivered, func(d change.Delivered) bool { return d.Height > delivered[0].Height })
	for _, d := range delivered {
		if d.Commit == s.Proof.Commit {
			out.DeliveredAt = d.At
			break
		}
	}
	out.Rollback = g.rooms.Records.Rollbacks(s.Proof.Key, s.Proof.Commit, s.Proof.Name)
	return out
}

// newestAt says whether no newer proof of the same source is admissible at a tier.
func (g *Gate) newestAt(p *change.Proof, tierName string) change.Found {
	for _, other := range g.rooms.Proofs.Of(p.Key) {
		if other.Height <= p.Height {
			break
		}
		if admissible(other, tierName) {
			return change.Absent
		}
	}
	return change.Present
}

func admissible(p *change.Proof, tierName string) bool {
	if p.Revoked {
		return false
	}
	for _, j := range p.Judgements {
		if j.Tier == tierName {
			return j.Admissible == change.Present
		}
	}
	return false
}

// fit compares the request with one proven object. The request is bound once for each manager and
// its digest compared with each proof.
func (g *Gate) fit(c *inquiry, o *change.ProvenObject, source tier.Source) (policy.Fit, []string, []string) {
	if c.object == nil {
		return policy.FitUnreadable, nil, nil
	}
	if o.Version != c.facts.Request.Kind.Version {
		return policy.FitOtherVersion, nil, nil
	}
	result := g.bind(c, source)
	switch {
	case result.BoundTo(o.Digest):
		return policy.FitBound, nil, result.Tolerated
	case result.Reason == canon.Applied:
		return policy.FitDiffers, nil, nil
	case result.Reason == canon.NotJudged:
		return policy.FitUnknown, nil, nil
	}
	return policy.Fit(result.Reason), result.Paths, nil
}

// changed are the fields in which an update differs from the live object: where that is what Git
// renders, they are what Git does not say.
func (c *inquiry) changed() []string {
	if c.old == nil {
		return nil
	}
	d, ok := c.diff()
	if !ok {
		return nil
	}
	return d.Paths()
}

// bindingWay is what the answer to a binding depends on beside the request.
type bindingWay struct {
	manager string
	made    bool
}

func (g *Gate) bind(c *inquiry, source tier.Source) canon.Result {
	way := bindingWay{source.FieldManager, createsFirst(source, c.facts.Request.Kind)}
	if have, ok := c.bound[way]; ok {
		return have
	}
	result := canon.Bind(canon.Binding{
		Kind: c.facts.Request.Kind, Object: c.object, Old: c.old, Manager: way.manager, Made: way.made,
		Types: g.rooms.Types(), Key: g.rooms.Key, Tolerate: c.tolerated(),
	})
	if c.bound == nil {
		c.bound = map[bindingWay]canon.Result{}
	}
	c.bound[way] = result
	return result
}

// createsFirst reports whether the engine of a source creates objects of a kind before it applies them: Argo CD has
// `kubectl auth reconcile` write those of RBAC first, whatever its settings. Source: rbacReconcile in
// pkg/utils/kube/resource_ops.go of gitops-engine.
func createsFirst(source tier.Source, kind change.Kind) bool {
	return source.Via.Engine == "ArgoCD" && kind.Group == "rbac.authorization.k8s.io"
}

// tolerated are the fields of this kind that every tier of the request tolerates. A pattern that
// does not parse tolerates nothing.
func (c *inquiry) tolerated() []canon.PathPattern {
	var common []canon.PathPattern
	for i, t := range c.facts.Tiers {
		var here []canon.PathPattern
		for _, entry := range t.Tolerate {
			if entry.Group != c.facts.Request.Kind.Group || entry.Kind != "" && entry.Kind != c.facts.Request.Kind.Kind {
				continue
			}
			if p, err := canon.ParsePattern(entry.Path); err == nil {
				here = append(here, p)
			}
		}
		if i == 0 {
			common = here
			continue
		}
		common = intersect(common, here)
	}
	return common
}

func intersect(a, b []canon.PathPattern) []canon.PathPattern {
	var both []canon.PathPattern
	for _, p := range a {
		for _, q := range b {
			if p.String() == q.String() {
				both = append(both, p)
				break
			}
		}
	}
	return both
}

// renders says what the sources of the object's bindings know about its deletion (ruling 17).
func (g *Gate) renders(c *inquiry) []policy.RenderFact {
	var facts []policy.RenderFact
	for _, b := range c.bindings {
		if !c.delivers(b) {
			continue
		}
		for _, s := range b.Sources {
			for _, t := range c.facts.Tiers {
				facts = append(facts, g.renderFact(c, b, s, t))
			}
		}
	}
	return append(facts, g.takes(c)...)
}

func (g *Gate) renderFact(c *inquiry, b tier.Binding, s tier.Source, t tier.Tier) policy.RenderFact {
	fact := policy.RenderFact{Source: s.Name, Tier: t.Name, Recreate: s.Recreate, Via: s.Via, Delivered: g.hasDelivered(c, keyOf(b, s))}
	p := g.newestAdmissible(keyOf(b, s), t.Name)
	if p == nil || !judgedUnder(p, t.Name, c.world.PolicyDigest(t, b, s)) {
		return fact // nothing to go by, or not judged yet by the tier as it is now (ruling 4)
	}
	o := spokenIn(p, c.facts.Request.ID)
	fact.Absent, fact.Fills = change.FoundIf(o == nil), change.FoundIf(fills(p, c.facts.Request.ID))
	if o != nil {
		fact.LiveBound, fact.Hook = g.liveBound(c, o, s.FieldManager), g.liveHook(c, keyOf(b, s), s)
	}
	return fact
}

// hasDelivered says whether a delivered proof of a source renders the object.
func (g *Gate) hasDelivered(c *inquiry, key change.SourceKey) change.Found {
	marks, known := g.rooms.Marks.Delivered(key)
	if known == change.CouldNotTell {
		return change.CouldNotTell
	}
	return change.FoundIf(slices.ContainsFunc(g.rooms.Proofs.Of(key), func(p *change.Proof) bool {
		return spokenIn(p, c.facts.Request.ID) != nil &&
			slices.ContainsFunc(marks, func(d change.Delivered) bool { return d.Commit == p.Commit })
	}))
}

// newestAdmissible is the newest proof of a source that a tier admitted, under whatever policy; nil
// where there is none.
func (g *Gate) newestAdmissible(key change.SourceKey, tierName string) *change.Proof {
	list := g.rooms.Proofs.Of(key)
	if i := slices.IndexFunc(list, func(p *change.Proof) bool { return admissible(p, tierName) }); i >= 0 {
		return list[i]
	}
	return nil
}

func judgedUnder(p *change.Proof, tierName, digest string) bool {
	return slices.ContainsFunc(p.Judgements, func(j change.Judgement) bool { return j.Tier == tierName && j.PolicyDigest == digest })
}

// deleted are the proofs that an admitted deletion delivers: of each source that had delivered the
// object, the newest that every tier admits, if it does not render the object any more.
func (g *Gate) deleted(c *inquiry) []*change.Proof {
	var proofs []*change.Proof
	for _, b := range c.bindings {
		if !c.delivers(b) {
			continue
		}
		for _, s := range b.Sources {
			key := keyOf(b, s)
			var lowest *change.Proof
			for _, t := range c.facts.Tiers {
				if p := g.newestAdmissible(key, t.Name); p != nil && (lowest == nil || p.Height < lowest.Height) {
					lowest = p
				}
			}
			if lowest != nil && spokenIn(lowest, c.facts.Request.ID) == nil && g.hasDelivered(c, key) == change.Present {
				proofs = append(proofs, lowest)
			}
		}
	}
	return proofs
}

func spokenIn(p *change.Proof, id change.ObjectID) *change.ProvenObject {
	for i := range p.Objects {
		if p.Objects[i].ID == id {
			return &p.Objects[i]
		}
	}
	return nil
}

// fills reports whether a proof renders something that lives in the Namespace that is asked about.
func fills(p *change.Proof, id change.ObjectID) bool {
	return id.Group == "" && id.Kind == "Namespace" &&
		slices.ContainsFunc(p.Objects, func(o change.ProvenObject) bool { return o.ID.Namespace == id.Name })
}

// liveBound says whether the live object, as a DELETE shows it, still is what a proof renders.
func (g *Gate) liveBound(c *inquiry, o *change.ProvenObject, manager string) change.Found {
	if c.old == nil || o.Version != c.facts.Request.Kind.Version {
		return change.CouldNotTell
	}
	// An update of the live object to itself binds exactly if the object still is what was applied.
	result := canon.Bind(canon.Binding{
		Kind: c.facts.Request.Kind, Object: c.old, Old: c.old, Manager: manager, Types: g.rooms.Types(), Key: g.rooms.Key,
	})
	return change.FoundIf(result.BoundTo(o.Digest))
}
