// Package gitlab reads changes and reviews from gitlab.com and self-managed GitLab.
//
// A GitLab approval names no commit. It is of the version that the merge request had at the time, and
// an approval that came within seconds of a push is of none, since its page may have shown the version
// before. There is no word that was struck: whoever takes an approval back, or loses it, is no longer
// listed. Who pushed is read from the project's events. The token needs the scope read_api.
//
// It was not run against GitLab itself: tests serve it what GitLab's reference says.
package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// pageSize is the most that GitLab gives.
const pageSize = 100

// Forge reads one GitLab. It implements forge.Reader and forge.Hook.
type Forge struct {
	front  string // its front page
	client *sdk.Client
}

// New gives the GitLab at the access's URL: that of its front page, or that of its API.
func New(a forge.Access) (*Forge, error) {
	base, err := a.Base()
	if err != nil {
		return nil, err
	}
	front := strings.TrimSuffix(strings.TrimSuffix(base.String(), "/"), "/api/v4")
	if !strings.HasSuffix(base.Path, "/api/v4/") {
		base.Path += "api/v4/"
	}
	a.URL = base.String()
	http, err := a.Client(forge.GitLab)
	if err != nil {
		return nil, err
	}
	client, err := sdk.NewAuthSourceClient(sdk.Unauthenticated{}, sdk.WithHTTPClient(http), sdk.WithBaseURL(a.URL),
		sdk.WithCustomRetryMax(0), sdk.WithCustomLimiter(atOnce{}))
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	return &Forge{front, client}, nil
}

// atOnce leaves the pace to forge.Access.
type atOnce struct{}

// Wait implements the library's limiter.
func (atOnce) Wait(context.Context) error { return nil }

// Changes implements forge.Reader.
func (f *Forge) Changes(ctx context.Context, r forge.Repository, at forge.Span) (forge.Listing, error) {
	return forge.List(at, func(page int) ([]forge.Change, int, error) {
		got, resp, err := f.client.MergeRequests.ListProjectMergeRequests(r.Path, &sdk.ListProjectMergeRequestsOptions{
			ListOptions: listing(page), State: sdk.Ptr("all"), Scope: sdk.Ptr("all"), OrderBy: sdk.Ptr("updated_at"), Sort: sdk.Ptr("desc"),
			TargetBranch: &at.Branch, UpdatedAfter: sdk.Ptr(at.Since.Add(-time.Second)),
		}, sdk.WithContext(ctx))
		if err != nil {
			return nil, 0, forge.Failed("listing changes of "+r.Path, status(resp), err)
		}
		changes, err := forge.Each(got, func(m *sdk.BasicMergeRequest) (forge.Change, error) { return f.changeOf(m, r) })
		return changes, nextPage(resp), err
	})
}

// Dossier implements forge.Reader.
func (f *Forge) Dossier(ctx context.Context, r forge.Repository, number int64) (forge.Dossier, error) {
	doing := fmt.Sprintf("reading change %d of %s", number, r.Path)
	m, resp, err := f.client.MergeRequests.GetMergeRequest(r.Path, number, nil, sdk.WithContext(ctx))
	if err != nil {
		return forge.Dossier{}, forge.Failed(doing, status(resp), err)
	}
	d := forge.Dossier{HeadsKnown: change.CouldNotTell, PushersKnown: change.CouldNotTell}
	if d.Change, err = f.changeOf(&m.BasicMergeRequest, r); err != nil {
		return d, err
	}
	if d.Number != number {
		return d, fmt.Errorf("%s: %w: it is about change %d", doing, forge.ErrAnswer, d.Number)
	}
	d.MergeBase = m.DiffRefs.BaseSha
	if err := d.Check(r); err != nil {
		return d, err
	}
	notes, err := f.notes(ctx, r, number)
	if err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	d.Rebased = notes.retargeted
	if d.Reviews, err = f.reviews(ctx, r, number, notes); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	if d.Heads, err = f.versions(ctx, r, number); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	d.HeadsKnown = change.FoundIf(slices.ContainsFunc(d.Heads, func(h forge.Head) bool { return h.Commit == d.Head }))
	if err := forge.Hidden(f.pushes(ctx, m, &d)); err != nil {
		return d, fmt.Errorf("%s: %w", doing, err)
	}
	return d, nil
}

// Members implements forge.Reader.
func (f *Forge) Members(ctx context.Context, team string) ([]forge.Account, error) {
	return forge.Pages(forge.MostMembers, func(page int) ([]forge.Account, int, error) {
		got, resp, err := f.client.Groups.ListAllGroupMembers(team, &sdk.ListGroupMembersOptions{ListOptions: listing(page)}, sdk.WithContext(ctx))
		if err != nil {
			return nil, 0, forge.Failed("listing members of "+team, status(resp), err)
		}
		var members []forge.Account
		for _, u := range got {
			if a := accountOf(u.ID, u.Username); a.ID != "" && isActive(u.State) {
				members = append(members, a)
			}
		}
		return members, nextPage(resp), nil
	})
}

