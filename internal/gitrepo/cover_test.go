package gitrepo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// story is a history with names, for tests that say what Cover makes of it.
type story struct {
	*forge
	ids   map[string]string // by name
	names map[string]string // by id
	units []change.Unit
	unit  map[string]string // name of a unit by its head
	keep  []string
}

func newStory(t *testing.T) *story {
	return &story{forge: newForge(t), ids: map[string]string{}, names: map[string]string{}, unit: map[string]string{}}
}

// is gives a commit a name.
func (s *story) is(name, id string) string {
	s.ids[name], s.names[id] = id, name
	return id
}

// states that a unit was looked at by people, from a merge base to a head.
func (s *story) states(name, mergeBase, head string) {
	s.t.Helper()
	s.keep = append(s.keep, head, mergeBase)
	r := newRepo(&git{bin: "git", dir: s.dir + "/.git", cwd: s.dir, env: mirrorEnv(), limits: Limits{}.withDefaults()}, s.dir+"/.git/objects", "")
	defer r.Close()
	raw, err := r.RawDiffID(s.t.Context(), mergeBase, head)
	if err != nil {
		s.t.Fatalf("RawDiffID: %v", err)
	}
	s.units = append(s.units, change.Unit{MergeBase: mergeBase, Head: head, RawDiffID: raw})
	s.unit[head] = name
}

// cover is what Cover says, a line for each step: its commits, whether it touches the closure or is
// undone, and the unit that it is the landing of (=), claims to be (!) or was not looked at for (?).
func (s *story) cover(base, head string, closure change.Closure) string {
	s.t.Helper()
	return s.coverIn(s.mirrorOf(head, s.keep...), base, head, closure)
}

func (s *story) coverIn(m *Mirror, base, head string, closure change.Closure) string {
	s.t.Helper()
	steps, err := m.Cover(s.t.Context(), CoverRequest{Base: base, Head: head, Closure: closure, Units: s.units})
	if err != nil {
		s.t.Fatalf("Cover: %v", err)
	}
	var lines []string
	for _, step := range steps {
		lines = append(lines, s.describe(step))
	}
	return strings.Join(lines, "\n")
}

func (s *story) describe(step change.Step) string {
	var words []string
	for _, c := range step.Commits {
		words = append(words, s.names[c.ID])
	}
	switch step.Touches {
	case change.Present:
		words = append(words, "touches")
	case change.CouldNotTell:
		words = append(words, "may-touch")
	}
	if step.Undone == change.Present {
		words = append(words, "undone")
	}
	if l := step.Landing; l != nil {
		mark := map[change.Found]string{change.Present: "=", change.Absent: "!", change.CouldNotTell: "?"}[l.Proven]
		words = append(words, mark+s.unit[l.Head])
	}
	return strings.Join(words, " ")
}

// says fails the test where Cover says something else.
func (s *story) says(base, head, want string) {
	s.t.Helper()
	if diff := cmp.Diff(strings.TrimSpace(want), s.cover(base, head, change.Closure{Prefix: "apps"})); diff != "" {
		s.t.Errorf("Cover (-want +got):\n%s", diff)
	}
}

var ground = files{
	"apps/web.yaml": "kind: Deployment\nspec:\n  replicas: 1\n  image: web:1\n  env: []\n  ports: []\n  end: true\n",
	"apps/db.yaml":  "kind: StatefulSet\nspec:\n  replicas: 1\n",
	"docs/readme":   "hello\n",
}

func TestCoverMerge(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/web.yaml", strings.Replace(ground["apps/web.yaml"], "web:1", "web:2", 1)), c0)
	u2 := s.commit("u2", ground.with("apps/web.yaml", strings.Replace(ground["apps/web.yaml"], "web:1", "web:3", 1)), u1)
	c1 := s.is("c1", s.merge(c0, u2))
	s.states("U", c0, u2)
	s.says(c0, c1, "c1 touches =U")
}

