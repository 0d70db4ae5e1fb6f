package gitea

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
)

// TestWebhookTellsOfAReview: what the forge sends for pushes and reviews is authenticated, read and
// told, and says how long that took.
func TestWebhookTellsOfAReview(t *testing.T) {
	server := shared.Server(t)
	f := reader(t, server)
	st := NewStage(t, server, f)
	told := make(chan forge.Event, 100)
	refused := make(chan int, 100)
	secret := forge.NewSecret("of-the-webhook")
	r := &forge.Receiver{Hook: f, Secrets: func() []forge.Secret { return []forge.Secret{secret} }, Tell: func(e forge.Event) { told <- e }, Now: time.Now}
	door := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		if rec.Code >= http.StatusBadRequest {
			refused <- rec.Code
		}
		rw.WriteHeader(rec.Code)
	}))
	defer door.Close()
	server.Must(t, Admin, http.MethodPost, "/repos/"+st.Path+"/hooks", map[string]any{
		"type": "gitea", "active": true, "config": map[string]string{"url": door.URL, "content_type": "json", "secret": "of-the-webhook"},
		"events": []string{"push", "pull_request", "pull_request_sync", "pull_request_review_approved", "pull_request_review_rejected"},
	})
	await := func(what string, is func(forge.Event) bool) time.Duration {
		t.Helper()
		began := time.Now()
		late := time.NewTimer(time.Minute)
		defer late.Stop()
		for {
			select {
			case e := <-told:
				if e.Repository.Path != st.Path || e.Repository.ID != forge.ID(st.id) || e.Delivery == "" {
					t.Errorf("event %+v", e)
				}
				if is(e) {
					return time.Since(began)
				}
			case code := <-refused:
				t.Fatalf("a webhook was answered %d", code)
			case <-late.C:
				t.Fatalf("not told of %s", what)
			}
		}
	}
	st.Act(t, push("alice", map[string]string{"app.yaml": "image: shop:2\nreplicas: 3\n"}))
	await("the push", func(e forge.Event) bool { return e.Branch == feature && e.Number == 0 })
	st.Act(t, open("alice"))
	await("the change", func(e forge.Event) bool { return e.Number == st.numbers[feature] })
	began := time.Now()
	st.Act(t, approve("bob"))
	await("the review", func(e forge.Event) bool { return e.Number == st.numbers[feature] && e.Branch == "main" })
	t.Logf("told of the review %s after it was begun", time.Since(began).Round(time.Millisecond))
	d, err := f.Dossier(t.Context(), forge.Repository{Path: st.Path}, st.numbers[feature])
	if err != nil || len(d.Reviews) != 1 || d.Reviews[0].Opinion != forge.Approved {
		t.Errorf("what is read then: %+v, %v", d.Reviews, err)
	}
	t.Logf("read %s after it was begun", time.Since(began).Round(time.Millisecond))
}

// TestMembersOfATeam reads a team of the real forge.
func TestMembersOfATeam(t *testing.T) {
	server := shared.Server(t)
	f := reader(t, server)
	NewStage(t, server, f) // makes the people
	server.Must(t, Admin, http.MethodPost, "/orgs", map[string]any{"username": "acme"})
	var team struct{ ID int64 }
	err := server.Call(t.Context(), Admin, http.MethodPost, "/orgs/acme/teams", map[string]any{
		"name": "platform", "permission": "read", "units": []string{"repo.code"},
	}, &team)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"alice", "bob", Reader} {
		server.Must(t, Admin, http.MethodPut, "/teams/"+forge.ID(team.ID)+"/members/"+who, nil)
	}
	got, err := f.Members(t.Context(), "acme/platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"alice", "bob"} {
		if !slices.Contains(got, forge.Account{ID: forge.ID(server.ID(who)), Login: who}) {
			t.Errorf("%s is not among %+v", who, got)
		}
	}
	if _, err := f.Members(t.Context(), "acme/nobody"); !errors.Is(err, forge.ErrGone) {
		t.Errorf("no such team: %v", err)
	}
	forgetest.NotThere(t, f)
}
