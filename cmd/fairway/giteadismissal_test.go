package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fairway-dev/fairway/e2e/gitea"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestDismissalOnARealGitea: Gitea sends no webhook when a review is dismissed, whatever is asked for. So
// it is seen at the next look, by poll or by another event, and until then what was proven stays
// admissible. docs/forges.md says so; a Gitea that begins to tell fails this test.
func TestDismissalOnARealGitea(t *testing.T) {
	f := newRealForge(t)
	var mu sync.Mutex
	var sent []string
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, req.Header.Get("X-Gitea-Event-Type")+" "+string(body))
	}))
	defer listener.Close()
	count := func(part string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sent {
			if strings.Contains(s, part) {
				n++
			}
		}
		return n
	}
	f.server.Must(t, gitea.Admin, http.MethodPost, "/repos/"+realProject+"/hooks", map[string]any{
		"type": "gitea", "active": true, "config": map[string]string{"url": listener.URL, "content_type": "json", "secret": "x"},
		"events": []string{
			"push", "issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment", "pull_request", "pull_request_assign", "pull_request_label",
			"pull_request_milestone", "pull_request_comment", "pull_request_review", "pull_request_review_approved", "pull_request_review_rejected",
			"pull_request_review_comment", "pull_request_review_request", "pull_request_sync", "repository", "status",
		},
	})
	change := f.open("feature", version("2.0"))
	f.merged(&change)
	f.send("sara", change.merge, "main")
	id := f.review(change, "sam", "APPROVED")
	f.review(change, "paula", "APPROVED")
	apply := dry(f.apply(story.Web(2, "", "2.0"), change.merge))
	f.await("both reviews told", func() bool { return count("pull_request_review_approved ") == 2 })
	f.look()
	f.admits("proven", apply)

	f.server.Must(t, gitea.Admin, http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews/%d/dismissals", realProject, change.number, id),
		map[string]any{"message": "not so"})
	f.server.Must(t, "pete", http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", realProject, change.number), map[string]any{"body": "this comes after it"})
	f.await("what comes after it", func() bool { return count("this comes after it") > 0 })
	// Others may still be on their way, of the merge and of the branch.
	if told := count("pull_request_review") - 2; told != 0 {
		t.Errorf("%d webhooks tell of a dismissal now: take them up, and say so in docs/forges.md", told)
	}
	f.admits("proven", apply)
	f.look()
	f.refuses(http.StatusForbidden, apply, "FW103")
}
