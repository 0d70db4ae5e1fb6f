package gate

import (
	"context"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// making asks for the proof of the commit that the object claims, or that its owner does, where there is
// none yet. Who binds already needs none, unless to a commit that is older than what was delivered: a revert
// looks like that until it is proven.
func (g *Gate) making(ctx context.Context, c *inquiry) {
	o := &c.facts.Origin
	if o.Commit == "" && o.Owner != "" && !c.current() {
		if claimed := g.rooms.Engines.Claimed(ctx, *o); len(claimed) > 0 {
			o.Commit = claimed[0]
		}
	}
	if o.Commit == "" || g.proven(c, *o) {
		return
	}
	for _, repository := range c.repositories() {
		named := o.Repository == repository || o.Repository == "" && o.Owner != ""
		if named && g.rooms.Making.Wanted(repository, o.Commit) {
			c.facts.Making = change.Present
		}
	}
}

// binds reports whether the request is what some proof attests.
func (c *inquiry) binds() bool {
	return slices.ContainsFunc(c.facts.Candidates, func(p policy.Candidate) bool { return p.Fit == policy.FitBound })
}

// current reports whether the request is what a proof attests that is no older than what was delivered.
func (c *inquiry) current() bool {
	return slices.ContainsFunc(c.facts.Candidates, func(p policy.Candidate) bool {
		return p.Fit == policy.FitBound && (p.Delivered == nil || p.Proof.Height >= p.Delivered.Height)
	})
}

// repositories are those that deliver here, each once.
func (c *inquiry) repositories() []string {
	var names []string
	for _, b := range c.bindings {
		for _, s := range b.Sources {
			if !slices.Contains(names, s.Repository) {
				names = append(names, s.Repository)
			}
		}
	}
	return names
}
