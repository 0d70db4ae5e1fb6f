package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/google/go-github/v88/github"

	"github.com/fairway-dev/fairway/internal/forge"
)

const (
	pushed   = `{"ref":"refs/heads/main","before":"0","after":"1","forced":false,"repository":{"id":7,"full_name":"acme/shop"},"pusher":{"name":"alice"}}`
	reviewed = `{"action":"submitted","review":{"id":5,"state":"approved"},"pull_request":{"id":9,"number":3,"base":{"ref":"main"}},"repository":{"id":7,"full_name":"acme/shop"}}`
)

func headers(kind, secret, body string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	h := http.Header{}
	h.Set("X-GitHub-Event", kind)
	h.Set("X-GitHub-Delivery", "d-1")
	h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

func TestHook(t *testing.T) {
	shop := forge.Repository{Path: "acme/shop", ID: "7"}
	for _, tc := range []struct {
		name, kind, body, secret string
		want                     forge.Event
		ok                       bool
		err                      error
	}{
		{"push", "push", pushed, "s", forge.Event{Delivery: "d-1", Repository: shop, Branch: "main"}, true, nil},
		{"review", "pull_request_review", reviewed, "s", forge.Event{Delivery: "d-1", Repository: shop, Branch: "main", Number: 3}, true, nil},
		{"of no interest", "ping", `{"zen":"…"}`, "s", forge.Event{}, false, nil},
		{"forged", "push", pushed, "x", forge.Event{}, false, forge.ErrForged},
		{"not understood", "push", "[]", "s", forge.Event{Delivery: "d-1"}, false, forge.ErrAnswer},
	} {
		e, ok, err := (&Forge{}).Read(headers(tc.kind, tc.secret, tc.body), []byte(tc.body), []forge.Secret{forge.NewSecret("s")})
		if ok != tc.ok || !errors.Is(err, tc.err) {
			t.Errorf("%s: %t, %v", tc.name, ok, err)
		}
		if diff := cmp.Diff(tc.want, e); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	bare := headers("push", "s", pushed)
	bare.Set("X-Hub-Signature-256", bare.Get("X-Hub-Signature-256")[len("sha256="):])
	if _, _, err := (&Forge{}).Read(bare, []byte(pushed), []forge.Secret{forge.NewSecret("s")}); !errors.Is(err, forge.ErrForged) {
		t.Errorf("a signature that does not name its hash: %v", err)
	}
}

// TestURL: github.com has its API elsewhere, a server of one's own below its front page.
func TestURL(t *testing.T) {
	for front, api := range map[string]string{
		"https://github.com":              "https://api.github.com/",
		"https://GitHub.com/":             "https://api.github.com/",
		"https://api.github.com":          "https://api.github.com/",
		"https://git.example.com":         "https://git.example.com/api/v3/",
		"https://git.example.com/api/v3":  "https://git.example.com/api/v3/",
		"https://github.com.evil.example": "https://github.com.evil.example/api/v3/",
	} {
		f, err := New(forge.Access{URL: front})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.client.BaseURL(); got != api {
			t.Errorf("%s: %s, want %s", front, got, api)
		}
	}
}

func FuzzHook(f *testing.F) {
	f.Add("push", pushed)
	f.Add("pull_request_review", reviewed)
	f.Fuzz(func(t *testing.T, kind, body string) {
		e, ok, _ := (&Forge{}).Read(headers(kind, "s", body), []byte(body), []forge.Secret{forge.NewSecret("s")})
		if ok && (e.Repository.ID == "" || e.Number == 0 && e.Branch == "") {
			t.Errorf("event %+v", e)
		}
	})
}

// FuzzAnswer reads what a forge may answer. Whatever is taken names whole commits and the repository
// that was asked about.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"number":3,"state":"open","base":{"ref":"main","repo":{"id":7}},"head":{"ref":"x","sha":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}}`),
		[]byte(`{"before":"0","after":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","activity_type":"push","timestamp":"2026-11-26T12:00:00Z","actor":{"id":1}}`))
	f.Fuzz(func(t *testing.T, body, activity []byte) {
		var pull sdk.PullRequest
		if forge.Decode(body, &pull) == nil {
			if c, err := new(Forge).changeOf(&pull, forge.Repository{ID: "7"}); err == nil && (!forge.IsCommit(c.Head) || c.Repository != "7") {
				t.Errorf("change %+v", c)
			}
		}
		var a sdk.RepositoryActivity
		if forge.Decode(activity, &a) == nil {
			if p := pushOf(&a); p.Made && a.ActivityType != "branch_creation" {
				t.Errorf("push %+v", p)
			}
		}
	})
}
