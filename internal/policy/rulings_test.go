package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestRuling06AllTouchedTiersMustAllow: a change of tiers, bindings, teams and repositories is
// admitted only where every tier that it touches admits it, T-16.
func TestRuling06AllTouchedTiersMustAllow(t *testing.T) {
	strict, lax := production(), staging()
	f := with(cluster(strict, change.Update, own("EnvironmentTier"), "environmenttiers", "production", flux), func(f *Facts) {
		f.Tiers = []tier.Tier{lax, strict}
		c := candidate(lax, webCommit, 20)
		c.Proof.Judgements = append(c.Proof.Judgements, change.Judgement{Tier: "production", Admissible: change.Absent, Pending: true, PolicyDigest: "now"})
		c.Standings = append(c.Standings, Standing{Tier: "production", Digests: []string{"now"}, Newest: change.Present})
		f.Candidates, f.Making = []Candidate{c}, change.Absent
	})
	if v := Admit(f); v.Outcome != Pending || v.Tier != "production" || v.Admits() {
		t.Errorf("one tier is satisfied, the other waits: %s by %s", v.Outcome, v.Tier)
	}
	f.Candidates[0].Proof.Judgements[1].Admissible = change.Present
	if v := Admit(f); v.Outcome != Allow {
		t.Errorf("both tiers are satisfied: %s\n%s", v.Outcome, v.Message())
	}
	for _, order := range [][]tier.Tier{{sandbox(), strict}, {strict, sandbox()}} {
		g := f
		g.Candidates, g.Tiers = nil, order
		if v := Admit(g); v.Admits() || v.Tier != "production" {
			t.Errorf("an open tier beside a strict one: %s by %s", v.Outcome, v.Tier)
		}
	}
}

// TestRuling06OneJudgementForEachDigest: before and after a change of a tier both versions have
// one name. Each needs a judgement under its own digest.
func TestRuling06OneJudgementForEachDigest(t *testing.T) {
	x := production()
	f := proven(x)
	f.Tiers = []tier.Tier{x, x}
	f.Candidates[0].Standings = []Standing{
		{Tier: x.Name, Digests: []string{"now"}, Newest: change.Present},
		{Tier: x.Name, Digests: []string{"after"}, Newest: change.Present},
	}
	if v := Admit(f); v.Outcome == Allow {
		t.Error("the tier as it will be has not judged, and the request is allowed")
	}
	f.Candidates[0].Proof.Judgements = append(f.Candidates[0].Proof.Judgements, change.Judgement{Tier: x.Name, Admissible: change.Present, PolicyDigest: "after"})
	if v := Admit(f); v.Outcome != Allow {
		t.Errorf("both have judged: %s", v.Message())
	}
}

// TestRuling07NamespacesAreJudgedAtTheirOwnTiers: before and after, not at the cluster tier; so
// nobody leaves a strict tier without satisfying it, T-02, and a new sandbox stays free.
func TestRuling07NamespacesAreJudgedAtTheirOwnTiers(t *testing.T) {
	namespace := func(op change.Operation, tiers ...tier.Tier) Facts {
		return with(cluster(production(), op, core("Namespace"), "namespaces", "shop", "alice"), func(f *Facts) {
			f.Tiers, f.Making = tiers, change.Absent
			f.Sealed, f.ClusterBinding = change.Present, change.Absent // the cluster scope is shut
		})
	}
	for _, c := range []struct {
		name  string
		facts Facts
		want  Outcome
	}{
		{"a new sandbox", namespace(change.Create, sandbox(), sandbox()), Allow},
		{"a new namespace in production", namespace(change.Create, production(), sandbox()), Deny},
		{"from production to the sandbox", namespace(change.Update, production(), sandbox()), Deny},
		{"from the sandbox to production", namespace(change.Update, sandbox(), production()), Deny},
		{"a label within the sandbox", namespace(change.Update, sandbox()), Allow},
		{"the end of a sandbox", namespace(change.Delete, sandbox()), Allow},
	} {
		if v := Admit(c.facts); v.Outcome != c.want || v.Namespace != "shop" {
			t.Errorf("%s: %s of %q\n%s", c.name, v.Outcome, v.Namespace, v.Message())
		}
	}
	unsealed := namespace(change.Delete, production())
	unsealed.Sealed = change.Absent
	if v := Admit(unsealed); v.Lane == LaneUnsealed {
		t.Error("a Namespace of production goes through because the install is not sealed")
	}
}

