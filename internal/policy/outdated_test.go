package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestR13Outdated: what is drawn from what is too old admits nothing in a gated tier, refuses nothing in
// one that refuses nothing, and leaves alone what rests on nothing that was read.
func TestR13Outdated(t *testing.T) {
	const limit = 10 * time.Minute
	warned := production()
	warned.Enforcement = tier.Warn
	lease := request(production(), change.Update, change.Kind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, "leases", "node", "system:node:a")
	same := with(deployment(production(), change.Update), func(f *Facts) { f.Request.Object = f.Request.Old })
	refused := proven(production(), func(c *Candidate) { c.Fit = FitDiffers })
	type answer struct {
		Outcome           Outcome
		Admits, Abstains  bool
		First, Last, Wire string
	}
	for _, tt := range []struct {
		name  string
		facts Facts
		age   time.Duration
		want  answer
	}{
		{"proven, and heard in time", proven(production()), limit, answer{Outcome: Allow, Admits: true, First: "FW009", Last: "FW009", Wire: "200"}},
		{"proven", proven(production()), limit + 1, answer{Outcome: Unknown, First: "FW403", Last: "FW403", Wire: "429"}},
		{"refused", refused, limit + 1, answer{Outcome: Deny, First: "FW202", Last: "FW403", Wire: "403"}},
		{"open", deployment(sandbox(), change.Update), limit + 1, answer{Outcome: Unknown, Abstains: true, First: "FW403", Last: "FW403", Wire: "429"}},
		{"proven, where the tier warns", proven(warned), limit + 1, answer{Outcome: Unknown, Abstains: true, First: "FW403", Last: "FW403", Wire: "429"}},
		{"refused, where the tier audits", deployment(audited(), change.Update), limit + 1, answer{Outcome: Unknown, Abstains: true, First: "FW403", Last: "FW403", Wire: "429"}},
		{"a lease", lease, limit + 1, answer{Outcome: Allow, Admits: true, First: "FW001", Last: "FW001", Wire: "200"}},
		{"the same again", same, limit + 1, answer{Outcome: Allow, Admits: true, First: "FW003", Last: "FW003", Wire: "200"}},
	} {
		before := Admit(tt.facts)
		v := before.Outdated(tt.age, limit)
		got := answer{
			Outcome: v.Outcome, Admits: v.Admits(), Abstains: v.Abstains, First: string(v.Findings[0].Code), Last: string(v.Findings[len(v.Findings)-1].Code),
			Wire: map[int32]string{200: "200", 403: "403", 429: "429"}[v.Status().Code],
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if v.Status().Allowed != tt.want.Admits {
			t.Errorf("%s: on the wire allowed is %v", tt.name, v.Status().Allowed)
		}
	}
}
