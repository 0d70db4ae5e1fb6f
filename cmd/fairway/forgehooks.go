package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The bounds of the door for forges' webhooks.
const (
	hookTimeout  = 10 * time.Second
	hooksAtOnce  = 16
	hookSecretAt = 5 * time.Second // how long a secret that was read is used before it is read again
)

// forgeHooks is the door for the push webhooks of forges: POST /hooks/REPOSITORY. It has a listener of
// its own, away from the gate, and no TLS: an Ingress ends it. A webhook that is signed with the
// Repository's secret has that repository looked at now, and can do no more.
type forgeHooks struct {
	repository func(name string) (tier.Repository, bool)
	hookOf     func(ctx context.Context, r tier.Repository) (forge.Hook, []forge.Secret, error)
	ask        func(repository string)
	log        logr.Logger
	now        func() time.Time

	mu sync.Mutex
	of map[string]*hookDoor // by repository
}

// hookDoor is the door of one repository.
type hookDoor struct {
	digest   string // of the Repository it was made for
	read     time.Time
	secrets  []forge.Secret
	receiver *forge.Receiver
}

// errNoHooks: the repository takes no webhooks.
var errNoHooks = errors.New("no webhooks are taken for it")

// ServeHTTP implements http.Handler.
func (h *forgeHooks) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name := req.PathValue("repository")
	r, known := h.repository(name)
	if !known || r.Forge == nil {
		http.NotFound(w, req)
		return
	}
	door, err := h.door(req.Context(), r)
	if errors.Is(err, errNoHooks) {
		http.NotFound(w, req)
		return
	}
	if err != nil {
		h.log.Error(err, "a webhook cannot be checked", "repository", name)
		http.Error(w, "cannot be checked now", http.StatusServiceUnavailable)
		return
	}
	door.ServeHTTP(w, req)
}

// door is the receiver of a repository. Its secret is read at most every few seconds, whoever knocks.
func (h *forgeHooks) door(ctx context.Context, r tier.Repository) (*forge.Receiver, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, ok := h.of[r.Name]
	if !ok || d.digest != r.Digest {
		d = &hookDoor{digest: r.Digest}
		h.of[r.Name] = d
	}
	if now := h.now(); now.Sub(d.read) >= hookSecretAt {
		hook, secrets, err := h.hookOf(ctx, r)
		if err != nil {
			return nil, err
		}
		d.read, d.secrets = now, secrets
		if d.receiver == nil && hook != nil {
			d.receiver = h.receiver(r.Name, d, hook)
		}
	}
	if d.receiver == nil || len(d.secrets) == 0 {
		return nil, errNoHooks
	}
	return d.receiver, nil
}

func (h *forgeHooks) receiver(repository string, d *hookDoor, hook forge.Hook) *forge.Receiver {
	return &forge.Receiver{
		Hook: hook, Now: h.now,
		Secrets: func() []forge.Secret {
			h.mu.Lock()
			defer h.mu.Unlock()
			return d.secrets
		},
		Tell: func(e forge.Event) {
			h.log.Info("the forge told of a change", "repository", repository, "change", e.Number)
			h.ask(repository)
		},
	}
}

// run serves until the context ends; without an address it only waits.
func (h *forgeHooks) run(ctx context.Context, o cli.ServeOptions) error { return serveHooks(ctx, o, h) }

// serveHooks is the listener of a door.
func serveHooks(ctx context.Context, o cli.ServeOptions, door http.Handler) error {
	if o.Hooks == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Hooks)
	if err != nil {
		return fmt.Errorf("listening for the webhooks of forges: %w", err)
	}
	_, _ = fmt.Fprintln(o.Log, "fairway: webhooks of forges on http://"+listener.Addr().String()+"/hooks/REPOSITORY") // nothing is lost if nobody reads it
	mux := http.NewServeMux()
	mux.Handle("/hooks/{repository}", atMost(hooksAtOnce, door))
	server := &http.Server{Handler: mux, ReadTimeout: hookTimeout, WriteTimeout: hookTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve says so
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the webhooks of forges on %s: %w", listener.Addr(), err)
	}
	return nil
}

// atMost answers so many requests at once, and has the others come back.
func atMost(n int, next http.Handler) http.Handler {
	free := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
			next.ServeHTTP(w, req)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many webhooks at once", http.StatusServiceUnavailable)
		}
	})
}
