package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
)

// continuityRule: coverage has a start, the start is on the candidate's first-parent chain, and
// the steps reach the candidate without an empty one (see landed). Rewritten history has no such chain, so a
// force-push ends here whatever it contains. It fails closed: without a start nothing is covered.
func continuityRule() rule {
	return rule{
		name:  "continuity",
		spec:  "The history from what was proven last, or from the Repository's baseline, to the commit is known and was not rewritten.",
		codes: []Code{CodeContinuity},
		judge: judgeContinuity,
	}
}

func judgeContinuity(c commitCase) []Finding {
	switch {
	case c.ev.Continuous == change.Absent && c.ev.Base == "":
		return []Finding{unmet(CodeContinuity, Deny, "nothing was proven before, and the Repository has no baseline")}
	case c.ev.Continuous == change.Absent:
		return []Finding{unmet(CodeContinuity, Deny, "commit "+short(c.ev.Base)+", where coverage starts, does not lead to "+short(c.ev.Commit.ID)+": history was rewritten")}
	case c.ev.Continuous != change.Present || c.ev.Base == "" || !reaches(c.ev):
		return []Finding{unmet(CodeContinuity, Unknown, "could not tell what happened between "+short(c.ev.Base)+" and "+short(c.ev.Commit.ID))}
	}
	return []Finding{admits(CodeContinuity, "covered from "+short(c.ev.Base))}
}

// reaches reports whether the steps end at the candidate and each of them holds a commit.
func reaches(ev change.Evidence) bool {
	if ev.Commit.ID == "" {
		return false
	}
	for _, s := range ev.Steps {
		if landed(s).ID == "" {
			return false
		}
	}
	if len(ev.Steps) == 0 {
		return ev.Base == ev.Commit.ID
	}
	return landed(ev.Steps[len(ev.Steps)-1]).ID == ev.Commit.ID
}
