package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// connection is how a cluster is reached. None of the clients reads from a cache or waits for a turn:
// the API server has priorities of its own.
type connection struct {
	config  *rest.Config
	http    *http.Client
	client  client.Client
	typed   kubernetes.Interface
	dynamic dynamic.Interface
}

// connect reaches the cluster of a kubeconfig; empty: the one that the process runs in.
func connect(kubeconfig string) (*connection, error) {
	config, err := configOf(kubeconfig)
	if err != nil {
		return nil, err
	}
	return connected(config)
}

func connected(config *rest.Config) (*connection, error) {
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

// install is one install of Fairway in a cluster: what every process of it keeps, whichever role it
// has. What decides is put in force by it; roles do the rest.
type install struct {
	o          cli.ServeOptions
	log        logr.Logger
	cluster    *connection
	clusterID  string
	me         string // our own user name
	account    string // UID of our own user, where it is a service account
	keys       keys
	seal       *store.Seal
	mapper     meta.RESTMapper
	cache      cache.Cache
	hearing    *controller.Hearing
	state      *store.State
	glass      *glassBook
	schemas    *schemas
	index      *store.Index
	archive    *store.Archive
	deliveries *store.Deliveries
	observer   *observer
	events     events.EventRecorder
	hooks      []hooks // one for each role

	broadcaster events.EventBroadcaster

	worldBell, statusBell, auditBell *controller.Bell

	outages outages

	synced []func() bool
	ready  atomic.Bool
}

// hooks are what a role wants to hear of. A nil one hears nothing; none may block.
type hooks struct {
	// renewed: a world is in force in place of another.
	renewed func(*tier.World)
	// glasses: what every BreakGlass amounts to now.
	glasses func(map[[2]string]controller.Glass)
	// glassed: a BreakGlass changed.
	glassed func(before, now *v1alpha1.BreakGlass)
	// delivered: a Delivery changed.
	delivered func(*v1alpha1.Delivery)
	// defined: the custom kinds that there are.
	defined func([]apiextensionsv1.CustomResourceDefinition)
	// distrusted: something in the cluster is not believed.
	distrusted func()
}

// hear calls one hook of every role.
func hear[F any](in *install, which func(hooks) F, call func(F)) {
	for _, h := range in.hooks {
		if f := which(h); !reflect.ValueOf(f).IsNil() {
			call(f)
		}
	}
}

// newInstall connects to a cluster. Roles are added to it before it watches anything.
func newInstall(ctx context.Context, o cli.ServeOptions, log logr.Logger, seen *observer) (*install, error) {
	in := &install{
		o: o, log: log, state: store.NewState(), glass: &glassBook{}, schemas: newSchemas(), index: store.NewIndex(),
		worldBell:  controller.NewBell(20*time.Millisecond, 200*time.Millisecond),
		statusBell: controller.NewBell(100*time.Millisecond, time.Second),
		auditBell:  controller.NewBell(2*time.Second, 30*time.Second),
		observer:   seen,
	}
	in.hearing = controller.NewHearing(silence(o), log)
	seen.hears(in.hearing.Age)
	var err error
	if in.cluster, err = connect(o.Kubeconfig); err != nil {
		return nil, err
	}
	if in.clusterID, err = in.cluster.clusterID(ctx); err != nil {
		return nil, err
	}
	if in.me, in.account, err = whoAmI(ctx, in.cluster.typed); err != nil {
		return nil, err
	}
	if in.mapper, err = apiutil.NewDynamicRESTMapper(in.cluster.config, in.cluster.http); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	in.cache, err = cache.New(in.cluster.config, cache.Options{
		HTTPClient: in.cluster.http, Scheme: in.cluster.client.Scheme(), Mapper: in.mapper, DefaultTransform: cache.TransformStripManagedFields(),
		NewInformer: in.hearing.NewInformer,
	})
	if err != nil {
		return nil, fmt.Errorf("watching the cluster: %w", err)
	}
	in.broadcaster = events.NewBroadcaster(&events.EventSinkImpl{Interface: in.cluster.typed.EventsV1()})
	in.events = in.broadcaster.NewRecorder(in.cluster.client.Scheme(), "fairway")
	return in, nil
}

// unseal reads the latch. A new install, whose keys were made just now, gets one.
func (in *install) unseal(ctx context.Context, isNew bool) error {
	in.seal = store.NewSeal(in.cluster.client, in.o.Namespace, in.clusterID, in.keys.secret)
	err := in.seal.Load(ctx, isNew)
	if errors.Is(err, store.ErrSeal) {
		in.log.Error(err, "look at this")
		return nil
	}
	return err
}

// stock makes what keeps proofs and marks. It needs the keys.
func (in *install) stock() {
	in.archive = store.NewArchive(in.index, in.keys, in.clusterID)
	in.deliveries = store.NewDeliveries(in.cluster.client, in.archive.Proven)
	in.archive.Changed = func(key change.SourceKey) {
		in.deliveries.Refresh(key)
		in.statusBell.Ring()
		in.auditBell.Ring()
	}
	in.archive.Rejected = func(namespace, name, why string) {
		in.observer.rejected.WithLabelValues(why).Inc()
		in.log.Error(nil, "a ProvenCommit is not believed", "namespace", namespace, "name", name, "why", why)
		if in.ready.Load() {
			hear(in, func(h hooks) func() { return h.distrusted }, func(f func()) { f() })
		}
	}
}

// work is what keeps an install current, whatever its role.
func (in *install) work() []func(context.Context) error {
	return []func(context.Context) error{in.cache.Start, in.begin, in.announce, in.consult}
}

// announce sends Events until the context ends.
func (in *install) announce(ctx context.Context) error {
	defer in.broadcaster.Shutdown()
	if err := in.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("recording Events: %w", err)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (in *install) types() canon.Types { return in.schemas.current() }
