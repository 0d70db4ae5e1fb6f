package gitea

import (
	"fmt"
	"net/http"
	"testing"
)

// Pull is a pull request as it is reviewed.
type Pull struct {
	Repository string // owner/name
	Number     int64
	Head       string // the commit that is looked at
}

// Review has somebody review a pull request, and returns the review's number.
func (s *Server) Review(t testing.TB, who string, p Pull, event string) (id int64) {
	t.Helper()
	var made struct{ ID int64 }
	err := s.Call(t.Context(), who, http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews", p.Repository, p.Number),
		map[string]any{"event": event, "body": "seen", "commit_id": p.Head}, &made)
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// Dismiss takes a review away, as the forge's admin.
func (s *Server) Dismiss(t testing.TB, p Pull, review int64) {
	t.Helper()
	s.Must(t, Admin, http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews/%d/dismissals", p.Repository, p.Number, review), map[string]any{"message": "not so"})
}
