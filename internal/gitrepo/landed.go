package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// LandedFrom is the commit that a change unit was forked from, where its head is part of tip's
// history already: the merge base of head and the state just before the commit of tip's first-parent
// chain that brought it. A head that is on that chain itself is a unit of one commit. ErrNotFound
// where head is no part of tip's history.
func (r *Repo) LandedFrom(ctx context.Context, tip, head string) (string, error) {
	chain, err := r.revList(ctx, "--first-parent", tip)
	if err != nil {
		return "", err
	}
	// Newest first. Whatever holds head is before whatever does not.
	var failed error
	without, _ := slices.BinarySearchFunc(chain, head, func(commit, head string) int {
		base, err := r.mergeBase(ctx, commit, head)
		switch {
		case errors.Is(err, ErrNoMergeBase):
			return 1
		case err != nil:
			failed = errors.Join(failed, err)
		case base == head:
			return -1
		}
		return 1
	})
	switch {
	case failed != nil:
		return "", failed
	case without == 0:
		return "", fmt.Errorf("commit %s in the history of %s: %w", head, tip, ErrNotFound)
	case without == len(chain):
		return "", fmt.Errorf("a commit before %s, the first one: %w", head, ErrNotFound)
	}
	return r.mergeBase(ctx, chain[without], head)
}
