package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrForged is for a webhook that nobody with one of the secrets sent.
var ErrForged = errors.New("webhook not signed with a known secret")

// Event is what a forge's webhook tells: a hint to look again now. Nothing in it is evidence; the
// forge's API is read before anything is believed.
type Event struct {
	Delivery   string // id of this sending; on most forges not authenticated
	Repository Repository
	Branch     string    // that was pushed to, or that the change aims at
	Number     int64     // of the change; 0 for a push
	SentAt     time.Time // where the forge signs a time; else zero
}

// Hook reads one forge's webhooks.
type Hook interface {
	// Read authenticates a request that was sent with one of the secrets and says what it tells. ok is
	// false for events that are of no interest. ErrForged, ErrAnswer.
	Read(header http.Header, body []byte, secrets []Secret) (e Event, ok bool, err error)
}

// SignedBody reports whether one of the secrets made the signature: HMAC-SHA-256 of the message, in
// hex. An empty secret signs nothing.
func SignedBody(secrets []Secret, message []byte, signature string) bool {
	got, err := hex.DecodeString(signature)
	return err == nil && SignedRaw(secrets, message, got)
}

// SignedRaw is SignedBody for a signature that was decoded. A secret in base64 is the caller's to
// decode.
func SignedRaw(secrets []Secret, message, signature []byte) bool {
	good := false
	for _, s := range secrets {
		if s.IsZero() {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.reveal()))
		mac.Write(message)
		good = hmac.Equal(mac.Sum(nil), signature) || good
	}
	return good
}

// IsSecret reports whether a token is one of the secrets, in a time that does not tell which.
func IsSecret(secrets []Secret, token string) bool {
	good := false
	for _, s := range secrets {
		if !s.IsZero() && subtle.ConstantTimeCompare([]byte(s.reveal()), []byte(token)) == 1 {
			good = true
		}
	}
	return good
}

// ReadEvent reads the body that GitHub and Gitea send for pushes, changes and reviews.
func ReadEvent(body []byte) (Event, error) {
	var told struct {
		Ref        string
		Number     int64
		Repository struct {
			ID       int64
			FullName string `json:"full_name"`
		}
		Change struct {
			Number int64
			Base   struct{ Ref string }
		} `json:"pull_request"`
	}
	if err := Decode(body, &told); err != nil {
		return Event{}, err
	}
	e := Event{Repository: Repository{Path: told.Repository.FullName, ID: ID(told.Repository.ID)}, Branch: told.Change.Base.Ref, Number: told.Change.Number}
	if branch, is := strings.CutPrefix(told.Ref, "refs/heads/"); is && e.Number == 0 {
		e.Branch = branch
	}
	if e.Repository.Path == "" || e.Repository.ID == "" {
		return Event{}, fmt.Errorf("%w: a webhook that names no repository", ErrAnswer)
	}
	return e, nil
}

// Decode reads one JSON value strictly: see Access.Client. ErrAnswer.
func Decode(body []byte, into any) error {
	if err := vet(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: another shape", ErrAnswer)
	}
	return nil
}

// SignedStandard reports whether one of the secrets signed a request in the way of Standard Webhooks,
// and when it was sent: HMAC-SHA-256 over id, time and body. A secret in the form whsec_… is decoded
// first.
func SignedStandard(secrets []Secret, header http.Header, body []byte) (sent time.Time, ok bool) {
	id, at := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return sent, false
	}
	keys := make([]Secret, len(secrets))
	for i, s := range secrets {
		keys[i] = s
		if coded, is := strings.CutPrefix(s.reveal(), "whsec_"); is {
			raw, err := base64.StdEncoding.DecodeString(coded)
			if err != nil {
				return sent, false
			}
			keys[i] = NewSecret(string(raw))
		}
	}
	message := append([]byte(id+"."+at+"."), body...)
	for given := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		version, coded, _ := strings.Cut(given, ",")
		signature, err := base64.StdEncoding.DecodeString(coded)
		if version == "v1" && err == nil && SignedRaw(keys, message, signature) {
			return time.Unix(seconds, 0), true
		}
	}
	return sent, false
}
