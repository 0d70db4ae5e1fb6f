package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// rounds is how many random cases a property is tried on.
const rounds = 1500

func seeded() *rand.Rand { return rand.New(rand.NewPCG(20, 26)) }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func names() []string { return []string{"alice", "bob", "carol", "dave", "erin", "robby"} }

func randomPeople(r *rand.Rand) tier.People {
	teams := []tier.TeamSpec{{Name: "shop"}, {Name: "platform"}, {Name: "security"}}
	for _, n := range names() {
		for i := range teams {
			if chance(r, 40) {
				teams[i].Principals = append(teams[i].Principals, person(n, n == "robby"))
			}
		}
	}
	people, _ := tier.NewPeople("p", teams)
	return people
}

func randomTier(r *rand.Rand) tier.Tier {
	t := tier.Tier{
		Name: "t", Lane: tier.Gated, Declared: pick(r, tier.DeclaredOptional, tier.DeclaredOptional, tier.DeclaredRequired),
		Enforcement: pick(r, tier.Enforce, tier.Enforce, tier.Warn, tier.Audit),
		Signatures:  tier.SignatureRule{Require: pick(r, tier.EveryCommit, tier.HeadOnly, tier.NoSignature, tier.NoSignature)},
		Reciprocal:  chance(r, 30), Connect: pick(r, tier.PolicyAllow, tier.PolicyOwned, tier.PolicyDeny),
		Scale:      pick(r, tier.PolicyAllow, tier.PolicyOwned, tier.PolicyDeny),
		Rollback:   tier.RollbackRule{Enabled: chance(r, 50), Window: time.Duration(r.IntN(3)) * 12 * time.Hour, Approvals: r.IntN(3)},
		BreakGlass: tier.BreakGlassRule{MaxDuration: time.Duration(r.IntN(3)) * 20 * time.Minute, Approvals: r.IntN(3)},
	}
	if chance(r, 30) {
		t.Signatures.From = pick(r, []string{"shop", "platform"}, []string{"shop"})
	}
	for range r.IntN(3) {
		t.Approvals = append(t.Approvals, randomRule(r))
	}
	if chance(r, 20) {
		t.Trailers = append(t.Trailers, tier.TrailerRule{Key: "Ticket", Pattern: pattern(`[A-Z]+-\d+`)})
	}
	if chance(r, 20) {
		t.Branches = []string{"main", "next"}
	}
	return t
}

func randomRule(r *rand.Rand) tier.ApprovalRule {
	rule := tier.ApprovalRule{
		Name: pick(r, "a", "b"), Minimum: r.IntN(3), From: pick(r, tier.FromAnyone, tier.FromOwners, tier.FromTeams, tier.FromOtherTeams),
		Level: pick(r, tier.LevelForge, tier.LevelSigned),
	}
	if rule.From == tier.FromTeams {
		rule.Teams = pick(r, []string{"security"}, []string{"security", "platform"})
	}
	if chance(r, 30) {
		rule.When.AuthorIn = []string{"shop"}
	}
	return rule
}

func randomBinding() tier.Binding {
	return tier.Binding{Namespace: "shop", Owners: []string{"shop"}, Sources: []tier.Source{{Name: "web", Repository: "deploy", Branch: "main"}}}
}

// mostly is Present in nine cases of ten.
func mostly(r *rand.Rand) change.Found {
	if chance(r, 92) {
		return change.Present
	}
	return pick(r, change.CouldNotTell, change.Absent)
}

func randomEvidence(r *rand.Rand) change.Evidence {
	ev := change.Evidence{
		Repository: "deploy", URL: "https://git.example.com/deploy", Branch: "main", Source: "web", Namespace: "shop", Base: "base",
		OnBranch: mostly(r), Continuous: mostly(r), Rendered: mostly(r),
	}
	for i := range 1 + r.IntN(2) {
		ev.Steps = append(ev.Steps, randomStep(r, ev, string(rune('a'+i))))
	}
	ev.Commit = landed(ev.Steps[len(ev.Steps)-1])
	return ev
}

func randomStep(r *rand.Rand, ev change.Evidence, id string) change.Step {
	author := pick(r, names()...)
	s := change.Step{
		Commits: []change.Commit{randomCommit(r, id, author)}, Touches: pick(r, change.Present, change.Present, change.CouldNotTell, change.Absent),
		Undone: pick(r, change.Absent, change.Absent, change.CouldNotTell, change.Present),
	}
	if chance(r, 20) {
		s.Commits[0].Parents = []string{"p", "q"}
	}
	if chance(r, 85) {
		s.Landing = randomLanding(r, ev, id, author)
	}
	return s
}

