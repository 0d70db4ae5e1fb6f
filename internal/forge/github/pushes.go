package github

import (
	"context"

	sdk "github.com/google/go-github/v88/github"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// mostActivityPages bounds how far back the activity of one branch is read.
const mostActivityPages = 10

// pushes fills in who pushed the change and which heads it had, as the activity of its branch tells,
// and takes the commit from each review that a forced push may have re-pointed.
func (f *Forge) pushes(ctx context.Context, p *sdk.PullRequest, d *forge.Dossier) error {
	repo := p.GetHead().GetRepo()
	if repo == nil || p.GetHead().GetRef() == "" {
		return nil // the fork is gone
	}
	owner, name, err := forge.Split(repo.GetFullName())
	if err != nil {
		return err
	}
	ref := "refs/heads/" + p.GetHead().GetRef()
	var found []forge.Push
	after := ""
	for range mostActivityPages {
		got, resp, err := f.client.Repositories.ListRepositoryActivities(ctx, owner, name, &sdk.ListRepositoryActivityOptions{Ref: ref, PerPage: pageSize, After: after})
		if err != nil {
			return forge.Failed("listing pushes", status(resp), err)
		}
		for _, a := range got {
			if a != nil && a.Ref == ref {
				found = append(found, pushOf(a))
			}
		}
		whole := false
		if d.Heads, whole = forge.Chain(found, d.Head); whole {
			d.HeadsKnown, d.PushersKnown = change.Present, change.Present
			break
		}
		if after = resp.After; after == "" {
			break
		}
	}
	d.Pushers = forge.Pushers(found)
	mistrust(d.Reviews, found)
	return nil
}

// pushOf reads one activity of a branch. One that is not known, such as a deletion, leaves a gap.
func pushOf(a *sdk.RepositoryActivity) forge.Push {
	p := forge.Push{Old: a.Before, New: a.After}
	if a.Timestamp != nil {
		p.At = a.Timestamp.Time
	}
	if by := a.Actor; by != nil && by.ID != nil {
		p.By = forge.Account{ID: forge.ID(*by.ID)}
		if by.Login != nil {
			p.By.Login = *by.Login
		}
		p.By.Robot = by.Type != nil && *by.Type == "Bot"
	}
	switch a.ActivityType {
	case "branch_creation":
		p.Made = true
	case "force_push":
		p.Forced = true
	case "push", "pr_merge", "merge_queue_merge":
	default:
		p.New = ""
	}
	return p
}

// mistrust takes the commit from reviews that were given before a forced push.
func mistrust(reviews []forge.Review, pushes []forge.Push) {
	for i, r := range reviews {
		for _, p := range pushes {
			if p.Forced && !p.At.Before(r.SubmittedAt) {
				reviews[i].Commit = ""
			}
		}
	}
}
