package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// ways are the ways back that a gate knows of: the statements that the prover copied into Deliveries.
// The gate verifies each against the people in force, as first seen now, so that what stands in a
// Delivery counts for its signature alone (docs/adr/0006).
type ways struct {
	world      func() *tier.World
	deliveries *store.Deliveries
	now        func() time.Time

	mu   sync.Mutex
	read map[change.SourceKey]readWays
}

// readWays are the verified statements of one Delivery.
type readWays struct {
	world      *tier.World
	envelopes  []string
	at         time.Time
	statements []attest.Signed[attest.Rollback]
}

// waysFresh is how long a verification stands: a key may expire meanwhile.
const waysFresh = 10 * time.Second

// signed names the principals who signed for a roll-back of a source to a commit.
func (w *ways) signed(key change.SourceKey, namespaceUID, url, commit, proof string) []string {
	envelopes := w.deliveries.Rollbacks(key)
	if len(envelopes) == 0 {
		return nil
	}
	return attest.RollbackApprovers(w.verified(key, envelopes), attest.Return{
		Namespace: key.Namespace, NamespaceUID: namespaceUID, Commit: commit, Proof: proof,
		Source: attest.Source{Repository: url, Branch: key.Branch, Path: key.Path},
	}, w.now())
}

// verified are the statements among envelopes that some principal signed.
func (w *ways) verified(key change.SourceKey, envelopes []string) []attest.Signed[attest.Rollback] {
	world, now := w.world(), w.now()
	w.mu.Lock()
	have, ok := w.read[key]
	w.mu.Unlock()
	if ok && have.world == world && now.Sub(have.at) < waysFresh && slices.Equal(have.envelopes, envelopes) {
		return have.statements
	}
	keyring, _ := signature.NewKeyring(world.People)
	have = readWays{world: world, envelopes: envelopes, at: now}
	for _, envelope := range envelopes {
		if s, no := attest.VerifyRollback([]byte(envelope), now, keyring); no == nil {
			have.statements = append(have.statements, s)
		}
	}
	repository := world.Repositories[key.Repository]
	have.statements = attest.Names{URL: repository.URL, Aliases: repository.Aliases}.Rollbacks(have.statements)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.read == nil {
		w.read = map[change.SourceKey]readWays{}
	}
	w.read[key] = have
	return have.statements
}

// wishes are a gate's questions to the prover: that somebody delivers a commit that has no proof, and
// whether a look at its repository has ended since. They go by a counter in a Delivery of the
// repository, so that whatever commits are invented, nothing of them is written, and no more than once
// a second for each repository.
type wishes struct {
	world      func() *tier.World
	deliveries *store.Deliveries
	now        func() time.Time
	log        logr.Logger
	bell       *controller.Bell

	mu    sync.Mutex
	repos map[string]map[string]*wish // by repository and commit
}

// wish is one commit that somebody wants.
type wish struct {
	since    time.Time
	source   change.SourceKey
	question int64 // that asked for it; 0: none yet
}

const (
	// wishLimit bounds how many commits of a repository are remembered; see prover.Keeper.
	wishLimit = 1024
	// wishPatience is how long a proof may be in the making before no is the answer.
	wishPatience = 2 * time.Minute
	// wishGap is the shortest time between two questions.
	wishGap = time.Second
)

func newWishes(in *install) *wishes {
	return &wishes{
		world: in.state.World, deliveries: in.deliveries, now: time.Now, log: in.log,
		bell: controller.NewBell(time.Millisecond, 10*time.Millisecond), repos: map[string]map[string]*wish{},
	}
}

// Wanted asks for the proof of a commit and reports whether it may be in the making: false once a look
// that began after the first such question has ended, or has not ended for long.
func (w *wishes) Wanted(repository, commit string) bool {
	source, ok := gatedSource(w.world(), repository)
	if !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted, ok := w.repos[repository]
	if !ok {
		wanted = map[string]*wish{}
		w.repos[repository] = wanted
	}
	have, asked := wanted[commit]
	if !asked {
		if len(wanted) >= wishLimit {
			clear(wanted)
		}
		wanted[commit] = &wish{since: w.now(), source: source}
		w.bell.Ring()
		return true
	}
	if have.question > 0 {
		if _, looked := w.deliveries.Asked(have.source); looked >= have.question {
			return false
		}
	}
	return w.now().Sub(have.since) < wishPatience
}

// Run asks the prover until the context ends.
func (w *wishes) Run(ctx context.Context) error {
	return w.bell.Run(ctx, 0, func(ctx context.Context) error {
		err := w.ask(ctx)
		if err != nil {
			w.log.V(1).Info("the prover could not be asked yet", "problem", err.Error())
			return err
		}
		gap := time.NewTimer(wishGap)
		defer gap.Stop()
		select {
		case <-ctx.Done():
		case <-gap.C:
		}
		return nil
	})
}

// ask asks one question for each source that has wishes without one.
func (w *wishes) ask(ctx context.Context) error {
	open := map[change.SourceKey][]*wish{}
	w.mu.Lock()
	for _, wanted := range w.repos {
		for _, one := range wanted {
			if one.question == 0 {
				open[one.source] = append(open[one.source], one)
			}
		}
	}
	w.mu.Unlock()
	for source, all := range open {
		question, err := w.deliveries.Ask(ctx, source)
		if err != nil {
			return err
		}
		w.mu.Lock()
		for _, one := range all {
			one.question = question
		}
		w.mu.Unlock()
	}
	return nil
}

// gatedSource is a source of a repository that the prover looks at: the first, so that all gates ask in
// one place.
func gatedSource(world *tier.World, repository string) (change.SourceKey, bool) {
	if _, ok := world.Repositories[repository]; !ok {
		return change.SourceKey{}, false
	}
	for _, b := range controller.Gated(world) {
		for _, s := range b.Sources {
			if s.Repository == repository {
				return change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}, true
			}
		}
	}
	return change.SourceKey{}, false
}
