package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/store"
)

// statusInterval is the rhythm of what is told to people. What decides is put in force much sooner:
// see newInstall.
const statusInterval = 30 * time.Second

// connection is how a cluster is reached. None of the clients reads from a cache or waits for a turn:
// the API server has priorities of its own.
type connection struct {
	config  *rest.Config
	http    *http.Client
	client  client.Client
	typed   kubernetes.Interface
	dynamic dynamic.Interface
}

func connect(kubeconfig string) (*connection, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig %q: %w", kubeconfig, err)
	}
	config.QPS = -1
	config.UserAgent = "fairway"
	scheme, err := knownKinds()
	if err != nil {
		return nil, err
	}
	c := &connection{config: config}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	if c.client, err = client.New(config, client.Options{HTTPClient: c.http, Scheme: scheme, FieldOwner: "fairway"}); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	if c.typed, err = kubernetes.NewForConfigAndClient(config, c.http); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(config, c.http); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return c, nil
}

// clusterID is the UID of kube-system, which no cluster shares with another.
func (c *connection) clusterID(ctx context.Context) (string, error) {
	var ns corev1.Namespace
	if err := c.client.Get(ctx, types.NamespacedName{Name: "kube-system"}, &ns); err != nil {
		return "", fmt.Errorf("reading the identity of the cluster: %w", err)
	}
	return string(ns.UID), nil
}

// serveCluster serves from a cluster's API server: one process, which judges, proves and tells. Until
// everything that decides has been read, reviews are put off.
func serveCluster(ctx context.Context, o cli.ServeOptions, log logr.Logger) error {
	in, err := newInstall(ctx, o, log)
	if err != nil {
		return err
	}
	defer in.access.forget()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: in.cluster.typed.EventsV1()})
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("recording Events: %w", err)
	}
	in.status.Events = broadcaster.NewRecorder(in.cluster.client.Scheme(), "fairway")
	in.denials = controller.NewDenials(in.cache, in.status.Events, in.state.World, in.observer.denials.Inc)
	judge := gate.New(gate.Rooms{
		World: in.state.World, Types: in.types, Proofs: in.index, Marks: in.deliveries, Live: in.live,
		Records: records{state: in.state, mirrors: in.mirrors, selfSigned: in.selfSigned}, Making: in.keeper, Origins: origins{}, Engines: engines{live: in.live, world: in.state.World},
		Compile: store.Requested{Own: o.Namespace}, Key: in.keys.digest, Now: time.Now, Sealing: sealing(o),
	})
	return run(ctx, o, log, service{
		judge: emergencies{judge: judge, install: in}, keeper: in.keeper, ready: in.ready.Load,
		metrics: append(in.observer.collectors(), in.rejected), traces: in.observer.traces,
		others: []func(context.Context) error{
			in.cache.Start, in.begin, in.denials.Run,
			func(ctx context.Context) error { return in.statusBell.Run(ctx, statusInterval, in.tell) },
			func(ctx context.Context) error { return in.auditBell.Run(ctx, o.AuditInterval, in.audit) },
		},
	})
}

// install is one install of Fairway in a cluster.
type install struct {
	o          cli.ServeOptions
	log        logr.Logger
	cluster    *connection
	clusterID  string
	me         string // our own user name
	keys       keys
	seal       *store.Seal
	cache      cache.Cache
	state      *store.State
	schemas    *schemas
	index      *store.Index
	archive    *store.Archive
	deliveries *store.Deliveries
	shelf      *store.ClusterShelf
	mirrors    *mirrors
	access     *access
	keeper     *prover.Keeper
	live       *controller.Live
	status     *controller.Status
	auditor    *controller.Auditor
	rejected   *prometheus.CounterVec
	observer   *observer
	denials    *controller.Denials

	worldBell, statusBell, auditBell *controller.Bell

	synced []func() bool
	inputs string // digest of what the prover was asked to look at last
	ready  atomic.Bool
}