func TestCoverSquash(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/new.yaml", "x\n"), c0)
	u2 := s.commit("u2", ground.with("apps/new.yaml", "y\n"), u1)
	s.states("U", c0, u2)
	c1 := s.is("c1", s.squash(c0, u2))
	s.says(c0, c1, "c1 touches =U")
}

// The base moved under the unit, in the same file, and the forge merged both.
func TestCoverMovedBase(t *testing.T) {
	for _, land := range []string{"merge", "squash", "rebase"} {
		t.Run(land, func(t *testing.T) {
			s := newStory(t)
			web := ground["apps/web.yaml"]
			c0 := s.is("c0", s.commit("root", ground))
			u1 := s.commit("u1", ground.with("apps/web.yaml", strings.Replace(web, "web:1", "web:2", 1)), c0)
			u2 := s.commit("u2", ground.with("apps/web.yaml", strings.Replace(web, "web:1", "web:2", 1), "apps/db.yaml", "two\n"), u1)
			s.states("U", c0, u2)
			v1 := s.commit("v1", ground.with("apps/web.yaml", strings.Replace(web, "end: true", "end: false", 1)), c0)
			s.states("V", c0, v1)
			c1 := s.is("c1", s.squash(c0, v1))
			switch land {
			case "merge":
				s.says(c0, s.is("c2", s.merge(c1, u2)), "c1 touches =V\nc2 touches =U")
			case "squash":
				s.says(c0, s.is("c2", s.squash(c1, u2)), "c1 touches =V\nc2 touches =U")
			case "rebase":
				c3 := s.is("c3", s.rebase(c1, c0, u2))
				s.is("c2", s.git("rev-parse", c3+"^"))
				s.says(c0, c3, "c1 touches =V\nc2 c3 touches =U")
			}
		})
	}
}

func TestCoverFastForward(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	c1 := s.is("c1", s.commit("u1", ground.with("apps/web.yaml", "1\n"), c0))
	c2 := s.is("c2", s.commit("u2", ground.with("apps/web.yaml", "2\n"), c1))
	c3 := s.is("c3", s.commit("u3", ground.with("docs/readme", "3\n", "apps/web.yaml", "2\n"), c2))
	s.states("U", c0, c3)
	s.says(c0, c3, "c1 c2 c3 touches =U")
}

// A fast-forward that holds a merge has fewer commits on the chain than in the unit; it is the
// unit's own commits all the same.
func TestCoverFastForwardWithMerge(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	c1 := s.is("c1", s.commit("u1", ground.with("apps/web.yaml", "1\n"), c0))
	side := s.commit("side", ground.with("apps/db.yaml", "2\n"), c0)
	side = s.commit("side", ground.with("apps/db.yaml", "3\n"), side)
	c2 := s.is("c2", s.merge(c1, side))
	s.states("U", c0, c2)
	s.says(c0, c2, "c1 c2 touches =U")
}

// A push to the branch itself that was approved afterwards.
func TestCoverApprovedAfterThePush(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	c1 := s.is("c1", s.commit("x", ground.with("apps/web.yaml", "x\n"), c0))
	c2 := s.is("c2", s.commit("y", ground.with("apps/web.yaml", "y\n"), c1))
	s.states("X", c0, c1)
	s.says(c0, c2, "c1 touches =X\nc2 touches")
	s.states("Y", c1, c2)
	s.says(c0, c2, "c1 touches =X\nc2 touches =Y")
}

// The first version of this algorithm let the push ride along: the tree after the merge is what
// merging the unit into the root gives, since the unit holds the push.
func TestDirectPushUnderApprovedUnitIsNotCovered(t *testing.T) {
	for pushes := 1; pushes <= 2; pushes++ {
		for length := 1; length <= 3; length++ {
			for _, land := range []string{"merge", "squash", "rebase"} {
				t.Run(fmt.Sprintf("%d pushed, %d approved, %s", pushes, length, land), func(t *testing.T) {
					directPush(newStory(t), pushes, length, land)
				})
			}
		}
	}
}

