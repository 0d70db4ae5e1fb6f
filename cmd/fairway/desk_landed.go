package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// landedSearch is how far above the place that a change was forked from its landing is looked for.
const landedSearch = 256

// landed is a change as it landed, if it did. Some forges leave a change open whose commits were pushed
// to the branch by hand; git knows better, and what it landed as is git's to say.
func (v *deskView) landed(ctx context.Context, c forge.Change) (forge.Change, bool, error) {
	if c.State != forge.Open {
		return c, c.State == forge.Merged, nil
	}
	tip, err := v.tip(ctx, c.Target)
	if err != nil || v.ahead[c.Head] == tip {
		return c, false, elsewhere(err)
	}
	if base, err := v.mirror.MergeBase(ctx, tip, c.Head); err != nil || base != c.Head {
		v.ahead[c.Head] = tip
		return c, false, elsewhere(err)
	}
	from, err := v.mirror.LandedFrom(ctx, tip, c.Head)
	if err != nil {
		return c, false, elsewhere(err)
	}
	chain, err := v.mirror.Chain(ctx, from, tip)
	if err != nil {
		return c, false, elsewhere(err)
	}
	for _, id := range chain[:min(len(chain), landedSearch)] {
		base, err := v.mirror.MergeBase(ctx, id, c.Head)
		if err != nil && elsewhere(err) != nil {
			return c, false, fmt.Errorf("looking for where change %d landed: %w", c.Number, err)
		}
		if base == c.Head {
			c.State, c.Landed, c.MergeBase = forge.Merged, id, from
			return c, true, nil
		}
	}
	return c, false, nil
}

// tip is a branch's, which stays where it is in one look: there may be thousands of changes to ask it for.
func (v *deskView) tip(ctx context.Context, branch string) (string, error) {
	if tip, ok := v.tips[branch]; ok {
		return tip, nil
	}
	tip, err := v.mirror.Tip(ctx, branch)
	if err == nil {
		v.tips[branch] = tip
	}
	return tip, err
}

// elsewhere is nil for what git does not hold or does not find: it is no landing that could be told.
func elsewhere(err error) error {
	var limit *gitrepo.LimitError
	known := []error{gitrepo.ErrNotFound, gitrepo.ErrNoMergeBase, gitrepo.ErrNotOnChain, gitrepo.ErrMalformed}
	if errors.As(err, &limit) || slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
		return nil
	}
	return err
}
