// Package github reads changes and reviews from github.com and GitHub Enterprise Server.
//
// GitHub re-points a review to a new head that a forced push brought, where the two look alike to it;
// so the commit of a review is believed only if no push was forced afterwards, and otherwise the head
// that the branch had at the time. Both come from the repository's activity, which is also what says
// who pushed. The token needs to read contents, metadata, pull requests and, for teams, members.
//
// It was not run against GitHub itself: tests serve it what GitHub's reference says.
package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	sdk "github.com/google/go-github/v88/github"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// pageSize is the most that GitHub gives.
const pageSize = 100

// Forge reads one GitHub. It implements forge.Reader and forge.Hook.
type Forge struct {
	front  string // its front page
	client *sdk.Client
}

// New gives the GitHub at the access's URL: that of its front page, or that of its API.
func New(a forge.Access) (*Forge, error) {
	base, err := a.Base()
	if err != nil {
		return nil, err
	}
	front := strings.TrimSuffix(strings.TrimSuffix(base.String(), "/"), "/api/v3")
	switch host := strings.ToLower(base.Host); {
	case host == "github.com" || host == "api.github.com":
		front, base.Host, base.Path = "https://github.com", "api.github.com", "/"
	case !strings.HasSuffix(base.Path, "/api/v3/"):
		base.Path += "api/v3/"
	}
	a.URL = base.String()
	http, err := a.Client(forge.GitHub)
	if err != nil {
		return nil, err
	}
	client, err := sdk.NewClient(sdk.WithHTTPClient(http), sdk.WithURLs(&a.URL, &a.URL), sdk.WithDisableRateLimitCheck())
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	return &Forge{front, client}, nil
}

// Changes implements forge.Reader.
func (f *Forge) Changes(ctx context.Context, r forge.Repository, at forge.Span) (forge.Listing, error) {
	owner, name, err := forge.Split(r.Path)
	if err != nil {
		return forge.Listing{}, err
	}
	return forge.List(at, func(page int) ([]forge.Change, int, error) {
		got, resp, err := f.client.PullRequests.List(ctx, owner, name, &sdk.PullRequestListOptions{
			State: "all", Base: at.Branch, Sort: "updated", Direction: "desc", ListOptions: sdk.ListOptions{Page: page, PerPage: pageSize},
		})
		if err != nil {
			return nil, 0, forge.Failed("listing changes of "+r.Path, status(resp), err)
		}
		changes, err := forge.Each(got, func(p *sdk.PullRequest) (forge.Change, error) { return f.changeOf(p, r) })
		return changes, resp.NextPage, err
	})
}

