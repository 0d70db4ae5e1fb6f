package gitea

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// attack is what somebody did to a protected branch, and what the forge made of it.
type attack struct {
	stage  *Stage
	view   forgetest.View
	flags  []flags // of the reviews, as the forge sets them
	folded forge.Folded
	steps  []change.Step // of main since the start
}

// flags are what a forge says of a review, and Fairway never reads.
type flags struct {
	Stale, Official, Dismissed bool
	Commit                     string `json:"commit_id"`
}

const feature = "feature"

// attacked protects main as strictly as Gitea can about reviews, plays the acts on it and looks at what
// landed.
func attacked(t *testing.T, acts ...forgetest.Act) attack {
	t.Helper()
	server := shared.Server(t)
	a := attack{stage: NewStage(t, server, reader(t, server))}
	server.Must(t, Admin, http.MethodPost, "/repos/"+a.stage.Path+"/branch_protections", map[string]any{
		"rule_name": "main", "enable_push": true, "required_approvals": 1, "dismiss_stale_approvals": true, "ignore_stale_approvals": true,
		"block_on_rejected_reviews": true,
	})
	for _, act := range acts {
		a.stage.Act(t, act)
	}
	a.view = a.stage.View(t)
	number := a.stage.numbers[feature]
	if err := server.Call(t.Context(), Admin, http.MethodGet, a.stage.change(number)+"/reviews", nil, &a.flags); err != nil {
		t.Fatal(err)
	}
	d, err := a.view.Reader.Dossier(t.Context(), a.view.Repository, number)
	if err != nil {
		t.Fatal(err)
	}
	if d.State != forge.Merged {
		t.Fatalf("the forge did not merge it, so there was no attack: %+v", d)
	}
	f := forge.Facts{Repository: server.URL, Principal: byLogin, SeenAt: time.Now()}
	if err := forge.Resolve(t.Context(), a.view.Git, d, a.view.Tip, &f); err != nil {
		t.Fatal(err)
	}
	a.folded = forge.Fold(d, f)
	repo, err := gitrepo.OpenClone(t.Context(), a.stage.Clone, gitrepo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	a.steps, err = repo.Cover(t.Context(), gitrepo.CoverRequest{
		Base: a.stage.Base, Head: a.view.Tip, Closure: change.Closure{Prefix: "."}, Units: []change.Unit{f.Unit},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func byLogin(a forge.Account, _ time.Time) (name string, robot, known bool) {
	return a.Login, a.Login == "robot", slices.Contains([]string{"alice", "bob", "dave"}, a.Login)
}

// refused holds that the change landed, as content proves, and that nobody's approval counts for it.
func (a attack) refused(t *testing.T, reason string) {
	t.Helper()
	last := a.steps[len(a.steps)-1]
	if last.Landing == nil || last.Landing.Proven != change.Present {
		t.Errorf("the last step %+v is no landing of the change, so that its approvals do not matter", last)
	}
	if len(a.folded.Approvals) != 0 {
		t.Errorf("approvals %+v", a.folded.Approvals)
	}
	if len(a.folded.Refused) != 1 || a.folded.Refused[0].Reason != reason {
		t.Errorf("refused %+v, want %q", a.folded.Refused, reason)
	}
}

const otherContent = "the review is of another content than what lands"

func push(by string, files map[string]string) forgetest.Act {
	return forgetest.Act{Do: forgetest.Push, By: by, Branch: feature, Files: files}
}

func approve(by string) forgetest.Act {
	return forgetest.Act{Do: forgetest.Review, By: by, Branch: feature, Opinion: forge.Approved}
}

func open(by string) forgetest.Act {
	return forgetest.Act{Do: forgetest.Open, By: by, Branch: feature}
}

func merge(by string) forgetest.Act {
	return forgetest.Act{Do: forgetest.Merge, By: by, Branch: feature, How: forgetest.ByMerge}
}

// TestT09StaleFlagBypass: a push that takes a reviewed file back to the merge base leaves the approval
// unstale, so that Gitea merges although it was told to ignore stale approvals.
func TestT09StaleFlagBypass(t *testing.T) {
	a := attacked(
		t, push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n", "hardening.yaml": "readOnly: true\n"}), open("alice"), approve("bob"),
		push("alice", map[string]string{"hardening.yaml": ""}), merge("alice"),
	)
	if len(a.flags) != 1 || a.flags[0].Stale || a.flags[0].Dismissed {
		t.Errorf("flags %+v: the forge has seen it, so that the test shows less than it says", a.flags)
	}
	a.refused(t, otherContent)
}

// TestT09OldCommitApproved: an approval can be given for a commit that is no longer the head, and is
// official.
func TestT09OldCommitApproved(t *testing.T) {
	old := approve("bob")
	old.Nth = 1
	a := attacked(
		t, push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n", "hardening.yaml": "readOnly: true\n"}), open("alice"),
		push("alice", map[string]string{"evil.yaml": "x: 1\n"}), old, approve("dave"), merge("alice"),
	)
	if !slices.ContainsFunc(a.flags, func(f flags) bool { return f.Official && f.Commit == a.stage.heads[feature][0] }) {
		t.Errorf("flags %+v: the forge did not take it", a.flags)
	}
	if len(a.folded.Approvals) != 1 || a.folded.Approvals[0].Principal != "dave" {
		t.Errorf("approvals %+v, want that of the last head alone", a.folded.Approvals)
	}
	if len(a.folded.Refused) != 1 || a.folded.Refused[0].Reason != otherContent {
		t.Errorf("refused %+v", a.folded.Refused)
	}
}

// TestT40LastPusherApprovesAndMerges: Gitea lets somebody push to another's change, approve and merge
// it.
func TestT40LastPusherApprovesAndMerges(t *testing.T) {
	evil := push("bob", map[string]string{"evil.yaml": "x: 1\n"})
	evil.Author = "alice" // and git says nothing of bob
	a := attacked(t, push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n"}), open("alice"), evil, approve("bob"), merge("bob"))
	a.refused(t, "the reviewer pushed to the change")
}

// TestT09ForcePushWithAnEqualPatch: what a forced push brings looks the same without its indentation.
// Gitea notices, and then another approval is given to an intermediate state.
func TestT09ForcePushWithAnEqualPatch(t *testing.T) {
	good, evil := "image: shop:2\nhostNetwork: true\n", "image: shop:2\n  hostNetwork: true\n"
	server := shared.Server(t)
	st := NewStage(t, server, reader(t, server)) // unprotected, as the forge would stop this one
	for _, act := range []forgetest.Act{
		push("alice", map[string]string{"app.yaml": good}), open("alice"), approve("bob"),
		{Do: forgetest.Amend, By: "alice", Branch: feature, Files: map[string]string{"app.yaml": evil}}, merge("alice"),
	} {
		st.Act(t, act)
	}
	v := st.View(t)
	d, err := v.Reader.Dossier(t.Context(), v.Repository, st.numbers[feature])
	if err != nil {
		t.Fatal(err)
	}
	f := forge.Facts{Repository: server.URL, Principal: byLogin, SeenAt: time.Now()}
	if err := forge.Resolve(t.Context(), v.Git, d, v.Tip, &f); err != nil {
		t.Fatal(err)
	}
	if got := forge.Fold(d, f); d.State != forge.Merged || len(got.Approvals) != 0 || len(got.Refused) != 1 || got.Refused[0].Reason != otherContent {
		t.Errorf("%s with %+v", d.State, got)
	}
}

// TestT09PushBetweenApprovalAndMerge: the push takes a reviewed file back, so that the forge merges.
func TestT09PushBetweenApprovalAndMerge(t *testing.T) {
	a := attacked(
		t, push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n", "limits.yaml": "cpu: 1\n"}), open("alice"), approve("bob"),
		push("dave", map[string]string{"limits.yaml": ""}), merge("dave"),
	)
	a.refused(t, otherContent)
}

// TestDirectPushDoesNotRideAlong: a change is forked from what was pushed to main past every review,
// then approved and merged. The approval covers the change, and not the push.
func TestDirectPushDoesNotRideAlong(t *testing.T) {
	a := attacked(
		t, forgetest.Act{Do: forgetest.Direct, By: "alice", Files: map[string]string{"evil.yaml": "x: 1\n"}},
		push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n"}), open("alice"), approve("bob"), merge("bob"),
	)
	if len(a.folded.Approvals) != 1 || len(a.steps) != 2 {
		t.Fatalf("approvals %+v, steps %+v", a.folded.Approvals, a.steps)
	}
	if pushed, landed := a.steps[0], a.steps[1]; pushed.Landing != nil || pushed.Touches != change.Present || landed.Landing == nil || landed.Landing.Proven != change.Present {
		t.Errorf("steps %+v", a.steps)
	}
}
