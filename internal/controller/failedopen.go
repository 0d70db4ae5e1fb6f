package controller

import (
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Outage is a stretch of the API server's history in which no gate is known to have answered. It goes by
// resource versions, which nobody but the API server gives and which grow with each write; the times are for
// people.
type Outage struct {
	After, Until string // what was written after the one, and not after the other
	From, To     time.Time
}

// With is one outage that lasts from the beginning of the first of two to the end of the last.
func (o Outage) With(p Outage) Outage {
	if p.From.Before(o.From) {
		o.After, o.From = p.After, p.From
	}
	if p.To.After(o.To) {
		o.Until, o.To = p.Until, p.To
	}
	return o
}

// has reports whether a version was given in the outage, or since it: a later write, such as that of a
// status, leaves no trace of the one below it. A version that is none of the API server's own, such as another
// server's behind it may give, is neither.
func (o Outage) has(version string) (during, since bool) {
	after, err := resourceversion.CompareResourceVersion(version, o.After)
	if err != nil || after <= 0 {
		return false, false
	}
	until, err := resourceversion.CompareResourceVersion(version, o.Until)
	return err == nil && until <= 0, err == nil && until > 0
}

// Written is an object that was written during an outage, or may have been.
type Written struct {
	ID    change.ObjectID
	Tier  string // of its namespace
	Since bool   // its last write came after the outage, and may hide one during it
}

// Headers list what objects say of themselves, and nothing of what is in them.
type Headers interface {
	// Each calls with every object of a kind, in whatever namespace.
	Each(ctx context.Context, kind change.Kind, each func(metav1.Object)) error
}

// FailedOpen finds what an outage let by: objects of namespaces that a tier judges, and in open ones what tells
// engines where to deliver. What was deleted leaves nothing to find; that which was proven is missing in an
// audit. System namespaces and Fairway's own kinds are guarded by policies all the while.
type FailedOpen struct {
	Headers Headers
	World   func() *tier.World
	System  []string // namespaces
}

// Look lists every object of the given kinds: first those that were written last during the outage, then those that
// were written since. The second result names kinds that could not be read, and why. All are sorted.
func (f FailedOpen) Look(ctx context.Context, kinds []change.Kind, o Outage) (found []Written, unread []string) {
	w := f.World()
	for _, kind := range kinds {
		err := f.Headers.Each(ctx, kind, func(object metav1.Object) {
			during, since := o.has(object.GetResourceVersion())
			if t, judged := f.judged(w, kind, object.GetNamespace()); judged && (during || since) {
				id := change.ObjectID{Group: kind.Group, Kind: kind.Kind, Namespace: object.GetNamespace(), Name: object.GetName()}
				found = append(found, Written{ID: id, Tier: t, Since: since})
			}
		})
		if err != nil {
			unread = append(unread, kind.String()+": "+err.Error())
		}
	}
	slices.SortFunc(found, func(a, b Written) int {
		switch {
		case a.Since == b.Since:
			return a.ID.Compare(b.ID)
		case a.Since:
			return 1
		}
		return -1
	})
	slices.Sort(unread)
	return found, unread
}

// judged reports whether a gate should have been asked about a kind in a namespace, and the tier there.
func (f FailedOpen) judged(w *tier.World, kind change.Kind, namespace string) (name string, is bool) {
	if slices.Contains(f.System, namespace) {
		return "", false
	}
	t, _ := w.Tier(namespace)
	if name = t.Name; t.Missing() {
		name = "(none)" // the name of one that is not there is anybody's to choose
	}
	return name, t.Lane != tier.Open || slices.Contains(engineGroups(), kind.Group)
}

// Kinds are the namespaced kinds of a discovery that can be listed and whose writes gates are asked about,
// each in the version that comes first.
func Kinds(discovered []*metav1.APIResourceList) []change.Kind {
	var kinds []change.Kind
	seen := map[string]bool{}
	for _, list := range discovered {
		group, version, grouped := strings.Cut(list.GroupVersion, "/")
		if !grouped {
			group, version = "", list.GroupVersion
		}
		for _, r := range list.APIResources {
			w := write{group: group, resource: r.Name}
			if !r.Namespaced || strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") || seen[w.place()] ||
				group == v1alpha1.Group || w.exempt() {
				continue
			}
			seen[w.place()] = true
			kinds = append(kinds, change.Kind{Group: group, Version: version, Kind: r.Kind})
		}
	}
	return kinds
}
