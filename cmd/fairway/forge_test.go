package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

// fakeForge is a forge beside the shop's repository: it says what a test has it say, as the adapters do.
// What they make of a real forge's answers is held by tests of their own.
type fakeForge struct {
	t     *testing.T
	l     *lab
	at    map[int64]*forge.Dossier
	down  error
	deaf  error                                   // listing fails, reading a change does not
	worse map[int64]error                         // reading this change fails
	crowd func(forge.Span) (forge.Listing, error) // lists in the place of at
	reads int
	clock time.Time
}

// ids of the people's accounts on the page; bot and stranger are nobody's whom Fairway knows.
var pageIDs = map[string]string{"sara": "1", "sam": "2", "paula": "3", "pete": "4", "stranger": "8"}

func person(name string) forge.Account { return forge.Account{ID: pageIDs[name], Login: name} }

// newFakeForge is a lab whose production takes reviews from a forge.
func newFakeForge(t *testing.T) *fakeForge {
	t.Helper()
	p := &fakeForge{t: t, l: newLab(t), at: map[int64]*forge.Dossier{}, clock: time.Now().Add(-time.Hour).Truncate(time.Second)}
	p.wire(p.l.in)
	p.l.edit("tiers.yaml", "level: Signed", "level: Forge")
	p.l.edit("repository.yaml", "approvalSources: [Attestation]",
		"approvalSources: [Forge, Attestation]\n  forge: {kind: Gitea, url: \"https://git.example.com\", project: acme/apps}")
	for _, name := range []string{"sara", "sam", "paula", "pete"} {
		p.l.edit("teams.yaml", "  - name: "+name+"\n", "  - name: "+name+"\n    accounts: [{forge: Gitea, host: git.example.com, id: "+pageIDs[name]+"}]\n")
	}
	p.l.look()
	return p
}

// wire makes an install ask the page.
func (p *fakeForge) wire(in *dirInstall) {
	in.mirrors.forges = func(context.Context, tier.Repository) (forge.Reader, error) { return p, nil }
}

// Changes implements forge.Reader.
func (p *fakeForge) Changes(_ context.Context, _ forge.Repository, at forge.Span) (forge.Listing, error) {
	if p.crowd != nil {
		return p.crowd(at)
	}
	var all []forge.Change
	for _, d := range p.at {
		if d.Target == at.Branch && !d.UpdatedAt.Before(at.Since) {
			all = append(all, d.Change)
		}
	}
	return forge.Listing{Changes: all}, errors.Join(p.down, p.deaf)
}

// Dossier implements forge.Reader.
func (p *fakeForge) Dossier(ctx context.Context, _ forge.Repository, number int64) (forge.Dossier, error) {
	p.reads++
	if p.down != nil {
		return forge.Dossier{}, p.down
	}
	if errors.Is(p.worse[number], context.DeadlineExceeded) {
		<-ctx.Done()
	}
	if err := p.worse[number]; err != nil {
		return forge.Dossier{}, err
	}
	return *p.at[number], nil
}

// Members implements forge.Reader.
func (p *fakeForge) Members(context.Context, string) ([]forge.Account, error) { return nil, p.down }

func (p *fakeForge) tick() time.Time {
	p.clock = p.clock.Add(time.Minute)
	return p.clock
}

// land merges a change of an author, as a forge does.
func (p *fakeForge) land(author string, files map[string]string) (merge string, d *forge.Dossier) {
	p.t.Helper()
	ctx := p.t.Context()
	merge, head, err := p.l.shop.Land(ctx, author, message, files)
	if err != nil {
		p.t.Fatal(err)
	}
	number := int64(len(p.at) + 1)
	ref := "refs/pull/" + strconv.FormatInt(number, 10) + "/head"
	if err := p.l.shop.Repo.SetRef(ctx, ref, head); err != nil {
		p.t.Fatal(err)
	}
	pushed := p.tick()
	d = &forge.Dossier{
		Change: forge.Change{
			Number: number, URL: fmt.Sprintf("https://git.example.com/acme/apps/pulls/%d", number), State: forge.Merged,
			Repository: "77", Target: "main", Head: head, HeadRef: ref, Landed: merge, Author: person(author), UpdatedAt: pushed, MergedAt: pushed.Add(time.Hour),
		},
		Heads: []forge.Head{{Commit: head, At: pushed, By: person(author)}}, HeadsKnown: change.Present,
		Pushers: []forge.Account{person(author)}, PushersKnown: change.Present,
	}
	p.at[number] = d
	return merge, d
}

// says adds a review, or takes the place of an earlier one by the same id.
func (p *fakeForge) says(d *forge.Dossier, who string, opinion forge.Opinion) *forge.Review {
	at := p.tick()
	d.UpdatedAt = at
	d.Reviews = append(d.Reviews, forge.Review{
		ID: fmt.Sprintf("%d%d", d.Number, len(d.Reviews)), Reviewer: person(who), Opinion: opinion, Commit: d.Head, SubmittedAt: at,
	})
	return &d.Reviews[len(d.Reviews)-1]
}

