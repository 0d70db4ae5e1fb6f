package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// branchRule: the commit is on the first-parent chain of the source's branch as the mirror saw it,
// and that branch is protected: by the Repository, which is for the evidence to say, and by the
// tier where it lists branches of its own. A commit that was merged in, as a second parent, is on
// no such chain.
func branchRule() rule {
	return rule{
		name:  "branch",
		spec:  "The commit is on the first-parent chain of a protected branch from which the tier takes commits.",
		codes: []Code{CodeBranch},
		judge: judgeBranch,
	}
}

func judgeBranch(c commitCase) []Finding {
	branch := Quote(c.ev.Branch)
	if len(c.tier.Branches) > 0 && !slices.Contains(c.tier.Branches, c.ev.Branch) {
		return []Finding{unmet(CodeBranch, Deny, "the tier takes commits from "+list(c.tier.Branches)+", not from "+branch)}
	}
	switch c.ev.OnBranch {
	case change.Present:
		return []Finding{admits(CodeBranch, "on branch "+branch)}
	case change.Absent:
		return []Finding{unmet(CodeBranch, Deny, "commit "+short(c.ev.Commit.ID)+" is not on the protected branch "+branch)}
	}
	return []Finding{unmet(CodeBranch, Unknown, "could not tell whether commit "+short(c.ev.Commit.ID)+" is on branch "+branch)}
}