func directPush(s *story, pushes, length int, land string) {
	c0 := s.is("c0", s.commit("root", ground))
	tip, content, want := c0, ground, ""
	for i := range pushes {
		content = content.with("apps/web.yaml", content["apps/web.yaml"]+fmt.Sprintf("privileged: %d\n", i))
		tip = s.is(fmt.Sprint("x", i), s.commit("x", content, tip))
		want += fmt.Sprintf("x%d touches\n", i)
	}
	head := tip
	for i := range length {
		// In the same file, so that what was pushed is among the lines of what was approved.
		content = content.with("apps/web.yaml", content["apps/web.yaml"]+fmt.Sprintf("replicas: %d\n", i))
		head = s.commit("u", content, head)
	}
	s.states("U", tip, head) // what the page of the change shows
	switch land {
	case "merge":
		s.says(c0, s.is("c2", s.merge(tip, head)), want+"c2 touches =U")
	case "squash":
		s.says(c0, s.is("c2", s.squash(tip, head)), want+"c2 touches =U")
	case "rebase":
		line := strings.Fields(s.git("rev-list", "--reverse", tip+".."+s.is("last", s.rebase(tip, tip, head))))
		for i, id := range line {
			want += s.names[s.is(fmt.Sprint("r", i), id)] + " "
		}
		s.says(c0, line[len(line)-1], want+"touches =U")
	}
}

// The same with a statement that names the root as merge base: its diff is then another, which
// includes the push, and whoever approved that saw it.
func TestDirectPushUnderApprovedUnitIsCoveredOnlyWhereItWasSeen(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	evil := ground.with("apps/web.yaml", "privileged: true\n")
	c1 := s.is("x", s.commit("x", evil, c0))
	u1 := s.commit("u1", evil.with("apps/db.yaml", "replicas: 2\n"), c1)
	c2 := s.is("c2", s.squash(c1, u1))
	s.states("U", c1, u1)
	lie := s.units[0]
	lie.MergeBase = c0 // with the diff of the honest one
	s.units = []change.Unit{lie}
	s.says(c0, c2, "x touches\nc2 touches")

	s.units = nil
	s.states("W", c0, u1)
	s.says(c0, c2, "x c2 touches =W")
}

func TestEvilMergeIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u := ground.with("apps/db.yaml", "replicas: 2\n")
	u1 := s.commit("u1", u, c0)
	c1 := s.is("evil", s.commit("Merge", u.with("apps/web.yaml", "privileged: true\n"), c0, u1))
	s.states("U", c0, u1)
	s.says(c0, c1, "evil touches !U")
}

func TestSquashWithExtraContentIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u := ground.with("apps/db.yaml", "replicas: 2\n")
	u1 := s.commit("u1", u, c0)
	s.states("U", c0, u1)
	s.says(c0, s.is("extra", s.commit("Squash", u.with("apps/web.yaml", "privileged: true\n"), c0)), "extra touches")
	s.says(c0, s.is("less", s.commit("Squash", ground.with("apps/db.yaml", "replicas: 3\n"), c0)), "less touches")
}

// git patch-id is the same for both: it ignores indentation.
func TestReindentedLandingIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	container := "kind: Pod\nspec:\n  containers:\n  - name: a\n    hostNetwork: true\n"
	pod := "kind: Pod\nspec:\n  containers:\n  - name: a\n  hostNetwork: true\n"
	u1 := s.commit("u1", ground.with("apps/pod.yaml", container), c0)
	s.states("U", c0, u1)
	s.says(c0, s.is("reindented", s.commit("Squash", ground.with("apps/pod.yaml", pod), c0)), "reindented touches")
	s.says(c0, s.is("as seen", s.squash(c0, u1)), "as seen touches =U")
}

