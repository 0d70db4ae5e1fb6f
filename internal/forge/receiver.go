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
)

// Receiver is the door for one forge's webhooks. It answers 204 to what it took, 202 to what it has no
// use for or took before, 401 to what is not signed with one of the secrets, and 400 to the rest.
//
// A webhook can do no more than have a repository looked at again, so replaying one gains little; the
// body of each is still taken once only. What the forge signs a time for must be of now.
type Receiver struct {
	Hook    Hook
	Secrets func() []Secret // read for each request, so that a secret can be exchanged
	Tell    func(Event)     // must not wait
	Now     func() time.Time

	mu    sync.Mutex
	taken map[[sha256.Size]byte]*list.Element
	order list.List // of sums, oldest first
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

// first reports whether a body was not taken before, and remembers it. The id of a delivery would not
// do: most forges do not sign it.
func (r *Receiver) first(body []byte) bool {
	sum := sha256.Sum256(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, have := r.taken[sum]; have {
		return false
	}
	if r.taken == nil {
		r.taken = map[[sha256.Size]byte]*list.Element{}
	}
	r.taken[sum] = r.order.PushBack(sum)
	if r.order.Len() > mostDeliveries {
		oldest := r.order.Remove(r.order.Front())
		if sum, is := oldest.([sha256.Size]byte); is {
			delete(r.taken, sum)
		}
	}
	return true
}
