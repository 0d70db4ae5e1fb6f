package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestForgeHooks: a signed webhook has its repository looked at, once, and nothing else does anything.
func TestForgeHooks(t *testing.T) {
	at := &tier.Forge{Kind: tier.Gitea, URL: "https://git.example.com", Host: "git.example.com", Project: "acme/apps"}
	world := map[string]tier.Repository{
		"apps": {Name: "apps", Digest: "1", Forge: at}, "quiet": {Name: "quiet", Forge: at}, "broken": {Name: "broken", Forge: at}, "bare": {Name: "bare"},
	}
	var asked []string
	now, reads := time.Now(), 0
	secret := "first"
	h := &forgeHooks{
		repository: func(name string) (tier.Repository, bool) { r, ok := world[name]; return r, ok },
		hookOf: func(_ context.Context, r tier.Repository) (forge.Hook, []forge.Secret, error) {
			reads++
			switch r.Name {
			case "quiet":
				return nil, nil, nil
			case "broken":
				return nil, nil, errors.New("no such Secret")
			}
			hook, err := speakerOf(*r.Forge, "", nil, nil)
			return hook, []forge.Secret{forge.NewSecret(secret)}, err
		},
		ask: func(repository string) { asked = append(asked, repository) },
		log: logr.Discard(), now: func() time.Time { return now }, of: map[string]*hookDoor{},
	}
	mux := http.NewServeMux()
	mux.Handle("/hooks/{repository}", atMost(1, h))
	send := func(method, path, body, key string) int {
		t.Helper()
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		req.Header.Set("X-Gitea-Event", "push")
		req.Header.Set("X-Gitea-Delivery", "1")
		req.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, req)
		return rec.Code
	}
	const body = `{"ref":"refs/heads/main","repository":{"id":7,"full_name":"acme/apps"}}`
	for _, c := range []struct {
		name, method, path, body, key string
		want                          int
		asked                         []string
	}{
		{"no such repository", "POST", "/hooks/other", body, "first", 404, nil},
		{"one without a forge", "POST", "/hooks/bare", body, "first", 404, nil},
		{"one that takes none", "POST", "/hooks/quiet", body, "first", 404, nil},
		{"its secret cannot be read", "POST", "/hooks/broken", body, "first", 503, nil},
		{"another secret", "POST", "/hooks/apps", body, "second", 401, nil},
		{"no secret", "POST", "/hooks/apps", body, "", 401, nil},
		{"another method", "GET", "/hooks/apps", "", "first", 405, nil},
		{"signed", "POST", "/hooks/apps", body, "first", 204, []string{"apps"}},
		{"the same again", "POST", "/hooks/apps", body, "first", 202, nil},
		{"signed and no event", "POST", "/hooks/apps", `{`, "first", 400, nil},
	} {
		asked = nil
		if got := send(c.method, c.path, c.body, c.key); got != c.want {
			t.Errorf("%s: answered %d, want %d", c.name, got, c.want)
		}
		if diff := cmp.Diff(c.asked, asked); diff != "" {
			t.Errorf("%s: looked at (-want +got):\n%s", c.name, diff)
		}
	}
	reads, secret = 0, "second"
	for range 5 {
		send("POST", "/hooks/apps", body, "guess")
	}
	if reads != 0 {
		t.Errorf("the secret was read %d times within seconds", reads)
	}
	now = now.Add(hookSecretAt)
	if got := send("POST", "/hooks/apps", body+" ", "first"); got != 401 || reads != 1 {
		t.Errorf("the secret of before is answered %d after %d readings", got, reads)
	}
	if got := send("POST", "/hooks/apps", body+" ", "second"); got != 204 {
		t.Errorf("the exchanged secret is answered %d", got)
	}
}