// Nor does git patch-id see where a hunk stands.
func TestMovedHunkIsNotCovered(t *testing.T) {
	block := func(name, replicas string) string {
		return "- name: " + name + "\n  a: 1\n  b: 2\n  c: 3\n  replicas: " + replicas + "\n  d: 4\n  e: 5\n  f: 6\n"
	}
	s := newStory(t)
	g := ground.with("apps/envs.yaml", block("dev", "1")+block("prod", "1"))
	c0 := s.is("c0", s.commit("root", g))
	u1 := s.commit("u1", g.with("apps/envs.yaml", block("dev", "9")+block("prod", "1")), c0)
	s.states("U", c0, u1)
	moved := s.is("moved", s.commit("Squash", g.with("apps/envs.yaml", block("dev", "1")+block("prod", "9")), c0))
	s.says(c0, moved, "moved touches")
}

func TestPushBetweenApprovalAndMergeIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u := ground.with("apps/db.yaml", "replicas: 2\n")
	u1 := s.commit("u1", u, c0)
	s.states("U", c0, u1)
	u2 := s.commit("u2", u.with("apps/web.yaml", "privileged: true\n"), u1) // after the approval
	s.says(c0, s.is("merge", s.merge(c0, u2)), "merge touches")
	s.says(c0, s.is("squash", s.squash(c0, u2)), "squash touches")
	f := s.is("f", u1)
	s.says(c0, s.is("ff", u2), "f touches =U\nff touches") // the approved part of it is
	_ = f
}

func TestT09ForcePushBackToTheApprovedHeadIsCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	a := s.commit("A", ground.with("apps/db.yaml", "replicas: 2\n"), c0)
	b := s.commit("B", ground.with("apps/db.yaml", "replicas: 666\n"), c0)
	s.states("A", c0, a)
	s.says(c0, s.is("merged B", s.merge(c0, b)), "merged B touches")
	s.says(c0, s.is("merged A", s.merge(c0, a)), "merged A touches =A")
}

func TestCoverTwoUnitsInOnePush(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/web.yaml", "1\n"), c0)
	v1 := s.commit("v1", ground.with("apps/db.yaml", "2\n"), c0)
	s.states("U", c0, u1)
	s.states("V", c0, v1)
	c1 := s.is("c1", s.merge(c0, u1))
	c2 := s.is("c2", s.merge(c1, v1))
	s.says(c0, c2, "c1 touches =U\nc2 touches =V")
	octopus := s.is("octopus", s.commit("Merge", ground.with("apps/web.yaml", "1\n", "apps/db.yaml", "2\n"), c0, u1, v1))
	s.says(c0, octopus, "octopus touches !U") // one step is the landing of one unit
	both := s.is("both", s.commit("Squash", ground.with("apps/web.yaml", "1\n", "apps/db.yaml", "2\n"), c0))
	s.says(c0, both, "both touches")
}

func TestPartialRebaseIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/web.yaml", "limits: none\n"), c0)
	u2 := s.commit("u2", ground.with("apps/web.yaml", "limits: none\n", "apps/db.yaml", "hardened\n"), u1)
	s.states("U", c0, u2)
	y := ground.with("docs/readme", "y\n")
	c1 := s.is("y", s.commit("y", y, c0))
	c2 := s.is("first", s.commit("u1", y.with("apps/web.yaml", "limits: none\n"), c1))
	c3 := s.is("other", s.commit("z", y.with("apps/web.yaml", "limits: none\n", "apps/db.yaml", "soft\n"), c2))
	s.says(c0, c2, "y\nfirst touches")
	s.says(c0, c3, "y\nfirst touches\nother touches")
	whole := s.is("second", s.commit("u2", y.with("apps/web.yaml", "limits: none\n", "apps/db.yaml", "hardened\n"), c2))
	s.says(c0, whole, "y\nfirst second touches =U")
}

