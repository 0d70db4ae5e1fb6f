package forge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

func at(minute int) time.Time {
	return time.Date(2026, 11, 26, 12, minute, 0, 0, time.UTC)
}

func account(name string) Account {
	return Account{ID: map[string]string{
		"alice": "1", "bob": "2", "carol": "3", "dave": "4", "bob-2": "5", "bot": "6", "stranger": "7", "app": "8",
	}[name], Login: name, Robot: name == "app"}
}

// principals are the people of the tests: bob has two accounts, bot is a robot of ours, app one that
// the forge knows, carol was in nobody's list before minute 5, and stranger never is.
func principals(a Account, t time.Time) (name string, robot, known bool) {
	switch a.ID {
	case "1":
		return "alice", false, true
	case "2", "5":
		return "bob", false, true
	case "3":
		return "carol", false, !t.Before(at(5))
	case "4":
		return "dave", false, true
	case "6", "8":
		return "bot", true, true
	}
	return "", false, false
}

func approve(by string, minute int) Review {
	return said(by, Approved, minute)
}

func said(by string, what Opinion, minute int) Review {
	return Review{ID: by + "-" + at(minute).Format("04"), Reviewer: account(by), Opinion: what, Commit: "head", SubmittedAt: at(minute)}
}

func numbered(id int64, r Review) Review {
	r.ID = ID(id)
	return r
}

// dossier is a change of alice with one head, reviewed as given.
func dossier(reviews ...Review) Dossier {
	return Dossier{
		Change:  Change{Number: 1, State: Open, Target: "main", Head: "head", Author: account("alice"), URL: "https://forge/1", UpdatedAt: at(50)},
		Reviews: reviews, Heads: []Head{{Commit: "head", At: at(10), By: account("alice")}}, HeadsKnown: change.Present,
		Pushers: []Account{account("alice")}, PushersKnown: change.Present,
	}
}

func facts() Facts {
	return Facts{
		Repository: "https://forge/shop", Unit: change.Unit{MergeBase: "base", Head: "head", RawDiffID: "diff"}, HeadTree: "tree",
		Diffs: map[Revision]string{
			{Head: "head"}: "diff", {Head: "older"}: "other diff", {Head: "rebased"}: "diff", {Head: "head", Base: "base"}: "diff",
			{Head: "head", Base: "onto x"}: "smaller diff",
		},
		Contributors: []string{"alice"}, Principal: principals, SeenAt: at(59),
	}
}

