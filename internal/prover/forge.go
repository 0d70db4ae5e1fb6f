package prover

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// Forge is where the changes of the repository are reviewed.
type Forge interface {
	// Proposals are the changes that landed on a branch, as they were last read, and why the forge
	// could not be asked; empty: it was.
	Proposals(ctx context.Context, branch string) (landed []change.Proposal, unasked string, err error)
	// Again reads one of them anew, at most once in a look. Where that cannot be done now it is Stale.
	Again(ctx context.Context, p change.Proposal) (change.Proposal, error)
}

// listen asks the forge what landed on the source's branch.
func (r *run) listen(ctx context.Context) (err error) {
	if r.rooms.Forge == nil {
		return nil
	}
	r.landed, r.unasked, err = r.rooms.Forge.Proposals(ctx, r.work.Source.Branch)
	if err != nil {
		return fmt.Errorf("reading the changes of repository %q: %w", r.work.Repository.Name, err)
	}
	return nil
}

// proposed are the units that landed as the forge knows, and those that proofs were made of: where
// the forge cannot be asked, they are what is left of it.
func (r *run) proposed() []change.Unit {
	var units []change.Unit
	for _, p := range r.landed {
		units = append(units, p.Unit)
	}
	if r.rooms.Forge != nil {
		for _, known := range r.work.Known {
			for _, p := range known.Reviews {
				units = append(units, p.Unit)
			}
		}
	}
	return units
}

// hear adds to a landing what is said of it on the forge. It is read anew for every judgement, so that
// a review that was dismissed meanwhile does not count. Where the forge cannot be asked, what it said
// counts on for commits that it made admissible before, and for no others; but of a page that could be
// read now, what it says now counts.
func (r *run) hear(ctx context.Context, ev *change.Evidence, l *change.Landing) error {
	if r.rooms.Forge == nil {
		return nil
	}
	var said []change.Proposal
	unasked, fresh := r.unasked, map[string]bool{} // by page
	for _, p := range r.landed {
		if !isOf(p, *l, ev.Branch) {
			continue
		}
		now, err := r.rooms.Forge.Again(ctx, p)
		switch {
		case err != nil:
			return fmt.Errorf("reading change %d of repository %q: %w", p.Number, r.work.Repository.Name, err)
		case now.Stale != "":
			unasked, p.Approvals = now.Stale, nil
			said = append(said, p)
		case now.Unread != "":
			l.Unread, p.Approvals = now.Unread, nil
			said = append(said, p)
		case isOf(now, *l, ev.Branch):
			said = append(said, now)
			fresh[now.Page] = true
		default: // it is of something else now
			fresh[p.Page] = true
		}
	}
	r.takenBack = r.takenBack || l.Unread != "" || r.takes(ev.Commit.ID, *l, said, fresh)
	if unasked != "" {
		ev.Unasked = unasked
		said = append(said, slices.DeleteFunc(r.remembered(ev.Commit.ID, *l), func(p change.Proposal) bool { return fresh[p.Page] })...)
	}
	r.heard = append(r.heard, said...)
	count(l, said)
	return nil
}

// takes reports whether pages that were read now say less for a unit than they did when a commit was
// proven: somebody was dismissed, or asks for changes.
func (r *run) takes(commit string, l change.Landing, said []change.Proposal, fresh map[string]bool) bool {
	if slices.ContainsFunc(said, func(p change.Proposal) bool { return fresh[p.Page] && len(p.Objections) > 0 }) {
		return true
	}
	known, _ := r.known(commit)
	for _, before := range known.Reviews {
		if !fresh[before.Page] || !isOf(before, l, r.work.Source.Branch) {
			continue
		}
		for _, a := range before.Approvals {
			if !slices.ContainsFunc(said, func(now change.Proposal) bool {
				return now.Page == before.Page && slices.ContainsFunc(now.Approvals, func(b change.Approval) bool { return b.Principal == a.Principal })
			}) {
				return true
			}
		}
	}
	return false
}

// remembered is what the forge said of a unit when a commit was found admissible.
func (r *run) remembered(commit string, l change.Landing) []change.Proposal {
	known, ok := r.known(commit)
	if !ok || !slices.ContainsFunc(known.Judgements, func(j change.Judgement) bool { return j.Admissible == change.Present }) {
		return nil
	}
	var said []change.Proposal
	for _, p := range known.Reviews {
		if !isOf(p, l, r.work.Source.Branch) {
			continue
		}
		p.Approvals = slices.Clone(p.Approvals)
		for i := range p.Approvals {
			p.Approvals[i].Repository = r.work.Repository.URL // a proof is of one repository, and does not hold its address
		}
		said = append(said, p)
	}
	return said
}

// count takes what was said of a unit, on however many pages, into its landing. Whoever had a part in
// any of them is a contributor, and who asks for changes on one stands against all, as does a page of
// which a part is missing.
func count(l *change.Landing, said []change.Proposal) {
	for _, p := range said {
		l.Page = p.Page
		l.Contributors = append(l.Contributors, p.Contributors...)
		l.Objections = append(l.Objections, p.Objections...)
	}
	slices.Sort(l.Contributors)
	l.Contributors = slices.Compact(l.Contributors)
	slices.Sort(l.Objections)
	l.Objections = slices.Compact(l.Objections)
	if len(l.Objections) > 0 || l.Unread != "" {
		return
	}
	for _, p := range said {
		for _, a := range p.Approvals {
			if !slices.ContainsFunc(l.Approvals, func(have change.Approval) bool {
				return have.Principal == a.Principal && have.Level == a.Level
			}) {
				l.Approvals = append(l.Approvals, a)
			}
		}
	}
}

// isOf reports whether a proposal is of exactly the unit that landed.
func isOf(p change.Proposal, l change.Landing, branch string) bool {
	return p.Branch == branch && p.Unit.RawDiffID != "" && p.Unit.RawDiffID == l.RawDiffID && p.Unit.MergeBase == l.MergeBase
}

// outlasts reports whether a proof stands although judging it anew did not find it admissible: what is
// missing is the forge's to say, which cannot be asked, and everything that was signed still stands. What
// could be read of it must not have been taken back.
func (r *run) outlasts(p change.Proof, again Result) bool {
	if again.Evidence.Unasked == "" || r.takenBack || p.Revoked || !r.admissible(p) || r.admissible(again.Proof) {
		return false
	}
	for _, a := range p.Approvals {
		if a.Digest != "" && !slices.ContainsFunc(r.approvals, func(have change.Approval) bool { return have.Digest == a.Digest }) {
			return false
		}
	}
	return true
}