// TestNearestMissIsExplained: of several proofs the refusal speaks of the one that the object
// names, then of the one that fits, then of the one that lacks least, then of the newest; in
// whatever order they come.
func TestNearestMissIsExplained(t *testing.T) {
	x := production()
	is := func(commit string, height int64, changes ...func(*Candidate)) Candidate {
		c := candidate(x, commit, height)
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	differs := func(c *Candidate) { c.Fit = FitDiffers }
	revoked := func(c *Candidate) { c.Proof.Revoked = true }
	for _, c := range []struct {
		name       string
		candidates []Candidate
		claims     string
		want       string
	}{
		{"the one it names", []Candidate{is("aaaaaaa", 21, revoked), is("bbbbbbb", 22, differs, revoked)}, "bbbbbbb", "bbbbbbb"},
		{"the one that fits", []Candidate{is("aaaaaaa", 22, differs), is("bbbbbbb", 21, revoked)}, "", "bbbbbbb"},
		{"the one that lacks least", []Candidate{is("aaaaaaa", 22, differs, revoked), is("bbbbbbb", 21, differs)}, "", "bbbbbbb"},
		{"the newest", []Candidate{is("aaaaaaa", 21, differs), is("bbbbbbb", 22, differs)}, "", "bbbbbbb"},
	} {
		for range 2 {
			f := deployment(x, change.Update)
			f.Candidates, f.Origin.Commit, f.Making = c.candidates, c.claims, change.Absent
			if v := Admit(f); v.Outcome == Allow || v.Commit != c.want || v.Proof == nil || v.Proof.Commit != c.want {
				t.Errorf("%s: explained by %s", c.name, v.Commit)
			}
			c.candidates = []Candidate{c.candidates[1], c.candidates[0]}
		}
	}
}

// TestToleratedFieldsAreNamed: a verdict that used a tolerance says so, and so does one of an
// object whose marks contradict each other.
func TestToleratedFieldsAreNamed(t *testing.T) {
	f := proven(production(), func(c *Candidate) { c.Tolerated = []string{"metadata.annotations.x"} })
	f.Origin.Conflicts = []string{"Flux says a, Argo CD says b"}
	v := Admit(f)
	if v.Outcome != Allow || !strings.Contains(v.Message(), `tolerating "metadata.annotations.x"`) {
		t.Errorf("%s: %s", v.Outcome, v.Message())
	}
	if s := v.Status(); len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "Argo CD says b") {
		t.Errorf("warnings %q", s.Warnings)
	}
}

// TestTryIsNeedsAndAdmit: one pass says the same as two.
func TestTryIsNeedsAndAdmit(t *testing.T) {
	for _, s := range situations() {
		for _, gathered := range []Need{0, NeedShape | NeedOwner, allStages} {
			f := s.make(staging())
			f.Gathered = gathered
			v, need := Try(&f)
			if need != Needs(f) {
				t.Errorf("%s: needs %b, and %b", s.name, need, Needs(f))
			}
			if want := Admit(f); need == 0 && (v.Outcome != want.Outcome || v.Lane != want.Lane || v.Message() != want.Message()) {
				t.Errorf("%s: %s and %s", s.name, v.Message(), want.Message())
			}
		}
	}
}

// TestTheProofOfADeliveryIsKept: of two tiers that allow, the verdict is that of the lane whose
// delivery must be marked.
func TestTheProofOfADeliveryIsKept(t *testing.T) {
	for _, order := range [][]tier.Tier{{sandbox(), production()}, {production(), sandbox()}} {
		f := proven(production())
		f.Tiers = order
		for i, x := range order {
			if x.Name == "production" {
				f.Candidates[0].Standings = make([]Standing, 2)
				f.Candidates[0].Standings[i] = Standing{Tier: x.Name, Digests: []string{"now"}, Newest: change.Present}
			}
		}
		if v := Admit(f); v.Lane != LaneProven || v.Proof == nil {
			t.Errorf("%s by %s", v.Outcome, v.Lane)
		}
	}
}

// TestUnmarked: a commit whose delivery could not be marked is not allowed, and says why.
func TestUnmarked(t *testing.T) {
	v := Admit(proven(production()))
	v.Outcome, v.Findings = Unknown, append(v.Findings, Unmarked())
	if v.Admits() || !strings.Contains(v.Message(), "could not be kept") {
		t.Errorf("%s", v.Message())
	}
}

// TestAWarningTierDoesNotOpenAStrictOne: where one tier only warns and another enforces, the one
// that lets nothing through decides, whichever refuses more gravely.
func TestAWarningTierDoesNotOpenAStrictOne(t *testing.T) {
	warns := staging()
	warns.Enforcement = tier.Warn
	f := proven(production(), func(c *Candidate) {
		c.Proof.Judgements[0].Admissible, c.Proof.Judgements[0].Pending = change.Absent, true
		c.Proof.Judgements = append(c.Proof.Judgements, change.Judgement{Tier: "staging", Admissible: change.Absent, PolicyDigest: "now"})
		c.Standings = append(c.Standings, Standing{Tier: "staging", Digests: []string{"now"}, Newest: change.Present})
	})
	f.Tiers = append(f.Tiers, warns)
	v := Admit(f)
	if v.Admits() || v.Tier != "production" || v.Outcome != Pending {
		t.Errorf("%s by %s, admits %v", v.Outcome, v.Tier, v.Admits())
	}
	if s := v.Status(); s.Allowed || s.Code != 403 {
		t.Errorf("the answer is %d", s.Code)
	}
}

