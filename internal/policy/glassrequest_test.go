package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT58GlassRequests: every gate holds all requests for break-glass in memory, and whoever administers a namespace
// may make them. Where the tier has no such way none is made, and nowhere a big one.
func TestT58GlassRequests(t *testing.T) {
	with := tier.BreakGlassRule{MaxDuration: time.Hour, Approvals: 1}
	small, big := strings.Repeat("x", 4<<10), strings.Repeat("x", mostGlass+1)
	for name, tt := range map[string]struct {
		tier   tier.Tier
		op     change.Operation
		object string
		let    bool
	}{
		"gated":                       {tier.Tier{Name: "production", Lane: tier.Gated, BreakGlass: with}, change.Create, small, true},
		"gated, approved":             {tier.Tier{Name: "production", Lane: tier.Gated, BreakGlass: with}, change.Update, small, true},
		"gated, big":                  {tier.Tier{Name: "production", Lane: tier.Gated, BreakGlass: with}, change.Create, big, false},
		"gated, approved by a book":   {tier.Tier{Name: "production", Lane: tier.Gated, BreakGlass: with}, change.Update, big, false},
		"gated, without a way":        {tier.Tier{Name: "vault", Lane: tier.Gated}, change.Create, small, false},
		"gated, without one any more": {tier.Tier{Name: "vault", Lane: tier.Gated}, change.Update, small, true},
		"a sandbox":                   {tier.Tier{Name: "sandbox", Lane: tier.Open}, change.Create, small, false},
		"warned of alone":             {tier.Tier{Name: "pilot", Lane: tier.Gated, Enforcement: tier.Warn}, change.Create, small, false},
		"unknown":                     {tier.Strictest(""), change.Create, small, false},
	} {
		f := request(tt.tier, tt.op, own("BreakGlass"), "breakglasses", "b", "alice")
		f.Request.Object = []byte(tt.object)
		v := Admit(f)
		if (v.Outcome == Allow) != tt.let || !tt.let && (v.Enforcement != tier.Enforce || v.Findings[0].Code != CodeBreakGlass) {
			t.Errorf("%s: %s %+v, enforcement %s", name, v.Outcome, v.Findings, v.Enforcement)
		}
	}
}
