package gitea

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"

	sdk "code.gitea.io/sdk/gitea"
	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/forge"
)

const (
	pushed   = `{"ref":"refs/heads/main","before":"0","after":"1","repository":{"id":7,"full_name":"acme/shop"},"pusher":{"id":1}}`
	reviewed = `{"action":"reviewed","number":3,"pull_request":{"id":9,"number":3,"base":{"ref":"main"}},"repository":{"id":7,"full_name":"acme/shop"},"review":{"type":"pull_request_review_approved","content":""},"sender":{"id":2},"commit_id":""}`
)

func headers(kind, secret, body string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return http.Header{"X-Gitea-Event": {kind}, "X-Gitea-Delivery": {"d-1"}, "X-Gitea-Signature": {hex.EncodeToString(mac.Sum(nil))}}
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
		{"review", "pull_request_approved", reviewed, "s", forge.Event{Delivery: "d-1", Repository: shop, Branch: "main", Number: 3}, true, nil},
		{"of no interest", "issues", reviewed, "s", forge.Event{}, false, nil},
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
}

func FuzzHook(f *testing.F) {
	f.Add("push", pushed)
	f.Add("pull_request_approved", reviewed)
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
	f.Add([]byte(`{"number":3,"state":"open","merge_base":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","base":{"ref":"main","repo_id":7},"head":{"ref":"x","sha":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}}`),
		[]byte(`{"op_type":"commit_repo","repo_id":7,"ref_name":"refs/heads/x","content":"{\"HeadCommit\":{\"Sha1\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"},\"CompareURL\":\"a/b/compare/x...bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"}"}`))
	f.Fuzz(func(t *testing.T, body, feed []byte) {
		var pull sdk.PullRequest
		if forge.Decode(body, &pull) == nil {
			if c, err := new(Forge).changeOf(&pull, forge.Repository{ID: "7"}); err == nil && (!forge.IsCommit(c.Head) || c.Repository != "7") {
				t.Errorf("change %+v", c)
			}
		}
		var activity sdk.Activity
		if forge.Decode(feed, &activity) == nil {
			if e, ok := eventOf(&activity, 7, "refs/heads/x"); ok && e.push.New != "" && !forge.IsCommit(e.push.New) {
				t.Errorf("event %+v", e)
			}
		}
		var review sdk.PullReview
		if forge.Decode(body, &review) == nil && opinionOf(&review) == forge.Approved && (review.Dismissed || !forge.IsCommit(review.CommitID)) {
			t.Errorf("review %+v", review)
		}
	})
}
