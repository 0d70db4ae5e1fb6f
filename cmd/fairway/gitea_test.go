package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/e2e/gitea"
	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

const realProject = gitea.Admin + "/apps"

// realForge is a lab whose production takes reviews from a real Gitea.
type realForge struct {
	*lab
	server *gitea.Server
}

func newRealForge(t *testing.T) *realForge {
	t.Helper()
	server, err := gitea.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() }) // one that was halted says so
	f := &realForge{lab: newLab(t), server: server}
	f.in.mirrors.forges = func(_ context.Context, r tier.Repository) (forge.Reader, error) {
		return speakerOf(*r.Forge, server.Token(gitea.Reader), nil, nil)
	}
	for _, who := range []string{"sara", "sam", "paula", "pete"} {
		if err := server.AddUser(t.Context(), who); err != nil {
			t.Fatal(err)
		}
		f.edit("teams.yaml", "  - name: "+who+"\n", fmt.Sprintf("  - name: %s\n    accounts: [{forge: Gitea, host: %q, id: %d}]\n",
			who, strings.TrimPrefix(server.URL, "http://"), server.ID(who)))
	}
	server.Must(t, gitea.Admin, http.MethodPost, "/user/repos", map[string]any{"name": "apps", "default_branch": "main"})
	for _, who := range []string{"sara", "sam", "paula", "pete", gitea.Reader} {
		server.Must(t, gitea.Admin, http.MethodPut, "/repos/"+realProject+"/collaborators/"+who, map[string]any{"permission": "write"})
	}
	tip, err := f.shop.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.send("sara", tip, "main")
	f.await("the forge knows that it is not empty", func() bool { // it takes no changes before
		var made struct{ Empty bool }
		return server.Call(t.Context(), gitea.Admin, http.MethodGet, "/repos/"+realProject, nil, &made) == nil && !made.Empty
	})
	server.AwaitBranch(t, realProject, "main", tip)
	f.edit("repository.yaml", f.shop.Repo.URL(), "file://"+f.bare())
	f.edit("repository.yaml", "approvalSources: [Attestation]", fmt.Sprintf(
		"approvalSources: [Forge]\n  forge: {kind: Gitea, url: %q, project: %s, privateAddresses: Allow}", server.URL, realProject))
	f.edit("tiers.yaml", "level: Signed", "level: Forge")
	f.look()
	return f
}

func (f *realForge) bare() string {
	return filepath.Join(f.server.Dir, "repositories", realProject+".git")
}

func (f *realForge) git(dir string, args ...string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
}

// send pushes a commit over SSH as somebody.
func (f *realForge) send(who, commit, branch string) {
	f.t.Helper()
	f.git(f.shop.Repo.Dir, "-c", "core.sshCommand=ssh -F none -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i "+f.server.Key(who),
		"push", "--quiet", f.server.SSH(realProject), "+"+commit+":refs/heads/"+branch)
}

// pulled is a change on the forge, and what it landed as.
type pulled struct {
	number            int64
	head, merge, page string
}

func (f *realForge) open(branch string, files map[string]string) pulled {
	f.t.Helper()
	head, err := f.shop.Branch(f.t.Context(), branch, "sara", message, files)
	if err != nil {
		f.t.Fatal(err)
	}
	f.send("sara", head, branch)
	f.server.AwaitBranch(f.t, realProject, branch, head)
	var made struct {
		Number int64
		URL    string `json:"html_url"`
	}
	err = f.server.Call(f.t.Context(), "sara", http.MethodPost, "/repos/"+realProject+"/pulls", map[string]any{"title": "a change", "head": branch, "base": "main"}, &made)
	if err != nil {
		f.t.Fatal(err)
	}
	return pulled{number: made.Number, head: head, page: made.URL}
}

