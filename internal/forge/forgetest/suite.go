// Package forgetest is what every adapter for a forge must do, as stories that are played on a forge
// and then read back through the adapter: who may count as an approver of what landed.
//
// A story is played on a Stage. World is one in memory: it keeps what a forge keeps, with the habits
// of its kind (GitHub re-points reviews, GitLab keeps no commits, Gitea's feed hides people), and
// serves it over HTTP in the shapes that the forges' public API references describe. Those answers
// were written for this package from the references; they were not recorded from GitHub or GitLab, and
// nothing here ever spoke to them. A real forge is a Stage as well: see e2e/gitea.
package forgetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// Verb is what somebody does in a story.
type Verb string

// The verbs. Each names the fields of Act that it reads beside By.
const (
	Push     Verb = "push"     // Branch (made from From, or main), Files, Author, Coauthor
	Amend    Verb = "amend"    // Branch, Files: force one commit in the place of all, on the same base
	Rebase   Verb = "rebase"   // Branch: force the same commits on top of main
	Back     Verb = "back"     // Branch, Nth: force it back to an earlier head
	Open     Verb = "open"     // Branch, Target
	Review   Verb = "review"   // Branch, Opinion, Nth: of an earlier head
	Dismiss  Verb = "dismiss"  // Branch, Whom: strike their review
	Merge    Verb = "merge"    // Branch, How
	MergeAll Verb = "mergeAll" // Branches: merge them locally and push main once
	Direct   Verb = "direct"   // Files: push to main
	Rewind   Verb = "rewind"   // force main back by one commit
	Retarget Verb = "retarget" // Branch, Target
	Close    Verb = "close"    // Branch
	Gone     Verb = "gone"     // Whom: delete the account
	Rename   Verb = "rename"   // Whom: rename the account
	Move     Verb = "move"     // rename the repository
	Replace  Verb = "replace"  // let another repository take the path
	Hide     Verb = "hide"     // Whom: hide what they push, as far as the forge lets them
)

// The ways to merge.
const (
	ByMerge  = "merge"
	BySquash = "squash"
	ByRebase = "rebase"
	ByFF     = "fast-forward"
)

// Act is one thing that somebody does. Empty fields are left to the stage.
type Act struct {
	Do       Verb
	By       string
	Branch   string
	From     string
	Branches []string
	Target   string
	Files    map[string]string
	Author   string // of the commit, if another than who pushes it
	Coauthor string
	Whom     string
	Opinion  forge.Opinion
	Nth      int // a head of the branch, from 1; 0: the newest
	How      string
	// MayRefuse: the forge may refuse it, and then nothing happened.
	MayRefuse bool
}

// Stage is a repository on a forge, with main and nothing else in it.
type Stage interface {
	// Act does one thing, and returns when the forge shows it.
	Act(t *testing.T, a Act)
	// View is the stage as Fairway sees it, after what was done.
	View(t *testing.T) View
}

// View is what Fairway sees of a stage.
type View struct {
	Kind       forge.Kind
	Reader     forge.Reader
	Repository forge.Repository
	Git        forge.Git
	Tip        string                   // of main
	Rewritten  []time.Time              // when main was seen rewritten
	Accounts   map[string]forge.Account // by the name that the story uses
	Base       string                   // tip of main before the story
}

// Run plays every story that a kind of forge can show on a forge in memory, and looks at the edges.
func Run(t *testing.T, kind forge.Kind, adapter func(forge.Access) (forge.Reader, error)) {
	reader := func(t *testing.T, w *World) forge.Reader {
		t.Helper()
		r, err := adapter(w.Access())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, s := range Stories() {
		if !s.ShownBy(kind) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			w := NewWorld(t, kind)
			s.Play(t, w.Seen(reader(t, w)))
		})
	}
	t.Run("members of a team", func(t *testing.T) { members(t, reader(t, NewWorld(t, kind))) })
	t.Run("what is not there", func(t *testing.T) { NotThere(t, reader(t, NewWorld(t, kind))) })
	t.Run("TestT39 a token that is no longer good", func(t *testing.T) {
		a := NewWorld(t, kind).Access()
		a.Token = forge.NewSecret("expired")
		r, err := adapter(a)
		if err != nil {
			t.Fatal(err)
		}
		denied(t, r)
	})
}

