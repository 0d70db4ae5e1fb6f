package main

import (
	"errors"
	"strconv"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestTold: the log tells what a look found, and not again what the look before it had found.
func TestTold(t *testing.T) {
	var said []string
	tell := told(funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{}))
	shop, other := change.SourceKey{Namespace: "shop"}, change.SourceKey{Namespace: "other"}
	proof := func(commit string, admissible change.Found, missing ...string) change.Proof {
		return change.Proof{Source: "s", Commit: commit, Judgements: []change.Judgement{{Tier: "production", Admissible: admissible, Missing: missing}}}
	}
	unreadable := errors.New("the repository is away")
	for _, look := range []struct {
		name   string
		key    change.SourceKey
		proofs []change.Proof
		why    error
		want   int
	}{
		{"a commit waits", shop, []change.Proof{proof("c1", change.Absent, "approval")}, nil, 1},
		{"it still does", shop, []change.Proof{proof("c1", change.Absent, "approval")}, nil, 0},
		{"so does another's", other, []change.Proof{proof("c1", change.Absent, "approval")}, nil, 1},
		{"it is approved, and a new one waits", shop, []change.Proof{proof("c2", change.Absent, "approval"), proof("c1", change.Present)}, nil, 2},
		{"the repository is away", shop, nil, unreadable, 1},
		{"it still is", shop, nil, unreadable, 0},
		{"it is back", shop, []change.Proof{proof("c2", change.Absent, "approval")}, nil, 1},
	} {
		said = nil
		tell(look.key, look.proofs, look.why)
		if diff := cmp.Diff(look.want, len(said)); diff != "" {
			t.Errorf("%s: it said %q", look.name, said)
		}
	}
	// What it remembers of sources that are gone has a bound.
	for i := range mostTold {
		tell(change.SourceKey{Namespace: strconv.Itoa(i)}, nil, unreadable)
	}
	said = nil
	if tell(shop, []change.Proof{proof("c2", change.Absent, "approval")}, nil); len(said) != 1 {
		t.Errorf("it remembers what a source was told before %d others: %q", mostTold, said)
	}
}