// TestWarnAndAuditNeverRefuse: they record what would have been refused, Unknown too; one that
// warns says so to the client.
func TestWarnAndAuditNeverRefuse(t *testing.T) {
	for _, s := range situations() {
		for _, e := range []tier.Enforcement{tier.Warn, tier.Audit} {
			x := production()
			x.Enforcement = e
			f := s.make(x)
			v := Admit(f)
			status := v.Status()
			if evidence(&f) || shut(&f) || seals(&f) || len(f.Tiers) == 0 {
				continue // guarded in every tier
			}
			if !status.Allowed || status.Code != 200 || status.Message != "" {
				t.Errorf("%s: %s refuses with %d", s.name, e, status.Code)
			}
			warned := len(status.Warnings) > 0 && strings.HasPrefix(status.Warnings[len(status.Warnings)-1], "would be refused: [FW")
			if warned != (e == tier.Warn && v.Outcome != Allow) {
				t.Errorf("%s: %s, %s, warnings %q", s.name, e, v.Outcome, status.Warnings)
			}
			if status.Annotations["outcome"] != v.Outcome.String() {
				t.Errorf("%s: the outcome recorded is %q", s.name, status.Annotations["outcome"])
			}
		}
	}
}

// TestRuling16NothingAttestedChanges: no runtime lane, built in or listed, admits a change of what
// Git attests, but for the completion of a deletion: of the object, or of its namespace.
func TestRuling16NothingAttestedChanges(t *testing.T) {
	tried := 0
	for _, s := range situations() {
		for _, x := range []tier.Tier{production(), staging()} {
			f := s.make(x)
			if Admit(f).Lane != LaneController {
				continue
			}
			tried++
			for _, attested := range []change.Found{change.Present, change.CouldNotTell} {
				f.Attested = attested
				completes := f.Shape.Deleting == change.Present ||
					f.Ending == change.Present && f.Request.User.Name == controllerAccounts+"namespace-controller"
				if v := Admit(f); v.Lane == LaneController && !completes {
					t.Errorf("%s: a runtime lane admits a change of what Git attests (%s)", s.name, attested)
				}
			}
		}
	}
	if tried == 0 {
		t.Error("no situation is admitted by a runtime lane")
	}
}

// TestRuling16ReachAnswersByPlace: a tier and a binding may list different lanes under one name;
// the answer for one is not taken for the other's.
func TestRuling16ReachAnswersByPlace(t *testing.T) {
	narrow := tier.Controller{Name: "ops", Users: []string{"ops"}, Groups: []string{""}, Kinds: []string{"Secret"}, Fields: []string{"data"}}
	other := narrow
	other.Users, other.Fields = []string{"somebody"}, []string{"metadata"}
	x := production()
	x.Controllers = []tier.Controller{narrow}
	f := request(x, change.Update, core("Secret"), "secrets", "s", "ops")
	f.Binding.Controllers = []tier.Controller{narrow, other}
	f.Attested = change.Absent
	if got := len(Controllers(f)); got != 2 {
		t.Fatalf("%d lanes speak of the request, want the tier's and the binding's", got)
	}
	f.Reach = []Reach{{Controller: "ops", Within: change.Absent}, {Controller: "ops", Within: change.Absent}, {Controller: "ops", Within: change.Present}}
	if v := Admit(f); v.Outcome == Allow {
		t.Error("an answer for a lane that does not speak of the request was taken")
	}
	f.Reach[1].Within = change.Present
	if v := Admit(f); v.Lane != LaneController {
		t.Errorf("within the binding's lane: %s", v.Message())
	}
	f.Request.Kind = own("EnvironmentTier")
	f.Request.Resource.Group = ownGroup
	if len(Controllers(f)) != 0 {
		t.Error("a listed lane speaks of Fairway's own kinds")
	}
}

// TestRuling16UnboundedLanesAdmitNothing: an entry for every kind without fields or owners.
func TestRuling16UnboundedLanesAdmitNothing(t *testing.T) {
	x := production()
	x.Controllers = []tier.Controller{{Name: "all", Users: []string{"ops"}, Groups: []string{"*"}, Kinds: []string{"*"}, Operations: []string{"CREATE", "UPDATE", "DELETE"}}}
	for _, op := range []change.Operation{change.Create, change.Update, change.Delete} {
		f := request(x, op, core("Secret"), "secrets", "s", "ops")
		f.Attested, f.Making = change.Absent, change.Absent
		f.reach(change.Present)
		if v := Admit(f); v.Outcome == Allow {
			t.Errorf("%s: admitted by %s", op, v.Lane)
		}
	}
}

