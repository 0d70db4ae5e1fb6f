package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
		f := askedGlass(tt.tier, tt.op)
		f.Request.Object = []byte(tt.object)
		v := Admit(f)
		if (v.Outcome == Allow) != tt.let || !tt.let && (v.Enforcement != tier.Enforce || v.Findings[0].Code != CodeBreakGlass) {
			t.Errorf("%s: %s %+v, enforcement %s", name, v.Outcome, v.Findings, v.Enforcement)
		}
	}
}

// TestT58GlassFlood: what a requester has already decides about the next request, and nothing that others have. What
// waits keeps out nothing that people agreed to, and a copy that waits nothing that opens something.
func TestT58GlassFlood(t *testing.T) {
	flood := func(n int, g OpenGlass) (all []OpenGlass) {
		for i := range n {
			c := g
			c.Name, c.Request = fmt.Sprintf("%s-%d", g.Name, i), fmt.Sprintf("%s-%d", g.Request, i)
			if c.Until.IsZero() {
				c.From, c.Until = noon().Add(-time.Minute), noon().Add(time.Hour)
			}
			all = append(all, c)
		}
		return all
	}
	alice := OpenGlass{Namespace: "shop", Name: "a", Request: "a", Requester: "alice"}
	agreed := alice
	agreed.Approved = true
	past := alice
	past.From, past.Until = noon().Add(-2*time.Hour), noon().Add(-time.Hour)
	used := past
	used.Used = true
	twin := OpenGlass{Namespace: "shop", Name: "twin", Request: "digest", Requester: "alice", From: noon().Add(-time.Minute), Until: noon().Add(time.Hour)}
	agreedTwin := twin
	agreedTwin.Approved = true
	elsewhere := twin
	elsewhere.Namespace = "api"
	over := twin
	over.Until = noon()
	for name, tt := range map[string]struct {
		stored   []OpenGlass
		approved bool
		let      bool
	}{
		"the first":                       {nil, false, true},
		"the last place":                  {flood(GlassesHere-1, alice), false, true},
		"one too many":                    {flood(GlassesHere, alice), false, false},
		"one too many, but agreed to":     {flood(GlassesHere, alice), true, true},
		"agreed to, one too many":         {flood(GlassesHere, agreed), true, false},
		"waiting beside many agreed to":   {flood(GlassesHere, agreed), false, true},
		"mallory's flood":                 {flood(5000, OpenGlass{Namespace: "shop", Name: "m", Request: "m", Requester: "mallory"}), false, true},
		"mallory's flood that is over":    {flood(5000, OpenGlass{Namespace: "shop", Name: "m", Request: "m", Requester: "mallory", Over: true}), false, true},
		"in other namespaces":             {flood(GlassesInAll-1, OpenGlass{Namespace: "api", Name: "a", Request: "a", Requester: "alice"}), false, true},
		"too many in other namespaces":    {flood(GlassesInAll, OpenGlass{Namespace: "api", Name: "a", Request: "a", Requester: "alice"}), false, false},
		"unused ones that are over":       {flood(GlassesHere, past), false, false},
		"used ones that are over":         {flood(GlassesHere, used), false, true},
		"unused ones, but this is agreed": {flood(GlassesHere, past), true, true},
		"the same again":                  {[]OpenGlass{twin}, false, false},
		"the same, agreed to":             {[]OpenGlass{twin}, true, true},
		"the same, agreed to again":       {[]OpenGlass{agreedTwin}, true, false},
		"the same, agreed to before":      {[]OpenGlass{agreedTwin}, false, false},
		"the same elsewhere":              {[]OpenGlass{elsewhere}, false, true},
		"the same, over":                  {[]OpenGlass{over}, false, true},
	} {
		f := askedGlass(production(), change.Create, func(g *GlassRequest) {
			g.This.Approved = tt.approved
			g.Ask(tt.stored, noon())
		})
		if v := Admit(f); (v.Outcome == Allow) != tt.let || !tt.let && v.Findings[0].Code != CodeBreakGlass {
			t.Errorf("%s: %s %+v", name, v.Outcome, v.Findings)
		}
	}
}