// Story is a row of the suite.
type Story struct {
	Name string
	Acts []Act
	// Want are the principals whose approval of the change feature counts in the end.
	Want []string
	// Refused is a part of the reason why a review does not count; empty: none is refused.
	Refused string
	Only    []forge.Kind // that can show it; empty: all
	// Check looks further; nil: the approvals are all there is.
	Check func(*testing.T, View, forge.Change, forge.Facts)
	// Fails is the error that reading must end with.
	Fails error
	// NotReal: a real forge of the kind cannot be brought to it in a test.
	NotReal bool
}

// ShownBy reports whether a kind of forge can show the story.
func (s Story) ShownBy(kind forge.Kind) bool {
	return len(s.Only) == 0 || slices.Contains(s.Only, kind)
}

// feature is the branch that stories are about.
const feature = "feature"

// Play plays the story on a stage and reads it back.
func (s Story) Play(t *testing.T, stage Stage) {
	for _, a := range s.Acts {
		stage.Act(t, a)
	}
	v := stage.View(t)
	listed, err := v.Reader.Changes(t.Context(), v.Repository, forge.Span{Branch: "main"})
	changes := listed.Changes
	if err == nil && len(changes) == 0 && s.Want == nil && s.Check != nil {
		s.Check(t, v, forge.Change{}, forge.Facts{})
		return
	}
	var d forge.Dossier
	if err == nil {
		d, err = s.dossier(t, v, changes)
	}
	if s.Fails != nil {
		if !errors.Is(err, s.Fails) {
			t.Fatalf("reading ends with %v, want %v", err, s.Fails)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	f := forge.Facts{Repository: "https://forge.example/shop", Principal: v.principal, SeenAt: time.Now(), Rewritten: v.Rewritten}
	if err := forge.Resolve(t.Context(), v.Git, d, v.Tip, &f); err != nil {
		t.Fatal(err)
	}
	f.Contributors = v.contributors(t, f.Unit)
	s.judge(t, d, forge.Fold(d, f))
	if s.Check != nil {
		s.Check(t, v, d.Change, f)
	}
}

// dossier is that of the change that the story is about: the first.
func (s Story) dossier(t *testing.T, v View, changes []forge.Change) (forge.Dossier, error) {
	first := slices.MinFunc(changes, func(a, b forge.Change) int { return int(a.Number - b.Number) })
	d, err := v.Reader.Dossier(t.Context(), v.Repository, first.Number)
	if err == nil && (d.Head != first.Head || d.State != first.State || d.Target != first.Target) {
		t.Errorf("the listing says %+v, the page %+v", first, d.Change)
	}
	return d, err
}

func (s Story) judge(t *testing.T, d forge.Dossier, got forge.Folded) {
	t.Helper()
	var who []string
	for _, a := range got.Approvals {
		who = append(who, a.Principal)
		if a.Level != change.LevelForge || a.Source == "" || a.RawDiffID == "" || a.HeadTree == "" || a.SaidAt.IsZero() {
			t.Errorf("approval %+v lacks something", a)
		}
	}
	if !slices.Equal(who, s.Want) {
		t.Errorf("approved by %v, want %v; refused %+v; dossier %+v", who, s.Want, got.Refused, d)
	}
	var reasons []string
	for _, r := range got.Refused {
		reasons = append(reasons, r.Reason)
	}
	for _, o := range got.Objections {
		reasons = append(reasons, "objection of "+o.Principal)
	}
	if all := strings.Join(reasons, "; "); (s.Refused != "") != (all != "") || !strings.Contains(all, s.Refused) {
		t.Errorf("refused %q, want %q; dossier %+v", all, s.Refused, d)
	}
}

// principal names people by account. bob has a second account, carol is of no team before tomorrow,
// and stranger is nobody.
func (v View) principal(a forge.Account, _ time.Time) (name string, robot, known bool) {
	for who, have := range v.Accounts {
		if have.ID != a.ID || who == "stranger" || who == "carol" {
			continue
		}
		if who == "bob2" {
			who = "bob"
		}
		return who, who == "robot", true
	}
	return "", false, false
}

// contributors are the people whom the commits of a unit name.
func (v View) contributors(t *testing.T, u change.Unit) []string {
	var all []string
	add := func(address string) {
		if name, _, ok := strings.Cut(address, "@"); ok {
			all = append(all, name)
		}
	}
	for at := u.Head; at != "" && at != u.MergeBase; {
		c, err := v.Git.Commit(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		add(c.Author.Email)
		for _, line := range c.Trailers {
			if _, address, ok := strings.Cut(line.Value, "<"); ok && line.Key == "Co-authored-by" {
				add(address)
			}
		}
		at = ""
		if len(c.Parents) > 0 {
			at = c.Parents[0]
		}
	}
	return all
}