func TestFold(t *testing.T) {
	for _, tc := range []struct {
		name string
		d    Dossier
		edit func(*Dossier, *Facts)
		want string // who approves
		why  string // a part of the reason of the first refusal
	}{
		{name: "approved", d: dossier(approve("bob", 20)), want: "bob"},
		{name: "two people", d: dossier(approve("dave", 20), approve("bob", 21)), want: "bob dave"},
		{name: "TestT42 one person with two accounts is one", d: dossier(approve("bob", 20), approve("bob-2", 21)), want: "bob"},
		{name: "comment only", d: dossier(said("bob", Commented, 20))},
		{name: "comment after an approval takes nothing back", d: dossier(approve("bob", 20), said("bob", Commented, 21)), want: "bob"},
		{name: "dismissed", d: dossier(said("bob", Dismissed, 20)), why: "Dismissed"},
		{name: "approved again after a dismissal", d: dossier(said("bob", Dismissed, 20), approve("bob", 21)), want: "bob"},
		{name: "an earlier approval does not outlive a dismissed one", d: dossier(approve("bob", 20), said("bob", Dismissed, 21)), why: "Dismissed"},
		{name: "changes requested after an approval", d: dossier(approve("bob", 20), said("bob", ChangesRequested, 21))},
		{name: "somebody else requests changes", d: dossier(approve("bob", 20), said("dave", ChangesRequested, 19))},
		{name: "a stranger's request for changes does not stop it", d: dossier(approve("bob", 20), said("stranger", ChangesRequested, 21)), want: "bob", why: "ChangesRequested"},
		{name: "a robot's request for changes does not stop it", d: dossier(approve("bob", 20), said("bot", ChangesRequested, 21)), want: "bob", why: "ChangesRequested"},
		{name: "approved again after requesting changes", d: dossier(said("bob", ChangesRequested, 20), approve("bob", 21)), want: "bob"},
		{name: "both at one moment", d: dossier(said("bob", Dismissed, 20), approve("bob", 20)), why: "Dismissed"},
		{name: "both in one second, numbered", d: dossier(numbered(9, said("bob", ChangesRequested, 20)), numbered(10, approve("bob", 20))), want: "bob"},
		{name: "both in one second, numbered the other way", d: dossier(numbered(10, said("bob", Dismissed, 20)), numbered(9, approve("bob", 20))), why: "Dismissed"},
		{name: "a word that is not known takes back", d: dossier(approve("bob", 20), said("bob", Unknown, 21)), why: "Unknown"},
		{name: "stranger", d: dossier(approve("stranger", 20)), why: "nobody who is known"},
		{name: "robot of ours", d: dossier(approve("bot", 20)), why: "robots"},
		{name: "robot that the forge names", d: dossier(approve("app", 20)), why: "robots"},
		{name: "account that is gone", d: dossier(Review{ID: "1", Opinion: Approved, Commit: "head", SubmittedAt: at(20)}), why: "gone"},
		{name: "member only later", d: dossier(approve("carol", 4)), why: "nobody who is known"},
		{name: "opened it", d: dossier(approve("alice", 20)), why: "opened the change"},
		{
			name: "pushed to it", d: dossier(approve("bob", 20)), why: "pushed",
			edit: func(d *Dossier, _ *Facts) { d.Pushers = append(d.Pushers, account("bob")) },
		},
		{
			name: "pushed an earlier head", d: dossier(approve("bob", 20)), why: "pushed",
			edit: func(d *Dossier, _ *Facts) {
				d.Heads = append([]Head{{Commit: "older", At: at(1), By: account("bob")}}, d.Heads...)
			},
		},
		{
			name: "pushed with another account", d: dossier(approve("bob", 20)), why: "pushed",
			edit: func(d *Dossier, _ *Facts) { d.Pushers = append(d.Pushers, account("bob-2")) },
		},
		{
			name: "wrote a commit, as the forge says", d: dossier(approve("bob", 20)), why: "wrote",
			edit: func(d *Dossier, _ *Facts) { d.Authors = []Account{account("bob")} },
		},
		{
			name: "wrote a commit, as git says", d: dossier(approve("bob", 20)), why: "contributed",
			edit: func(_ *Dossier, f *Facts) { f.Contributors = []string{"bob"} },
		},
		{
			name: "merged it", d: dossier(approve("bob", 20)), want: "bob",
			edit: func(d *Dossier, _ *Facts) { d.Merger = account("bob") },
		},
		{
			name: "merged it where mergers are barred", d: dossier(approve("bob", 20)), why: "merged",
			edit: func(d *Dossier, f *Facts) { d.Merger, f.MergerBarred = account("bob"), true },
		},
		{
			name: "pushers not told", d: dossier(approve("bob", 20)), why: "who pushed",
			edit: func(d *Dossier, _ *Facts) { d.PushersKnown = change.CouldNotTell },
		},
		{
			name: "nobody is known", d: dossier(approve("bob", 20)), why: "nobody who is known",
			edit: func(_ *Dossier, f *Facts) { f.Principal = nil },
		},
		{
			name: "what lands is not known", d: dossier(approve("bob", 20)), why: "not known",
			edit: func(_ *Dossier, f *Facts) { f.Unit = change.Unit{} },
		},
		{
			name: "another head than was resolved", d: dossier(approve("bob", 20)), why: "not known",
			edit: func(d *Dossier, _ *Facts) { d.Head = "newer" },
		},
		{
			name: "retargeted after the review", d: dossier(approve("bob", 20)), why: "target branch",
			edit: func(d *Dossier, _ *Facts) { d.Rebased = []time.Time{at(21)} },
		},
		{
			name: "retargeted before the review", d: dossier(approve("bob", 20)), want: "bob",
			edit: func(d *Dossier, _ *Facts) { d.Rebased = []time.Time{at(19)} },
		},
		{
			name: "target rewritten after the review", d: dossier(approve("bob", 20)), why: "rewritten",
			edit: func(_ *Dossier, f *Facts) { f.Rewritten = []time.Time{at(30)} },
		},
		{
			name: "git does not hold what was reviewed", d: dossier(approve("bob", 20)), why: "not to be had",
			edit: func(_ *Dossier, f *Facts) { f.Diffs = nil },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := facts()
			if tc.edit != nil {
				tc.edit(&tc.d, &f)
			}
			got := Fold(tc.d, f)
			var who []string
			for _, a := range got.Approvals {
				who = append(who, a.Principal)
			}
			if strings.Join(who, " ") != tc.want {
				t.Errorf("approved by %q, want %q; refused %+v", who, tc.want, got.Refused)
			}
			if (tc.why != "") != (len(got.Refused) > 0) || tc.why != "" && !strings.Contains(got.Refused[0].Reason, tc.why) {
				t.Errorf("refused %+v, want %q", got.Refused, tc.why)
			}
		})
	}
}

