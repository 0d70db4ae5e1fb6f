package attest_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
)

const shop = "https://git.example.com/shop.git"

// who names the principals of approvals.
func who(approvals []change.Approval) []string {
	var names []string
	for _, a := range approvals {
		names = append(names, a.Principal)
	}
	return names
}

// replay asks for the approvals of one unit where a statement says something else.
func replay(t *testing.T, change func(a *attest.Approval)) {
	t.Helper()
	w := newTown(t)
	meant := anApproval()
	if got := who(attest.ForUnit([]attest.Verified{w.verified(t, "alice", 1, minute(2), meant)}, shop, "main", "prod", theUnit())); len(got) != 1 {
		t.Fatalf("the approval itself counts for %q", got)
	}
	change(&meant)
	said := []attest.Verified{w.verified(t, "alice", 1, minute(2), meant)}
	if got := who(attest.ForUnit(said, shop, "main", "prod", theUnit())); len(got) > 0 {
		t.Errorf("it counts for %q", got)
	}
	if got := attest.Fold(said); len(got) != 1 {
		t.Errorf("it is not even an approval: %v", got)
	}
}

func TestReplayInAnotherRepository(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.Repository = "https://git.example.com/fork.git" })
	replay(t, func(a *attest.Approval) { a.Repository = strings.ToUpper(shop) })
	replay(t, func(a *attest.Approval) { a.Repository = shop + "/" })
}

func TestReplayOnAnotherBranch(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.Branch = "stage" })
	replay(t, func(a *attest.Approval) { a.Branch = "refs/heads/main" })
}

func TestReplayOfAnotherDiff(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.RawDiffID = sum("e") })
}

func TestReplayOnAnotherMergeBase(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.MergeBase = id("9") })
}

func TestReplayInAnotherTier(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.Tiers = []string{"stage"} })
	replay(t, func(a *attest.Approval) { a.Tiers = []string{"stage", "PROD"} })
}

// TestReplayInAnotherTree: a head whose tree differs has another raw diff from the same merge base;
// a head of another id with the same diff is the same content.
func TestReplayInAnotherTree(t *testing.T) {
	replay(t, func(a *attest.Approval) { a.Head, a.HeadTree, a.RawDiffID = id("7"), id("8"), sum("e") })
	w := newTown(t)
	a := anApproval()
	a.Head = id("7")
	if got := who(attest.ForUnit([]attest.Verified{w.verified(t, "alice", 1, minute(2), a)}, shop, "main", "prod", theUnit())); len(got) != 1 {
		t.Errorf("the same content under another id counts for %q", got)
	}
}