// TestT58Fairness: whatever anybody else stores, the same requests of a person are looked at; those that people
// agreed to whatever waits; and of each person never more than the places.
func TestT58Fairness(t *testing.T) {
	r := rand.New(rand.NewPCG(58, 1))
	some := func(who string, n int) (all []OpenGlass) {
		for i := range n {
			all = append(all, OpenGlass{
				Namespace: []string{"shop", "api", "web", "db", "mail", "cart"}[r.IntN(6)], Name: fmt.Sprintf("%s-%d", who, i), Requester: who,
				Request: fmt.Sprintf("%s-%d", who, r.IntN(n)), Approved: r.IntN(2) == 0, Over: r.IntN(8) == 0,
				From: noon().Add(time.Duration(r.IntN(7200)) * time.Second), Until: noon().Add(3 * time.Hour), Created: noon().Add(-time.Duration(r.IntN(60)) * time.Second),
			})
		}
		return all
	}
	looked := func(all []OpenGlass, who string, approved bool) (names []string) {
		beyond := Beyond(all)
		for _, g := range all {
			if g.Requester == who && g.Approved == approved && !g.Over && beyond[[2]string{g.Namespace, g.Name}] == "" {
				names = append(names, g.Namespace+"/"+g.Name)
			}
		}
		slices.Sort(names)
		return names
	}
	for range 200 {
		sara, mallory := some("sara", r.IntN(200)), some("mallory", r.IntN(600))
		all := slices.Concat(mallory, sara)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, approved := range []bool{true, false} {
			alone := looked(sara, "sara", approved)
			if got := looked(all, "sara", approved); !slices.Equal(got, alone) {
				t.Fatalf("beside mallory's, %v are looked at, not %v", got, alone)
			}
			if got := looked(all, "mallory", approved); len(got) > GlassesInAll {
				t.Fatalf("%d of mallory's are looked at", len(got))
			}
		}
		agreed := slices.DeleteFunc(slices.Clone(sara), func(g OpenGlass) bool { return !g.Approved })
		if got, alone := looked(all, "sara", true), looked(agreed, "sara", true); !slices.Equal(got, alone) {
			t.Fatalf("beside what waits, %v are looked at, not %v", got, alone)
		}
	}
}

// TestT54RecordsStay: the record of a break-glass is deleted by Fairway alone, when it is closed, and one that was used
// a good while after; in every tier, and whoever has a break-glass.
func TestT54RecordsStay(t *testing.T) {
	closed := func(ago time.Duration) time.Time { return noon().Add(-ago) }
	for name, tt := range map[string]struct {
		user   string
		closed time.Time
		used   change.Found
		let    bool
	}{
		"used, closed long ago":       {fairway, closed(GlassKept), change.Present, true},
		"used, closed of late":        {fairway, closed(GlassKept - time.Second), change.Present, false},
		"unused, closed of late":      {fairway, closed(time.Second), change.Absent, true},
		"nobody knows whether used":   {fairway, closed(time.Hour), change.CouldNotTell, false},
		"not closed":                  {fairway, time.Time{}, change.Absent, false},
		"closed, by its own user":     {"alice", closed(GlassKept), change.Absent, false},
		"closed, by the collector":    {controllerAccounts + "generic-garbage-collector", closed(GlassKept), change.Absent, false},
		"closed, by an administrator": {"kubernetes-admin", closed(GlassKept), change.Absent, false},
	} {
		for _, x := range []tier.Tier{production(), staging(), sandbox()} {
			f := by(askedGlass(x, change.Delete, func(g *GlassRequest) { g.ClosedAt, g.Used = tt.closed, tt.used }), tt.user)
			f.Grants = []Grant{grant()}
			if v := Admit(f); (v.Outcome == Allow) != tt.let || v.Enforcement != tier.Enforce && !tt.let {
				t.Errorf("%s, in %s: %s by %s %+v", name, x.Name, v.Outcome, v.Lane, v.Findings)
			}
		}
	}
}