func TestReviewsOnAForgeAreProof(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "needs 1 approval", "sam", d.URL)
	p.says(d, "sam", forge.Approved)
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "in no team of its contributors", d.URL)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	p.l.admits("proven", apply)
}

// TestT40WhoseReviewCounts: what a forge says is counted once for each person who is known, is no robot
// and had no part in the change.
func TestT40WhoseReviewCounts(t *testing.T) {
	for name, say := range map[string]func(p *fakeForge, d *forge.Dossier){
		"the author, too": func(p *fakeForge, d *forge.Dossier) { p.says(d, "sara", forge.Approved) },
		"a comment":       func(p *fakeForge, d *forge.Dossier) { p.says(d, "sam", forge.Commented) },
		"dismissed": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved).Opinion = forge.Dismissed
		},
		"changes asked for after all": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved)
			p.says(d, "sam", forge.ChangesRequested)
		},
		"somebody else asks for changes": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved)
			p.says(d, "pete", forge.ChangesRequested)
		},
		"a stranger":              func(p *fakeForge, d *forge.Dossier) { p.says(d, "stranger", forge.Approved) },
		"an account that is gone": func(p *fakeForge, d *forge.Dossier) { p.says(d, "nobody", forge.Approved) },
		"a robot": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved).Reviewer.Robot = true
		},
		"who pushed to it": func(p *fakeForge, d *forge.Dossier) {
			d.Pushers = append(d.Pushers, person("sam"))
			p.says(d, "sam", forge.Approved)
		},
		"pushers not known": func(p *fakeForge, d *forge.Dossier) {
			d.PushersKnown = change.CouldNotTell
			p.says(d, "sam", forge.Approved)
		},
		"aimed at another branch since": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved)
			d.Rebased = []time.Time{p.tick()}
		},
		"of a commit that nobody has": func(p *fakeForge, d *forge.Dossier) {
			p.says(d, "sam", forge.Approved).Commit = strings.Repeat("a", 40)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newFakeForge(t)
			merge, d := p.land("sara", version("2.0"))
			p.says(d, "paula", forge.Approved)
			say(p, d)
			p.l.look()
			apply := p.l.apply(story.Web(2, "", "2.0"), merge)
			p.l.refuses(http.StatusForbidden, apply, "FW103")
		})
	}
}

// TestT09AnApprovalOfWhatDidNotLand: reviewed at one head, merged at another.
func TestT09AnApprovalOfWhatDidNotLand(t *testing.T) {
	p := newFakeForge(t)
	ctx := t.Context()
	seen, err := p.l.shop.Branch(ctx, "feature", "sara", message, map[string]string{story.WebPath: story.Web(3, "", "1.0")})
	if err != nil {
		t.Fatal(err)
	}
	merge, d := p.land("sara", version("2.0"))
	for _, who := range []string{"sam", "paula"} {
		p.says(d, who, forge.Approved).Commit = seen
	}
	d.Heads = append([]forge.Head{{Commit: seen, At: d.Heads[0].At.Add(-time.Hour), By: person("sara")}}, d.Heads...)
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, "FW103", d.URL)

	// The forge points the reviews at what landed: what they named first is what counts.
	for i := range d.Reviews {
		d.Reviews[i].Commit = d.Head
	}
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "FW103")
	p.l = p.l.restart(p.wire) // the memory is on disk
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "FW103")
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	p.l.admits("proven", apply)
}

// TestT39ForgeDown: what was proven stays so, what is new waits, and signed approvals go on.
func TestT39ForgeDown(t *testing.T) {
	p := newFakeForge(t)
	first, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	second, d2 := p.land("sam", version("3.0"))
	p.says(d2, "sara", forge.Approved)
	p.says(d2, "pete", forge.Approved)

	p.down = errors.New("connection refused")
	p.l.look()
	p.l.look()
	p.l.admits("proven", p.l.apply(story.Web(2, "", "2.0"), first))
	p.l.look()
	p.l.refuses(http.StatusForbidden, p.l.apply(story.Web(2, "", "3.0"), second), "git.example.com: connection refused")
	if !p.pending(second) {
		t.Error("the new commit is not Pending")
	}

	for _, who := range []string{"sara", "pete"} {
		p.l.approve(who, d2.Head)
	}
	p.l.look()
	p.l.admits("proven", p.l.apply(story.Web(2, "", "3.0"), second))
}

// pending reports whether a commit waits for something that needs no other commit.
func (p *fakeForge) pending(commit string) bool {
	proofs, _ := p.l.in.directory.shelf.Known(change.SourceKey{Repository: "apps", Branch: "main", Path: "shop/production", Namespace: "shop"})
	for _, proof := range proofs {
		if proof.Commit == commit {
			return len(proof.Judgements) == 1 && proof.Judgements[0].Pending
		}
	}
	return false
}

// TestT39ForgeDownPeopleChange: whoever was removed counts no more, although the forge cannot be asked.
func TestT39ForgeDownPeopleChange(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	p.down = errors.New("connection refused")
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	apply.DryRun = true
	p.l.look()
	p.l.admits("proven", apply)
	p.l.edit("teams.yaml", "emails: [pete@example.com]", "emails: [pete@example.com, p@example.com]")
	p.l.look()
	p.l.admits("proven", apply)
	p.l.edit("teams.yaml", "id: "+pageIDs["sam"]+"}", "id: 99}") // another account from now on: what sam said stays sam's
	p.l.edit("teams.yaml", "name: sam\n", "name: samuel\n")
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply)
}

