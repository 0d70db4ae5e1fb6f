package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
)

// mostOpened is how many objects of one outage have an Event each, and how many stand in one line of the log, which
// has all.
const mostOpened = 100

// moment is a point in the history of the API server. One without a version is unknown.
type moment struct {
	version string
	at      time.Time
}

// outages are those that nobody has looked through yet, as one.
type outages struct {
	mu  sync.Mutex
	all *controller.Outage // nil: there is none
}

func (o *outages) add(more controller.Outage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all != nil {
		more = o.all.With(more)
	}
	o.all = &more
}

// take is what there is, which nobody else gets; nil: nothing.
func (o *outages) take() *controller.Outage {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.all
	o.all = nil
	return all
}

// written is the point that the API server's history has come to; unknown where it does not say.
func (g *guarding) written(ctx context.Context) moment {
	now := time.Now()
	var list corev1.NamespaceList
	if err := g.cluster.client.List(ctx, &list, client.Limit(1)); err != nil {
		return moment{}
	}
	return moment{list.ResourceVersion, now}
}

// passed notes what became of a canary that was sent after a moment. One that a gate refuses ends an outage,
// which began after the last one that a gate refused. Where somebody changed the configuration, it began after the one
// before: the last may have been sung in the midst of it.
func (g *guarding) passed(at moment, problem error, written func() moment) {
	if problem != nil {
		g.dark = true
		return
	}
	from, torn := g.lit, g.torn.Swap(false)
	if torn && g.earlier.version != "" {
		from = g.earlier
	}
	if g.dark || torn {
		end := written()
		switch {
		case from.version == "":
			g.log.Info("nobody knows since when no gate answered: only what audits read is looked through")
		case end.version == "":
			g.torn.Store(torn)
			g.dark = true // the next canary ends it
			return
		default:
			g.outages.add(controller.Outage{After: from.version, Until: end.version, From: from.at, To: end.at})
			g.auditBell.Ring()
		}
		g.dark = false
	}
	if at.version != "" {
		g.earlier, g.lit = g.lit, at
	}
}

// headers list the metadata of live objects of any kind: neither memory nor the log gets what is in them.
type headers struct{ client client.Reader }

// headersPage is how many objects one answer holds. Annotations and managed fields may be a third of a megabyte each.
const headersPage = 200

// Each calls with every object of a kind.
func (h headers) Each(ctx context.Context, kind change.Kind, each func(metav1.Object)) error {
	page := client.ListOptions{Limit: headersPage}
	for {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind + "List"})
		if err := h.client.List(ctx, &list, &page); err != nil {
			return fmt.Errorf("listing: %w", err)
		}
		for i := range list.Items {
			each(&list.Items[i])
		}
		if page.Continue = list.Continue; page.Continue == "" {
			return nil
		}
	}
}

// tellOutages names what was written while no gate is known to have answered, but for what an audit found to
// be as it was delivered.
func (p *proving) tellOutages(ctx context.Context, sweeps []audited) error {
	o := p.outages.take()
	if o == nil {
		return nil
	}
	_, served, err := p.cluster.typed.Discovery().ServerGroupsAndResourcesWithContext(ctx)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		p.outages.add(*o)
		return fmt.Errorf("reading what the API server serves: %w", err)
	}
	look := controller.FailedOpen{Headers: headers{p.cluster.client}, World: p.state.World, System: system(p.o)}
	found, unread := look.Look(ctx, controller.Kinds(served), *o)
	if err != nil {
		unread = append(unread, err.Error())
	}
	p.tellOutage(ctx, *o, undelivered(found, sweeps), unread)
	return nil
}

// undelivered leaves out what an audit found as it was delivered.
func undelivered(found []controller.Written, sweeps []audited) []controller.Written {
	bound := map[change.ObjectID]bool{}
	for _, a := range sweeps {
		for _, id := range a.Sweep.Bound {
			bound[id] = true
		}
	}
	return slices.DeleteFunc(found, func(w controller.Written) bool { return bound[w.ID] })
}

func (p *proving) tellOutage(ctx context.Context, o controller.Outage, found []controller.Written, unread []string) {
	for i, w := range found {
		p.observer.opened.WithLabelValues(w.Tier).Inc()
		if i < mostOpened {
			p.warnOfWritten(ctx, o, w)
		}
	}
	p.log.Error(nil, "no gate is known to have answered for a while, and objects were written meanwhile or since, as far as they may be read",
		"from", o.From, "to", o.To, "objects", len(found), "unread", unread)
	for part := range slices.Chunk(found, mostOpened) {
		names := map[bool][]string{}
		for _, w := range part {
			names[w.Since] = append(names[w.Since], w.ID.String())
		}
		p.log.Error(nil, "these objects were written while no gate is known to have answered, or since", "from", o.From, "to", o.To, "meanwhile", names[false], "since", names[true])
	}
	p.warn("FailedOpen", fmt.Sprintf("between %s and %s no gate is known to have answered; %d objects were written meanwhile or since that no proof accounts for, and %d kinds could not be read: see the Events of their bindings, and the prover's log",
		clock(o.From), clock(o.To), len(found), len(unread)), nil)
}

// warnOfWritten tells of one object on the binding of its namespace, or that of the cluster where it has none.
func (p *proving) warnOfWritten(ctx context.Context, o controller.Outage, w controller.Written) {
	about := &corev1.ObjectReference{Kind: w.ID.Kind, Namespace: w.ID.Namespace, Name: w.ID.Name}
	note := fmt.Sprintf("%s was written between %s and %s, when no gate is known to have answered: look at it", w.ID, clock(o.From), clock(o.To))
	if w.Since {
		note = fmt.Sprintf("%s was written last after %s, and perhaps since %s, when no gate is known to have answered: look at it", w.ID, clock(o.To), clock(o.From))
	}
	on := &v1alpha1.TierBinding{}
	if err := p.cache.Get(ctx, client.ObjectKey{Namespace: w.ID.Namespace, Name: v1alpha1.BindingName}, on); err != nil {
		p.warn("FailedOpen", note, about)
		return
	}
	p.events.Eventf(on, about, corev1.EventTypeWarning, "FailedOpen", "Sweep", "%s", note)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
