package prover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Opener opens repositories.
type Opener interface {
	// Open fetches a repository and gives the rooms that prove its sources. The rooms are used
	// until the next Open of the same repository.
	Open(ctx context.Context, repository tier.Repository, world *tier.World) (Rooms, error)
}

// Shelf keeps proofs and the marks of delivery.
type Shelf interface {
	// Known are the proofs of a source and the commits that its namespace admitted.
	Known(key change.SourceKey) ([]change.Proof, []change.Delivered)
	// Put stores the proofs that one look at a source made or judged anew. It is called without any
	// too, so that people can be told that nothing is new; problem says why nothing could be proven.
	Put(ctx context.Context, key change.SourceKey, proofs []change.Proof, problem error) error
}

// Watcher is told of the work while it is done, for metrics and traces. Each method returns the context to
// work in and what to call when the work has ended.
type Watcher interface {
	// Look is called for each look at a repository.
	Look(ctx context.Context, repository string) (context.Context, func(error))
	// Source is called, within a look, for each source that is proven.
	Source(ctx context.Context, key change.SourceKey) (context.Context, func([]Result, error))
}

// Settings of a Keeper.
type Settings struct {
	// Interval is the longest time between two looks at a repository that nothing else asks for; 0
	// leaves it to the repository.
	Interval time.Duration
	// Timeout bounds one look at one repository.
	Timeout time.Duration
	// Now is the clock.
	Now func() time.Time
	// Report is told of each look that failed; it must not block.
	Report func(repository string, err error)
	// Watcher is told of the work; nil: nobody is.
	Watcher Watcher
}

// Keeper keeps the proofs of every gated source current. A repository is looked at when it is new,
// on an interval, when the world changes, and when somebody wants a commit that no look has seen.
type Keeper struct {
	world    func() *tier.World
	opener   Opener
	shelf    Shelf
	settings Settings

	mu    sync.Mutex
	looks map[string]*look // by repository
	ended int
	wake  chan struct{}
}

// look is the state of the looks at one repository.
type look struct {
	due     time.Time
	running bool
	started int            // how many looks have begun
	done    int            // how many have ended
	wanted  map[string]int // commit to the look that would see it
}

// wantedLimit bounds how many commits a repository remembers being asked for. A flood of invented
// commits makes it forget, and then asks for a look that finds nothing again.
const wantedLimit = 1024

// lookGap is the shortest time between two looks at one repository, so that a flood of requests
// that name invented commits cannot make Fairway hammer a git server.
const lookGap = time.Second

// NewKeeper returns a keeper; Run starts it.
func NewKeeper(world func() *tier.World, opener Opener, shelf Shelf, settings Settings) *Keeper {
	return &Keeper{world: world, opener: opener, shelf: shelf, settings: settings, looks: map[string]*look{}, wake: make(chan struct{}, 1)}
}

// Run looks at repositories until the context ends. It returns the reason the context ended.
func (k *Keeper) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looks sync.WaitGroup
	defer looks.Wait()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		case <-k.wake:
		}
		for _, name := range k.takeDue() {
			looks.Go(func() { k.look(ctx, name) })
		}
		timer.Reset(k.untilNext())
	}
}

// Changed asks for a look at every repository, since the world changed.
func (k *Keeper) Changed() {
	k.mu.Lock()
	for _, l := range k.looks {
		l.due = k.settings.Now()
	}
	k.mu.Unlock()
	k.poke()
}

// Ask asks for a look at one repository that begins after now.
func (k *Keeper) Ask(repository string) {
	k.mu.Lock()
	if _, ok := k.world().Repositories[repository]; ok {
		k.state(repository).due = k.settings.Now()
	}
	k.mu.Unlock()
	k.poke()
}

// Wanted says that somebody asked for a commit that has no proof, and reports whether one may be
// in the making: false once a look that began after the first such question has ended.
func (k *Keeper) Wanted(repository, commit string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.world().Repositories[repository]; !ok {
		return false
	}
	l := k.state(repository)
	if sees, asked := l.wanted[commit]; asked && l.done >= sees {
		return false
	} else if !asked {
		if len(l.wanted) >= wantedLimit {
			clear(l.wanted)
		}
		l.wanted[commit] = l.started + 1
		l.due = k.settings.Now()
		defer k.poke()
	}
	return true
}

// Settled reports whether every registered repository has been looked at once.
func (k *Keeper) Settled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.world().Repositories {
		if l, ok := k.looks[name]; !ok || l.done == 0 {
			return false
		}
	}
	return true
}

// Looks is how many looks at repositories have ended.
func (k *Keeper) Looks() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// state is the look of a repository; the caller holds the lock.
func (k *Keeper) state(repository string) *look {
	l, ok := k.looks[repository]
	if !ok {
		l = &look{due: k.settings.Now(), wanted: map[string]int{}}
		k.looks[repository] = l
	}
	return l
}