func randomLanding(r *rand.Rand, ev change.Evidence, id, author string) *change.Landing {
	l := &change.Landing{
		MergeBase: "base", Head: "u" + id, RawDiffID: "diff" + id, Proven: mostly(r),
		Commits: []change.Commit{randomCommit(r, "u"+id, author)}, Contributors: []string{author},
	}
	for _, n := range names() {
		if chance(r, 55) {
			l.Approvals = append(l.Approvals, change.Approval{
				Principal: n, Level: pick(r, change.LevelSigned, change.LevelSigned, change.LevelForge), Decision: change.Approve,
				Repository: ev.URL, Branch: "main", RawDiffID: pick(r, l.RawDiffID, l.RawDiffID, l.RawDiffID, "other"),
			})
		}
	}
	return l
}

func randomCommit(r *rand.Rand, id, author string) change.Commit {
	c := change.Commit{ID: id, Parents: []string{"p"}, Author: change.Person{Name: author, Email: author + "@example.com"}}
	c.Committer = c.Author
	c.Signature = change.Signature{State: change.Good, Principal: author}
	if chance(r, 8) {
		c.Signature = change.Signature{State: pick(r, change.Unchecked, change.Unsigned, change.RevokedKey)}
	}
	if chance(r, 80) {
		c.Trailers = []change.Trailer{{Key: "Ticket", Value: "SHOP-1"}}
	}
	return c
}

// weakened are all evidences with one piece of ev less: found out less, said by fewer, or proven
// for less.
func weakened(ev change.Evidence) []change.Evidence {
	var all []change.Evidence
	less := func(edit func(*change.Evidence)) {
		e := ev
		e.Steps = slices.Clone(ev.Steps)
		for i := range e.Steps {
			e.Steps[i].Commits = slices.Clone(ev.Steps[i].Commits)
			if l := ev.Steps[i].Landing; l != nil {
				copied := *l
				copied.Commits, copied.Approvals = slices.Clone(l.Commits), slices.Clone(l.Approvals)
				e.Steps[i].Landing = &copied
			}
		}
		edit(&e)
		all = append(all, e)
	}
	for _, worse := range []change.Found{change.CouldNotTell, change.Absent} {
		less(func(e *change.Evidence) { e.OnBranch = worse })
		less(func(e *change.Evidence) { e.Continuous = worse })
		less(func(e *change.Evidence) { e.Rendered = worse })
	}
	less(func(e *change.Evidence) { e.Commit.Signature = change.Signature{} })
	for i, s := range ev.Steps {
		less(func(e *change.Evidence) { e.Steps[i].Touches = change.Present })
		less(func(e *change.Evidence) { e.Steps[i].Touches = change.CouldNotTell })
		less(func(e *change.Evidence) { e.Steps[i].Undone = change.CouldNotTell })
		less(func(e *change.Evidence) { e.Steps[i].Undone = change.Absent })
		less(func(e *change.Evidence) { e.Steps[i].Landing = nil })
		less(func(e *change.Evidence) { e.Steps[i].Commits[0].Signature.State = change.Unchecked })
		less(func(e *change.Evidence) { e.Steps[i].Commits[0].Trailers = nil })
		if s.Landing == nil {
			continue
		}
		less(func(e *change.Evidence) { e.Steps[i].Landing.Proven = change.CouldNotTell })
		less(func(e *change.Evidence) { e.Steps[i].Landing.Proven = change.Absent })
		less(func(e *change.Evidence) {
			e.Steps[i].Landing.Commits[0].Signature = change.Signature{State: change.Unsigned}
		})
		less(func(e *change.Evidence) { e.Steps[i].Landing.Commits[0].Trailers = nil })
		less(func(e *change.Evidence) { e.Steps[i].Landing.Contributors = nil })
		less(func(e *change.Evidence) {
			e.Steps[i].Landing.Contributors = append(slices.Clone(e.Steps[i].Landing.Contributors), "bob")
		})
		for j := range s.Landing.Approvals {
			less(func(e *change.Evidence) {
				e.Steps[i].Landing.Approvals = slices.Delete(e.Steps[i].Landing.Approvals, j, j+1)
			})
			less(func(e *change.Evidence) { e.Steps[i].Landing.Approvals[j].Level = change.LevelForge })
			less(func(e *change.Evidence) { e.Steps[i].Landing.Approvals[j].Level = "" })
			less(func(e *change.Evidence) {
				w := e.Steps[i].Landing.Approvals[j]
				w.Decision = change.Withdraw
				e.Steps[i].Landing.Approvals = append(e.Steps[i].Landing.Approvals, w)
			})
		}
	}
	return all
}

