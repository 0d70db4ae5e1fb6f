package policy

import "github.com/fairway-dev/fairway/internal/tier"

// The problems of the ways out.
const (
	NoExit     ProblemKind = "NoExit"     // a gated tier that has no break-glass at all
	ClosedExit ProblemKind = "ClosedExit" // break-glass or roll-back that the people there are cannot open
	LoneExit   ProblemKind = "LoneExit"   // break-glass that nobody can open without one person
)

// The names of the ways out, in Missing.
const (
	exitGlass   = "break-glass"
	exitReturns = "roll-back"
)

// Exits says which ways out of a gated tier do not open for want of people. A tier that can refuse
// everybody and has no way out is one that is taken down in the first emergency.
func Exits(t tier.Tier, people tier.People) []Problem {
	if t.Lane == tier.Open {
		return nil
	}
	var signers, requesters []string
	for _, name := range people.Names() {
		p, _ := people.Get(name)
		if p.Robot || len(p.Keys) == 0 {
			continue
		}
		signers = append(signers, name)
		if len(p.Users) > 0 {
			requesters = append(requesters, name)
		}
	}
	var problems []Problem
	if t.Rollback.Enabled && len(signers) < t.Rollback.Approvals {
		problems = append(problems, Problem{Kind: ClosedExit, Missing: exitReturns})
	}
	need := max(t.BreakGlass.Approvals, 1)
	switch {
	case t.BreakGlass.MaxDuration <= 0:
		return append(problems, Problem{Kind: NoExit})
	case len(requesters) == 0 || len(signers) < need+1:
		return append(problems, Problem{Kind: ClosedExit, Missing: exitGlass})
	}
	for _, name := range signers {
		others := len(requesters)
		if p, _ := people.Get(name); len(p.Users) > 0 {
			others--
		}
		if others == 0 || len(signers)-1 < need+1 {
			problems = append(problems, Problem{Kind: LoneExit, Author: name, Missing: exitGlass})
		}
	}
	return problems
}
