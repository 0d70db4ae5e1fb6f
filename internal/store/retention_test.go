package store

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestT33UnapprovedProofsAreFew: whoever may push can have twenty proofs made of one push, as large as a
// render may be. Every gate holds what is kept, so of what nobody approved little is; what was approved
// stays, however much is pushed on top of it.
func TestT33UnapprovedProofsAreFew(t *testing.T) {
	const unapproved, approved, delivered = 'u', 'a', 'd'
	for _, tt := range []struct {
		name    string
		proofs  string // the highest first
		objects int    // in each
		want    []int64
	}{
		{"small ones", "uuua", 100, []int64{4, 3, 2, 1}},
		{"large ones on top of an approved and a delivered one", "uuuaud", 6000, []int64{6, 3, 1}},
		{"the newest alone is too large", "uud", unapprovedKept + 1, []int64{3, 1}},
		{"approved ones, however large", "aaa", 2 * unapprovedKept, []int64{3, 2, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shelf, _, world := testShelf(t, nil)
			var proofs []change.Proof
			for i, what := range tt.proofs {
				height := int64(len(tt.proofs) - i)
				p := judgedProof(world, fmt.Sprintf("%012x%028x", height, 0), height)
				if p.Objects = make([]change.ProvenObject, tt.objects); what == unapproved {
					p.Judgements[0].Admissible = change.Absent
				}
				proofs = append(proofs, p)
				if what == delivered {
					mark := change.Delivered{Commit: p.Commit, Height: height, At: shelf.Now()}
					if err := shelf.Deliveries.Deliver(t.Context(), p.Key, mark, ProofName(p)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := heights(shelf.surplus(proofs[0].Key, proofs), proofs); !cmp.Equal(tt.want, got) {
				t.Errorf("kept %v, want %v", got, tt.want)
			}
		})
	}
}

// heights are those of the proofs that are not surplus.
func heights(surplus []*change.Proof, all []change.Proof) []int64 {
	gone := map[string]bool{}
	for _, p := range surplus {
		gone[p.Commit] = true
	}
	var kept []int64
	for _, p := range all {
		if !gone[p.Commit] {
			kept = append(kept, p.Height)
		}
	}
	return kept
}

// TestT33WhatIsNotKeptIsNotWritten: not even for a moment, since each write is one to the API server.
func TestT33WhatIsNotKeptIsNotWritten(t *testing.T) {
	writes := 0
	shelf, archive, world := testShelf(t, &writes)
	var proofs []change.Proof
	for i := range int64(2 * newestKept) {
		p := judgedProof(world, fmt.Sprintf("%012x%028x", i+1, 0), i+1)
		p.Judgements[0].Admissible = change.Absent
		proofs = append(proofs, p)
	}
	if err := shelf.Put(t.Context(), proofs[0].Key, proofs, nil); err != nil {
		t.Fatal(err)
	}
	if got := len(archive.Known(proofs[0].Key)); got != newestKept {
		t.Errorf("%d proofs are kept, want %d", got, newestKept)
	}
	if limit := 3*newestKept + 4; writes > limit { // a spec, its status and no more of each
		t.Errorf("%d writes, want %d at most", writes, limit)
	}
}
