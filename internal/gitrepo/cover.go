package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// CoverRequest asks how the content that a source reads came about between two commits.
type CoverRequest struct {
	Base, Head string
	Closure    change.Closure // F(before) ∪ F(after), ruling 21
	Units      []change.Unit  // all of which somebody said something, in the order to try them
}

// Cover partitions the first-parent chain Base..Head into steps. ErrNotOnChain.
//
// A step is the landing of a change unit if its content proves it: the diff from the unit's merge
// base to its head is the one that was stated; the landed tree is the merge of the tree before with
// the unit's head; the merge base of the two is the one that was stated, so that nothing the unit
// was forked from rides along; and the step is one commit (merge or squash), as many as the unit
// has (rebase), or the unit's own commits (fast-forward, or a push that was approved later). A
// conflict that was resolved in the landing changes the tree, and is no landing.
//
// Landings are taken as soon as they end, never overlap and never reach past another, so that no
// landing can quietly take back what an earlier one brought. Every other commit is a step of its
// own. Landings are looked for only where something in the closure changes. A step whose Landing is
// not proven carries one that it claims to be: its unit's head is what it merged or is. One that is
// CouldNotTell was not looked at, since more merges would have been needed than the limits allow.
//
// Steps are Undone where a run of them without a landing leaves everything in the closure as it was
// before the run. Runs do not overlap, so what is not marked is all that is left.
//
// A commit that ParseCommit refuses stands in its step with the state Malformed and nothing else;
// whether it touches the closure could not be told. Signatures are Unchecked, and contributors and
// approvals of a landing are for the caller to find.
func (r *Repo) Cover(ctx context.Context, req CoverRequest) ([]change.Step, error) {
	ids, err := r.Chain(ctx, req.Base, req.Head)
	if err != nil {
		return nil, err
	}
	c := &coverage{
		repo: r, differ: r.newDiffer(ctx, len(req.Base)), scope: newScope(req.Closure), ids: append([]string{req.Base}, ids...), tries: r.limits.Merges,
	}
	c.readUnits(req.Units)
	for _, read := range []func(context.Context) error{c.readCommits, c.readDiffs} {
		if err := read(ctx); err != nil {
			return nil, fmt.Errorf("covering %s..%s: %w", req.Base, req.Head, err)
		}
	}
	pieces, err := c.partition(ctx)
	if err != nil {
		return nil, fmt.Errorf("covering %s..%s: %w", req.Base, req.Head, err)
	}
	return c.steps(pieces), nil
}

// steps are the pieces in the words of evidence.
func (c *coverage) steps(pieces []piece) []change.Step {
	undone := c.undone(pieces)
	steps := make([]change.Step, len(pieces))
	for i, p := range pieces {
		steps[i] = change.Step{
			Commits: c.commits[p.from+1 : p.to+1 : p.to+1], Touches: c.touches(p.from, p.to),
			Undone: undone[i], Landing: p.landing,
		}
	}
	return steps
}

// touches says whether any commit of a stretch of the chain changed anything in the closure.
func (c *coverage) touches(from, to int) change.Found {
	all := change.Absent
	for _, d := range c.diffs[from+1 : to+1] {
		switch d.touches() {
		case change.Present:
			return change.Present
		case change.CouldNotTell:
			all = change.CouldNotTell
		}
	}
	return all
}

// coverage is one run of Cover. Commits are counted from the base, which is 0; step i leads from
// commit i-1 to commit i.
type coverage struct {
	repo    *Repo
	differ  *differ
	scope   scope
	ids     []string
	commits []change.Commit // a refused one has no tree
	diffs   []stepDiff
	matters []int // how many commits up to and with this one change the closure, or may
	units   []*unit
	tries   int // merges that may still be tried without a hint in the history
}

// stepDiff is what one commit of the chain changed against the one before.
type stepDiff struct {
	known  bool // shifts are all there are
	shifts []shift
	inFull bool // found is all there is; else it is too much to keep
	found  []alteration
}

// touches says whether the commit changed anything in the closure.
func (d stepDiff) touches() change.Found {
	if !d.known {
		return change.CouldNotTell
	}
	return change.FoundIf(len(d.shifts) > 0)
}

func (c *coverage) readCommits(ctx context.Context) error {
	for i, id := range c.ids {
		if i%mostCommits == 0 {
			c.repo.commitsAhead(ctx, c.repo.unknown(c.ids[i:min(i+mostCommits, len(c.ids))]))
		}
		o, err := c.repo.Object(ctx, id)
		if passable(err) && !errors.Is(err, ErrNotFound) {
			sig := change.Signature{State: change.Malformed, Detail: err.Error()}
			o, err = Object{Commit: change.Commit{ID: id, Signature: sig}}, nil
		}
		if err != nil {
			return err
		}
		c.commits = append(c.commits, o.Commit)
	}
	c.unitsAhead(ctx)
	return nil
}

// readUnits takes up the units that were stated, with what is remembered of them.
func (c *coverage) readUnits(stated []change.Unit) {
	for _, s := range stated {
		u, ok := recall(c.repo.known, c.repo.known.units, s)
		if !ok {
			u = &unit{Unit: s}
			remember(c.repo.known, c.repo.known.units, s, u)
		}
		c.units = append(c.units, u)
	}
}

// readDiffs compares each commit of the chain with the one before. What is kept of all of them
// together is bounded; beyond, a step is not known, or not known in full.
func (c *coverage) readDiffs(ctx context.Context) error {
	c.diffs, c.matters = make([]stepDiff, len(c.commits)), make([]int, len(c.commits))
	room, roomToRuleOut := c.repo.limits.Entries, 2*c.repo.limits.Entries
	for i := 1; i < len(c.commits); i++ {
		if i%mostSteps == 1 {
			c.readAhead(i, min(i+mostSteps, len(c.commits)))
		}
		d := &c.diffs[i]
		found, err := c.compare(i)
		if err != nil && !passable(err) {
			return err
		}
		if shifts := c.scope.shifts(found); err == nil && len(shifts) <= room {
			d.known, d.shifts = true, shifts
			room -= len(shifts)
		}
		found = slices.DeleteFunc(found, alteration.isDir)
		if err == nil && len(found) <= min(mostFiles, roomToRuleOut) {
			d.inFull, d.found = true, found
			roomToRuleOut -= len(found)
		}
		c.matters[i] = c.matters[i-1]
		if d.touches() != change.Absent {
			c.matters[i]++
		}
	}
	return nil
}

// compare is what commit i changed; errTooMany where one of the two could not be read.
func (c *coverage) compare(i int) ([]alteration, error) {
	before, after := c.commits[i-1].Tree, c.commits[i].Tree
	if before == "" || after == "" {
		return nil, errTooMany
	}
	return c.differ.compare(before, after)
}