// more adds a commit of sara's to a change, which somebody pushes.
func (f *realForge) more(p *pulled, pusher, branch string, files map[string]string) {
	f.t.Helper()
	var err error
	p.head, err = f.shop.Repo.Commit(f.t.Context(), story.Commit{
		Author: f.shop.People["sara"], Signer: f.shop.People["sara"], Parents: []string{p.head}, Message: message, Files: files,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.send(pusher, p.head, branch)
	// The forge looks at a push when it comes to it, and at what was reviewed before then: a review that came
	// meanwhile would be of the commit before.
	f.server.Await(f.t, "the forge has marked what was reviewed before the push", func() (bool, error) {
		var reviews []struct {
			Commit string `json:"commit_id"`
			Stale  bool
		}
		err := f.server.Call(f.t.Context(), "sara", http.MethodGet, fmt.Sprintf("/repos/%s/pulls/%d/reviews", realProject, p.number), nil, &reviews)
		for _, r := range reviews {
			if r.Commit != p.head && !r.Stale {
				return false, err
			}
		}
		return err == nil, err
	})
}

// merged merges a change by hand, signed by sara, as no key of the forge's is declared.
func (f *realForge) merged(p *pulled) {
	f.t.Helper()
	ctx := f.t.Context()
	base, err := f.shop.Tip(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	if p.merge, err = f.shop.Repo.Merge(ctx, f.shop.People["sara"], base, p.head, message); err == nil {
		err = f.shop.Repo.SetBranch(ctx, "main", p.merge)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *realForge) review(p pulled, who, event string) (id int64) {
	f.t.Helper()
	return f.server.Review(f.t, who, gitea.Pull{Repository: realProject, Number: p.number, Head: p.head}, event)
}

func (f *realForge) approved(p pulled) {
	f.t.Helper()
	f.review(p, "sam", "APPROVED")
	f.review(p, "paula", "APPROVED")
}

// await asks until the answer is yes.
func (f *realForge) await(what string, yes func() bool) {
	f.t.Helper()
	f.server.Await(f.t, what, func() (bool, error) { return yes(), nil })
}

// TestReviewsOnARealGitea: the whole program on a real forge, but for the cluster.
func TestReviewsOnARealGitea(t *testing.T) {
	f := newRealForge(t)
	first := f.open("feature-1", version("2.0"))
	f.merged(&first)
	f.send("sara", first.merge, "main")
	apply := f.apply(story.Web(2, "", "2.0"), first.merge)
	f.look()
	f.refuses(http.StatusForbidden, apply, "needs 1 approval", "sam", first.page)
	id := f.review(first, "sam", "APPROVED")
	f.review(first, "paula", "APPROVED")
	f.look()
	dry := apply
	dry.DryRun = true
	f.admits("proven", dry)

	// Dismissed before anything of it was admitted.
	f.server.Dismiss(t, gitea.Pull{Repository: realProject, Number: first.number}, id)
	f.look()
	f.refuses(http.StatusForbidden, apply, "FW103", first.page)
	f.review(first, "sam", "APPROVED")
	f.look()
	f.admits("proven", apply)

	// T-09: a push after the approvals.
	second := f.open("feature-2", version("3.0"))
	f.approved(second)
	f.more(&second, "sara", "feature-2", version("3.1"))
	f.merged(&second)
	f.send("sara", second.merge, "main")
	f.look()
	f.refuses(http.StatusForbidden, f.apply(story.Web(2, "", "3.1"), second.merge), "FW103", second.page)
	f.approved(second)
	f.look()
	f.admits("proven", f.apply(story.Web(2, "", "3.1"), second.merge))

	// T-40: who pushed to it approves it.
	third := f.open("feature-3", version("4.0"))
	f.more(&third, "sam", "feature-3", version("4.1"))
	f.approved(third)
	f.merged(&third)
	f.send("sara", third.merge, "main")
	f.look()
	f.refuses(http.StatusForbidden, f.apply(story.Web(2, "", "4.1"), third.merge), "FW103")
}

// TestT39RealGiteaStopped: what was proven is admitted, what is new waits and says why.
func TestT39RealGiteaStopped(t *testing.T) {
	f := newRealForge(t)
	first := f.open("feature-1", version("2.0"))
	f.merged(&first)
	f.send("sara", first.merge, "main")
	f.approved(first)
	f.look()
	second := f.open("feature-2", version("3.0"))
	f.approved(second)
	f.merged(&second)
	if err := f.server.Halt(); err != nil {
		t.Fatal(err)
	}
	f.git(f.bare(), "fetch", "--quiet", f.shop.Repo.Dir, second.merge) // git is there, and the forge is not
	f.git(f.bare(), "update-ref", "refs/heads/main", second.merge)
	f.look()
	f.admits("proven", f.apply(story.Web(2, "", "2.0"), first.merge))
	f.look()
	f.refuses(http.StatusForbidden, f.apply(story.Web(2, "", "3.0"), second.merge), "could not ask the forge", "connect")
}

// TestReviewLatency measures from the sending of a review to the proof that it makes: by the forge's own
// webhook, over HTTP, with polling an hour away.
func TestReviewLatency(t *testing.T) {
	f := newRealForge(t)
	ctx, stop := context.WithCancelCause(t.Context())
	keeper := f.in.keeper
	hooks := &forgeHooks{
		repository: func(name string) (tier.Repository, bool) {
			r, ok := f.in.directory.state.World().Repositories[name]
			return r, ok
		},
		hookOf: func(_ context.Context, r tier.Repository) (forge.Hook, []forge.Secret, error) {
			hook, err := speakerOf(*r.Forge, "", nil, nil)
			return hook, []forge.Secret{forge.NewSecret("of-the-webhook")}, err
		},
		ask: keeper.Ask, log: logr.Discard(), now: time.Now, of: map[string]*hookDoor{},
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/{repository}", hooks)
	server := httptest.NewServer(mux)
	defer server.Close()
	door := server.URL
	f.server.Must(t, gitea.Admin, http.MethodPost, "/repos/"+realProject+"/hooks", map[string]any{
		"type": "gitea", "active": true, "config": map[string]string{"url": door + "/hooks/apps", "content_type": "json", "secret": "of-the-webhook"},
		"events": []string{"push", "pull_request", "pull_request_sync", "pull_request_review_approved", "pull_request_review_rejected"},
	})
	ended := make(chan error, 1)
	go func() { ended <- keeper.Run(ctx) }()
	defer func() {
		stop(errors.New("done"))
		<-ended
	}()
	for i := range 3 {
		change := f.open(fmt.Sprintf("feature-%d", i), version(fmt.Sprintf("%d.0", i+2)))
		f.merged(&change)
		f.send("sara", change.merge, "main")
		dry := f.apply(story.Web(2, "", fmt.Sprintf("%d.0", i+2)), change.merge)
		dry.DryRun = true
		f.await("Pending", func() bool { answer, _ := f.try(dry); return strings.Contains(said(answer), change.page) })
		f.review(change, "sam", "APPROVED")
		f.await("the first review", func() bool { answer, _ := f.try(dry); return strings.Contains(said(answer), "sam on the forge") })
		began := time.Now()
		f.review(change, "paula", "APPROVED")
		answered := time.Since(began)
		f.await("the proof", func() bool { answer, _ := f.try(dry); return answer.Allowed })
		t.Logf("the forge answered after %s; admissible %s after the review was sent", answered.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
}
