package controller

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Denials tells of refused requests by Events on the binding that refused: the object whose owners can do
// something about it. The refused object may not exist, and whoever sent it was told already. A dry run
// leaves no Event.
//
// Events are for people: where there are too many, more are dropped and counted, and no verdict waits for
// one. Make it with NewDenials.
type Denials struct {
	reader  client.Reader // cache
	events  Recorder
	world   func() *tier.World
	dropped func()
	queue   chan denial

	mu    sync.Mutex
	rates map[string]*rate.Limiter // by namespace of the binding
}

// denial is one refused request, in words.
type denial struct {
	namespace, name string // of the binding
	object          *corev1.ObjectReference
	note            string
}

// The bounds on Events: of each binding a burst and then one in a while; and how many may wait.
const (
	denialBurst  = 10
	denialsEvery = 0.2 // a second
	denialQueue  = 256
	noteLimit    = 1000 // characters; the API takes 1024
)

// NewDenials returns what tells of denials. dropped is called for each that is not told; Run tells the rest.
func NewDenials(reader client.Reader, events Recorder, world func() *tier.World, dropped func()) *Denials {
	return &Denials{
		reader: reader, events: events, world: world, dropped: dropped,
		queue: make(chan denial, denialQueue), rates: map[string]*rate.Limiter{},
	}
}

// Tell notes a verdict. It never blocks. Of what is admitted, of dry runs, and where no binding is in
// force, there is nothing to tell.
func (d *Denials) Tell(v policy.Verdict, user string, dryRun bool) {
	if v.Admits() || dryRun {
		return
	}
	namespace, name := v.Object.Namespace, v1alpha1.BindingName
	w := d.world()
	if namespace == "" && v.Object.Kind == "Namespace" {
		namespace = v.Object.Name
	}
	if _, b := w.Tier(namespace); b == nil {
		if namespace, name = w.Install.Namespace, v1alpha1.ClusterBindingName; w.Cluster == nil {
			return
		}
	}
	line, _, _ := strings.Cut(v.Message(), "\n")
	told := denial{namespace: namespace, name: name, note: string(v.Operation) + " by " + policy.Quote(user) + ": " + line}
	told.object = &corev1.ObjectReference{Kind: v.Object.Kind, Namespace: v.Object.Namespace, Name: v.Object.Name}
	if !d.may(namespace) {
		d.dropped()
		return
	}
	select {
	case d.queue <- told:
	default:
		d.dropped()
	}
}

// may reports whether a binding may have another Event now.
func (d *Denials) may(namespace string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.rates[namespace]
	if !ok {
		l = rate.NewLimiter(denialsEvery, denialBurst)
		d.rates[namespace] = l
	}
	return l.Allow()
}

// Run records until the context ends.
func (d *Denials) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case told := <-d.queue:
			binding := &v1alpha1.TierBinding{}
			if d.reader.Get(ctx, types.NamespacedName{Namespace: told.namespace, Name: told.name}, binding) != nil {
				d.dropped()
				continue
			}
			binding.APIVersion, binding.Kind = v1alpha1.GroupVersion.String(), "TierBinding"
			// The object stands beside the binding: denials of one binding would else be taken for one.
			d.events.Eventf(binding, told.object, corev1.EventTypeWarning, "Refused", "Admit", "%s", cut(told.note, noteLimit))
		}
	}
}