// A landing never reaches past another: U, which was forked before W, would take back what W brought.
func TestLandingDoesNotReachPastAnother(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	w1 := s.commit("w1", ground.with("apps/web.yaml", "hardened\n"), c0)
	u1 := s.commit("u1", ground.with("apps/db.yaml", "1\n"), c0)
	u2 := s.commit("u2", ground.with("apps/db.yaml", "2\n"), u1)
	c1 := s.is("c1", s.squash(c0, w1))
	c2 := s.is("c2", s.commit("takes W back", ground.with("apps/db.yaml", "2\n"), c1))
	s.states("U", c0, u2)
	s.says(c0, c2, "c1 c2 touches =U") // while nobody said anything about W
	s.states("W", c0, w1)
	s.says(c0, c2, "c1 touches =W\nc2 touches")

	u3 := s.commit("u3", ground.with("apps/db.yaml", "3\n"), u2) // longer than what came since W
	s.states("U3", c0, u3)
	between := s.is("between", s.commit("y", ground.with("apps/web.yaml", "hardened\n", "apps/y", "y\n"), c1))
	c3 := s.is("c3", s.commit("takes W back", ground.with("apps/db.yaml", "3\n"), between))
	s.says(c0, c3, "c1 touches =W\nbetween touches\nc3 touches")
}

// A landing is one commit, or as many as the unit has: one commit of a unit does not vouch for what
// came and went before it.
func TestLandingIsAsLongAsItsUnit(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/db.yaml", "2\n"), c0)
	s.states("U", c0, u1)
	c1 := s.is("junk", s.commit("junk", ground.with("apps/web.yaml", "junk\n"), c0))
	c2 := s.is("c2", s.commit("clean", ground.with("apps/db.yaml", "2\n"), c1))
	s.says(c0, c2, "junk touches\nc2 touches")
}

// Two units, one upon the other, pushed as they are: the first ends first, and the second was seen
// with a merge base that is no longer before it.
func TestStackedUnitsLandOneByOne(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	c1 := s.is("c1", s.commit("v", ground.with("apps/web.yaml", "v\n"), c0))
	c2 := s.is("c2", s.commit("u", ground.with("apps/web.yaml", "u\n"), c1))
	s.states("V", c0, c1)
	s.states("U", c0, c2)
	s.says(c0, c2, "c1 touches =V\nc2 touches !U")
	s.states("U", c1, c2)
	s.says(c0, c2, "c1 touches =V\nc2 touches =U")
}

func TestConflictResolvedInTheMergeIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/db.yaml", "ours\n"), c0)
	v1 := s.commit("v1", ground.with("apps/db.yaml", "theirs\n"), c0)
	s.states("U", c0, u1)
	s.states("V", c0, v1)
	c1 := s.is("c1", s.merge(c0, u1))
	c2 := s.is("c2", s.commit("Merge", ground.with("apps/db.yaml", "both\n"), c1, v1))
	s.says(c0, c2, "c1 touches =U\nc2 touches !V")
	s.states("R", c1, c2) // approved as what it is
	s.says(c0, c2, "c1 touches =U\nc2 touches =R")
}

// Two histories that merged each other have no one merge base, so there is no one diff to approve.
func TestCrissCrossIsNotCovered(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	a := ground.with("apps/web.yaml", "a\n")
	b := ground.with("apps/db.yaml", "b\n")
	a1 := s.is("a1", s.commit("a1", a, c0))
	b1 := s.commit("b1", b, c0)
	m1 := s.is("m1", s.merge(a1, b1))
	m2 := s.merge(b1, a1)
	u1 := s.commit("u1", a.with("apps/db.yaml", "b\n", "apps/x", "x\n"), m2)
	s.states("U", b1, u1)
	s.states("V", a1, u1)
	c := s.is("c", s.commit("Merge", a.with("apps/db.yaml", "b\n", "apps/x", "x\n"), m1, u1))
	s.says(m1, c, "c touches !V")
}

