package forge

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sign(secret, message string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

// plain reads webhooks that are signed as Gitea's are.
type plain struct{ sent time.Time }

func (p plain) Read(h http.Header, body []byte, secrets []Secret) (Event, bool, error) {
	if !SignedBody(secrets, body, h.Get("X-Signature")) {
		return Event{}, false, ErrForged
	}
	e, err := ReadEvent(body)
	e.SentAt = p.sent
	return e, err == nil && e.Branch != "", err
}

const pushBody = `{"ref":"refs/heads/main","repository":{"id":7,"full_name":"acme/shop"}}`

func TestReceiver(t *testing.T) {
	var told []Event
	secrets := []Secret{NewSecret("old"), {}, NewSecret(""), NewSecret("new")}
	r := &Receiver{Hook: plain{}, Secrets: func() []Secret { return secrets }, Tell: func(e Event) { told = append(told, e) }, Now: time.Now}
	send := func(method, body, signature string) int {
		req := httptest.NewRequest(method, "/", strings.NewReader(body))
		req.Header.Set("X-Signature", signature)
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		return rec.Code
	}
	by := func(secret, body string) string { return hex.EncodeToString(sign(secret, body)) }
	other := strings.Replace(pushBody, "main", "prod", 1)
	for _, tc := range []struct {
		name, method, body, signature string
		want                          int
	}{
		{"good", "POST", pushBody, by("new", pushBody), 204},
		{"replayed", "POST", pushBody, by("new", pushBody), 202},
		{"replayed under the other secret", "POST", pushBody, by("old", pushBody), 202},
		{"good by the secret before", "POST", other, by("old", other), 204},
		{"by nobody", "POST", pushBody, by("guess", pushBody), 401},
		{"by an empty secret", "POST", pushBody, by("", pushBody), 401},
		{"signature of another body", "POST", other, by("new", pushBody), 401},
		{"not signed", "POST", pushBody, "", 401},
		{"signature cut off", "POST", pushBody, by("new", pushBody)[:32], 401},
		{"signed nonsense", "POST", "{", by("new", "{"), 400},
		{"names no repository", "POST", `{"ref":"refs/heads/main"}`, by("new", `{"ref":"refs/heads/main"}`), 400},
		{"a tag", "POST", strings.Replace(pushBody, "heads", "tags", 1), by("new", strings.Replace(pushBody, "heads", "tags", 1)), 202},
		{"by GET", "GET", "", "", 405},
		{"too large", "POST", strings.Repeat(" ", mostEventBytes+1), "", 413},
	} {
		if got := send(tc.method, tc.body, tc.signature); got != tc.want {
			t.Errorf("%s: answered %d, want %d", tc.name, got, tc.want)
		}
	}
	want := []Event{{Repository: Repository{Path: "acme/shop", ID: "7"}, Branch: "main"}, {Repository: Repository{Path: "acme/shop", ID: "7"}, Branch: "prod"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

func TestReceiverWantsTheTimeOfNow(t *testing.T) {
	for sent, want := range map[time.Duration]int{0: 204, -time.Minute: 204, time.Minute: 204, -6 * time.Minute: 401, 6 * time.Minute: 401} {
		r := &Receiver{
			Hook: plain{at(30).Add(sent)}, Secrets: func() []Secret { return []Secret{NewSecret("s")} },
			Tell: func(Event) {}, Now: func() time.Time { return at(30) },
		}
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(pushBody))
		req.Header.Set("X-Signature", hex.EncodeToString(sign("s", pushBody)))
		rec := httptest.NewRecorder()
		if r.ServeHTTP(rec, req); rec.Code != want {
			t.Errorf("sent %s from now: %d, want %d", sent, rec.Code, want)
		}
	}
}

func TestReceiverForgetsTheOldest(t *testing.T) {
	now := at(0)
	r := &Receiver{Now: func() time.Time { return now }}
	for i := range mostDeliveries + 10 {
		if !r.first(fmt.Append(nil, i)) {
			t.Fatalf("%d was taken before", i)
		}
	}
	if r.first(fmt.Append(nil, mostDeliveries)) || !r.first([]byte("0")) || len(r.taken) != r.order.Len() {
		t.Errorf("%d of %d are remembered", len(r.taken), r.order.Len())
	}
	if now = at(1); !r.first([]byte("0")) || r.first([]byte("0")) || len(r.taken) != r.order.Len() {
		t.Errorf("%d of %d are remembered after a minute", len(r.taken), r.order.Len())
	}
}

func TestSignedStandard(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	secret := NewSecret("whsec_" + base64.StdEncoding.EncodeToString(key))
	const id, at, body = "evt_1", "1700000000", `{"a":1}`
	good := "v1," + base64.StdEncoding.EncodeToString(sign(string(key), id+"."+at+"."+body))
	for _, tc := range []struct {
		name               string
		id, at, body, sigs string
		secret             Secret
		want               bool
	}{
		{"good", id, at, body, good, secret, true},
		{"second of two", id, at, body, "v1,AAAA " + good, secret, true},
		{"another time", id, "1700000001", body, good, secret, false},
		{"another id", "evt_2", at, body, good, secret, false},
		{"another body", id, at, `{"a":2}`, good, secret, false},
		{"another version", id, at, body, strings.Replace(good, "v1", "v2", 1), secret, false},
		{"no time", id, "", body, good, secret, false},
		{"no id", "", at, body, good, secret, false},
		{"secret that cannot be decoded", id, at, body, good, NewSecret("whsec_!"), false},
		{"no secret", id, at, body, good, Secret{}, false},
		{"plain secret", id, at, body, "v1," + base64.StdEncoding.EncodeToString(sign("plain", id+"."+at+"."+body)), NewSecret("plain"), true},
	} {
		h := http.Header{}
		h.Set("Webhook-Id", tc.id)
		h.Set("Webhook-Timestamp", tc.at)
		h.Set("Webhook-Signature", tc.sigs)
		sent, ok := SignedStandard([]Secret{tc.secret}, h, []byte(tc.body))
		if ok != tc.want || ok && sent.Unix() != 1700000000 {
			t.Errorf("%s: %t at %s", tc.name, ok, sent)
		}
	}
}

func TestIsSecret(t *testing.T) {
	secrets := []Secret{{}, NewSecret(""), NewSecret("one"), NewSecret("two")}
	for token, want := range map[string]bool{"one": true, "two": true, "": false, "three": false, "on": false} {
		if IsSecret(secrets, token) != want {
			t.Errorf("%q: want %t", token, want)
		}
	}
}

// FuzzReadEvent: whatever a body holds, an event names a repository or there is an error.
func FuzzReadEvent(f *testing.F) {
	f.Add([]byte(pushBody))
	f.Add([]byte(`{"number":3,"pull_request":{"number":3,"base":{"ref":"main"}},"repository":{"id":7,"full_name":"acme/shop"}}`))
	f.Add([]byte(`{"repository":{"id":-1,"full_name":"acme/shop"}}`))
	f.Add([]byte(`{"ref":"refs/heads/main","ref":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ReadEvent(body)
		if err == nil && (e.Repository.Path == "" || e.Repository.ID == "") {
			t.Errorf("event %+v", e)
		}
		if err != nil && (!errors.Is(err, ErrAnswer) || bytes.ContainsRune([]byte(err.Error()), '\n')) {
			t.Errorf("error %q", err)
		}
	})
}
