package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/forge"
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
	place := strings.Replace(host, ":", "-", 1)
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
	if diff := cmp.Diff([][]string{{"grace-h-8." + place, "paula-9." + place}, {"bob", "eve"}}, [][]string{synced.Added, synced.Removed}); diff != "" {
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
		{Name: "grace-h-8." + place, Accounts: account(8, "Grace.H")},
		{Name: "paula-9." + place, Accounts: account(9, "paula")}, // not the paula of another Team, nor of another forge
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

// TestT42NamesOfNewPrincipals: principals of one name are one person, so nobody may choose a login by which they become
// a part of somebody else: not of the same number on another forge, nor of one whose name is cut.
func TestT42NamesOfNewPrincipals(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	seen := map[string]string{}
	for _, host := range []string{"git.example.com", "git.example.com:8443", "other.example.com", long, "b" + long, "[2001:db8::1]:443"} {
		for _, a := range []forge.Account{{ID: "9", Login: "paula"}, {ID: "90", Login: "paula"}, {ID: "91", Login: "paula-9.git"}, {ID: "7", Login: "-._"}, {ID: "92", Login: strings.Repeat("p", 200)}} {
			who := fmt.Sprint(host, a)
			name := principalName(a, host)
			if other := seen[name]; other != "" {
				t.Errorf("%s and %s are both %s", other, who, name)
			}
			seen[name] = who
			if len(name) > 63 || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$`).MatchString(name) {
				t.Errorf("%s is %q, which no principal is called", who, name)
			}
		}
	}
}

// TestTeamShowsWhatItKeeps: a login is for people to read, so one that would show another text is not written; and a
// file of which a part would be lost is refused.
func TestTeamShowsWhatItKeeps(t *testing.T) {
	current := &v1alpha1.Team{}
	at := v1alpha1.Account{Forge: v1alpha1.ForgeGitea, Host: "git.example.com"}
	if _, err := withMembers(current, at, []forge.Account{{ID: "9", Login: "ada\u202e\n- name: eve"}, {ID: "8", Login: strings.Repeat("x", 300)}, {ID: "7", Login: "Ada_L.x-1"}}); err != nil {
		t.Fatal(err)
	}
	var logins []string
	for _, p := range current.Spec.Principals {
		logins = append(logins, p.Accounts[0].Login)
	}
	if diff := cmp.Diff([]string{"", "", "Ada_L.x-1"}, logins); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
	const team1 = "apiVersion: fairway.dev/v1alpha1\nkind: Team\nmetadata: {name: a}\n"
	for _, rest := range []string{"---\n" + strings.Replace(team1, "name: a", "name: b", 1), "...\n---\n{}\n"} {
		o := cli.TeamOptions{Forge: "Gitea", URL: "https://git.example.com", Team: "acme/shop", Current: []byte(team1 + rest)}
		if _, err := team(t.Context(), o); err == nil || !strings.Contains(err.Error(), "one Team") {
			t.Errorf("%q: %v", rest, err)
		}
	}
}
