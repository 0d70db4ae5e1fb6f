package policy

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
)

// TestT10HooksOfARollback: Helm runs them before it takes anything back, and so before it is refused. They
// ask for the signatures that the roll-back itself asks for, although the newest commit holds them as well.
func TestT10HooksOfARollback(t *testing.T) {
	tr := production()
	hook := func(c *Candidate) { c.OfRollback = change.Present }
	signed := func(c *Candidate) { c.Rollback = []string{"carol"} }
	back := func(c *Candidate) { c.WentBack = true }
	for _, tt := range []struct {
		name    string
		facts   Facts
		lane    Lane
		outcome Outcome
	}{
		{"the newest commit holds it", proven(tr, hook), LaneRefuse, Deny},
		{"and somebody signed for another", proven(tr, hook, signed), LaneRefuse, Deny},
		{"an older commit holds it", proven(tr, behind, hook), LaneRefuse, Pending},
		{"and somebody signed for it", proven(tr, behind, hook, signed), LaneRollback, Allow},
		{"after the first object was taken back", proven(tr, hook, back), LaneProven, Allow},
		{"what is no such hook", proven(tr), LaneProven, Allow},
		{"nobody knows", proven(tr, func(c *Candidate) { c.OfRollback = change.CouldNotTell }), LaneRefuse, Unknown},
	} {
		v := Admit(tt.facts)
		if v.Lane != tt.lane || v.Outcome != tt.outcome {
			t.Errorf("%s: %s on lane %q, want %s on %q: %v", tt.name, v.Outcome, v.Lane, tt.outcome, tt.lane, v.Findings)
		}
	}
	both := proven(tr, hook)
	older := candidate(tr, webCommit, 20)
	for _, edit := range []func(*Candidate){behind, hook, signed} {
		edit(&older)
	}
	both.Candidates = append(both.Candidates, older)
	if v := Admit(both); v.Lane != LaneRollback || v.Commit != oldCommit {
		t.Errorf("signed for, and in the newest commit too: lane %q, commit %q", v.Lane, v.Commit)
	}
}
