package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
)

// TestTeamFromForge: a Team that is brought up to date keeps who stays as they are, whatever they call
// themselves now, drops who has left, and gives who is new a principal of their own without a key. It says
// where that comes from.
func TestTeamFromForge(t *testing.T) {
	members := []map[string]any{
		{"id": 7, "login": "ada-renamed"}, {"id": 8, "login": "Grace.H"}, {"id": 9, "login": "paula"}, {"id": -1, "login": "Ghost"},
	}
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("asked with %q", req.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		if strings.HasSuffix(req.URL.Path, "/members") {
			_ = json.NewEncoder(w).Encode(members)
			return
		}
		_ = json.NewEncoder(w).Encode([]map[string]any{{"id": 1, "name": "shop"}})
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvecgl/dzuylCiRwFrjz1BmsBS8zEmkyKuhsbVpYjhr"
	current := `
apiVersion: fairway.dev/v1alpha1
kind: Team
metadata: {name: shop}
spec:
  principals:
  - {name: ada, emails: [ada@example.com], keys: [{format: SSH, publicKey: "` + key + `"}], accounts: [{forge: Gitea, host: "` + host + `", id: 7, login: ada}]}
  - {name: bob, accounts: [{forge: Gitea, host: "` + host + `", id: 70, login: bob}]}
  - {name: eve, accounts: [{forge: Gitea, host: other.example.com, id: 8}, {forge: GitHub, host: "` + host + `", id: 8}]}
`
	o := cli.TeamOptions{Forge: "Gitea", URL: s.URL, Team: "acme/shop", Token: "secret", Private: true, Current: []byte(current)}
	synced, err := team(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"grace.h-8", "paula-9"}, {"bob", "eve"}}, [][]string{synced.Added, synced.Removed}); diff != "" {
		t.Errorf("added and removed (-want +got):\n%s", diff)
	}
	var got v1alpha1.Team
	if err := yaml.UnmarshalStrict(synced.Manifest, &got); err != nil {
		t.Fatal(err)
	}
	account := func(id int64, login string) []v1alpha1.Account {
		return []v1alpha1.Account{{Forge: v1alpha1.ForgeGitea, Host: host, ID: id, Login: login}}
	}
	want := []v1alpha1.Principal{
		{Name: "ada", Emails: []string{"ada@example.com"}, Keys: []v1alpha1.Key{{Format: v1alpha1.KeySSH, PublicKey: key}}, Accounts: account(7, "ada")},
		{Name: "grace.h-8", Accounts: account(8, "Grace.H")},
		{Name: "paula-9", Accounts: account(9, "paula")}, // not the paula of another Team
	}
	if diff := cmp.Diff(want, got.Spec.Principals); diff != "" {
		t.Errorf("principals (-want +got):\n%s", diff)
	}
	if from := got.Annotations[membersFrom]; !strings.HasPrefix(from, "Gitea "+host+" acme/shop, 20") {
		t.Errorf("it is said to be from %q", from)
	}
	o.Current = synced.Manifest
	if again, err := team(t.Context(), o); err != nil || len(again.Added)+len(again.Removed) > 0 {
		t.Errorf("once more: added %q, removed %q, %v", again.Added, again.Removed, err)
	}
	// A forge that hides the members, or fails, empties no Team.
	members = nil
	if _, err := team(t.Context(), o); err == nil {
		t.Error("a Team of nobody")
	}
	status = http.StatusForbidden
	if _, err := team(t.Context(), o); err == nil {
		t.Error("a Team out of a refusal")
	}
	o.Current = []byte("kind: Repository\nmetadata: {name: x}\n")
	if _, err := team(t.Context(), o); err == nil {
		t.Error("a Team out of something else")
	}
}
