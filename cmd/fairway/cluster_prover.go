package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/telemetry"
	"github.com/fairway-dev/fairway/internal/tier"
)

// statusInterval is the rhythm of what is told to people. What decides is put in force much sooner:
// see newInstall.
const statusInterval = 30 * time.Second

// proving is the role that fetches, proves, audits and tells.
type proving struct {
	*install
	shelf   *store.ClusterShelf
	mirrors *mirrors
	access  *access
	keeper  *prover.Keeper
	status  *controller.Status
	auditor *controller.Auditor
	argocd  *controller.ArgoCD
	nudging *nudging
	looping *looping

	retired    prometheus.Counter // break-glasses
	retireBell *controller.Bell
	hooked     *forgeHooks
	forges     *prometheus.Registry // metrics of forges

	gapBell  *controller.Bell
	policies *controller.Policies
	gaps     prometheus.Gauge
	changes  prometheus.Counter
	// uncovered is what the last look found that no gate is asked about.
	uncovered []string
	toldGaps  []string // that the log tells of
	// toldUnknown is why nobody knows of gaps, as the log tells it.
	toldUnknown string

	logLook func(change.SourceKey, []change.Proof, error)

	inputs string // digest of what the prover was asked to look at last

	mu    sync.Mutex
	heard map[change.SourceKey]int64 // the question that the look which runs will answer
}

// startProving connects to the cluster and makes the keys and the role; it watches nothing yet.
func startProving(ctx context.Context, o cli.ServeOptions, traces *telemetry.Traces, log logr.Logger) (*proving, error) {
	in, err := newInstall(ctx, o, log, newObserver(traces))
	if err != nil {
		return nil, err
	}
	if err := in.makeKeys(ctx); err != nil {
		return nil, err
	}
	return newProving(in)
}

// metrics are what the role shows, with those of what guards the configuration beside it.
func (p *proving) metrics(guard *guarding) []prometheus.Collector {
	return slices.Concat(p.observer.collectors(), guard.metrics(), []prometheus.Collector{looks(p.keeper), p.forges, p.gaps, p.changes, p.looping.loops, p.retired})
}

// newProving adds the role to an install that has its keys.
func newProving(in *install) (*proving, error) {
	p := &proving{
		install: in, gapBell: controller.NewBell(time.Second, time.Second), heard: map[change.SourceKey]int64{},
		forges: prometheus.NewRegistry(), logLook: told(in.log),
	}
	p.status = &controller.Status{
		Reader: in.cache, Writer: in.cluster.client, World: in.state.World, Proofs: in.archive, Now: time.Now,
		Events: in.events,
	}
	p.argocd = &controller.ArgoCD{Client: in.cluster.dynamic, World: in.state.World, Proofs: in.archive}
	p.shelf = &store.ClusterShelf{
		Client: in.cluster.client, Archive: in.archive, Deliveries: in.deliveries, World: in.state.World, Signer: in.keys.prover,
		ClusterID: in.clusterID, Prover: cli.Version(release), Now: time.Now, Told: p.told, Heard: p.hears,
	}
	p.access = &access{client: in.cluster.client, namespace: in.o.Namespace, dir: filepath.Join(in.o.StateDir, "credentials")}
	renders, err := newRenderer(in.schemas)
	if err != nil {
		return nil, err
	}
	p.mirrors = &mirrors{
		dir: filepath.Join(in.o.StateDir, "mirrors"), key: in.keys.digest, renderer: renders,
		schema: func() canon.Schema { return in.schemas.current() }, now: time.Now, open: map[string]*mirrored{},
		credentials: p.access.of, forges: p.access.forges(forge.NewMetrics(p.forges)),
		alarm: func(repository, what string) {
			in.log.Error(nil, "look at this", "repository", repository, "what", what)
		},
	}
	p.keeper = prover.NewKeeper(in.state.World, &openings{install: p}, p.shelf, prover.Settings{
		Interval: in.o.Interval, Timeout: proveTimeout, Now: time.Now, Watcher: in.observer,
		Report: func(repository string, err error) {
			in.log.Error(err, "repository could not be proven", "repository", repository)
		},
	})
	p.hooked = &forgeHooks{
		repository: func(name string) (tier.Repository, bool) {
			r, ok := in.state.World().Repositories[name]
			return r, ok
		},
		hookOf: p.access.hookOf, ask: p.keeper.Ask, log: in.log, now: time.Now, of: map[string]*hookDoor{},
	}
	p.newGaps()
	p.looping = newLooping(in, p.status)
	p.retireBell = controller.NewBell(time.Second, 10*time.Second)
	p.retired = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairway_break_glasses_retired_total", Help: "BreakGlass objects that were deleted because they were closed long ago.",
	})
	p.nudging = newNudging(in)
	p.auditor = newAuditor(in, &lister{client: in.cluster.dynamic, mapper: in.mapper})
	in.hooks = append(in.hooks, hooks{
		renewed: p.renewed, glasses: p.judgedGlasses, glassed: p.status.Glassed, delivered: p.asked, distrusted: p.keeper.Changed,
	})
	return p, nil
}

