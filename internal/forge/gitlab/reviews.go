package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sdk "gitlab.com/gitlab-org/api/client-go"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// notes are what GitLab itself wrote below a merge request: people cannot write these.
type notes struct {
	approved   map[int64]time.Time // by account: when it approved last
	retargeted []time.Time
}

func (f *Forge) notes(ctx context.Context, r forge.Repository, number int64) (notes, error) {
	n := notes{approved: map[int64]time.Time{}}
	all, err := forge.Pages(10*forge.MostReviews, func(page int) ([]*sdk.Note, int, error) {
		got, resp, err := f.client.Notes.ListMergeRequestNotes(r.Path, number, &sdk.ListMergeRequestNotesOptions{ListOptions: listing(page)}, sdk.WithContext(ctx))
		return got, nextPage(resp), forge.Failed("listing notes", status(resp), err)
	})
	for _, note := range all {
		if !note.System || note.CreatedAt == nil {
			continue
		}
		switch {
		case note.Body == "approved this merge request":
			if at := n.approved[note.Author.ID]; note.CreatedAt.After(at) {
				n.approved[note.Author.ID] = *note.CreatedAt
			}
		case isRetargeting(note.Body):
			n.retargeted = append(n.retargeted, *note.CreatedAt)
		}
	}
	return n, err
}

// isRetargeting: somebody pointed the merge request at another branch, or deleted the branch that it was
// pointed at, whereupon GitLab does so.
func isRetargeting(note string) bool {
	return strings.HasPrefix(note, "changed target branch from") ||
		strings.HasPrefix(note, "deleted the `") && strings.Contains(note, "now targets the `")
}

// approval is an entry of approved_by. The library's type lacks the time.
type approval struct {
	User *sdk.BasicUser `json:"user"`
	At   *time.Time     `json:"approved_at"` // of GitLab 17.x and later
}

// reviews are the approvals that stand and the standing requests for changes. Where GitLab does not
// say when somebody approved, its note of it does.
func (f *Forge) reviews(ctx context.Context, r forge.Repository, number int64, n notes) ([]forge.Review, error) {
	var told struct {
		ApprovedBy []approval `json:"approved_by"`
	}
	path := fmt.Sprintf("projects/%s/merge_requests/%d/approvals", url.PathEscape(r.Path), number)
	req, err := f.client.NewRequest(http.MethodGet, path, nil, []sdk.RequestOptionFunc{sdk.WithContext(ctx)})
	if err != nil {
		return nil, fmt.Errorf("asking for approvals: %w", err)
	}
	if resp, err := f.client.Do(req, &told); err != nil {
		return nil, forge.Failed("listing approvals", status(resp), err)
	}
	var found []forge.Review
	for _, a := range told.ApprovedBy {
		if a.User == nil {
			continue
		}
		at := n.approved[a.User.ID]
		if a.At != nil {
			at = *a.At
		}
		found = append(found, reviewOf(a.User, forge.Approved, at))
	}
	reviewers, resp, err := f.client.MergeRequests.GetMergeRequestReviewers(r.Path, number, sdk.WithContext(ctx))
	if err != nil {
		return nil, forge.Failed("listing reviewers", status(resp), err)
	}
	for _, w := range reviewers {
		if w.User == nil || w.State != "requested_changes" {
			continue // what else it says, such as approved, is no evidence of a time
		}
		// It stands for as long as it is listed, whatever was approved since: GitLab would replace it.
		at := timeOf(w.CreatedAt)
		for _, a := range found {
			if a.Reviewer == userOf(w.User) && a.SubmittedAt.After(at) {
				at = a.SubmittedAt
			}
		}
		found = append(found, reviewOf(w.User, forge.ChangesRequested, at))
	}
	if len(found) > forge.MostReviews {
		return nil, fmt.Errorf("reviews: %w", forge.ErrTooMuch)
	}
	return found, nil
}

// reviewOf is a review by an account. One that is blocked or gone is nobody.
func reviewOf(u *sdk.BasicUser, o forge.Opinion, at time.Time) forge.Review {
	who := userOf(u)
	r := forge.Review{ID: fmt.Sprintf("%s %d %s", o, u.ID, at.UTC().Format(time.RFC3339Nano)), Reviewer: who, Opinion: o, SubmittedAt: at}
	if !isActive(u.State) {
		r.Reviewer = forge.Account{Login: who.Login}
	}
	return r
}

// mostEventPages bounds how far back the events of a project are read for one change.
const mostEventPages = 20

// pushes fills in who pushed the change, as the events of its project tell.
func (f *Forge) pushes(ctx context.Context, m *sdk.MergeRequest, d *forge.Dossier) error {
	if m.SourceProjectID == 0 || m.SourceBranch == "" {
		return nil // the fork is gone
	}
	var found []forge.Push
	for page := 1; page > 0 && page <= mostEventPages && d.PushersKnown != change.Present; {
		got, resp, err := f.client.Events.ListProjectVisibleEvents(m.SourceProjectID, &sdk.ListProjectVisibleEventsOptions{
			ListOptions: listing(page), Action: sdk.Ptr(sdk.PushedEventType), Sort: sdk.Ptr("desc"),
		}, sdk.WithContext(ctx))
		if err != nil {
			return forge.Failed("listing pushes", status(resp), err)
		}
		for _, e := range got {
			if e.PushData.Ref == m.SourceBranch && e.PushData.RefType == "branch" {
				found = append(found, pushOf(e))
			}
		}
		chain, whole := forge.Chain(found, d.Head)
		if whole {
			d.PushersKnown = change.Present
		}
		for i, h := range d.Heads {
			if at := slices.IndexFunc(chain, func(p forge.Head) bool { return p.Commit == h.Commit }); at >= 0 {
				d.Heads[i].By = chain[at].By
			}
		}
		d.Pushers = forge.Pushers(found)
		page = nextPage(resp)
	}
	return nil
}

// pushOf reads one event. A push of many branches at once names none of its commits, which leaves a
// gap.
func pushOf(e *sdk.ProjectEvent) forge.Push {
	p := forge.Push{Old: e.PushData.CommitFrom, New: e.PushData.CommitTo, Made: e.PushData.Action == "created", By: accountOf(e.Author.ID, e.Author.Username)}
	p.At, _ = time.Parse(time.RFC3339, e.CreatedAt) // only who pushed is used of it
	if e.PushData.Action != "created" && e.PushData.Action != "pushed" {
		p.New = ""
	}
	return p
}
