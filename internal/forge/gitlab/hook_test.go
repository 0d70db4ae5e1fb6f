package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "gitlab.com/gitlab-org/api/client-go"

	"github.com/fairway-dev/fairway/internal/forge"
)

const (
	pushed   = `{"object_kind":"push","ref":"refs/heads/main","user_id":1,"project":{"id":7,"path_with_namespace":"acme/shop"}}`
	approved = `{"object_kind":"merge_request","user":{"id":2},"project":{"id":7,"path_with_namespace":"acme/shop"},"object_attributes":{"iid":3,"target_branch":"main","action":"approved"}}`
)

func headers(token string) http.Header {
	return http.Header{"X-Gitlab-Token": {token}, "X-Gitlab-Event-Uuid": {"d-1"}}
}

func signed(secret, body string) http.Header {
	h := headers("not the token")
	h.Set("Webhook-Id", "w-1")
	h.Set("Webhook-Timestamp", "1764158400")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("w-1.1764158400." + body))
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}

func TestHook(t *testing.T) {
	shop := forge.Repository{Path: "acme/shop", ID: "7"}
	stripped := signed("x", pushed)
	stripped.Set("X-Gitlab-Token", "s")
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   forge.Event
		ok     bool
		err    error
	}{
		{"push", headers("s"), pushed, forge.Event{Delivery: "d-1", Repository: shop, Branch: "main"}, true, nil},
		{"approval", headers("s"), approved, forge.Event{Delivery: "d-1", Repository: shop, Branch: "main", Number: 3}, true, nil},
		{"signed", signed("s", approved), approved, forge.Event{Delivery: "d-1", Repository: shop, Branch: "main", Number: 3, SentAt: time.Unix(1764158400, 0)}, true, nil},
		{"of no interest", headers("s"), `{"object_kind":"note"}`, forge.Event{Delivery: "d-1"}, false, nil},
		{"forged", headers("x"), pushed, forge.Event{}, false, forge.ErrForged},
		{"no token", headers(""), pushed, forge.Event{}, false, forge.ErrForged},
		{"a bad signature beside a good token", stripped, pushed, forge.Event{}, false, forge.ErrForged},
		{"not understood", headers("s"), "[]", forge.Event{}, false, forge.ErrAnswer},
	} {
		e, ok, err := (&Forge{}).Read(tc.header, []byte(tc.body), []forge.Secret{forge.NewSecret("s")})
		if ok != tc.ok || !errors.Is(err, tc.err) {
			t.Errorf("%s: %t, %v", tc.name, ok, err)
		}
		if tc.err == nil && tc.ok {
			if diff := cmp.Diff(tc.want, e); diff != "" {
				t.Errorf("%s: %s", tc.name, diff)
			}
		}
	}
}

func TestRobots(t *testing.T) {
	for name, want := range map[string]bool{
		"project_7_bot": true, "project_7_bot_8d2f": true, "group_12_bot_a": true, "service_account_5a": true,
		"alice": false, "project_x_bot": false, "project_7_botanist": true, "project_bot": false, "bot": false, "group_1": false,
	} {
		if isRobot(name) != want {
			t.Errorf("%s: want %t", name, want)
		}
	}
}

func FuzzHook(f *testing.F) {
	f.Add(pushed)
	f.Add(approved)
	f.Fuzz(func(t *testing.T, body string) {
		e, ok, _ := (&Forge{}).Read(headers("s"), []byte(body), []forge.Secret{forge.NewSecret("s")})
		if ok && (e.Repository.ID == "" || e.Number == 0 && e.Branch == "") {
			t.Errorf("event %+v", e)
		}
	})
}

// FuzzAnswer reads what a forge may answer. Whatever is taken names whole commits and the repository
// that was asked about.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"iid":3,"state":"merged","sha":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","target_branch":"main","target_project_id":7}`),
		[]byte(`{"created_at":"2026-11-26T12:00:00Z","push_data":{"action":"created","commit_to":"b","ref":"x","ref_type":"branch"}}`))
	f.Fuzz(func(t *testing.T, body, event []byte) {
		var m sdk.BasicMergeRequest
		if forge.Decode(body, &m) == nil {
			if c, err := new(Forge).changeOf(&m, forge.Repository{ID: "7"}); err == nil && (!forge.IsCommit(c.Head) || c.Repository != "7") {
				t.Errorf("change %+v", c)
			}
		}
		var e sdk.ProjectEvent
		if forge.Decode(event, &e) == nil {
			if p := pushOf(&e); p.Made && e.PushData.Action != "created" {
				t.Errorf("push %+v", p)
			}
		}
	})
}
