package gitea

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/forge"
)

// TestMadeByTheSame: a branch that one account made and another is first seen to push to has a gap, in
// which somebody hidden pushed.
func TestMadeByTheSame(t *testing.T) {
	alice, dave := forge.Account{ID: "1"}, forge.Account{ID: "4"}
	first := func(by forge.Account) []event {
		return []event{{id: 2, push: forge.Push{New: "b", By: by}}, {id: 1, made: true, push: forge.Push{By: alice}}}
	}
	if diff := cmp.Diff([]forge.Push{{New: "b", By: alice, Made: true}}, inOrder(first(alice))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]forge.Push{{New: "b", By: dave}}, inOrder(first(dave))); diff != "" {
		t.Error(diff)
	}
}
