package policy

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

func peopleOf(t *testing.T, text string) tier.People {
	t.Helper()
	var s story
	s.readPeople(t, text)
	return s.people
}

func TestSatisfiable(t *testing.T) {
	owners := tier.ApprovalRule{Name: "owners", Minimum: 1, From: tier.FromOwners}
	two := tier.ApprovalRule{Name: "two", Minimum: 2, From: tier.FromAnyone}
	platform := tier.ApprovalRule{Name: "platform", Minimum: 1, From: tier.FromTeams, Teams: []string{"platform"}}
	shop := tier.Binding{Namespace: "shop", Owners: []string{"shop"}}
	for _, c := range []struct {
		name   string
		people string
		tier   tier.Tier
		want   []string
	}{
		{"two teams of two", "shop: alice bob\nplatform: carol dave", tier.Tier{Approvals: []tier.ApprovalRule{owners}, Reciprocal: true}, []string{
			// A change by the platform team is approved by an owner, who is of the other side as well. A
			// change by the shop needs an owner and somebody of the platform team.
		}},
		{"a lonely owner cannot be approved by an owner", "shop: alice\nplatform: carol dave", tier.Tier{Approvals: []tier.ApprovalRule{owners}}, []string{
			`a change by "alice" can never be admitted: nobody is left for "owners"`,
			`without "alice" nobody else can get a change in`,
		}},
		{"one team has no other side", "shop: alice bob carol", tier.Tier{Reciprocal: true}, []string{
			`a change by "anybody" can never be admitted: nobody is left for "another team"`,
		}},
		{"one platform engineer", "shop: alice bob erin\nplatform: carol", tier.Tier{Approvals: []tier.ApprovalRule{platform}}, []string{
			`a change by "carol" can never be admitted: nobody is left for "platform"`,
			`without "carol" nobody else can get a change in`,
		}},
		{"robots are no approvers", "shop: alice r1! r2!", tier.Tier{Approvals: []tier.ApprovalRule{two}}, []string{
			`a change by "anybody" can never be admitted: nobody is left for "two"`,
		}},
		{"nobody may sign", "shop: alice bob", tier.Tier{Signatures: tier.SignatureRule{From: []string{"ghosts"}}}, []string{
			`a change by "anybody" can never be admitted: nobody is left for "signature"`,
		}},
		{"a whole team cannot", "shop: alice bob\nplatform: carol dave\nsecurity: erin fred", tier.Tier{
			Approvals: []tier.ApprovalRule{{Name: "outside", Minimum: 4, From: tier.FromTeams, Teams: []string{"platform", "security"}}},
		}, []string{
			`a change by "team platform" can never be admitted: nobody is left for "outside"`,
			`a change by "team security" can never be admitted: nobody is left for "outside"`,
			`without "carol" nobody else can get a change in`, `without "dave" nobody else can get a change in`,
			`without "erin" nobody else can get a change in`, `without "fred" nobody else can get a change in`,
		}},
		{"a rule that binds one team only", "shop: alice bob\nplatform: carol dave", tier.Tier{
			Approvals: []tier.ApprovalRule{{Name: "owners", Minimum: 1, From: tier.FromOwners, When: tier.When{AuthorIn: []string{"platform"}}}},
		}, []string{`a change by "team shop" needs nobody's approval`}},
		{"strangers may write", "shop: alice bob", tier.Tier{Signatures: tier.SignatureRule{Require: tier.NoSignature}, Approvals: []tier.ApprovalRule{two}}, []string{
			`a change by "team shop" can never be admitted: nobody is left for "two"`,
			`without "alice" nobody else can get a change in`, `without "bob" nobody else can get a change in`,
		}},
		{"an open tier asks for nothing", "", tier.Tier{Lane: tier.Open}, nil},
		{"the tier that does not exist", "shop: alice bob\nplatform: carol", tier.Strictest("gone"), []string{
			`a change by "anybody" can never be admitted: nobody is left for "tier-exists"`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, p := range Satisfiable(c.tier, shop, peopleOf(t, c.people)) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(c.want, got, cmp.Transformer("sorted", sorted)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func sorted(s []string) []string {
	s = append([]string{}, s...)
	slices.Sort(s)
	return s
}

// TestSatisfiableTellsTheTruth compares the lint with the judge: an author of whom it says nothing
// gets a change in when everybody else approves, and one whom it names never does.
func TestSatisfiableTellsTheTruth(t *testing.T) {
	r := seeded()
	tried := 0
	for range 400 {
		x, people := randomTier(r), randomPeople(r)
		x.Trailers, x.Branches = nil, nil
		b := randomBinding()
		stuck := map[string]bool{}
		for _, p := range Satisfiable(x, b, people) {
			if p.Kind == Unsatisfiable {
				for _, name := range named(p.Author, people) {
					stuck[name] = true
				}
			}
		}
		for _, a := range possibleAuthors(x, people) {
			if a == stranger {
				continue
			}
			tried++
			v := Evaluate(x, b, people, everybodyApproves(a, people))
			if stuck[a] == (v.Outcome == Allow) {
				t.Fatalf("author %s: stuck is %v, and the judge says\n%s", a, stuck[a], render(v))
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d authors were tried", tried)
	}
}

func named(author string, people tier.People) []string {
	var team string
	if n, _ := fmt.Sscanf(author, "team %s", &team); n == 1 {
		var members []string
		for _, n := range people.Names() {
			if slices.Contains(people.Teams(n), team) {
				members = append(members, n)
			}
		}
		return members
	}
	if author == anybody {
		return people.Names()
	}
	return []string{author}
}

func everybodyApproves(author string, people tier.People) change.Evidence {
	ev := change.Evidence{
		Repository: "deploy", URL: "https://git.example.com/deploy", Branch: "main", Source: "web", Namespace: "shop", Base: "base",
		OnBranch: change.Present, Continuous: change.Present, Rendered: change.Present,
	}
	c := change.Commit{ID: "c", Author: change.Person{Email: author + "@example.com"}, Signature: change.Signature{State: change.Good, Principal: author}}
	l := &change.Landing{RawDiffID: "d", Proven: change.Present, Commits: []change.Commit{c}, Contributors: []string{author}}
	for _, n := range people.Names() {
		l.Approvals = append(l.Approvals, change.Approval{
			Principal: n, Level: change.LevelSigned, Decision: change.Approve, Repository: ev.URL, Branch: "main", RawDiffID: "d",
		})
	}
	ev.Commit = c
	ev.Steps = []change.Step{{Commits: []change.Commit{c}, Touches: change.Present, Undone: change.Absent, Landing: l}}
	return ev
}