func TestCoverRenameOnEitherSide(t *testing.T) {
	web := ground["apps/web.yaml"]
	edited := strings.Replace(web, "replicas: 1", "replicas: 2", 1)
	t.Run("base renamed the file", func(t *testing.T) {
		s := newStory(t)
		c0 := s.is("c0", s.commit("root", ground))
		u1 := s.commit("u1", ground.with("apps/web.yaml", edited), c0)
		c1 := s.is("rename", s.commit("rename", ground.without("apps/web.yaml").with("apps/shop.yaml", web), c0))
		s.states("U", c0, u1)
		s.states("R", c0, c1)
		c2 := s.is("c2", s.squash(c1, u1))
		s.says(c0, c2, "rename touches =R\nc2 touches =U")
	})
	t.Run("unit renamed the file", func(t *testing.T) {
		s := newStory(t)
		c0 := s.is("c0", s.commit("root", ground))
		u1 := s.commit("u1", ground.without("apps/web.yaml").with("apps/shop.yaml", web), c0)
		c1 := s.is("edit", s.commit("edit", ground.with("apps/web.yaml", edited), c0))
		s.states("U", c0, u1)
		s.states("E", c0, c1)
		c2 := s.is("c2", s.squash(c1, u1))
		s.says(c0, c2, "edit touches =E\nc2 touches =U")
	})
}

// A merge brings a file to which the source's .gitattributes ties a way to merge. It is not heeded.
func TestAttributesDoNotDecideHowToMerge(t *testing.T) {
	s := newStory(t)
	g := ground.with(".gitattributes", "*.yaml merge=union\n")
	c0 := s.is("c0", s.commit("root", g))
	u1 := s.commit("u1", g.with("apps/db.yaml", "u\n"), c0)
	c1 := s.is("c1", s.commit("v1", g.with("apps/db.yaml", "v\n"), c0))
	s.states("U", c0, u1)
	c2 := s.is("union", s.commit("Merge", g.with("apps/db.yaml", "v\nu\n"), c1, u1))
	s.says(c0, c2, "c1 touches\nunion touches !U")
}

func TestUndone(t *testing.T) {
	s := newStory(t)
	x := ground.with("apps/web.yaml", "privileged: true\n")
	c0 := s.is("c0", s.commit("root", ground))
	c1 := s.is("x", s.commit("x", x, c0))
	c2 := s.is("back", s.commit("Revert x", ground, c1))
	s.says(c0, c2, "x touches undone\nback touches undone")
	s.says(c0, c1, "x touches")

	c3 := s.is("x again", s.commit("Revert Revert x", x, c2))
	s.says(c0, c3, "x touches undone\nback touches undone\nx again touches")
	s.says(c1, c3, "back touches undone\nx again touches undone")
	c4 := s.is("docs", s.commit("docs", x.with("docs/readme", "y\n"), c3))
	c5 := s.is("back again", s.commit("back", ground.with("docs/readme", "y\n"), c4))
	s.says(c0, c5, "x touches undone\nback touches undone\nx again touches undone\ndocs\nback again touches undone")
}

// Taking back approved work is a change like any other.
func TestRevertOfApprovedWorkIsNotUndone(t *testing.T) {
	s := newStory(t)
	u := ground.with("apps/web.yaml", "hardened\n")
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", u, c0)
	s.states("U", c0, u1)
	c1 := s.is("c1", s.merge(c0, u1))
	c2 := s.is("revert", s.commit("Revert U", ground, c1))
	s.says(c0, c2, "c1 touches =U\nrevert touches")
	c3 := s.is("redo", s.commit("Revert Revert U", u, c2))
	s.says(c0, c3, "c1 touches =U\nrevert touches undone\nredo touches undone")
}

// A run must not take two bites of one state: what is left over stays unmarked.
func TestUndoneRunsDoNotOverlap(t *testing.T) {
	s := newStory(t)
	a, b := ground, ground.with("apps/web.yaml", "b\n")
	ids := []string{s.is("c0", s.commit("0", a))}
	for i, content := range []files{b, a, b, a, b} {
		name := string(rune('p' + i))
		ids = append(ids, s.is(name, s.commit(name, content, ids[i])))
	}
	s.says(ids[0], ids[5], "p touches undone\nq touches undone\nr touches undone\ns touches undone\nt touches")
	s.says(ids[0], ids[3], "p touches undone\nq touches undone\nr touches")
}

