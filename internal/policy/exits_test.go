package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestExits: a way out that nobody can take is told, as is one that hangs on one person.
func TestExits(t *testing.T) {
	glass := tier.BreakGlassRule{MaxDuration: time.Hour, Approvals: 1}
	for _, c := range []struct {
		name   string
		people string // "name" with a key, "name@" with a user name too, "name-" with neither, "name!" a robot
		tier   tier.Tier
		want   []string
	}{
		{"three can", "alice@ bob@ carol", tier.Tier{BreakGlass: glass}, nil},
		{"an open tier needs none", "", tier.Tier{Lane: tier.Open}, nil},
		{"there is none", "alice@ bob@", tier.Tier{}, []string{"there is no break-glass: whoever is locked out stays out"}},
		{"two people need each other", "alice@ bob@", tier.Tier{BreakGlass: glass}, []string{
			`without "alice" nobody can open break-glass`, `without "bob" nobody can open break-glass`,
		}},
		{"one may ask", "alice@ bob carol", tier.Tier{BreakGlass: glass}, []string{`without "alice" nobody can open break-glass`}},
		{"nobody may ask", "alice bob carol", tier.Tier{BreakGlass: glass}, []string{
			"break-glass can never be opened: too few people have a key (or, to ask for break-glass, a user name in the cluster)",
		}},
		{"robots and people without keys sign nothing", "alice@ bob- carol!", tier.Tier{BreakGlass: glass}, []string{
			"break-glass can never be opened: too few people have a key (or, to ask for break-glass, a user name in the cluster)",
		}},
		{"roll-back for more than there are", "alice@ bob@ carol", tier.Tier{BreakGlass: glass, Rollback: tier.RollbackRule{Enabled: true, Approvals: 4}}, []string{
			"roll-back can never be opened: too few people have a key (or, to ask for break-glass, a user name in the cluster)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := tier.TeamSpec{Name: "all"}
			for word := range strings.FieldsSeq(c.people) {
				p := tier.Principal{Name: strings.TrimRight(word, "@-!"), Robot: strings.HasSuffix(word, "!")}
				if !strings.HasSuffix(word, "-") {
					p.Keys = []tier.Key{{Format: tier.SSH, Public: p.Name}}
				}
				if strings.HasSuffix(word, "@") {
					p.Users = []string{p.Name}
				}
				spec.Principals = append(spec.Principals, p)
			}
			people, _ := tier.NewPeople("d", []tier.TeamSpec{spec})
			c.tier.Lane = max(c.tier.Lane, tier.Gated)
			var got []string
			for _, p := range Exits(c.tier, people) {
				got = append(got, p.String())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}
