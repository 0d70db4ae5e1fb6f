package attest_test

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/attest"
)

// TestAliases: whichever of its addresses somebody signed with, it is the same repository; no other
// address is.
func TestAliases(t *testing.T) {
	w := newTown(t)
	const ssh, fork = "git@git.example.com:shop.git", "https://git.example.com/fork.git"
	names := attest.Names{URL: shop, Aliases: []string{ssh}}
	by := func(repository string, later int, decision func(*attest.Approval)) attest.Verified {
		a := anApproval()
		a.Repository = repository
		a.SaidAt = a.SaidAt.Add(minute(later).Sub(minute(0)))
		if decision != nil {
			decision(&a)
		}
		return w.verified(t, "alice", 1+later, minute(2+later), a)
	}
	withdraw := func(a *attest.Approval) { a.Decision, a.Tiers = "Withdraw", nil }
	for name, tt := range map[string]struct {
		said []attest.Verified
		want int
	}{
		"by its address":                      {[]attest.Verified{by(shop, 0, nil)}, 1},
		"by an alias":                         {[]attest.Verified{by(ssh, 0, nil)}, 1},
		"by another":                          {[]attest.Verified{by(fork, 0, nil)}, 0},
		"by both, which is one person":        {[]attest.Verified{by(shop, 0, nil), by(ssh, 1, nil)}, 1},
		"taken back by an alias":              {[]attest.Verified{by(shop, 0, nil), by(ssh, 1, withdraw)}, 0},
		"an alias's approval is taken back":   {[]attest.Verified{by(ssh, 0, nil), by(shop, 1, withdraw)}, 0},
		"taken back in another, which is not": {[]attest.Verified{by(shop, 0, nil), by(fork, 1, withdraw)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := who(attest.ForUnit(names.Approvals(tt.said), shop, "main", "prod", theUnit()))
			if len(got) != tt.want {
				t.Errorf("it counts for %q, want %d", got, tt.want)
			}
		})
	}
}
