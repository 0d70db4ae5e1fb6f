package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// doors is the door for webhooks of one prover among several. A Service sends them to any of them: one
// that leads looks by itself, and one that waits asks the one that leads by a number in a Delivery, as
// gates do (ADR 0006). Either checks the signature before it does anything.
type doors struct {
	lead atomic.Pointer[forgeHooks] // set once this prover leads
	wait *forgeHooks
}

// pokeTimeout is how long a prover that waits takes to pass a webhook on.
const pokeTimeout = 5 * time.Second

func newDoors(api client.Client, o cli.ServeOptions, log logr.Logger) *doors {
	secrets := &access{client: api, namespace: o.Namespace}
	w := &waiting{client: api, deliveries: store.NewDeliveries(api, func(change.SourceKey, string) bool { return false }), log: log}
	return &doors{wait: &forgeHooks{
		repository: w.repository, hookOf: secrets.hookOf, ask: w.ask, log: log, now: time.Now, of: map[string]*hookDoor{},
	}}
}

// ServeHTTP implements http.Handler.
func (d *doors) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if h := d.lead.Load(); h != nil {
		h.ServeHTTP(rw, req)
		return
	}
	d.wait.ServeHTTP(rw, req)
}

// waiting reads what a webhook needs from the API server, since a prover that waits keeps nothing.
type waiting struct {
	client     client.Client
	deliveries *store.Deliveries
	log        logr.Logger

	mu   sync.Mutex
	read time.Time
	now  map[string]tier.Repository // by name
}

// repository is one of those that there were within the last seconds: nobody who knocks has the API server
// asked more often.
func (w *waiting) repository(name string) (tier.Repository, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.read) >= hookSecretAt {
		ctx, stop := context.WithTimeout(context.Background(), pokeTimeout)
		defer stop()
		var list v1alpha1.RepositoryList
		if err := w.client.List(ctx, &list); err != nil {
			w.log.Error(err, "a webhook cannot be checked")
			return tier.Repository{}, false
		}
		w.read, w.now = time.Now(), store.Compile(store.Kinds{Repositories: list.Items}, store.Settings{}, nil).Repositories
	}
	r, ok := w.now[name]
	return r, ok
}

// ask has the prover that leads look at a repository.
func (w *waiting) ask(repository string) {
	ctx, stop := context.WithTimeout(context.Background(), pokeTimeout)
	defer stop()
	key, err := w.source(ctx, repository)
	if err == nil {
		_, err = w.deliveries.Ask(ctx, key)
	}
	if err != nil {
		w.log.Error(err, "a webhook could not be passed on; the next poll sees what it told of", "repository", repository)
	}
}

// source is one by which a look at a repository can be asked for: the first that is bound.
func (w *waiting) source(ctx context.Context, repository string) (change.SourceKey, error) {
	var list v1alpha1.TierBindingList
	if err := w.client.List(ctx, &list); err != nil {
		return change.SourceKey{}, fmt.Errorf("listing bindings: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.TierBinding) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	var found change.SourceKey
	for _, b := range list.Items {
		for _, s := range b.Spec.Sources {
			if s.Repository != repository {
				continue
			}
			key := change.SourceKey{Repository: repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}
			at := types.NamespacedName{Namespace: b.Namespace, Name: v1alpha1.DeliveryName(s.Repository, s.Branch, s.Path)}
			switch err := w.client.Get(ctx, at, &v1alpha1.Delivery{}); {
			case err == nil:
				return key, nil // one that a gate has asked by, or that was delivered
			case !apierrors.IsNotFound(err):
				return change.SourceKey{}, fmt.Errorf("reading delivery %s: %w", at, err)
			}
			found = cmp.Or(found, key)
		}
	}
	if found.Repository == "" {
		return found, fmt.Errorf("no binding has a source in repository %q", repository)
	}
	return found, nil
}
