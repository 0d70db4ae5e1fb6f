// Package gitea reads changes and reviews from Gitea, and from Forgejo, which speaks the same API. It
// was run against Gitea 1.27.
//
// Gitea keeps the commit that a review was given on, and lets it be an old one on purpose. Its flags
// "stale" and "official" are not read: a push that takes a file back to the merge base leaves an old
// approval unstale. There are no ETags. Who pushed is read from the repository's feed of activities,
// which hides people who keep their activity private; see pushes.go for what is made of a gap.
package gitea

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// pageSize is the most that Gitea gives by default.
const pageSize = 50

// Forge reads one Gitea. It implements forge.Reader and forge.Hook.
type Forge struct {
	url  string
	http *http.Client
}

// New gives the Gitea at the access's URL: that of its front page, or that of its API.
func New(a forge.Access) (*Forge, error) {
	base, err := a.Base()
	if err != nil {
		return nil, err
	}
	client, err := a.Client(forge.Gitea)
	if err != nil {
		return nil, err
	}
	front := strings.TrimSuffix(base.String(), "/")
	return &Forge{strings.TrimSuffix(front, "/api/v1"), client}, nil
}

// client is for one call: the SDK keeps the context in the client.
func (f *Forge) client(ctx context.Context) (*sdk.Client, error) {
	return sdk.NewClient(f.url, sdk.SetHTTPClient(f.http), sdk.SetContext(ctx), sdk.SetGiteaVersion(""))
}

// Changes implements forge.Reader.
func (f *Forge) Changes(ctx context.Context, r forge.Repository, at forge.Span) (forge.Listing, error) {
	owner, name, err := forge.Split(r.Path)
	if err != nil {
		return forge.Listing{}, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return forge.Listing{}, err
	}
	return forge.List(at, func(page int) ([]forge.Change, int, error) {
		got, resp, err := c.ListRepoPullRequests(owner, name, sdk.ListPullRequestsOptions{
			ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}, State: sdk.StateAll, Sort: "recentupdate",
		})
		if err != nil {
			return nil, 0, forge.Failed("listing changes of "+r.Path, status(resp), err)
		}
		changes, err := forge.Each(got, func(p *sdk.PullRequest) (forge.Change, error) { return f.changeOf(p, r) })
		return changes, nextPage(resp), err
	})
}

// Dossier implements forge.Reader.
func (f *Forge) Dossier(ctx context.Context, r forge.Repository, number int64) (forge.Dossier, error) {
	owner, name, err := forge.Split(r.Path)
	if err != nil {
		return forge.Dossier{}, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return forge.Dossier{}, err
	}
	doing := fmt.Sprintf("reading change %d of %s", number, r.Path)
	pull, resp, err := c.GetPullRequest(owner, name, number)
	if err != nil {
		return forge.Dossier{}, forge.Failed(doing, status(resp), err)
	}
	d := forge.Dossier{ReviewsFixed: true}
	if d.Change, err = f.changeOf(pull, r); err != nil {
		return d, err
	}
	if d.Number != number {
		return d, fmt.Errorf("%s: %w: it is about change %d", doing, forge.ErrAnswer, d.Number)
	}
	if d.State == forge.Merged {
		if d.Head, err = mergedHead(c, owner, name, d.Change); err != nil {
			return d, fmt.Errorf("%s: %w", doing, err)
		}
	}
	if d.Reviews, err = reviews(c, owner, name, number); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	if d.Rebased, err = retargeted(c, owner, name, number); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	d.HeadsKnown, d.PushersKnown = change.CouldNotTell, change.CouldNotTell
	if err := forge.Hidden(pushes(c, pull, &d)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	return d, nil
}

// Members implements forge.Reader.
func (f *Forge) Members(ctx context.Context, team string) ([]forge.Account, error) {
	org, name, err := forge.Split(team)
	if err != nil {
		return nil, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	teams, err := forge.Pages(forge.MostMembers, func(page int) ([]*sdk.Team, int, error) {
		got, resp, err := c.ListOrgTeams(org, sdk.ListTeamsOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}})
		return got, nextPage(resp), forge.Failed("listing teams of "+org, status(resp), err)
	})
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		if !strings.EqualFold(t.Name, name) {
			continue
		}
		users, err := forge.Pages(forge.MostMembers, func(page int) ([]*sdk.User, int, error) {
			got, resp, err := c.ListTeamMembers(t.ID, sdk.ListTeamMembersOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}})
			return got, nextPage(resp), forge.Failed("listing members of "+team, status(resp), err)
		})
		members := make([]forge.Account, len(users))
		for i, u := range users {
			members[i] = accountOf(u)
		}
		return members, err
	}
	return nil, fmt.Errorf("team %q: %w", team, forge.ErrGone)
}