// changeOf reads a merge request, as the listing and the page of one give it.
func (f *Forge) changeOf(m *sdk.BasicMergeRequest, r forge.Repository) (forge.Change, error) {
	c := forge.Change{
		Number: m.IID, URL: forge.Page(f.front, r.Path, "/-/merge_requests/", m.IID), State: forge.Closed, Repository: forge.ID(m.TargetProjectID),
		Target: m.TargetBranch, Head: m.SHA, HeadRef: fmt.Sprintf("refs/merge-requests/%d/head", m.IID),
		Author: userOf(m.Author), UpdatedAt: timeOf(m.UpdatedAt),
	}
	switch m.State {
	case "opened", "locked": // locked: it is being merged
		c.State = forge.Open
	case "merged":
		c.State, c.Merger, c.MergedAt = forge.Merged, userOf(m.MergeUser), timeOf(m.MergedAt)
		switch { // a squash may be merged by a commit of its own, which then is what landed
		case m.MergeCommitSHA != "":
			c.Landed = m.MergeCommitSHA
		case m.SquashCommitSHA != "":
			c.Landed = m.SquashCommitSHA
		default:
			c.Landed = m.SHA
		}
	}
	return c, c.Check(r)
}

// versions are the heads that a merge request had, oldest first, each with the base it was shown
// against.
func (f *Forge) versions(ctx context.Context, r forge.Repository, number int64) ([]forge.Head, error) {
	heads, err := forge.Pages(forge.MostHeads, func(page int) ([]forge.Head, int, error) {
		got, resp, err := f.client.MergeRequests.GetMergeRequestDiffVersions(r.Path, number,
			&sdk.GetMergeRequestDiffVersionsOptions{ListOptions: listing(page)}, sdk.WithContext(ctx))
		if err != nil {
			return nil, 0, forge.Failed("listing versions", status(resp), err)
		}
		var found []forge.Head
		for _, v := range got {
			if !forge.IsCommit(v.HeadCommitSHA) || !forge.IsCommit(v.BaseCommitSHA) || v.CreatedAt == nil {
				return nil, 0, fmt.Errorf("%w: a version without commits or time", forge.ErrAnswer)
			}
			found = append(found, forge.Head{Commit: v.HeadCommitSHA, Base: v.BaseCommitSHA, At: *v.CreatedAt})
		}
		return found, nextPage(resp), nil
	})
	slices.SortStableFunc(heads, func(a, b forge.Head) int { return a.At.Compare(b.At) })
	return heads, err
}

// accountOf reads an account. GitLab puts ghost in the place of one that is gone. Robots are told by
// the names that GitLab gives them, which nobody else can have.
func accountOf(id int64, name string) forge.Account {
	if name == "ghost" {
		return forge.Account{Login: name}
	}
	return forge.Account{ID: forge.ID(id), Login: name, Robot: isRobot(name)}
}

func isRobot(name string) bool {
	if strings.HasPrefix(name, "service_account_") {
		return true
	}
	kind, rest, _ := strings.Cut(name, "_")
	digits, bot, ok := strings.Cut(rest, "_")
	return (kind == "project" || kind == "group") && ok && digits != "" && strings.Trim(digits, "0123456789") == "" && strings.HasPrefix(bot, "bot")
}

func userOf(u *sdk.BasicUser) forge.Account {
	if u == nil {
		return forge.Account{}
	}
	return accountOf(u.ID, u.Username)
}

func isActive(state string) bool { return state == "" || state == "active" }

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func listing(page int) sdk.ListOptions { return sdk.ListOptions{Page: int64(page), PerPage: pageSize} }

func nextPage(r *sdk.Response) int {
	if r == nil {
		return 0
	}
	return int(r.NextPage)
}

func status(r *sdk.Response) int {
	if r == nil || r.Response == nil {
		return 0
	}
	return r.StatusCode
}

// Read implements forge.Hook. Where a webhook is signed, the token is not enough.
func (f *Forge) Read(header http.Header, body []byte, secrets []forge.Secret) (e forge.Event, ok bool, err error) {
	sent := time.Time{}
	if header.Get("Webhook-Signature") != "" {
		if sent, ok = forge.SignedStandard(secrets, header, body); !ok {
			return e, false, forge.ErrForged
		}
	} else if !forge.IsSecret(secrets, header.Get("X-Gitlab-Token")) {
		return e, false, forge.ErrForged
	}
	var told struct {
		Kind    string `json:"object_kind"`
		Ref     string
		Project struct {
			ID   int64
			Path string `json:"path_with_namespace"`
		}
		Attributes struct {
			IID    int64
			Target string `json:"target_branch"`
		} `json:"object_attributes"`
	}
	if err := forge.Decode(body, &told); err != nil {
		return e, false, err
	}
	e = forge.Event{
		Delivery: header.Get("X-Gitlab-Event-UUID"), SentAt: sent,
		Repository: forge.Repository{Path: told.Project.Path, ID: forge.ID(told.Project.ID)},
	}
	switch told.Kind {
	case "push":
		e.Branch, ok = strings.CutPrefix(told.Ref, "refs/heads/")
	case "merge_request":
		e.Number, e.Branch, ok = told.Attributes.IID, told.Attributes.Target, told.Attributes.IID > 0
	default:
		return e, false, nil
	}
	if e.Repository.Path == "" || e.Repository.ID == "" {
		return e, false, fmt.Errorf("%w: a webhook that names no repository", forge.ErrAnswer)
	}
	return e, ok, nil
}
