package store

import (
	"context"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// newestKept is how many of a source's newest proofs stay although nothing delivered them. Of those among
// them that its own tier does not admit the newest stays, and more only while they hold no more than
// unapprovedKept objects together: whoever may push makes twenty proofs of ten thousand objects with one
// push, and every gate holds in memory what is kept (T-33).
const (
	newestKept     = 32
	unapprovedKept = 10_000
)

// Shelf keeps proofs in an index alone, for an install without a cluster.
type Shelf struct {
	Index *Index
	Marks *Marks
	// Told is told of each look at a source: the proofs it made or judged anew, and why there are
	// none. It may be nil.
	Told func(key change.SourceKey, proofs []change.Proof, problem error)
}

// Known are the proofs of a source and the commits that its namespace admitted.
func (s *Shelf) Known(key change.SourceKey) ([]change.Proof, []change.Delivered) {
	delivered, _ := s.Marks.Delivered(key)
	var known []change.Proof
	for _, p := range s.Index.Of(key) {
		known = append(known, *p)
	}
	return known, delivered
}

// Put indexes proofs and drops those that are neither among the newest nor delivered.
func (s *Shelf) Put(_ context.Context, key change.SourceKey, proofs []change.Proof, problem error) error {
	for _, p := range proofs {
		p.Name = ProofName(p)
		s.Index.Put(p)
	}
	delivered, _ := s.Marks.Delivered(key)
	for _, old := range Surplus(s.Index.Of(key), delivered) {
		s.Index.Remove(key, old.Commit)
	}
	if s.Told != nil {
		s.Told(key, proofs, problem)
	}
	return nil
}

// Surplus are the proofs of a source that need not be kept: not delivered, not the newest that its own tier
// admits, and older or more than is kept of the newest. Proofs are ordered by height, highest first.
func Surplus(proofs []*change.Proof, delivered []change.Delivered) []*change.Proof {
	var surplus []*change.Proof
	approved, unapproved, objects := 0, 0, 0
	for i, p := range proofs {
		keep := i < newestKept
		if admitted(*p) {
			approved++
			keep = keep || approved == 1
		} else {
			unapproved++
			objects += len(p.Objects)
			keep = keep && (unapproved == 1 || objects <= unapprovedKept)
		}
		if !keep && !slices.ContainsFunc(delivered, func(d change.Delivered) bool { return d.Commit == p.Commit }) {
			surplus = append(surplus, p)
		}
	}
	return surplus
}

// ProofName is the name of the ProvenCommit of a proof: its source and the first 12 digits of its
// commit.
func ProofName(p change.Proof) string { return proofName(p.Source, p.Commit) }

func proofName(source, commit string) string { return source + "-" + commit[:min(12, len(commit))] }
