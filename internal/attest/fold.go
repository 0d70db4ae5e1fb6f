package attest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// opinionKey is what a principal can have one opinion about.
type opinionKey struct {
	principal, repository, branch, mergeBase, rawDiffID string
}

func keyOf(v Verified) opinionKey {
	a := v.statement
	return opinionKey{v.Principal(), a.Repository, a.Branch, a.MergeBase, a.RawDiffID}
}

// Fold gives the standing approvals: for each principal, repository, branch, merge base and raw diff
// the latest statement, if that is an approval. The later statement replaces the earlier one, its
// limit of tiers too, so nobody is counted twice. The order of the argument does not matter.
//
// An approval outlives a withdrawal only if it is later both by what its signer says and by when
// Fairway saw it: replaying an old approval does not undo a withdrawal, nor does a clock that is slow.
func Fold(approvals []Verified) []change.Approval {
	opinions := map[opinionKey][]Verified{}
	for _, v := range firstSightings(approvals) {
		opinions[keyOf(v)] = append(opinions[keyOf(v)], v)
	}
	var standing []change.Approval
	for _, all := range opinions {
		if latest, ok := stands(all); ok {
			standing = append(standing, Evidence(latest))
		}
	}
	slices.SortFunc(standing, func(a, b change.Approval) int {
		return cmp.Or(
			strings.Compare(a.Repository, b.Repository), strings.Compare(a.Branch, b.Branch),
			strings.Compare(a.MergeBase, b.MergeBase), strings.Compare(a.RawDiffID, b.RawDiffID),
			strings.Compare(a.Principal, b.Principal),
		)
	})
	return standing
}

// firstSightings keeps each statement once, as it was seen first.
func firstSightings(approvals []Verified) []Verified {
	type statementKey struct{ digest, principal string }
	first := map[statementKey]Verified{}
	for _, v := range approvals {
		if v.Principal() == "" {
			continue // a zero Signed
		}
		k := statementKey{v.digest, v.Principal()}
		if have, ok := first[k]; !ok || seenOrder(v, have) < 0 {
			first[k] = v
		}
	}
	kept := make([]Verified, 0, len(first))
	for _, v := range first {
		kept = append(kept, v)
	}
	return kept
}

// seenOrder orders statements as Fairway met them.
func seenOrder(a, b Verified) int {
	return cmp.Or(a.seenAt.Compare(b.seenAt), cmp.Compare(a.sequence, b.sequence))
}

// saidOrder orders statements as their signer says. Where that is a tie a withdrawal is the later.
func saidOrder(a, b Verified) int {
	withdraws := func(v Verified) int {
		if v.statement.Decision == change.Withdraw {
			return 1
		}
		return 0
	}
	return cmp.Or(
		a.statement.SaidAt.Compare(b.statement.SaidAt), cmp.Compare(withdraws(a), withdraws(b)),
		seenOrder(a, b), strings.Compare(a.digest, b.digest),
	)
}

// stands is the latest of one principal's statements about one unit, if it approves.
func stands(all []Verified) (Verified, bool) {
	latest := slices.MaxFunc(all, saidOrder)
	if latest.statement.Decision != change.Approve {
		return Verified{}, false
	}
	for _, v := range all {
		if v.statement.Decision == change.Withdraw && seenOrder(latest, v) <= 0 {
			return Verified{}, false
		}
	}
	return latest, true
}

// ForLanding are the standing approvals of exactly one unit, for landing on one branch of one
// repository. They keep their limit of tiers, for the judge to obey.
func ForLanding(approvals []Verified, repository, branch string, unit change.Unit) []change.Approval {
	return slices.DeleteFunc(Fold(approvals), func(a change.Approval) bool {
		return a.Repository != repository || a.Branch != branch || a.MergeBase != unit.MergeBase || a.RawDiffID != unit.RawDiffID
	})
}

// ForUnit is ForLanding for one tier: what is limited to others is left out. An approval of another
// head counts if its merge base and raw diff, and so its tree, are the unit's.
func ForUnit(approvals []Verified, repository, branch, tier string, unit change.Unit) []change.Approval {
	return slices.DeleteFunc(ForLanding(approvals, repository, branch, unit), func(a change.Approval) bool {
		return len(a.Tiers) > 0 && !slices.Contains(a.Tiers, tier)
	})
}

// Units are the change units that standing approvals for one branch speak of: candidates for what a
// step of its history landed. They are sorted.
func Units(approvals []Verified, repository, branch string) []change.Unit {
	var units []change.Unit
	for _, a := range Fold(approvals) {
		if a.Repository == repository && a.Branch == branch {
			units = append(units, change.Unit{MergeBase: a.MergeBase, Head: a.Head, RawDiffID: a.RawDiffID})
		}
	}
	slices.SortFunc(units, func(a, b change.Unit) int {
		return cmp.Or(strings.Compare(a.MergeBase, b.MergeBase), strings.Compare(a.Head, b.Head), strings.Compare(a.RawDiffID, b.RawDiffID))
	})
	return slices.Compact(units)
}
