package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// coverageRule: what landed is what was looked at. Each step that touches what the source reads,
// and is not undone, is the proven landing of one change unit: proven by trees and merge base, not
// by what a forge says. So a direct push below an approved merge cannot ride along, and a merge
// whose result differs from the reviewed change is seen.
//
// A step of which no unit is known is Pending, since an approval of just what landed makes it one.
// One that is proven not to be its unit's landing is Deny. Who wrote the unit must be known, since
// nobody approves their own work.
//
// Where a tier asks neither for approvals nor for another team, there is nothing that a unit would
// add, but for the signatures of the commits that a merge brought in.
func coverageRule() rule {
	return rule{
		name:  "coverage",
		spec:  "Each step that touches the source is the proven landing of one change unit whose contributors are known.",
		codes: []Code{CodeCoverage},
		judge: judgeCoverage,
	}
}

func judgeCoverage(c commitCase) []Finding {
	var findings []Finding
	for _, s := range c.steps {
		if !needsLanding(c.tier, s) {
			continue
		}
		if f := uncovered(c, s); f.Outcome != Allow {
			findings = append(findings, f)
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeCoverage, "everything that touches the source is covered")}
	}
	return findings
}

// needsLanding reports whether the tier asks anything that only a change unit can tell.
func needsLanding(t tier.Tier, s change.Step) bool {
	return len(t.Approvals) > 0 || t.Reciprocal || signsEvery(t) && merges(s)
}

func signsEvery(t tier.Tier) bool {
	return t.Signatures.Require != tier.NoSignature && t.Signatures.Require != tier.HeadOnly
}

// merges reports whether a step brings commits in that are not on the chain.
func merges(s change.Step) bool {
	for _, c := range s.Commits {
		if len(c.Parents) > 1 {
			return true
		}
	}
	return false
}

func uncovered(c commitCase, s change.Step) Finding {
	at := short(landed(s).ID)
	switch {
	case s.Landing == nil && c.ev.Unasked != "":
		return unmet(CodeCoverage, Pending, "could not ask the forge what landed as "+at+": "+Quote(c.ev.Unasked))
	case s.Landing == nil:
		return unmet(CodeCoverage, Pending, "nobody has approved what landed as "+at)
	case s.Landing.Proven == change.Absent:
		return unmet(CodeCoverage, Deny, "what landed as "+at+" is not the change "+short(s.Landing.Head)+" that was approved")
	case s.Landing.Proven != change.Present:
		return unmet(CodeCoverage, Unknown, "could not tell whether "+at+" is the landing of the change that was approved")
	case len(s.Landing.Contributors) == 0 || len(s.Landing.Commits) == 0 || s.Landing.RawDiffID == "":
		return unmet(CodeCoverage, Unknown, "could not tell who wrote what landed as "+at)
	}
	return Finding{Outcome: Allow}
}