// TestForgottenTier: no tier is not every tier.
func TestForgottenTier(t *testing.T) {
	w := newTown(t)
	a := anApproval()
	a.Tiers = []string{"prod"}
	all := []attest.Verified{w.verified(t, "alice", 1, minute(2), a), w.verified(t, "bob", 1, minute(2), anApproval())}
	if d := cmp.Diff([]string{"bob"}, who(attest.ForUnit(all, shop, "main", "", theUnit()))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"alice", "bob"}, who(attest.ForLanding(all, shop, "main", theUnit()))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// said is one statement of a story: by whom, what, said and seen in which minutes.
type said struct {
	who        string
	decision   change.Decision
	said, seen int
	sequence   int
	tiers      string
}

func (w town) story(t *testing.T, lines []said) []attest.Verified {
	t.Helper()
	var all []attest.Verified
	for i, l := range lines {
		a := anApproval()
		a.Decision, a.SaidAt, a.Nonce = l.decision, minute(l.said), "nonce-of-the-line-"+strconv.Itoa(i)
		a.Tiers = strings.Fields(l.tiers)
		all = append(all, w.verified(t, l.who, l.sequence, minute(l.seen), a))
	}
	return all
}

// TestRuling22LatestDecision: the latest decision of each principal stands, and no trick brings a
// withdrawn approval back.
func TestRuling22LatestDecision(t *testing.T) {
	const yes, no = change.Approve, change.Withdraw
	for name, c := range map[string]struct {
		lines []said
		want  []string
	}{
		"two people":                         {[]said{{"alice", yes, 1, 1, 1, ""}, {"bob", yes, 1, 1, 1, ""}}, []string{"alice", "bob"}},
		"two keys of one person (T-42)":      {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice/2", yes, 2, 2, 2, ""}}, []string{"alice"}},
		"withdrawn":                          {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice", no, 2, 2, 2, ""}}, nil},
		"withdrawn with another key":         {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice/2", no, 2, 2, 2, ""}}, nil},
		"withdrawn by somebody else":         {[]said{{"alice", yes, 1, 1, 1, ""}, {"bob", no, 2, 2, 1, ""}}, []string{"alice"}},
		"approved again":                     {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice", no, 2, 2, 2, ""}, {"alice", yes, 3, 3, 3, ""}}, []string{"alice"}},
		"approved again, all seen at once":   {[]said{{"alice", yes, 1, 4, 1, ""}, {"alice", no, 2, 4, 2, ""}, {"alice", yes, 3, 4, 3, ""}}, []string{"alice"}},
		"withdrawn in the same second":       {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice", no, 1, 1, 2, ""}}, nil},
		"approved in the same second":        {[]said{{"alice", no, 1, 1, 1, ""}, {"alice", yes, 1, 1, 2, ""}}, nil},
		"withdrawn by a slow clock":          {[]said{{"alice", yes, 3, 3, 1, ""}, {"alice", no, 1, 4, 2, ""}}, nil},
		"old approval pushed late":           {[]said{{"alice", no, 2, 2, 2, ""}, {"alice", yes, 1, 9, 3, ""}}, nil},
		"withdrawal that was hidden":         {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice", no, 2, 9, 9, ""}}, nil},
		"only a withdrawal":                  {[]said{{"alice", no, 1, 1, 1, ""}}, nil},
		"a later limit of tiers":             {[]said{{"alice", yes, 1, 1, 1, ""}, {"alice", yes, 2, 2, 2, "stage"}}, nil},
		"limited to this tier among others":  {[]said{{"alice", yes, 1, 1, 1, "stage prod"}}, []string{"alice"}},
		"ref made anew after a withdrawal":   {[]said{{"alice", yes, 1, 1, 7, ""}, {"alice", no, 2, 2, 8, ""}, {"alice", yes, 3, 3, 1, ""}}, []string{"alice"}},
		"said later but seen with the other": {[]said{{"alice", no, 2, 4, 1, ""}, {"alice", yes, 3, 4, 1, ""}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			got := who(attest.ForUnit(w.story(t, c.lines), shop, "main", "prod", theUnit()))
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestRuling22SameStatementTwice: a statement that is found again is the same statement, as it was
// first seen. Replaying an approval that was withdrawn brings nothing back.
func TestRuling22SameStatementTwice(t *testing.T) {
	w := newTown(t)
	lines := w.story(t, []said{{"alice", change.Approve, 1, 1, 1, ""}, {"alice", change.Withdraw, 2, 2, 2, ""}})
	again := w.verified(t, "alice", 3, minute(9), lines[0].Statement())
	if got := attest.Fold(append(lines, again)); len(got) > 0 {
		t.Errorf("it came back: %v", got)
	}
	if got := attest.Fold([]attest.Verified{again, lines[0]}); len(got) != 1 || !got[0].SeenAt.Equal(minute(1)) {
		t.Errorf("not as it was first seen: %v", got)
	}
}

// TestProperties over random stories: the order of evidence does not matter, one more approval never
// removes an approver, one more withdrawal or one approval less never adds one, and nobody is counted
// twice. Withdrawals are why the last needs words: taking away a withdrawal can bring an approver
// back, which is what the stored statements of ruling 22 prevent.
func TestProperties(t *testing.T) {
	w := newTown(t)
	r := rand.New(rand.NewPCG(1, 2))
	people := []string{"alice", "alice/2", "bob", "carol"}
	count := func(all []attest.Verified) []string {
		return who(attest.ForUnit(all, shop, "main", "prod", theUnit()))
	}
	for range 150 {
		var lines []said
		for i := range 1 + r.IntN(6) {
			d := change.Approve
			if r.IntN(3) == 0 {
				d = change.Withdraw
			}
			moment := 1 + r.IntN(4)
			lines = append(lines, said{people[r.IntN(len(people))], d, moment, moment + r.IntN(3), i, ""})
		}
		all := w.story(t, lines)
		want := count(all)
		for i := 1; i < len(want); i++ {
			if want[i] == want[i-1] {
				t.Fatalf("%s is counted twice: %+v", want[i], lines)
			}
		}
		mixed := append([]attest.Verified{}, all...)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if d := cmp.Diff(want, count(append(mixed, mixed[0]))); d != "" {
			t.Fatalf("the order matters (-want +got):\n%s%+v", d, lines)
		}
		for i := range all {
			less := append(append([]attest.Verified{}, all[:i]...), all[i+1:]...)
			few, many := count(less), want
			if all[i].Statement().Decision == change.Withdraw {
				few, many = want, few
			}
			if !within(few, many) {
				t.Fatalf("without line %d there are %q, with it %q: %+v", i, count(less), want, lines)
			}
		}
	}
}

func within(few, many []string) bool {
	set := map[string]bool{}
	for _, m := range many {
		set[m] = true
	}
	for _, f := range few {
		if !set[f] {
			return false
		}
	}
	return true
}

// TestUnits lists what landings may be of.
func TestUnits(t *testing.T) {
	w := newTown(t)
	other := anApproval()
	other.Head, other.RawDiffID = id("1"), sum("2")
	elsewhere := anApproval()
	elsewhere.Branch = "stage"
	all := []attest.Verified{
		w.verified(t, "alice", 1, minute(2), anApproval()), w.verified(t, "bob", 1, minute(2), anApproval()),
		w.verified(t, "alice", 2, minute(2), other), w.verified(t, "alice", 3, minute(2), elsewhere),
	}
	want := []change.Unit{{MergeBase: id("a"), Head: id("1"), RawDiffID: sum("2")}, theUnit()}
	if d := cmp.Diff(want, attest.Units(all, shop, "main")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestRuling22RefIsItsSigners: one ref for each principal, and nothing of others on it.
func TestRuling22RefIsItsSigners(t *testing.T) {
	w := newTown(t)
	envelope := w.approve(t, "alice", anApproval())
	for ref, want := range map[string]attest.Reason{
		"refs/fairway/approvals/alice":         "",
		"refs/fairway/approvals/bob":           attest.WrongSigner,
		"refs/fairway/approvals/Alice":         attest.WrongSigner,
		"refs/fairway/approvals/":              attest.WrongSigner,
		"refs/fairway/approvals":               attest.WrongSigner,
		"refs/fairway/approvals/alice/x":       attest.WrongSigner,
		"refs/fairway/approvals/../alice":      attest.WrongSigner,
		"refs/heads/alice":                     attest.WrongSigner,
		"refs/fairway/approvals/alice\n":       attest.WrongSigner,
		" refs/fairway/approvals/alice":        attest.WrongSigner,
		"refs/remotes/fairway/approvals/alice": attest.WrongSigner,
	} {
		v, no := attest.FromRef(attest.Record{Ref: ref, Sequence: 1, SeenAt: minute(2), Envelope: envelope}, w.keyring)
		var got attest.Reason
		if no != nil {
			got = no.Reason
		}
		if got != want || (v.Principal() == "alice") != (want == "") {
			t.Errorf("%q: %v, want %q", ref, no, want)
		}
	}
	for name, fine := range map[string]bool{
		"alice": true, "a.b@example.com": true, "bob_2": true, "": false, "a/b": false, ".x": false, "x.lock": false, "x.": false,
		"a..b": false, "-x": false, "@": false, "a b": false, "ä": false, "a~1": false, "HEAD": true, strings.Repeat("a", 201): false,
	} {
		ref, err := attest.Ref(name)
		back, ok := attest.PrincipalOf(ref)
		if (err == nil) != fine || ok != fine || fine && back != name {
			t.Errorf("%q: ref %q, error %v, back %q %v", name, ref, err, back, ok)
		}
	}
}
