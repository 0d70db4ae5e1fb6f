package forgetest

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
)

// histories are stories of how a change landed.
func histories() []Story {
	twice := []Act{push("alice", edit()), push("alice", edit("more.yaml", "x: 1\n")), open("alice"), approve("bob")}
	ahead := Act{Do: Direct, By: "dave", Files: map[string]string{"other.yaml": "y: 1\n"}}
	var all []Story
	for _, how := range []string{ByMerge, BySquash, ByRebase} {
		all = append(all, Story{Name: "landed by " + how, Acts: append(clone(twice), ahead, merge("dave", how)), Want: bob, Check: landedBy(how)})
	}
	return append(
		all,
		Story{Name: "landed by fast-forward", Acts: append(clone(twice), merge("dave", ByFF)), Want: bob, Check: basedOn(0), Only: []forge.Kind{forge.GitLab, forge.Gitea}},
		Story{
			Name: "merge queue",
			Acts: append(
				clone(twice), Act{Do: Push, By: "dave", Branch: "second", Files: map[string]string{"second.yaml": "s: 1\n"}}, Act{Do: Open, By: "dave", Branch: "second"},
				merge("robot", ByMerge), Act{Do: Merge, By: "robot", Branch: "second", How: ByMerge},
			),
			Want: bob, Check: basedOn(0),
		},
		Story{
			Name: "two changes in one push",
			Acts: append(
				clone(twice), Act{Do: Push, By: "dave", Branch: "second", Files: map[string]string{"second.yaml": "s: 1\n"}}, Act{Do: Open, By: "dave", Branch: "second"},
				Act{Do: MergeAll, By: "dave", Branches: []string{feature, "second"}},
			),
			Want: bob, Check: basedOn(0),
		},
		Story{Name: "its branch went on after it was merged", Acts: opened(approve("bob"), merge("dave", ByMerge), push("alice", edit("next.yaml", "n: 1\n"))), Want: bob, Check: basedOn(0)},
		Story{Name: "pushed to the protected branch", Acts: []Act{ahead}, Check: broughtByNothing},
		Story{
			Name: "forked from what was pushed to the protected branch",
			Acts: []Act{{Do: Direct, By: "alice", Files: map[string]string{"evil.yaml": "x: 1\n"}}, push("alice", edit()), open("alice"), approve("bob"), merge("bob", ByMerge)},
			Want: bob, Check: basedOn(1),
		},
		Story{
			Name: "revert button",
			Acts: []Act{
				push("alice", edit()), open("alice"), merge("alice", ByMerge),
				{Do: Push, By: "alice", Branch: "revert", Files: map[string]string{"app.yaml": "image: shop:1\n"}}, {Do: Open, By: "alice", Branch: "revert"},
				{Do: Review, By: "bob", Branch: "revert", Opinion: forge.Approved}, {Do: Merge, By: "alice", Branch: "revert", How: ByMerge},
			},
			Check: basedOn(0),
		},
		Story{Name: "a renamed repository", Acts: append(opened(approve("bob")), Act{Do: Move}), Want: bob},
		Story{Name: "TestT10 another repository took the path", Acts: append(opened(approve("bob")), Act{Do: Replace}), Fails: forge.ErrOther, NotReal: true},
		Story{Name: "merged while its commits are older than its review", Acts: append(clone(twice), merge("dave", ByRebase)), Want: bob, Check: basedOn(0)},
	)
}

func clone(acts []Act) []Act { return append([]Act{}, acts...) }

// landedBy is basedOn for a change that another one went ahead of. GitLab rebases the branch of a change
// itself, which then is forked from there.
func landedBy(how string) func(*testing.T, View, forge.Change, forge.Facts) {
	return func(t *testing.T, v View, c forge.Change, f forge.Facts) {
		commits := 0
		if how == ByRebase && v.Kind == forge.GitLab {
			commits = 1
		}
		basedOn(commits)(t, v, c, f)
	}
}

// basedOn holds that the unit was forked from so many commits after the start of the story, and landed on
// main as the commit that the forge names.
func basedOn(commits int) func(*testing.T, View, forge.Change, forge.Facts) {
	return func(t *testing.T, v View, c forge.Change, f forge.Facts) {
		at, back := f.Unit.MergeBase, 0
		for at != v.Base && at != "" {
			read, err := v.Git.Commit(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			at = ""
			if back++; len(read.Parents) > 0 {
				at = read.Parents[0]
			}
		}
		if at == "" || back != commits {
			t.Errorf("merge base %q is %d commits after the start, want %d", f.Unit.MergeBase, back, commits)
		}
		at = v.Tip
		for at != c.Landed && at != v.Base {
			read, err := v.Git.Commit(t.Context(), at)
			if err != nil || len(read.Parents) == 0 {
				t.Fatalf("reading %q: %v", at, err)
			}
			at = read.Parents[0]
		}
		if at != c.Landed {
			t.Errorf("commit %q, which the change landed as, is not on main", c.Landed)
		}
		if c.Merger.ID == "" || c.Landed == "" || c.MergedAt.IsZero() {
			t.Errorf("merged change %+v lacks something", c)
		}
	}
}

// broughtByNothing holds that no change is said to have brought the tip.
func broughtByNothing(t *testing.T, v View, c forge.Change, _ forge.Facts) {
	if c.Number != 0 || v.Tip == v.Base {
		t.Errorf("change %+v at tip %s", c, v.Tip)
	}
}
