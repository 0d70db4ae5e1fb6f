package store

import (
	"context"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// newestKept is how many of a source's newest proofs stay although nothing delivered them.
const newestKept = 32

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

// Surplus are the proofs of a source that need not be kept: not delivered, and older than the
// newest. Proofs are ordered by height, highest first.
func Surplus(proofs []*change.Proof, delivered []change.Delivered) []*change.Proof {
	if len(proofs) <= newestKept {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(proofs[newestKept:]), func(p *change.Proof) bool {
		return slices.ContainsFunc(delivered, func(d change.Delivered) bool { return d.Commit == p.Commit })
	})
}

// ProofName is the name of the ProvenCommit of a proof: its source and the first 12 digits of its
// commit.
func ProofName(p change.Proof) string { return proofName(p.Source, p.Commit) }

func proofName(source, commit string) string { return source + "-" + commit[:min(12, len(commit))] }