// TestEvidenceIsMonotone: with less evidence nothing is allowed that was not allowed with more.
// Read the other way round: no piece of evidence turns Allow into anything else.
func TestEvidenceIsMonotone(t *testing.T) {
	r := seeded()
	allowed, turned := 0, 0
	for range rounds {
		x, people, ev := randomTier(r), randomPeople(r), randomEvidence(r)
		full := Evaluate(x, randomBinding(), people, ev)
		if full.Outcome == Allow {
			allowed++
		}
		for _, less := range weakened(ev) {
			got := Evaluate(x, randomBinding(), people, less)
			if got.Outcome == Allow && full.Outcome != Allow {
				t.Fatalf("less evidence allows what more does not:\n%s\n%s", cmp.Diff(ev, less, cmpopts.EquateEmpty()), render(full))
			}
			if got.Outcome != Allow && full.Outcome == Allow {
				turned++
			}
		}
	}
	if allowed < rounds/20 || turned < allowed {
		t.Errorf("the property was hardly tried: %d of %d cases allowed, %d lost it", allowed, rounds, turned)
	}
}

// TestOrderDoesNotMatter: approvals and contributors are sets.
func TestOrderDoesNotMatter(t *testing.T) {
	r := seeded()
	for range rounds {
		x, people, ev := randomTier(r), randomPeople(r), randomEvidence(r)
		before := Evaluate(x, randomBinding(), people, ev)
		for _, s := range ev.Steps {
			if l := s.Landing; l != nil {
				r.Shuffle(len(l.Approvals), func(i, j int) { l.Approvals[i], l.Approvals[j] = l.Approvals[j], l.Approvals[i] })
				l.Contributors = append(l.Contributors, l.Contributors...)
			}
		}
		if diff := cmp.Diff(before, Evaluate(x, randomBinding(), people, ev)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// tightened are tiers that ask for one thing more than x.
func tightened(x tier.Tier) []tier.Tier {
	var all []tier.Tier
	more := func(edit func(*tier.Tier)) {
		y := x
		y.Approvals, y.Trailers = slices.Clone(x.Approvals), slices.Clone(x.Trailers)
		edit(&y)
		all = append(all, y)
	}
	more(func(y *tier.Tier) { y.Enforcement = tier.Enforce })
	more(func(y *tier.Tier) { y.Declared = tier.DeclaredRequired })
	more(func(y *tier.Tier) { y.Branches = []string{"next"} })
	more(func(y *tier.Tier) { y.Reciprocal = true })
	more(func(y *tier.Tier) { y.Connect, y.Scale = tier.PolicyDeny, tier.PolicyDeny })
	more(func(y *tier.Tier) { y.Rollback.Approvals++ })
	more(func(y *tier.Tier) { y.Rollback = tier.RollbackRule{} })
	more(func(y *tier.Tier) { y.BreakGlass.Approvals++ })
	more(func(y *tier.Tier) { y.BreakGlass = tier.BreakGlassRule{} })
	more(func(y *tier.Tier) { y.Tolerate, y.Controllers = nil, nil })
	more(func(y *tier.Tier) {
		y.Trailers = append(y.Trailers, tier.TrailerRule{Key: "Why", Pattern: pattern(".+")})
	})
	more(func(y *tier.Tier) {
		y.Approvals = append(y.Approvals, tier.ApprovalRule{Name: "more", From: tier.FromAnyone, Level: tier.LevelSigned})
	})
	if x.Signatures.Require == tier.NoSignature {
		more(func(y *tier.Tier) { y.Signatures.Require = tier.EveryCommit })
		more(func(y *tier.Tier) { y.Signatures.Require = tier.HeadOnly })
	}
	if len(x.Signatures.From) > 1 {
		more(func(y *tier.Tier) { y.Signatures.From = x.Signatures.From[:1] })
	}
	for i := range x.Approvals {
		more(func(y *tier.Tier) { y.Approvals[i].Minimum += 2 })
		more(func(y *tier.Tier) { y.Approvals[i].Level = tier.LevelSigned })
		more(func(y *tier.Tier) { y.Approvals[i].When = tier.When{} })
	}
	return all
}

// TestStricterNeverAdmitsMore: what a stricter tier allows or lets through, the laxer does too.
func TestStricterNeverAdmitsMore(t *testing.T) {
	r := seeded()
	tried := 0
	for range rounds {
		x, people, ev := randomTier(r), randomPeople(r), randomEvidence(r)
		lax := Evaluate(x, randomBinding(), people, ev)
		for _, y := range append(tightened(x), randomTier(r)) {
			if !tier.Stricter(y, x) {
				continue
			}
			tried++
			strict := Evaluate(y, randomBinding(), people, ev)
			if strict.Outcome == Allow && lax.Outcome != Allow || strict.Admits() && !lax.Admits() {
				t.Fatalf("the stricter tier admits more:\n%s\n%s", cmp.Diff(x, y, cmp.Comparer(samePattern)), render(lax))
			}
		}
	}
	if tried < rounds {
		t.Errorf("only %d pairs were tried", tried)
	}
}

func samePattern(a, b tier.Pattern) bool { return a.String() == b.String() }

// TestStricterNeverAdmitsMoreRequests is the same for requests.
func TestStricterNeverAdmitsMoreRequests(t *testing.T) {
	r := seeded()
	base := []tier.Tier{production(), staging(), audited()}
	for range 8 {
		x := randomTier(r)
		base = append(base, x)
	}
	tried := 0
	for _, s := range situations() {
		for _, x := range base {
			g := s.make(x)
			g.Tiers = []tier.Tier{x}
			g.reach(change.Present)
			lax := Admit(g)
			for _, y := range tightened(x) {
				if !tier.Stricter(y, x) {
					t.Fatalf("not stricter:\n%s", cmp.Diff(x, y, cmp.Comparer(samePattern)))
				}
				f := s.make(x)
				f.Tiers = []tier.Tier{y}
				f.reach(change.Present)
				strict := Admit(f)
				tried++
				if strict.Outcome == Allow && lax.Outcome != Allow || strict.Admits() && !lax.Admits() {
					t.Fatalf("%s: the stricter tier admits more:\n%s", s.name, cmp.Diff(x, y, cmp.Comparer(samePattern)))
				}
			}
		}
	}
	if tried == 0 {
		t.Error("nothing was tried")
	}
}

// TestZeroEvidenceNeverAllows: leaving any one input out never allows what it was needed for.
func TestZeroEvidenceNeverAllows(t *testing.T) {
	s := good(t)
	if v := s.verdict(); v.Outcome != Allow {
		t.Fatalf("the case to start from is not allowed:\n%s", render(v))
	}
	for name, v := range map[string]Verdict{
		"tier":     Evaluate(tier.Tier{}, s.binding, s.people, s.evidence),
		"binding":  Evaluate(s.tier, tier.Binding{}, s.people, s.evidence),
		"people":   Evaluate(s.tier, s.binding, tier.People{}, s.evidence),
		"evidence": Evaluate(s.tier, s.binding, s.people, change.Evidence{}),
		"all":      Evaluate(tier.Tier{}, tier.Binding{}, tier.People{}, change.Evidence{}),
	} {
		if v.Outcome == Allow || v.Admits() {
			t.Errorf("without %s: %s", name, v.Outcome)
		}
	}
	optional := []string{"RenderDetail", "Unasked"} // texts for people
	for i := range reflect.TypeOf(s.evidence).NumField() {
		ev := s.evidence
		field := reflect.ValueOf(&ev).Elem().Field(i)
		name := reflect.TypeOf(ev).Field(i).Name
		field.SetZero()
		if v := Evaluate(s.tier, s.binding, s.people, ev); v.Outcome == Allow && !slices.Contains(optional, name) {
			t.Errorf("without Evidence.%s: Allow", name)
		}
	}
	if (Verdict{}).Admits() || (Verdict{}).Status().Allowed {
		t.Error("the zero Verdict admits")
	}
}

// TestT42OnePersonOnePlace compares the matching with trying everything: as many places are filled
// as can be, no place by somebody who does not fit, and nobody fills two.
func TestT42OnePersonOnePlace(t *testing.T) {
	r := seeded()
	for range rounds {
		places, persons := r.IntN(5), r.IntN(5)
		fit := make([][]bool, places)
		for i := range fit {
			fit[i] = make([]bool, persons)
			for j := range fit[i] {
				fit[i][j] = chance(r, 45)
			}
		}
		got := match(places, persons, func(place, person int) bool { return fit[place][person] })
		filled, seen := 0, map[int]bool{}
		for place, person := range got {
			if person < 0 {
				continue
			}
			filled++
			if !fit[place][person] || seen[person] {
				t.Fatalf("place %d got person %d: %v of %v", place, person, got, fit)
			}
			seen[person] = true
		}
		if want := most(fit, 0, map[int]bool{}); filled != want {
			t.Fatalf("filled %d places of %v, and %d can be", filled, fit, want)
		}
	}
}

// most is the greatest number of places from one on that can be filled, by trying everything.
func most(fit [][]bool, from int, taken map[int]bool) int {
	if from == len(fit) {
		return 0
	}
	best := most(fit, from+1, taken)
	for person, fits := range fit[from] {
		if fits && !taken[person] {
			taken[person] = true
			best = max(best, 1+most(fit, from+1, taken))
			delete(taken, person)
		}
	}
	return best
}
