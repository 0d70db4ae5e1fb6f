package tier

import (
	"reflect"
	"slices"
	"strings"
)

// Stricter reports whether a admits nothing that b refuses, whatever the evidence: each field of a
// asks at least as much as that field of b. It is a partial order: of two tiers that each ask for
// something the other does not, neither is stricter. Name, rank, selector, generation and digest
// say nothing of strictness.
//
// Where it cannot tell it says no: an answer of false is never a promise that a is laxer.
func Stricter(a, b Tier) bool {
	if b.Lane == Open {
		return true
	}
	return a.Lane != Open &&
		enforcementRank(a.Enforcement) >= enforcementRank(b.Enforcement) &&
		stricterBranches(a.Branches, b.Branches) &&
		(a.Declared != DeclaredOptional || b.Declared == DeclaredOptional) &&
		stricterSignatures(a.Signatures, b.Signatures) &&
		stricterApprovals(a.Approvals, b.Approvals) &&
		stricterReciprocity(a, b) &&
		stricterTrailers(a.Trailers, b.Trailers) &&
		subset(a.Tolerate, b.Tolerate) &&
		stricterRollback(a.Rollback, b.Rollback) &&
		stricterBreakGlass(a.BreakGlass, b.BreakGlass) &&
		policyRank(a.Connect) >= policyRank(b.Connect) &&
		policyRank(a.Scale) >= policyRank(b.Scale) &&
		subset(a.Controllers, b.Controllers)
}

func enforcementRank(e Enforcement) int {
	switch e {
	case Audit:
		return 0
	case Warn:
		return 1
	}
	return 2
}

func policyRank(p Policy) int {
	switch p {
	case PolicyAllow:
		return 0
	case PolicyOwned:
		return 1
	}
	return 2
}

// stricterBranches: no branches means those of the Repository, which limits less.
func stricterBranches(a, b []string) bool {
	return len(b) == 0 || len(a) > 0 && subset(a, b)
}

// stricterSignatures: EveryCommit and Head cannot be compared, since EveryCommit asks nothing of a
// candidate that leaves the source alone. An empty From admits persons of any team and a listed
// team admits its robots too, so they cannot be compared either.
func stricterSignatures(a, b SignatureRule) bool {
	if b.Require == NoSignature {
		return true
	}
	return scope(a.Require) == scope(b.Require) && (len(a.From) == 0) == (len(b.From) == 0) && subset(a.From, b.From)
}

func scope(s SignatureScope) SignatureScope {
	if s == HeadOnly || s == NoSignature {
		return s
	}
	return EveryCommit
}

// stricterApprovals looks for a rule of its own in a for each rule of b.
func stricterApprovals(a, b []ApprovalRule) bool {
	if len(b) == 0 {
		return true
	}
	for i, r := range a {
		if implies(r, b[0]) && stricterApprovals(slices.Delete(slices.Clone(a), i, i+1), b[1:]) {
			return true
		}
	}
	return false
}

// implies reports whether whoever fills a fills b, and a applies whenever b does.
func implies(a, b ApprovalRule) bool {
	from := a.From == b.From && (a.From != FromTeams || subset(a.Teams, b.Teams)) || b.From == FromAnyone && knownFrom(a.From)
	when := len(a.When.AuthorIn) == 0 || len(b.When.AuthorIn) > 0 && subset(b.When.AuthorIn, a.When.AuthorIn)
	return from && when && max(a.Minimum, 1) >= max(b.Minimum, 1) && (a.Level.Signed() || !b.Level.Signed())
}

func knownFrom(f From) bool {
	return f == FromOwners || f == FromOtherTeams || f == FromTeams || f == FromAnyone
}

// ReciprocalLevel is the level at which an approval counts for reciprocity: that of the rule that
// asks most, and a signed one where no rule says anything. A weaker record could otherwise stand
// in for the other side.
func (t Tier) ReciprocalLevel() Level {
	if len(t.Approvals) == 0 || slices.ContainsFunc(t.Approvals, func(r ApprovalRule) bool { return r.Level.Signed() }) {
		return LevelSigned
	}
	return LevelForge
}

func stricterReciprocity(a, b Tier) bool {
	return !b.Reciprocal || a.Reciprocal && (a.ReciprocalLevel().Signed() || !b.ReciprocalLevel().Signed())
}

func stricterTrailers(a, b []TrailerRule) bool {
	return !slices.ContainsFunc(b, func(r TrailerRule) bool {
		return !slices.ContainsFunc(a, func(s TrailerRule) bool { return sameTrailer(s, r) })
	})
}

func sameTrailer(a, b TrailerRule) bool {
	if !strings.EqualFold(a.Key, b.Key) {
		return false
	}
	return a.Pattern.whole == nil || a.Pattern.same(b.Pattern)
}

// stricterRollback: a window of 0 is no limit.
func stricterRollback(a, b RollbackRule) bool {
	if !a.Enabled {
		return true
	}
	window := b.Window == 0 || a.Window != 0 && a.Window <= b.Window
	return b.Enabled && window && a.Approvals >= b.Approvals
}

func stricterBreakGlass(a, b BreakGlassRule) bool {
	return a.MaxDuration <= 0 || a.MaxDuration <= b.MaxDuration && max(a.Approvals, 1) >= max(b.Approvals, 1)
}

// subset reports whether everything in a is also in b.
func subset[T any](a, b []T) bool {
	return !slices.ContainsFunc(a, func(x T) bool {
		return !slices.ContainsFunc(b, func(y T) bool { return reflect.DeepEqual(x, y) })
	})
}
