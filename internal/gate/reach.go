package gate

import (
	"context"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// reach compares the request with the fields that runtime lanes may set and that proofs attest.
func (g *Gate) reach(ctx context.Context, c *inquiry) {
	d, ok := c.diff()
	repeats := g.rooms.Engines.Repeats(c.facts.Request.Kind, c.facts.Request.Object)
	for _, lane := range policy.Controllers(c.facts) {
		r := policy.Reach{Controller: lane.Name}
		if ok {
			r.Within, r.Beyond, r.Gained = within(d, lane, repeats, c.facts.Request.Operation)
			r.Gained = slices.DeleteFunc(r.Gained, c.unblocked)
		}
		c.facts.Reach = append(c.facts.Reach, r)
	}
	if c.facts.Request.Resource.Subresource == "scale" {
		c.facts.Attested = g.replicasAttested(ctx, c)
		return
	}
	c.facts.Attested = g.attested(c)
}

// unblocked reports whether a changed field is about owners, all of which the object had before: that of a reference
// only blockOwnerDeletion changed, which says whether the owner's deletion waits.
func (c *inquiry) unblocked(path string) bool {
	if !strings.HasPrefix(path, "metadata.ownerReferences") || c.old == nil {
		return false
	}
	had := c.old.Meta().Owners
	return !slices.ContainsFunc(c.object.Meta().Owners, func(o canon.Owner) bool { return !slices.Contains(had, o) })
}

// within says whether the changes stay within the fields of a lane, and names those that do not, and those that hold
// something new.
func within(d canon.Changes, lane tier.Controller, repeats []string, op change.Operation) (all change.Found, beyond, gained []string) {
	if len(lane.Fields) == 0 {
		return change.FoundIf(op == change.Create || op == change.Delete || len(lane.OwnerKinds) > 0), nil, nil
	}
	var patterns []canon.PathPattern
	for _, f := range slices.Concat(lane.Fields, besides(lane.Fields, repeats)) {
		p, err := canon.ParsePattern(f)
		if err != nil {
			return change.CouldNotTell, nil, nil
		}
		patterns = append(patterns, p)
	}
	beyond = d.Outside(patterns...)
	return change.FoundIf(len(beyond) == 0), beyond, d.Gained(patterns...)
}

// besides are the repeated fields that a lane may set with others: those of which it may set a neighbour. A lane
// that may not begin an operation must not be able to begin one that asks for nothing new.
func besides(fields, repeats []string) []string {
	return slices.DeleteFunc(slices.Clone(repeats), func(repeat string) bool {
		of := repeat[:strings.LastIndexByte(repeat, '.')+1]
		return of == "" || !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, of) })
	})
}

// attested says whether the request touches what Git attests: a field that the engine of a source
// applied, or the engine's entry in managedFields, which says which fields those are.
func (g *Gate) attested(c *inquiry) change.Found {
	for _, s := range g.rooms.Proofs.Speaking(c.facts.Request.ID) {
		source, binding := c.sourceOf(s.Proof)
		if binding == nil || !g.attests(c, s.Proof) {
			continue
		}
		if c.facts.Request.Operation != change.Update {
			return change.Present
		}
		d, ok := c.diff()
		if !ok || c.old == nil {
			return change.CouldNotTell
		}
		fields, err := d.Attested(c.old, source.FieldManager)
		if err != nil {
			return change.CouldNotTell
		}
		if len(fields) > 0 || slices.ContainsFunc(d.Entries, func(e canon.EntryChange) bool {
			return e.Manager == source.FieldManager && e.Operation == applyOperation
		}) {
			return change.Present
		}
	}
	return change.Absent
}

// applyOperation is how managedFields spell a server-side apply.
const applyOperation = "Apply"

// attests reports whether what a proof renders stands: it is the newest that there is, the newest
// that a tier of the request admits, or the one that was delivered last. A commit that nobody has
// approved takes nothing away from those below it.
func (g *Gate) attests(c *inquiry, p *change.Proof) bool {
	if list := g.rooms.Proofs.Of(p.Key); len(list) > 0 && list[0].Commit == p.Commit {
		return true
	}
	delivered, known := g.rooms.Marks.Delivered(p.Key)
	if known == change.CouldNotTell || len(delivered) > 0 && delivered[0].Commit == p.Commit {
		return true
	}
	return slices.ContainsFunc(c.facts.Tiers, func(t tier.Tier) bool {
		return admissible(p, t.Name) && g.newestAt(p, t.Name) == change.Present
	})
}