// Read implements forge.Hook.
func (f *Forge) Read(header http.Header, body []byte, secrets []forge.Secret) (e forge.Event, ok bool, err error) {
	if !forge.SignedBody(secrets, body, header.Get("X-Gitea-Signature")) {
		return e, false, forge.ErrForged
	}
	kind := header.Get("X-Gitea-Event")
	if kind != "push" && !strings.HasPrefix(kind, "pull_request") {
		return e, false, nil
	}
	e, err = forge.ReadEvent(body)
	e.Delivery = header.Get("X-Gitea-Delivery")
	return e, err == nil && (e.Number > 0 || e.Branch != ""), err
}

// changeOf reads a pull request, as the listing and the page of one give it.
func (f *Forge) changeOf(p *sdk.PullRequest, r forge.Repository) (forge.Change, error) {
	if p == nil || p.Base == nil || p.Head == nil {
		return forge.Change{}, fmt.Errorf("%w: a change without branches", forge.ErrAnswer)
	}
	c := forge.Change{
		Number: p.Index, URL: forge.Page(f.url, r.Path, "/pulls/", p.Index), State: forge.Closed, Repository: forge.ID(p.Base.RepoID),
		Target: p.Base.Ref, Head: p.Head.Sha, HeadRef: fmt.Sprintf("refs/pull/%d/head", p.Index), MergeBase: p.MergeBase,
		Author: accountOf(p.Poster), UpdatedAt: timeOf(p.Updated),
	}
	switch {
	case p.HasMerged:
		c.State, c.Merger, c.MergedAt = forge.Merged, accountOf(p.MergedBy), timeOf(p.Merged)
		if p.MergedCommitID != nil {
			c.Landed = *p.MergedCommitID
		}
	case p.State == sdk.StateOpen:
		c.State = forge.Open
	}
	return c, c.Check(r)
}

// mergedHead is the head that was merged: the page of a change says where its branch is now, and the branch
// may have gone on.
func mergedHead(c *sdk.Client, owner, name string, of forge.Change) (string, error) {
	ref, resp, err := c.GetRepoRef(owner, name, of.HeadRef)
	if err != nil {
		return "", forge.Failed("reading the head that was merged", status(resp), err)
	}
	if ref.Object == nil || !forge.IsCommit(ref.Object.SHA) {
		return "", fmt.Errorf("%w: %s names no commit", forge.ErrAnswer, of.HeadRef)
	}
	return ref.Object.SHA, nil
}

func reviews(c *sdk.Client, owner, name string, number int64) ([]forge.Review, error) {
	return forge.Pages(forge.MostReviews, func(page int) ([]forge.Review, int, error) {
		got, resp, err := c.ListPullReviews(owner, name, number, sdk.ListPullReviewsOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}})
		if err != nil {
			return nil, 0, forge.Failed("listing reviews", status(resp), err)
		}
		var found []forge.Review
		for _, r := range got {
			if r.State == sdk.ReviewStateRequestReview || r.State == sdk.ReviewStatePending {
				continue // nothing was said yet
			}
			found = append(found, forge.Review{
				ID: forge.ID(r.ID), Reviewer: accountOf(r.Reviewer), Opinion: opinionOf(r), Commit: r.CommitID,
				SubmittedAt: r.Submitted,
			})
		}
		return found, nextPage(resp), nil
	})
}

func opinionOf(r *sdk.PullReview) forge.Opinion {
	switch {
	case r.State == sdk.ReviewStateComment:
		return forge.Commented
	case r.Dismissed:
		return forge.Dismissed
	case r.State == sdk.ReviewStateApproved && forge.IsCommit(r.CommitID):
		return forge.Approved
	case r.State == sdk.ReviewStateRequestChanges:
		return forge.ChangesRequested
	}
	return forge.Unknown
}

// retargeted are the times at which a change was pointed at another branch.
func retargeted(c *sdk.Client, owner, name string, number int64) ([]time.Time, error) {
	return forge.Pages(forge.MostHeads, func(page int) ([]time.Time, int, error) {
		got, resp, err := c.ListIssueTimeline(owner, name, number, sdk.ListIssueCommentOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}})
		if err != nil {
			return nil, 0, forge.Failed("listing what happened", status(resp), err)
		}
		var times []time.Time
		for _, e := range got {
			if e.Type == "change_target_branch" {
				times = append(times, e.Created)
			}
		}
		return times, nextPage(resp), nil
	})
}

// accountOf reads an account. Gitea gives those that are gone the id -1, and its own robots ids below.
func accountOf(u *sdk.User) forge.Account {
	if u == nil {
		return forge.Account{}
	}
	return forge.Account{ID: forge.ID(u.ID), Login: u.UserName, Robot: u.ID < -1}
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func status(r *sdk.Response) int {
	if r == nil || r.Response == nil {
		return 0
	}
	return r.StatusCode
}

func nextPage(r *sdk.Response) int {
	if r == nil {
		return 0
	}
	return r.NextPage
}