// What Cover returns is the caller's to fill in; the next answer does not show it.
func TestCoverAnswersAreTheCallers(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	u1 := s.commit("u1", ground.with("apps/web.yaml", "1\n"), c0)
	s.states("U", c0, u1)
	c1 := s.is("c1", s.merge(c0, u1))
	m := s.mirrorOf(c1, s.keep...)
	for range 3 {
		steps, err := m.Cover(ctx(t), CoverRequest{Base: c0, Head: c1, Closure: change.Closure{Prefix: "apps"}, Units: s.units})
		if err != nil {
			t.Fatal(err)
		}
		for _, commits := range [][]change.Commit{steps[0].Commits, steps[0].Landing.Commits} {
			if len(commits) != 1 || commits[0].Signature.State != change.Unchecked {
				t.Fatalf("commits %+v", commits)
			}
			commits[0].Signature.State = change.Good
		}
	}
}

func TestCoverIsEmptyForTheBaseItself(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("root", ground))
	s.says(c0, c0, "")
}

// Ruling 21: files read, directories listed, names looked up in vain, and the source's folder.
func TestRuling21Touches(t *testing.T) {
	g := ground.with("base/app.yaml", "x\n", "base/lists/a", "1\n", "lib/x/y", "1\n", "link@", "link:docs")
	closure := change.Closure{
		Prefix: "apps", Files: []string{"base/app.yaml"}, Dirs: []string{"base/lists"}, Missing: []string{"apps/kustomization.yml", "lib/none/kustomization.yaml"},
	}
	for _, c := range []struct {
		name    string
		after   files
		touches bool
	}{
		{"nothing", g, false},
		{"elsewhere", g.with("docs/readme", "y\n"), false},
		{"unread file beside a read one", g.with("base/other.yaml", "y\n"), false},
		{"read file", g.with("base/app.yaml", "y\n"), true},
		{"read file becomes executable", g.without("base/app.yaml").with("base/app.yaml@", "exec:x\n"), true},
		{"read file goes", g.without("base/app.yaml"), true},
		{"read file becomes a link", g.without("base/app.yaml").with("base/app.yaml@", "link:x\n"), true},
		{"unread file in the prefix", g.with("apps/unread", "1\n"), true},
		{"file deep in the prefix", g.with("apps/a/b/c", "1\n"), true},
		{"file in the prefix goes", g.without("apps/db.yaml"), true},
		{"prefix is but the beginning of the name", g.with("apps2/x", "1\n"), false},
		{"prefix becomes a file", g.without("apps/db.yaml", "apps/web.yaml").with("apps", "x\n"), true},
		{"listed directory gains a name", g.with("base/lists/b", "1\n"), true},
		{"listed directory loses a name", g.without("base/lists/a"), true},
		{"listed file becomes executable", g.without("base/lists/a").with("base/lists/a@", "exec:1\n"), true},
		{"listed file becomes a directory", g.without("base/lists/a").with("base/lists/a/b", "1\n"), true},
		{"listed file changes", g.with("base/lists/a", "2\n"), false},
		{"listed directory gains a directory", g.with("base/lists/d/e", "1\n"), true},
		{"missing name appears", g.with("lib/none/kustomization.yaml", "1\n"), true},
		{"directory of a missing name appears", g.with("lib/none/other", "1\n"), false},
		{"directory of a missing name becomes a link", g.with("lib/none@", "link:../docs"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t)
			c0 := s.is("c0", s.commit("0", g))
			c1 := s.is("c1", s.commit("1", c.after, c0))
			c2 := s.is("c2", s.commit("2", g, c1))
			want := "c1\nc2"
			if c.touches {
				want = "c1 touches undone\nc2 touches undone"
			}
			if diff := cmp.Diff(want, s.cover(c0, c2, closure)); diff != "" {
				t.Errorf("Cover (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownPrefixIsTheWholeTree(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("0", ground))
	c1 := s.is("c1", s.commit("1", ground.with("docs/readme", "y\n"), c0))
	for _, prefix := range []string{"", "."} {
		if diff := cmp.Diff("c1 touches", s.cover(c0, c1, change.Closure{Prefix: prefix})); diff != "" {
			t.Errorf("prefix %q (-want +got):\n%s", prefix, diff)
		}
	}
}

// A commit that can be read in two ways covers nothing, and nothing next to it can be told.
func TestT11MalformedCommitOnTheChain(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("0", ground))
	tree := s.git("rev-parse", c0+"^{tree}")
	ident := "Ada <ada@example.com> 1700000000 +0000\n"
	c1 := s.is("odd", s.raw("tree "+tree+"\nparent "+c0+"\nauthor "+ident+"committer "+ident+"gpgsigX hidden\n\nodd\n"))
	c2 := s.is("c2", s.commit("2", ground, c1))
	m := s.mirrorOf(c2)
	steps, err := m.Cover(ctx(t), CoverRequest{Base: c0, Head: c2, Closure: change.Closure{Prefix: "apps"}})
	if err != nil {
		t.Fatalf("Cover: %v", err)
	}
	if diff := cmp.Diff([]string{"odd may-touch", "c2 may-touch"}, []string{s.describe(steps[0]), s.describe(steps[1])}); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if got := steps[0].Commits[0].Signature.State; got != change.Malformed {
		t.Errorf("state of the commit: %q, want Malformed", got)
	}
	s.states("U", c0, c2)
	if diff := cmp.Diff("odd may-touch\nc2 may-touch", s.cover(c0, c2, change.Closure{Prefix: "apps"})); diff != "" {
		t.Errorf("with a unit over it (-want +got):\n%s", diff)
	}
}

func TestUnitsThatAreNotHereAreNoCandidates(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("0", ground))
	c1 := s.is("c1", s.commit("1", ground.with("apps/x", "1\n"), c0))
	nowhere := strings.Repeat("1", 40)
	s.units = []change.Unit{{MergeBase: c0, Head: nowhere}, {MergeBase: nowhere, Head: c1}, {MergeBase: "main", Head: "main"}, {}}
	s.says(c0, c1, "c1 touches")
}

func TestMergesThatAreTriedAreBounded(t *testing.T) {
	s := newStory(t)
	c0 := s.is("c0", s.commit("0", ground))
	one := s.commit("u", ground.with("apps/x", "1\n"), c0)
	two := s.commit("v", ground.with("apps/y", "1\n"), c0)
	s.states("U", c0, one)
	s.states("V", c0, two)
	c1 := s.is("c1", s.commit("1", ground.with("apps/y", "1\n", "apps/x", "1\n"), c0))
	s.set("refs/heads/main", c1)
	for i, id := range s.keep {
		s.set(ApprovalRefs+string(rune('a'+i)), id)
	}
	m := s.open(Options{Limits: Limits{Merges: 1}})
	if _, err := m.Fetch(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("c1 touches ?V", s.coverIn(m, c0, c1, change.Closure{Prefix: "apps"})); diff != "" {
		t.Errorf("Cover (-want +got):\n%s", diff)
	}
}

func TestRewrittenHistoryIsNotOnTheChain(t *testing.T) {
	s := newStory(t)
	c0 := s.commit("0", ground)
	side := s.commit("side", ground.with("apps/x", "1\n"), c0)
	c1 := s.merge(s.commit("1", ground.with("docs/readme", "2\n"), c0), side)
	other := s.commit("other root", ground)
	m := s.mirrorOf(c1, other)
	for name, base := range map[string]string{"second parent": side, "other history": other} {
		_, err := m.Cover(ctx(t), CoverRequest{Base: base, Head: c1})
		if !isNotOnChain(err) {
			t.Errorf("%s: error %v, want ErrNotOnChain", name, err)
		}
	}
	if _, err := m.Cover(ctx(t), CoverRequest{Base: c1, Head: c0}); !isNotOnChain(err) {
		t.Errorf("descendant as base: error %v, want ErrNotOnChain", err)
	}
}