// TestT09ApprovalIsOfContent: an approval counts for exactly the content that was reviewed.
func TestT09ApprovalIsOfContent(t *testing.T) {
	heads := func(h ...Head) func(*Dossier) {
		return func(d *Dossier) { d.Heads = h }
	}
	for _, tc := range []struct {
		name   string
		commit string // that the review names; it was given at minute 20
		edit   func(*Dossier)
		first  Revision
		counts bool
	}{
		{name: "final head", commit: "head", counts: true},
		{name: "older head of other content", commit: "older", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(30)})},
		{name: "older head of the same raw diff", commit: "rebased", edit: heads(Head{Commit: "rebased", At: at(1)}, Head{Commit: "head", At: at(30)}), counts: true},
		{name: "old commit named on purpose", commit: "older", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(10)})},
		{name: "re-pointed to a head that came later", commit: "head", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(30)})},
		{name: "re-pointed, and seen before that", commit: "head", first: Revision{Head: "older"}},
		{name: "no commit, one head", commit: "", counts: true},
		{name: "no commit, pushed after", commit: "", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(21)})},
		{name: "no commit, pushed before", commit: "", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(19)}), counts: true},
		{name: "no commit, pushed in the same seconds", commit: "", edit: heads(Head{Commit: "older", At: at(1)}, Head{Commit: "head", At: at(20).Add(-time.Second)})},
		{name: "no commit, heads not known", commit: "", edit: func(d *Dossier) { d.HeadsKnown = change.CouldNotTell }},
		{name: "older than every head", commit: "", edit: heads(Head{Commit: "head", At: at(21)})},
		{name: "a commit on the way that was no head", commit: "older"},
		{name: "a commit that git does not hold", commit: "unheard"},
		{name: "shown against a base that held more already", commit: "", edit: heads(Head{Commit: "head", Base: "onto x", At: at(10)})},
		{name: "shown against the landed base", commit: "", edit: heads(Head{Commit: "head", Base: "base", At: at(10)}), counts: true},
		{name: "forced back to a head of before", commit: "older", edit: heads(Head{Commit: "head", At: at(1)}, Head{Commit: "older", At: at(10)}, Head{Commit: "head", At: at(30)})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := approve("bob", 20)
			r.Commit = tc.commit
			d, f := dossier(r), facts()
			if tc.edit != nil {
				tc.edit(&d)
			}
			f.First = map[string]Revision{r.ID: tc.first}
			if got := Fold(d, f); (len(got.Approvals) == 1) != tc.counts {
				t.Errorf("approvals %+v, refused %+v; counts should be %t", got.Approvals, got.Refused, tc.counts)
			}
		})
	}
}

func TestFoldIgnoresOrder(t *testing.T) {
	reviews := []Review{
		approve("bob", 20), said("bob", Commented, 22), said("bob-2", Dismissed, 21), approve("dave", 15), said("dave", ChangesRequested, 14),
		approve("stranger", 3), approve("carol", 40),
	}
	want := Fold(dossier(reviews...), facts())
	if len(want.Approvals) != 3 {
		t.Fatalf("approvals %+v, refused %+v", want.Approvals, want.Refused)
	}
	for i := range reviews {
		turned := append(append([]Review{}, reviews[i:]...), reviews[:i]...)
		if diff := cmp.Diff(want, Fold(dossier(turned...), facts())); diff != "" {
			t.Errorf("turned by %d: %s", i, diff)
		}
	}
}

func TestApprovalNamesTheLandedUnit(t *testing.T) {
	d := dossier(approve("bob", 20))
	d.URL = "https://forge/shop/pulls/1"
	got := Fold(d, facts()).Approvals
	want := []change.Approval{{
		Principal: "bob", Level: change.LevelForge, Decision: change.Approve, Repository: "https://forge/shop", Branch: "main",
		MergeBase: "base", Head: "head", HeadTree: "tree", RawDiffID: "diff", SaidAt: at(20), SeenAt: at(59), Source: d.URL,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
