package forgetest

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
)

// reviewed is file app.yaml of the change feature, of two lines that a unit is made of.
func edit(extra ...string) map[string]string {
	files := map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n"}
	for i := 0; i+1 < len(extra); i += 2 {
		files[extra[i]] = extra[i+1]
	}
	return files
}

func push(by string, files map[string]string) Act {
	return Act{Do: Push, By: by, Branch: feature, Files: files}
}

func open(by string) Act { return Act{Do: Open, By: by, Branch: feature} }

func approve(by string) Act { return review(by, forge.Approved) }

func review(by string, o forge.Opinion) Act {
	return Act{Do: Review, By: by, Branch: feature, Opinion: o}
}

func merge(by, how string) Act { return Act{Do: Merge, By: by, Branch: feature, How: how} }

// opened is a change of alice, with more done after it was opened.
func opened(more ...Act) []Act {
	return append([]Act{push("alice", edit()), open("alice")}, more...)
}

var bob = []string{"bob"}

// Stories are the rows of the suite.
func Stories() []Story {
	return append(append(append(words(), contents()...), people()...), histories()...)
}

// words are stories of what was said.
func words() []Story {
	const gitlab = forge.GitLab
	return []Story{
		{Name: "open and not reviewed", Acts: opened()},
		{Name: "open and approved", Acts: opened(approve("bob")), Want: bob},
		{Name: "approved by two", Acts: opened(approve("dave"), approve("bob")), Want: []string{"bob", "dave"}},
		{Name: "comment only", Acts: opened(review("bob", forge.Commented))},
		{Name: "comment after approval", Acts: opened(approve("bob"), review("bob", forge.Commented)), Want: bob},
		{Name: "changes requested", Acts: opened(review("bob", forge.ChangesRequested)), Refused: "objection of bob"},
		{Name: "changes requested, then approved", Acts: opened(review("bob", forge.ChangesRequested), approve("bob")), Want: bob},
		{Name: "approved, then changes requested", Acts: opened(approve("bob"), review("bob", forge.ChangesRequested)), Refused: "objection of bob"},
		{Name: "approved by one, changes requested by another", Acts: opened(approve("bob"), review("dave", forge.ChangesRequested)), Refused: "objection of dave"},
		{
			Name: "dismissed", Acts: opened(approve("bob"), Act{Do: Dismiss, By: "alice", Branch: feature, Whom: "bob"}),
			Refused: "Dismissed", Only: []forge.Kind{forge.GitHub, forge.Gitea},
		},
		{Name: "taken back", Acts: opened(approve("bob"), Act{Do: Dismiss, By: "bob", Branch: feature, Whom: "bob"}), Only: []forge.Kind{gitlab}},
		{Name: "dismissed, then approved again", Acts: opened(approve("bob"), Act{Do: Dismiss, By: "alice", Branch: feature, Whom: "bob"}, approve("bob")), Want: bob},
		{Name: "closed", Acts: opened(approve("bob"), Act{Do: Close, By: "alice", Branch: feature}), Refused: "not known"},
		{Name: "approved after it was merged", Acts: opened(merge("alice", ByMerge), approve("bob")), Want: bob, Only: []forge.Kind{forge.GitHub}}, // Gitea refuses it
	}
}

// contents are stories of what was reviewed, against what landed.
func contents() []Story {
	const other = "another content"
	hardened := edit("hardening.yaml", "readOnlyRootFilesystem: true\n")
	return []Story{
		{Name: "TestT09 pushed after the approval", Acts: opened(approve("bob"), push("alice", edit("evil.yaml", "x: 1\n")), merge("alice", ByMerge)), Refused: other},
		{
			Name: "TestT09 pushed by somebody else between approval and merge",
			Acts: opened(approve("bob"), push("dave", edit("evil.yaml", "x: 1\n")), merge("dave", ByMerge)), Refused: other,
		},
		{
			Name: "TestT09 a reviewed file is taken back to the merge base",
			Acts: []Act{push("alice", hardened), open("alice"), approve("bob"), push("alice", map[string]string{"hardening.yaml": ""}), merge("alice", ByMerge)}, Refused: other,
		},
		{
			Name: "TestT09 an old commit is approved on purpose",
			Acts: opened(push("alice", edit("evil.yaml", "x: 1\n")), Act{Do: Review, By: "bob", Branch: feature, Opinion: forge.Approved, Nth: 1}, merge("alice", ByMerge)),
			Only: []forge.Kind{forge.Gitea, forge.GitHub}, Refused: other,
		},
		{
			Name:    "TestT09 a forced push of what looks equal",
			Acts:    opened(approve("bob"), Act{Do: Amend, By: "alice", Branch: feature, Files: map[string]string{"app.yaml": "image: shop:2\n  replicas: 3\n"}}, merge("alice", ByMerge)),
			Refused: other,
		},
		{
			Name: "a forced push of a pure rebase",
			Acts: opened(approve("bob"), Act{Do: Direct, By: "dave", Files: map[string]string{"other.yaml": "y: 1\n"}}, Act{Do: Rebase, By: "alice", Branch: feature}, merge("alice", ByMerge)), Want: bob,
		},
		{
			Name: "TestT09 forced to other content and back",
			Acts: opened(approve("bob"), Act{Do: Amend, By: "alice", Branch: feature, Files: map[string]string{"app.yaml": "image: evil\n"}}, Act{Do: Back, By: "alice", Branch: feature, Nth: 1}, merge("alice", ByMerge)), Want: bob,
		},
		{
			Name: "TestT09 what looks equal was approved between two forced pushes",
			Acts: []Act{
				push("alice", map[string]string{"app.yaml": "image: shop:2\n  replicas: 3\n"}), open("alice"),
				{Do: Amend, By: "alice", Branch: feature, Files: edit()}, approve("bob"), {Do: Back, By: "alice", Branch: feature, Nth: 1}, merge("alice", ByMerge),
			},
			Refused: other,
		},
		{Name: "approved again after a push", Acts: opened(approve("bob"), push("alice", edit("more.yaml", "x: 1\n")), approve("bob"), merge("alice", ByMerge)), Want: bob},
		{
			Name: "pointed at another branch after the approval",
			Acts: []Act{
				{Do: Push, By: "alice", Branch: "dev", Files: map[string]string{"dev.yaml": "d: 1\n"}}, push("alice", edit()),
				{Do: Open, By: "alice", Branch: feature, Target: "dev"}, approve("bob"), {Do: Retarget, By: "alice", Branch: feature, Target: "main"}, merge("alice", ByMerge),
			},
			Refused: "target branch",
		},
		{
			Name: "the target was rewritten after the approval",
			Acts: []Act{
				{Do: Direct, By: "alice", Files: map[string]string{"evil.yaml": "x: 1\n"}}, push("alice", edit()), open("alice"), approve("bob"),
				{Do: Rewind, By: "alice"}, merge("alice", ByMerge),
			},
			Refused: "rewritten",
		},
	}
}

