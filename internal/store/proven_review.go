package store

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// The most that a status holds of each.
const (
	maxReviews      = 64
	maxContributors = 64
)

// toReviews are what a forge said, each change once. A change with more contributors than can be kept
// is left out: without one of them an author could approve.
func toReviews(all []change.Proposal) []v1alpha1.StoredReview {
	var out []v1alpha1.StoredReview
	for _, p := range all {
		contributors := slices.Compact(slices.Sorted(slices.Values(p.Contributors)))
		if p.Unit.RawDiffID == "" || p.Evidence == "" || len(contributors) > maxContributors || len(p.Page) > 512 ||
			slices.ContainsFunc(contributors, func(c string) bool { return c != cutText(c, 512) }) {
			continue
		}
		r := v1alpha1.StoredReview{
			Page: p.Page, MergeBase: p.Unit.MergeBase, Head: p.Unit.Head, RawDiffID: p.Unit.RawDiffID, Evidence: p.Evidence,
			Contributors: contributors,
		}
		for _, a := range p.Approvals {
			r.Approvers = append(r.Approvers, a.Principal)
		}
		slices.Sort(r.Approvers)
		r.Approvers = slices.Compact(r.Approvers)
		r.Approvers = r.Approvers[:min(len(r.Approvers), maxApprovers)]
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b v1alpha1.StoredReview) int {
		return cmp.Or(strings.Compare(a.RawDiffID, b.RawDiffID), strings.Compare(a.Page, b.Page), strings.Compare(a.Evidence, b.Evidence))
	})
	out = slices.CompactFunc(out, func(a, b v1alpha1.StoredReview) bool { return digest(a) == digest(b) })
	return out[:min(len(out), maxReviews)]
}

// fromReviews reads back what toReviews wrote. The approvals lack the address of the repository, which
// the proof does not hold: whoever judges them fills it in.
func fromReviews(all []v1alpha1.StoredReview, branch string) []change.Proposal {
	var out []change.Proposal
	for _, r := range all {
		p := change.Proposal{
			Page: r.Page, Branch: branch, Unit: change.Unit{MergeBase: r.MergeBase, Head: r.Head, RawDiffID: r.RawDiffID},
			Contributors: r.Contributors, Evidence: r.Evidence,
		}
		for _, name := range r.Approvers {
			p.Approvals = append(p.Approvals, change.Approval{
				Principal: name, Level: change.LevelForge, Decision: change.Approve, Branch: branch,
				MergeBase: r.MergeBase, Head: r.Head, RawDiffID: r.RawDiffID, Source: r.Page,
			})
		}
		out = append(out, p)
	}
	return out
}
