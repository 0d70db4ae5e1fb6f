package policy

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestRuling17SourcesOfOneName: a namespace's binding and the cluster's may have sources of one name, and what one
// lets an engine do the other does not.
func TestRuling17SourcesOfOneName(t *testing.T) {
	for name, allow := range map[string]func(s *tier.Source, r *RenderFact){
		"re-creation": func(s *tier.Source, r *RenderFact) { s.Recreate, r.LiveBound = tier.RecreateAllow, change.Absent },
		"hooks": func(s *tier.Source, r *RenderFact) {
			s.Via.Users, r.Hook, r.Via.Users = []string{flux}, change.Present, []string{"another"}
		},
	} {
		f := by(deleted(production(), change.Absent, change.Present), flux)
		allow(&f.Binding.Sources[0], &f.Renders[0])
		if v := Admit(f); v.Outcome != Deny {
			t.Errorf("%s of the other source: %s by %s", name, v.Outcome, v.Lane)
		}
	}
}