func newInstall(ctx context.Context, o cli.ServeOptions, log logr.Logger) (*install, error) {
	in := &install{
		o: o, log: log, state: store.NewState(), schemas: newSchemas(), index: store.NewIndex(),
		worldBell:  controller.NewBell(20*time.Millisecond, 200*time.Millisecond),
		statusBell: controller.NewBell(100*time.Millisecond, time.Second),
		auditBell:  controller.NewBell(2*time.Second, 30*time.Second),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairway_proofs_rejected_total", Help: "ProvenCommits that were not believed, by reason.",
		}, []string{"reason"}),
	}
	traces, err := newTraces(ctx, o, "serve", log)
	if err != nil {
		return nil, err
	}
	in.observer = newObserver(traces)
	if in.cluster, err = connect(o.Kubeconfig); err != nil {
		return nil, err
	}
	if in.clusterID, err = in.cluster.clusterID(ctx); err != nil {
		return nil, err
	}
	if in.me, err = whoAmI(ctx, in.cluster.typed); err != nil {
		return nil, err
	}
	if err := in.unlock(ctx); err != nil {
		return nil, err
	}
	in.stock()
	if err := in.work(); err != nil {
		return nil, err
	}
	return in, in.watch(ctx)
}

// unlock reads the keys and the latch.
func (in *install) unlock(ctx context.Context) error {
	found, isNew, err := loadKeys(ctx, in.cluster.client, in.o.Namespace)
	if err != nil {
		return err
	}
	in.keys = found
	in.seal = store.NewSeal(in.cluster.client, in.o.Namespace, in.clusterID, found.secret)
	if err := in.seal.Load(ctx, isNew); errors.Is(err, store.ErrSeal) {
		in.log.Error(err, "look at this")
	} else if err != nil {
		return err
	}
	return nil
}

// stock makes what keeps proofs and marks.
func (in *install) stock() {
	in.archive = store.NewArchive(in.index, in.keys, in.clusterID)
	in.deliveries = store.NewDeliveries(in.cluster.client, in.archive.Proven)
	in.archive.Changed = func(key change.SourceKey) {
		in.deliveries.Refresh(key)
		in.statusBell.Ring()
		in.auditBell.Ring()
	}
	in.archive.Rejected = func(namespace, name, why string) {
		in.rejected.WithLabelValues(why).Inc()
		in.log.Error(nil, "a ProvenCommit is not believed", "namespace", namespace, "name", name, "why", why)
		if in.ready.Load() {
			in.keeper.Changed() // so that the prover puts it right
		}
	}
	in.status = &controller.Status{Writer: in.cluster.client, World: in.state.World, Proofs: in.archive, Now: time.Now}
	in.shelf = &store.ClusterShelf{
		Client: in.cluster.client, Archive: in.archive, Deliveries: in.deliveries, World: in.state.World, Signer: in.keys.prover,
		ClusterID: in.clusterID, Prover: cli.Version(release), Now: time.Now,
	}
	in.shelf.Told = func(key change.SourceKey, proofs []change.Proof, problem error) {
		told(in.log)(key, proofs, problem)
		in.status.Looked(key, problem)
		in.statusBell.Ring()
	}
}

// work makes what proves, reads and audits.
func (in *install) work() error {
	in.access = &access{client: in.cluster.client, namespace: in.o.Namespace, dir: filepath.Join(in.o.StateDir, "credentials")}
	renders, err := newRenderer(in.schemas)
	if err != nil {
		return err
	}
	in.mirrors = &mirrors{
		dir: filepath.Join(in.o.StateDir, "mirrors"), key: in.keys.digest, renderer: renders,
		schema: func() canon.Schema { return in.schemas.current() }, now: time.Now, open: map[string]*mirrored{},
		credentials: in.access.of,
		alarm: func(repository, what string) {
			in.log.Error(nil, "look at this", "repository", repository, "what", what)
		},
	}
	in.keeper = prover.NewKeeper(in.state.World, &openings{install: in}, in.shelf, prover.Settings{
		Interval: in.o.Interval, Timeout: proveTimeout, Now: time.Now, Watcher: in.observer,
		Report: func(repository string, err error) {
			in.log.Error(err, "repository could not be proven", "repository", repository)
		},
	})
	in.live = controller.NewLive(in.cluster.typed.Discovery().RESTClient())
	mapper, err := apiutil.NewDynamicRESTMapper(in.cluster.config, in.cluster.http)
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	in.auditor = newAuditor(in, &lister{client: in.cluster.dynamic, mapper: mapper})
	in.cache, err = cache.New(in.cluster.config, cache.Options{
		HTTPClient: in.cluster.http, Scheme: in.cluster.client.Scheme(), Mapper: mapper, DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return fmt.Errorf("watching the cluster: %w", err)
	}
	in.status.Reader = in.cache
	return nil
}

func (in *install) types() canon.Types { return in.schemas.current() }