// TestADismissedReviewIsTakenBack until its content was delivered.
func TestADismissedReviewIsTakenBack(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	dry := apply
	dry.DryRun = true
	p.l.admits("proven", dry)
	d.Reviews[0].Opinion = forge.Dismissed // and no other sign of it
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "FW103")
	d.Reviews[0].Opinion = forge.Approved
	p.l.look()
	p.l.admits("proven", apply)
}

// TestT42TwoAccountsOfOnePerson count once.
func TestT42TwoAccountsOfOnePerson(t *testing.T) {
	p := newFakeForge(t)
	p.l.edit("tiers.yaml", "name: owners, minimum: 1, from: Owners", "name: two, minimum: 2, from: Anyone")
	p.l.edit("teams.yaml", "id: "+pageIDs["paula"]+"}", "id: "+pageIDs["paula"]+"}, {forge: Gitea, host: git.example.com, id: 8}")
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "paula", forge.Approved)
	p.says(d, "stranger", forge.Approved) // paula's other account
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, "needs 2 approvals", "has 1")
	p.says(d, "pete", forge.Approved)
	p.l.look()
	p.l.admits("proven", apply)
}

// TestSourcesThatAreNotNamedDoNotCount: each of the two counts only where the Repository names it.
func TestSourcesThatAreNotNamedDoNotCount(t *testing.T) {
	p := newFakeForge(t)
	p.l.edit("repository.yaml", "approvalSources: [Forge, Attestation]", "approvalSources: [Attestation]")
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, "nobody has approved")
	p.l.edit("repository.yaml", "approvalSources: [Attestation]", "approvalSources: [Forge]")
	d.Reviews = nil
	p.l.approve("sam", d.Head)
	p.l.approve("paula", d.Head)
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "needs 1 approval")
	p.l.edit("repository.yaml", "approvalSources: [Forge]", "approvalSources: [Forge, Attestation]")
	p.l.look()
	p.l.admits("proven", apply)
}

// TestAForgeKeyCountsForLandings: a merge that the forge made and signed counts once the change is
// approved; the same key under a direct push never does.
func TestAForgeKeyCountsForLandings(t *testing.T) {
	p := newFakeForge(t)
	ctx := t.Context()
	web, err := story.NewPerson("forge", "")
	if err != nil {
		t.Fatal(err)
	}
	p.l.edit("repository.yaml", "approvalSources:", "forgeSigner: {keys: [{format: SSH, publicKey: \""+web.PublicKey()+"\"}]}\n  approvalSources:")
	base, err := p.l.shop.Tip(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, d := p.land("sara", version("2.0"))
	merge, err := p.l.shop.Repo.Merge(ctx, web, base, d.Head, "Merge: "+message)
	if err == nil {
		err = p.l.shop.Repo.SetBranch(ctx, "main", merge)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Landed = merge
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, "FW105", "FW103")
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	p.l.admits("proven", apply)

	edit, err := p.l.shop.Repo.Commit(ctx, story.Commit{Author: p.l.shop.People["sara"], Signer: web, Parents: []string{merge}, Message: message, Files: version("3.0")})
	if err == nil {
		err = p.l.shop.Repo.SetBranch(ctx, "main", edit)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"sam", "paula"} {
		p.l.approve(who, edit, func(o *cli.ApproveOptions) { o.Base = merge })
	}
	p.l.look()
	p.l.refuses(http.StatusForbidden, p.l.apply(story.Web(2, "", "3.0"), edit), "FW105", "not by its author")
}

// TestAChangeThatWasPushedByHand counts although the forge leaves it open: git knows that it landed.
func TestAChangeThatWasPushedByHand(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	d.State, d.Landed = forge.Open, ""
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, d.URL)
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	p.l.admits("proven", apply)
	waiting, d2 := p.land("sara", version("3.0"))
	d2.State, d2.Landed = forge.Closed, "" // a change that was given up says nothing
	p.says(d2, "sam", forge.Approved)
	p.says(d2, "paula", forge.Approved)
	p.l.look()
	p.l.refuses(http.StatusForbidden, p.l.apply(story.Web(2, "", "3.0"), waiting), "nobody has approved")
}

// TestARepositoryThatTookThePathOver is not asked: it has another id.
func TestARepositoryThatTookThePathOver(t *testing.T) {
	p := newFakeForge(t)
	_, d := p.land("sara", version("2.0"))
	p.l.look()
	merge, d2 := p.land("sara", version("3.0"))
	for _, d := range []*forge.Dossier{d, d2} {
		d.Repository = "78"
		p.says(d, "sam", forge.Approved)
		p.says(d, "paula", forge.Approved)
	}
	p.l.look()
	p.l.refuses(http.StatusForbidden, p.l.apply(story.Web(2, "", "3.0"), merge), "another repository has taken this path")
}