// takeDue marks the repositories that are due as running and returns them.
func (k *Keeper) takeDue() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.settings.Now()
	registered := k.world().Repositories
	maps.DeleteFunc(k.looks, func(name string, l *look) bool {
		_, ok := registered[name]
		return !ok && !l.running
	})
	var due []string
	for name := range registered {
		if l := k.state(name); !l.running && !l.due.After(now) {
			l.running = true
			l.started++
			due = append(due, name)
		}
	}
	slices.Sort(due)
	return due
}

func (k *Keeper) untilNext() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := ownInterval
	for _, l := range k.looks {
		if wait := l.due.Sub(k.settings.Now()); !l.running && wait < next {
			next = max(wait, 0)
		}
	}
	return next
}

// ownInterval is how often a repository is looked at that does not say.
const ownInterval = time.Minute

// interval is the time between two looks at a repository.
func (k *Keeper) interval(repository string) time.Duration {
	every := cmp.Or(k.world().Repositories[repository].Poll, ownInterval)
	if limit := k.settings.Interval; limit > 0 {
		every = min(every, limit)
	}
	return every
}

// look fetches one repository and proves its sources.
func (k *Keeper) look(ctx context.Context, name string) {
	begun := k.settings.Now()
	working, looked := k.watched(ctx, name)
	err := k.prove(working, name)
	looked(err)
	if err != nil && ctx.Err() == nil {
		k.settings.Report(name, err)
	}
	k.mu.Lock()
	l := k.state(name)
	l.running = false
	l.done = l.started
	k.ended++
	if l.due.After(begun) { // asked for again while it ran
		l.due = k.settings.Now().Add(lookGap)
	} else {
		l.due = k.settings.Now().Add(k.interval(name))
	}
	k.mu.Unlock()
	k.poke()
}

func (k *Keeper) prove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, k.settings.Timeout)
	defer cancel()
	world := k.world()
	repository, ok := world.Repositories[name]
	if !ok {
		return nil
	}
	works := Works(world, name)
	rooms, openErr := k.opener.Open(ctx, repository, world)
	var problems []error
	if openErr != nil {
		problems = append(problems, fmt.Errorf("fetching repository %q: %w", name, openErr))
	}
	for _, work := range works {
		var proofs []change.Proof
		err := openErr
		if err == nil {
			work.Known, work.Delivered = k.shelf.Known(work.Key())
			proofs, err = k.source(ctx, rooms, work)
			problems = append(problems, err)
		}
		problems = append(problems, k.shelf.Put(ctx, work.Key(), proofs, err))
	}
	return errors.Join(problems...)
}

func (k *Keeper) watched(ctx context.Context, repository string) (context.Context, func(error)) {
	if k.settings.Watcher == nil {
		return ctx, func(error) {}
	}
	return k.settings.Watcher.Look(ctx, repository)
}

// source proves one source.
func (k *Keeper) source(ctx context.Context, rooms Rooms, work Work) ([]change.Proof, error) {
	if k.settings.Watcher == nil {
		return proofsOf(Prove(ctx, rooms, work, k.settings.Now()))
	}
	ctx, ended := k.settings.Watcher.Source(ctx, work.Key())
	results, err := Prove(ctx, rooms, work, k.settings.Now())
	ended(results, err)
	return proofsOf(results, err)
}

func proofsOf(results []Result, err error) ([]change.Proof, error) {
	proofs := make([]change.Proof, len(results))
	for i, r := range results {
		proofs[i] = r.Proof
	}
	return proofs, err
}

// Works are the sources of a repository that a gated tier judges, in a fixed order: those of the cluster
// binding, then those of the highest rank. A look is bounded in time, and whoever may push to a branch of
// a low rank can have it spend all of that time on what does not end (T-33). A source of an open namespace
// is not proven: nothing asks for it.
func Works(world *tier.World, repository string) []Work {
	var works []Work
	for _, namespace := range slices.Sorted(maps.Keys(world.Bindings)) {
		t, b := world.Tier(namespace)
		if b != nil && t.Lane != tier.Open {
			works = append(works, worksOf(world, repository, *b, []tier.Tier{t})...)
		}
	}
	slices.SortStableFunc(works, func(a, b Work) int { return cmp.Compare(b.Tiers[0].Rank, a.Tiers[0].Rank) })
	return append(clusterWorks(world, repository), works...)
}

// clusterWorks are the sources of the cluster binding, which every gated tier judges.
func clusterWorks(world *tier.World, repository string) []Work {
	t, b := world.ClusterTier()
	if b == nil || t.Lane == tier.Open {
		return nil
	}
	tiers := []tier.Tier{t}
	for _, name := range slices.Sorted(maps.Keys(world.Tiers)) {
		if other := world.Tiers[name]; other.Lane != tier.Open && name != t.Name {
			tiers = append(tiers, other)
		}
	}
	return worksOf(world, repository, *b, tiers)
}

func worksOf(world *tier.World, repository string, b tier.Binding, tiers []tier.Tier) []Work {
	var works []Work
	for _, s := range b.Sources {
		if s.Repository == repository {
			works = append(works, Work{
				Tiers: tiers, Binding: b, Source: s, Repository: world.Repositories[repository], People: world.People, Schema: world.Schema,
			})
		}
	}
	return works
}
