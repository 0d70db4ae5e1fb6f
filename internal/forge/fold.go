package forge

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// Facts are what a dossier is held against. All of them come from git, from the declared people and
// from Fairway's own memory, none from the forge.
type Facts struct {
	Repository string // canonical URL that the approvals are to name
	Unit       change.Unit
	HeadTree   string
	// Diffs are the raw diff ids of what was reviewed, by git; absent where git does not hold it.
	Diffs map[Revision]string
	// Contributors are the principals who wrote the unit as git knows them.
	Contributors []string
	// Principal names whose account it is, judged at that time; known is false for everybody else.
	Principal func(a Account, at time.Time) (name string, robot, known bool)
	// First is what each review named when Fairway saw it first, by id of the review.
	First map[string]Revision
	// Rewritten are the times at which Fairway saw the target branch rewritten.
	Rewritten []time.Time
	// MergerBarred: who merged the change cannot have approved it.
	MergerBarred bool
	SeenAt       time.Time
}

// Revision is what somebody looked at: a head, and the merge base it was shown against. An empty
// Base is the one that git finds.
type Revision struct {
	Head string `json:"head"`
	Base string `json:"base,omitempty"`
}

// Folded is what the reviews of one change come to.
type Folded struct {
	// Approvals are those that count, sorted by principal. They are all of the landed unit, and empty
	// while there are Objections.
	Approvals []change.Approval
	// Objections are standing requests for changes by known people.
	Objections []Standing
	// Contributors are the principals who, as the forge knows, opened the change, pushed to it or
	// wrote a commit of it, and those of Facts. They cannot approve it.
	Contributors []string
	Refused      []Refused
}

// Standing is one person's last word on a change.
type Standing struct {
	Principal string
	Review    Review
}

// Refused is a review that does not count, and why, for people.
type Refused struct {
	Review Review
	Reason string
}

// Fold gives the approvals of a change. Each reviewer's last word counts, where a comment is none; an
// approval counts if it is of the landed diff from the landed merge base, by a person who is known
// and had no part in the change. The order of reviews in the dossier does not matter.
func Fold(d Dossier, f Facts) Folded {
	var out Folded
	barred := f.barred(d)
	out.Contributors = barred.names()
	approved := map[string]Review{}
	for _, r := range lastWords(d.Reviews) {
		name, robot, known := "", r.Reviewer.Robot, false
		if r.Reviewer.ID != "" && f.Principal != nil {
			var machine bool
			name, machine, known = f.Principal(r.Reviewer, r.SubmittedAt)
			robot = robot || machine
		}
		refuse := func(reason string) { out.Refused = append(out.Refused, Refused{r, reason}) }
		switch {
		case r.Opinion == ChangesRequested && known && !robot:
			out.Objections = append(out.Objections, Standing{name, r})
		case r.Opinion != Approved:
			refuse(fmt.Sprintf("the reviewer's last word is %s", r.Opinion))
		case r.Reviewer.ID == "":
			refuse("the reviewer's account is gone")
		case robot:
			refuse("robots do not approve")
		case !known:
			refuse("the account belongs to nobody who is known")
		case d.PushersKnown != change.Present:
			refuse("the forge does not say who pushed the change, so nobody is known to be independent of it")
		case barred.bars(r.Reviewer, name):
			refuse("the reviewer " + barred.why(r.Reviewer, name))
		default:
			if why := f.ofAnotherContent(d, r); why != "" {
				refuse(why)
				continue
			}
			if have, ok := approved[name]; !ok || r.SubmittedAt.After(have.SubmittedAt) {
				approved[name] = r
			}
		}
	}
	if len(out.Objections) > 0 {
		slices.SortFunc(out.Objections, func(a, b Standing) int { return strings.Compare(a.Principal, b.Principal) })
		return out
	}
	for name, r := range approved {
		out.Approvals = append(out.Approvals, f.approval(d, name, r))
	}
	slices.SortFunc(out.Approvals, func(a, b change.Approval) int { return strings.Compare(a.Principal, b.Principal) })
	return out
}

func (f Facts) approval(d Dossier, principal string, r Review) change.Approval {
	return change.Approval{
		Principal: principal, Level: change.LevelForge, Decision: change.Approve,
		Repository: f.Repository, Branch: d.Target, MergeBase: f.Unit.MergeBase, Head: f.Unit.Head,
		HeadTree: f.HeadTree, RawDiffID: f.Unit.RawDiffID,
		SaidAt: r.SubmittedAt, SeenAt: f.SeenAt, Source: d.URL,
	}
}

// ofAnotherContent says why a review is not of what lands; empty where it is.
func (f Facts) ofAnotherContent(d Dossier, r Review) string {
	if f.Unit.RawDiffID == "" || f.Unit.MergeBase == "" || f.Unit.Head == "" || f.Unit.Head != d.Head {
		return "what lands is not known"
	}
	for _, t := range slices.Concat(d.Rebased, f.Rewritten) {
		if !t.Before(r.SubmittedAt) {
			return "the target branch of the change was changed or rewritten after the review"
		}
	}
	rev, why := d.Reviewed(r, f.First[r.ID])
	if why != "" {
		return why
	}
	switch diff, held := f.Diffs[rev]; {
	case !held || diff == "":
		return "the commit that was reviewed is not to be had"
	case diff != f.Unit.RawDiffID:
		return "the review is of another content than what lands"
	}
	return ""
}

// lastWords gives each reviewer's last review that is no comment. Where two came in one second, forges
// number them in their order; where they do not, the less favourable is the later. Reviews of accounts
// that are gone stand alone.
func lastWords(reviews []Review) []Review {
	last := map[string]Review{}
	for _, r := range reviews {
		if r.Opinion == Commented {
			continue
		}
		who := "account " + r.Reviewer.ID
		if r.Reviewer.ID == "" {
			who = "review " + r.ID
		}
		if have, ok := last[who]; !ok || later(r, have) {
			last[who] = r
		}
	}
	words := make([]Review, 0, len(last))
	for _, r := range last {
		words = append(words, r)
	}
	slices.SortFunc(words, func(a, b Review) int {
		return cmp.Or(a.SubmittedAt.Compare(b.SubmittedAt), strings.Compare(a.ID, b.ID))
	})
	return words
}

func later(a, b Review) bool {
	favour := func(r Review) int {
		if r.Opinion == Approved {
			return 1
		}
		return 0
	}
	c := cmp.Or(a.SubmittedAt.Compare(b.SubmittedAt), cmp.Compare(number(a.ID), number(b.ID)), cmp.Compare(favour(b), favour(a)), strings.Compare(a.ID, b.ID))
	return c > 0
}

// number is an id as a number; 0 for one that is none.
func number(id string) uint64 {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