// people are stories of who said it.
func people() []Story {
	renamed := func(t *testing.T, _ View, c forge.Change, _ forge.Facts) {
		if c.Author.Login == "alice" {
			t.Error("alice was not renamed")
		}
	}
	return []Story{
		{Name: "TestT40 the author approves", Acts: opened(Act{Do: Review, By: "alice", Branch: feature, Opinion: forge.Approved, MayRefuse: true}), Refused: "opened the change", Only: []forge.Kind{forge.GitLab}},
		{Name: "TestT40 the author cannot approve", Acts: opened(Act{Do: Review, By: "alice", Branch: feature, Opinion: forge.Approved, MayRefuse: true}), Only: []forge.Kind{forge.GitHub, forge.Gitea}},
		{Name: "TestT40 the author of a commit approves", Acts: []Act{{Do: Push, By: "alice", Branch: feature, Files: edit(), Author: "bob"}, open("alice"), approve("bob")}, Refused: "the reviewer "},
		{Name: "TestT40 a co-author approves", Acts: []Act{{Do: Push, By: "alice", Branch: feature, Files: edit(), Coauthor: "bob"}, open("alice"), approve("bob")}, Refused: "contributed"},
		{
			Name: "TestT40 the last pusher approves and merges",
			Acts: opened(Act{Do: Push, By: "bob", Branch: feature, Files: edit("evil.yaml", "x: 1\n"), Author: "alice"}, approve("bob"), merge("bob", ByMerge)), Refused: "pushed",
		},
		{
			Name: "TestT40 who pushed first under another name approves",
			Acts: []Act{
				{Do: Push, By: "bob", Branch: feature, Files: edit(), Author: "alice"}, {Do: Push, By: "alice", Branch: feature, Files: edit("more.yaml", "x: 1\n")},
				open("alice"), approve("bob"),
			},
			Refused: "pushed",
		},
		{
			Name:    "TestT40 who pushed before others is hidden",
			Acts:    []Act{{Do: Hide, Whom: "bob"}, {Do: Push, By: "bob", Branch: feature, Files: edit(), Author: "alice"}, {Do: Push, By: "alice", Branch: feature, Files: edit("more.yaml", "x: 1\n")}, open("alice"), approve("dave")},
			Refused: "does not say who pushed",
		},
		{Name: "TestT40 a deleted account", Acts: opened(approve("bob"), Act{Do: Gone, Whom: "bob"}), Refused: "gone", Only: []forge.Kind{forge.GitHub, forge.Gitea}},
		{Name: "TestT40 a robot", Acts: opened(approve("robot")), Refused: "robots"},
		{Name: "TestT40 an outside collaborator", Acts: opened(approve("stranger")), Refused: "nobody who is known"},
		{Name: "TestT40 a member who was none then", Acts: opened(approve("carol")), Refused: "nobody who is known"},
		{Name: "TestT42 one person with two accounts", Acts: opened(approve("bob"), approve("bob2")), Want: bob},
		{Name: "TestT42 an author with two accounts", Acts: []Act{push("bob", edit()), open("bob"), approve("bob2")}, Refused: "the reviewer "},
		{Name: "a stranger's request for changes", Acts: opened(approve("bob"), review("stranger", forge.ChangesRequested)), Want: bob, Refused: "ChangesRequested"},
		{Name: "merged by its author after approval", Acts: opened(approve("bob"), merge("alice", ByMerge)), Want: bob},
		{Name: "merged by its approver", Acts: opened(approve("bob"), merge("bob", ByMerge)), Want: bob},
		{Name: "a renamed account", Acts: opened(approve("bob"), Act{Do: Rename, Whom: "alice"}), Want: bob, Check: renamed},
		{Name: "a renamed approver", Acts: opened(approve("bob"), Act{Do: Rename, Whom: "bob"}), Want: bob},
	}
}
