package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestWhatCannotBeReadIsStillAbout: of a source that is over a limit nothing was read, and its proof says
// all the same which part of the tree it speaks of. An API server takes no proof that speaks of nothing,
// and nobody would learn why.
func TestWhatCannotBeReadIsStillAbout(t *testing.T) {
	l := newLab(t)
	large := l.push("sara", map[string]string{"shop/production/large.yaml": "# " + strings.Repeat("large ", 2<<20)})
	l.look()
	known := l.in.directory.shelf.Index.Of(shopKeyOf())
	i := slices.IndexFunc(known, func(p *change.Proof) bool { return p.Commit == large })
	if i < 0 {
		t.Fatal("the commit was not judged")
	}
	if got := known[i].Closure.Prefix; got != "shop/production" || known[i].Judgements[0].Admissible != change.Absent {
		t.Errorf("the proof is about %q and %s", got, known[i].Judgements[0].Admissible)
	}
}
