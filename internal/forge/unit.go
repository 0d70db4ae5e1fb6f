package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// Git answers for a repository's content, from a mirror of it. ErrUnknownCommit where it does not
// hold a commit, or cannot read it.
type Git interface {
	// MergeBase is the best common ancestor of two commits.
	MergeBase(ctx context.Context, a, b string) (string, error)
	// RawDiffID is the identity of what changes between two commits (30-proof.md §4).
	RawDiffID(ctx context.Context, base, head string) (string, error)
	// Commit is a commit's tree and parents.
	Commit(ctx context.Context, id string) (change.Commit, error)
}

// settle is how long after a push a review that names no commit may still be of the page before it.
const settle = 5 * time.Second

// Reviewed is what a review is of. Where it cannot be told, why says so.
//
// What Fairway saw first decides, since a forge may re-point a review later. Then the commit that
// the review names, unless that came to the change only after the review, on a forge that re-points
// reviews. Otherwise it is the head
// that the change had at the time, if all heads are known.
func (d Dossier) Reviewed(r Review, first Revision) (rev Revision, why string) {
	switch {
	case first.Head != "":
		return first, ""
	case r.Commit == "" && d.HeadsKnown != change.Present:
		return rev, "the forge does not say which commit was reviewed"
	case d.HeadsKnown != change.Present, d.ReviewsFixed && r.Commit != "":
		return Revision{Head: r.Commit}, ""
	}
	if r.Commit != "" {
		named := slices.IndexFunc(d.Heads, func(h Head) bool { return h.Commit == r.Commit })
		if named < 0 {
			return Revision{Head: r.Commit}, "" // of some commit on the way, not of a head
		}
		if !d.Heads[named].At.After(r.SubmittedAt) {
			return Revision{r.Commit, d.Heads[named].Base}, ""
		}
	}
	at := d.headAt(r.SubmittedAt)
	switch {
	case at < 0:
		return rev, "the review is older than every head of the change"
	case r.Commit == "" && at > 0 && r.SubmittedAt.Sub(d.Heads[at].At) < settle:
		return rev, "the review came within seconds of a push and names no commit; review again"
	}
	return Revision{d.Heads[at].Commit, d.Heads[at].Base}, ""
}

// headAt is the place in Heads of the newest one at a time; -1 where there was none.
func (d Dossier) headAt(t time.Time) int {
	at := -1
	for i, h := range d.Heads {
		if !h.At.After(t) && (at < 0 || !h.At.Before(d.Heads[at].At)) {
			at = i
		}
	}
	return at
}

// Resolve asks git what a change brings and what its reviews are of, and fills Unit, HeadTree and
// Diffs. tip is the target branch as the mirror holds it. A head or landing that git does not hold
// leaves the unit empty, so that nothing counts.
func Resolve(ctx context.Context, git Git, d Dossier, tip string, f *Facts) error {
	f.Unit, f.HeadTree, f.Diffs = change.Unit{}, "", map[Revision]string{}
	if d.State == Closed {
		return nil
	}
	base, err := mergeBase(ctx, git, d, tip)
	if err != nil || base == "" {
		return passing(err)
	}
	head, err := git.Commit(ctx, d.Head)
	if err != nil {
		return passing(err)
	}
	diff, err := git.RawDiffID(ctx, base, d.Head)
	if err != nil {
		return passing(err)
	}
	f.Unit, f.HeadTree = change.Unit{MergeBase: base, Head: d.Head, RawDiffID: diff}, head.Tree
	for _, r := range d.Reviews {
		rev, why := d.Reviewed(r, f.First[r.ID])
		if _, have := f.Diffs[rev]; have || why != "" {
			continue
		}
		if f.Diffs[rev], err = rawDiff(ctx, git, rev, base); passing(err) != nil {
			return fmt.Errorf("comparing what review %q is of: %w", r.ID, err)
		}
	}
	return nil
}

// rawDiff is the identity of what somebody looked at; empty where git does not hold it.
func rawDiff(ctx context.Context, git Git, rev Revision, landed string) (string, error) {
	base := rev.Base
	if base == "" {
		var err error
		if base, err = git.MergeBase(ctx, landed, rev.Head); err != nil {
			return "", err
		}
	}
	return git.RawDiffID(ctx, base, rev.Head)
}

// mergeBase is where a change forked from its target: for an open one from the tip, for a landed one
// from the target as it was before. An older one would make an approval cover what was on the target
// already when the change was reviewed, which its page did not show.
func mergeBase(ctx context.Context, git Git, d Dossier, tip string) (string, error) {
	if d.State == Open {
		return git.MergeBase(ctx, tip, d.Head)
	}
	if d.Landed == "" {
		return "", nil
	}
	if d.Landed != d.Head {
		landed, err := git.Commit(ctx, d.Landed)
		if err != nil || len(landed.Parents) == 0 {
			return "", err
		}
		return git.MergeBase(ctx, landed.Parents[0], d.Head)
	}
	return forwarded(ctx, git, d)
}

// forwarded is the merge base of a change that landed as its own commits: what the forge says if that
// is an ancestor, else as many commits back as the forge counts.
func forwarded(ctx context.Context, git Git, d Dossier) (string, error) {
	if d.MergeBase != "" && d.MergeBase != d.Head {
		base, err := git.MergeBase(ctx, d.MergeBase, d.Head)
		if err != nil || base != d.MergeBase {
			return "", err
		}
		return base, nil
	}
	const most = 250
	if d.Commits < 1 || d.Commits > most {
		return "", nil
	}
	at := d.Head
	for range d.Commits {
		c, err := git.Commit(ctx, at)
		if err != nil || len(c.Parents) != 1 {
			return "", err
		}
		at = c.Parents[0]
	}
	return at, nil
}

// passing is nil for what git does not hold: nothing is known then, which admits nothing.
func passing(err error) error {
	if errors.Is(err, ErrUnknownCommit) {
		return nil
	}
	return err
}