// stop lets go of what the role holds outside of memory.
func (p *proving) stop() { p.access.forget() }

// work is what the role does until the context ends.
func (p *proving) work() []func(context.Context) error {
	return []func(context.Context) error{
		p.keeper.Run,
		func(ctx context.Context) error { return p.hooked.run(ctx, p.o) },
		func(ctx context.Context) error { return p.statusBell.Run(ctx, statusInterval, p.tell) },
		func(ctx context.Context) error { return p.auditBell.Run(ctx, p.o.AuditInterval, p.audit) },
		p.nudging.run,
		p.retire,
		func(ctx context.Context) error {
			p.gapBell.Ring()
			return p.gapBell.Run(ctx, gapInterval, p.lookForGaps)
		},
		func(ctx context.Context) error {
			bell := controller.NewBell(time.Second, time.Second)
			bell.Ring()
			return bell.Run(ctx, gapInterval, p.looping.look)
		},
	}
}

// looks counts the looks of a keeper.
func looks(k *prover.Keeper) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "fairway_repository_looks_total", Help: "Looks at repositories that have ended, whether or not they could be read.",
	}, func() float64 { return float64(k.Looks()) })
}

func (p *proving) told(key change.SourceKey, proofs []change.Proof, problem error) {
	p.logLook(key, proofs, problem)
	p.status.Looked(key, problem)
	p.statusBell.Ring()
}

// renewed asks for a look where something has changed that a look depends on.
func (p *proving) renewed(world *tier.World) {
	now := proverInputs(world)
	if now == p.inputs {
		return
	}
	p.inputs = now
	p.log.Info("what decides has changed", "tiers", len(world.Tiers), "bindings", len(world.Bindings), "sealed", world.Install.Sealed, "problems", world.Problems)
	p.keeper.Changed()
	p.auditBell.Ring()
}

// proverInputs is a digest of everything that a look at a repository depends on.
func proverInputs(w *tier.World) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(w.Repositories)) {
		_, _ = fmt.Fprintf(h, "%q %q\n", name, w.Repositories[name].Digest) // a hash never fails to write
		for _, work := range prover.Works(w, name) {
			_, _ = fmt.Fprintf(h, "%q %q\n", work.Key(), w.Namespaces[work.Binding.Namespace].UID)
			for _, t := range work.Tiers {
				_, _ = fmt.Fprintf(h, "%s\n", work.PolicyDigest(t))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// asked passes the question of a gate on.
func (p *proving) asked(d *v1alpha1.Delivery) {
	if d.Status.Asked > d.Status.Looked {
		p.keeper.Ask(d.Spec.Repository)
	}
}

// listens notes, at the beginning of a look, which questions it will have answered at its end.
func (p *proving) listens(repository string, world *tier.World) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range prover.Works(world, repository) {
		asked, _ := p.deliveries.Asked(w.Key())
		p.heard[w.Key()] = asked
	}
}

// hears is what a look at a source heard beside its commits.
func (p *proving) hears(key change.SourceKey) (question int64, rollbacks []string) {
	p.mu.Lock()
	question = p.heard[key]
	p.mu.Unlock()
	world := p.state.World()
	return question, p.mirrors.envelopes(key, world.Namespaces[key.Namespace].UID, world.Repositories[key.Repository].URL)
}

// tell brings the statuses up to date, once there is anything to tell.
func (p *proving) tell(ctx context.Context) error {
	if !p.ready.Load() {
		return nil
	}
	err := errors.Join(p.status.Write(ctx), p.argocd.Write(ctx))
	if err != nil {
		p.log.V(1).Info("a status could not be written yet", "problem", err.Error())
	}
	return err
}
