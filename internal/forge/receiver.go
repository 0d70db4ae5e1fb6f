package forge

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// The bounds of a webhook.
const (
	mostEventBytes = 2 << 20
	mostDeliveries = 10_000
	mostSkew       = 5 * time.Minute
	repeatAfter    = time.Minute
)

// Receiver is the door for one forge's webhooks. It answers 204 to what it took, 202 to what it has no
// use for or took before, 401 to what is not signed with one of the secrets, and 400 to the rest.
//
// A webhook can do no more than have a repository looked at again, so replaying one gains little; the
// same body is still taken no more than once a minute. What the forge signs a time for must be of now.
type Receiver struct {
	Hook    Hook
	Secrets func() []Secret // read for each request, so that a secret can be exchanged
	Tell    func(Event)     // must not wait
	Now     func() time.Time

	mu    sync.Mutex
	taken map[[sha256.Size]byte]*list.Element
	order list.List // of delivery, oldest first
}

// delivery is a body that was taken, and when.
type delivery struct {
	sum [sha256.Size]byte
	at  time.Time
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, mostEventBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "larger than any webhook that is of use", http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body did not arrive", http.StatusBadRequest)
		return
	}
	event, ok, err := r.Hook.Read(req.Header, body, r.Secrets())
	switch {
	case errors.Is(err, ErrForged):
		http.Error(w, ErrForged.Error(), http.StatusUnauthorized)
	case err != nil:
		http.Error(w, "the body is no event that is understood", http.StatusBadRequest)
	case !event.SentAt.IsZero() && r.Now().Sub(event.SentAt).Abs() > mostSkew:
		http.Error(w, "sent at another time", http.StatusUnauthorized)
	case !ok || !r.first(body):
		w.WriteHeader(http.StatusAccepted)
	default:
		r.Tell(event)
		w.WriteHeader(http.StatusNoContent)
	}
}

// first reports whether a body was not taken within the last minute, and remembers it. The id of a
// delivery would not do: most forges do not sign it. Two reviews in a row can look the same, so a body
// is not refused for ever.
func (r *Receiver) first(body []byte) bool {
	d := delivery{sha256.Sum256(body), r.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.taken[d.sum]; ok {
		if before, is := have.Value.(delivery); is && d.at.Sub(before.at) < repeatAfter {
			return false
		}
		r.order.Remove(have)
	}
	if r.taken == nil {
		r.taken = map[[sha256.Size]byte]*list.Element{}
	}
	r.taken[d.sum] = r.order.PushBack(d)
	if r.order.Len() > mostDeliveries {
		if oldest, is := r.order.Remove(r.order.Front()).(delivery); is {
			delete(r.taken, oldest.sum)
		}
	}
	return true
}
