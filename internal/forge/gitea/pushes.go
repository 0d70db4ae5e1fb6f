package gitea

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// mostFeedPages bounds how far back the feed of a repository is read for the pushes of one change.
const mostFeedPages = 40

// event is one event of the feed that is about the branch.
type event struct {
	id   int64
	made bool // the branch was made; what was pushed with it is the event after
	push forge.Push
}

// pushes fills in who pushed the change, as the feed of the repository of its branch tells. The feed
// leaves out what people do who keep their activity private, so pushers are known only where pushes
// follow each other without a gap from the making of the branch to the head.
func pushes(c *sdk.Client, p *sdk.PullRequest, d *forge.Dossier) error {
	if p.Head.Repository == nil || p.Head.Ref == "" || strings.HasPrefix(p.Head.Ref, "refs/") {
		return nil // the fork or the branch is gone
	}
	owner, name, err := forge.Split(p.Head.Repository.FullName)
	if err != nil {
		return err
	}
	var found []event
	for page := 1; page > 0 && page <= mostFeedPages && d.PushersKnown != change.Present; {
		events, resp, err := c.ListRepoActivityFeeds(owner, name, sdk.ListRepoActivityFeedsOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: pageSize}})
		if err != nil {
			return forge.Failed("listing pushes", status(resp), err)
		}
		for _, e := range events {
			if read, ok := eventOf(e, p.Head.RepoID, "refs/heads/"+p.Head.Ref); ok {
				found = append(found, read)
			}
		}
		sorted := inOrder(found)
		whole := false
		if d.Heads, whole = forge.Chain(sorted, d.Head); whole {
			d.HeadsKnown, d.PushersKnown = change.Present, change.Present
		}
		d.Pushers = forge.Pushers(sorted)
		page = nextPage(resp)
	}
	return nil
}

// eventOf reads an event of the feed that is a push to the branch.
func eventOf(e *sdk.Activity, repository int64, ref string) (event, bool) {
	if e == nil || e.OpType != "commit_repo" || e.RepoID != repository || e.RefName != ref {
		return event{}, false
	}
	read := event{id: e.ID, push: forge.Push{At: e.Created, By: accountOf(e.ActUser)}}
	if e.Content == "" {
		read.made = true
		return read, true
	}
	var told struct {
		HeadCommit *struct{ Sha1 string }
		CompareURL string
	}
	if json.Unmarshal([]byte(e.Content), &told) != nil || told.HeadCommit == nil || !forge.IsCommit(told.HeadCommit.Sha1) {
		return read, true // a push that cannot be read leaves a gap
	}
	read.push.New = told.HeadCommit.Sha1
	if _, between, ok := strings.Cut(told.CompareURL, "/compare/"); ok {
		if old, to, ok := strings.Cut(between, "..."); ok && to == read.push.New {
			read.push.Old = old
		}
	}
	return read, true
}

// inOrder are the pushes, newest first. The one that follows the making of the branch, by the same
// account, is what it was made with.
func inOrder(events []event) []forge.Push {
	sorted := slices.SortedFunc(slices.Values(events), func(a, b event) int { return cmp.Compare(b.id, a.id) })
	var pushes []forge.Push
	for i, e := range sorted {
		if e.made {
			continue
		}
		if i+1 < len(sorted) && sorted[i+1].made {
			e.push.Made = sorted[i+1].push.By == e.push.By
		}
		pushes = append(pushes, e.push)
	}
	return pushes
}