// TestT23EveryWayIn: each connection, by each kind of requester, in a tier that refuses them.
func TestT23EveryWayIn(t *testing.T) {
	for _, sub := range []string{"exec", "attach", "portforward", "proxy"} {
		for _, resource := range []string{"pods", "services", "nodes"} {
			for _, user := range []string{"alice", flux, fairway, controllerAccounts + "generic-garbage-collector", "system:node:n1", "system:apiserver"} {
				f := request(production(), change.Connect, change.Kind{Version: "v1", Kind: "PodExecOptions"}, resource, "x", user)
				f.Request.Resource.Subresource, f.Request.User.Groups = sub, []string{"system:nodes", "system:masters"}
				f.reach(change.Present)
				f.Attested = change.Absent
				if v := Admit(f); v.Outcome == Allow {
					t.Errorf("%s/%s by %s: allowed by %s", resource, sub, user, v.Lane)
				}
			}
		}
	}
}

// TestT07DeleteCollection: the items of a deletecollection have no name in the request; the verdict
// is about the object, whatever the request is called.
func TestT07DeleteCollection(t *testing.T) {
	f := deleted(production(), change.Absent, change.Present)
	f.Request.Name = ""
	v := Admit(f)
	if v.Outcome != Deny || v.Object.Name != "web" || !strings.Contains(v.Message(), "shop/web") {
		t.Errorf("%s of %q: %s", v.Outcome, v.Object.Name, v.Message())
	}
}

// TestRuling24TwoPeople: break-glass is two people's, never one with two names, and never longer
// than the tier says, for whatever window.
func TestRuling24TwoPeople(t *testing.T) {
	x := production()
	x.BreakGlass.Approvals = 2
	if v := Admit(glass(x, func(g *Grant) { g.Approvers = []string{"carol", "carol", "carol"} })); v.Outcome == Allow {
		t.Error("one approver named three times is two")
	}
	if v := Admit(glass(x, func(g *Grant) { g.Approvers = []string{"carol", "dave"} })); v.Lane != LaneBreakGlass {
		t.Errorf("two approvers: %s", v.Message())
	}
	x.BreakGlass.Approvals = 0
	if v := Admit(glass(x, func(g *Grant) { g.Approvers = nil })); v.Outcome == Allow {
		t.Error("a tier that names no number of approvals asks for none")
	}
	for _, g := range []func(*Grant){
		func(g *Grant) { g.From, g.Until = time.Time{}, time.Time{} },
		func(g *Grant) { g.From = time.Time{} },
		func(g *Grant) { g.From, g.Until = g.Until, g.From },
	} {
		if v := Admit(glass(production(), g)); v.Outcome == Allow {
			t.Error("a window without start or end is open")
		}
	}
}

// TestRuling04RevokedPeopleCountNoMore: the same evidence judged again without somebody.
func TestRuling04RevokedPeopleCountNoMore(t *testing.T) {
	s := good(t)
	for _, gone := range []string{"alice", "bob", "carol"} {
		var text string
		for team, members := range map[string][]string{"shop": {"alice", "bob"}, "platform": {"carol", "dave"}} {
			text += team + ":"
			for _, m := range members {
				if m != gone {
					text += " " + m
				}
			}
			text += "\n"
		}
		if v := Evaluate(s.tier, s.binding, peopleOf(t, text), s.evidence); v.Outcome == Allow {
			t.Errorf("allowed without %s", gone)
		}
	}
}

// TestT40ClaimantsOfOneAddress: an address that two people claim belongs to neither, but whoever
// of them wrote the change does not approve it.
func TestT40ClaimantsOfOneAddress(t *testing.T) {
	bob := person("bob", false)
	bob.Emails = append(bob.Emails, "shared@example.com")
	alice := person("alice", false)
	alice.Emails = append(alice.Emails, "shared@example.com")
	people, conflicts := tier.NewPeople("p", []tier.TeamSpec{{Name: "shop", Principals: []tier.Principal{alice, bob}}})
	if len(conflicts) != 1 {
		t.Fatalf("conflicts: %q", conflicts)
	}
	x := tier.Tier{Name: "t", Signatures: tier.SignatureRule{Require: tier.NoSignature}, Approvals: []tier.ApprovalRule{{Name: "any", From: tier.FromAnyone}}}
	ev := everybodyApproves("shared", people)
	ev.Steps[0].Landing.Contributors = []string{"<shared@example.com>"}
	ev.Steps[0].Landing.Commits[0].Signature = change.Signature{State: change.Unsigned}
	if v := Evaluate(x, randomBinding(), people, ev); v.Outcome == Allow {
		t.Errorf("one of the two who claim the address approved it:\n%s", render(v))
	}
}