// Dossier implements forge.Reader.
func (f *Forge) Dossier(ctx context.Context, r forge.Repository, number int64) (forge.Dossier, error) {
	owner, name, err := forge.Split(r.Path)
	if err != nil {
		return forge.Dossier{}, err
	}
	doing := fmt.Sprintf("reading change %d of %s", number, r.Path)
	pull, resp, err := f.client.PullRequests.Get(ctx, owner, name, int(number))
	if err != nil {
		return forge.Dossier{}, forge.Failed(doing, status(resp), err)
	}
	d := forge.Dossier{Commits: pull.GetCommits(), HeadsKnown: change.CouldNotTell, PushersKnown: change.CouldNotTell}
	if d.Change, err = f.changeOf(pull, r); err != nil {
		return d, err
	}
	if d.Number != number {
		return d, fmt.Errorf("%s: %w: it is about change %d", doing, forge.ErrAnswer, d.Number)
	}
	if d.Reviews, err = f.reviews(ctx, owner, name, int(number)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	if d.Rebased, err = f.rebased(ctx, owner, name, int(number)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	if d.Authors, err = f.authors(ctx, owner, name, int(number)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	if err := forge.Hidden(f.pushes(ctx, pull, &d)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	return d, nil
}

// Members implements forge.Reader.
func (f *Forge) Members(ctx context.Context, team string) ([]forge.Account, error) {
	org, slug, err := forge.Split(team)
	if err != nil {
		return nil, err
	}
	return forge.Pages(forge.MostMembers, func(page int) ([]forge.Account, int, error) {
		got, resp, err := f.client.Teams.ListTeamMembersBySlug(ctx, org, slug, &sdk.TeamListTeamMembersOptions{ListOptions: sdk.ListOptions{Page: page, PerPage: pageSize}})
		if err != nil {
			return nil, 0, forge.Failed("listing members of "+team, status(resp), err)
		}
		members := make([]forge.Account, len(got))
		for i, u := range got {
			members[i] = accountOf(u)
		}
		return members, resp.NextPage, nil
	})
}

// Read implements forge.Hook.
func (f *Forge) Read(header http.Header, body []byte, secrets []forge.Secret) (e forge.Event, ok bool, err error) {
	signature, is := strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	if !is || !forge.SignedBody(secrets, body, signature) {
		return e, false, forge.ErrForged
	}
	switch header.Get("X-GitHub-Event") {
	case "push", "pull_request", "pull_request_review":
	default:
		return e, false, nil
	}
	e, err = forge.ReadEvent(body)
	e.Delivery = header.Get("X-GitHub-Delivery")
	return e, err == nil && (e.Number > 0 || e.Branch != ""), err
}

// changeOf reads a pull request, as the listing and the page of one give it.
func (f *Forge) changeOf(p *sdk.PullRequest, r forge.Repository) (forge.Change, error) {
	c := forge.Change{
		Number: int64(p.GetNumber()), URL: forge.Page(f.front, r.Path, "/pull/", int64(p.GetNumber())), State: forge.Closed,
		Repository: forge.ID(p.GetBase().GetRepo().GetID()), Target: p.GetBase().GetRef(), Head: p.GetHead().GetSHA(),
		HeadRef: fmt.Sprintf("refs/pull/%d/head", p.GetNumber()), Author: accountOf(p.GetUser()), UpdatedAt: p.GetUpdatedAt().Time,
	}
	switch {
	case p.MergedAt != nil:
		c.State, c.Merger, c.MergedAt, c.Landed = forge.Merged, accountOf(p.GetMergedBy()), p.GetMergedAt().Time, p.GetMergeCommitSHA()
	case p.GetState() == "open":
		c.State = forge.Open // merge_commit_sha is that of a trial now
	}
	return c, c.Check(r)
}

func (f *Forge) reviews(ctx context.Context, owner, name string, number int) ([]forge.Review, error) {
	return forge.Pages(forge.MostReviews, func(page int) ([]forge.Review, int, error) {
		got, resp, err := f.client.PullRequests.ListReviews(ctx, owner, name, number, &sdk.ListOptions{Page: page, PerPage: pageSize})
		if err != nil {
			return nil, 0, forge.Failed("listing reviews", status(resp), err)
		}
		var found []forge.Review
		for _, r := range got {
			if r.GetState() == "PENDING" {
				continue // nothing was said yet
			}
			found = append(found, forge.Review{
				ID: forge.ID(r.GetID()), Reviewer: accountOf(r.GetUser()), Opinion: opinionOf(r.GetState()), Commit: r.GetCommitID(),
				SubmittedAt: r.GetSubmittedAt().Time,
			})
		}
		return found, resp.NextPage, nil
	})
}

func opinionOf(state string) forge.Opinion {
	switch state {
	case "APPROVED":
		return forge.Approved
	case "CHANGES_REQUESTED":
		return forge.ChangesRequested
	case "COMMENTED":
		return forge.Commented
	case "DISMISSED":
		return forge.Dismissed
	}
	return forge.Unknown
}

// rebased are the times at which the target of a change was exchanged or rewritten.
func (f *Forge) rebased(ctx context.Context, owner, name string, number int) ([]time.Time, error) {
	return forge.Pages(forge.MostHeads, func(page int) ([]time.Time, int, error) {
		got, resp, err := f.client.Issues.ListIssueTimeline(ctx, owner, name, number, &sdk.ListOptions{Page: page, PerPage: pageSize})
		if err != nil {
			return nil, 0, forge.Failed("listing what happened", status(resp), err)
		}
		var times []time.Time
		for _, e := range got {
			switch e.GetEvent() {
			case "base_ref_changed", "base_ref_force_pushed", "automatic_base_change_succeeded":
				times = append(times, e.GetCreatedAt().Time)
			}
		}
		return times, resp.NextPage, nil
	})
}

func (f *Forge) authors(ctx context.Context, owner, name string, number int) ([]forge.Account, error) {
	seen := map[string]bool{}
	return forge.Pages(forge.MostHeads, func(page int) ([]forge.Account, int, error) {
		got, resp, err := f.client.PullRequests.ListCommits(ctx, owner, name, number, &sdk.ListOptions{Page: page, PerPage: pageSize})
		if err != nil {
			return nil, 0, forge.Failed("listing commits", status(resp), err)
		}
		var found []forge.Account
		for _, c := range got {
			for _, a := range []forge.Account{accountOf(c.GetAuthor()), accountOf(c.GetCommitter())} {
				if a.ID != "" && !seen[a.ID] {
					seen[a.ID] = true
					found = append(found, a)
				}
			}
		}
		return found, resp.NextPage, nil
	})
}

// accountOf reads an account. GitHub puts ghost, or nobody, in the place of one that is gone.
func accountOf(u *sdk.User) forge.Account {
	if u.GetLogin() == "ghost" {
		return forge.Account{Login: "ghost"}
	}
	return forge.Account{ID: forge.ID(u.GetID()), Login: u.GetLogin(), Robot: u.GetType() == "Bot"}
}

func status(r *sdk.Response) int {
	if r == nil || r.Response == nil {
		return 0
	}
	return r.StatusCode
}
