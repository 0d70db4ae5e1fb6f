package controller

import (
	"context"
	"encoding/json"
	"fmt"
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

// has reports whether a write fell into the outage. A version that is none of the API server's own, such as
// another server's behind it may give, is in none.
func (o Outage) has(version string) bool {
	after, err := resourceversion.CompareResourceVersion(version, o.After)
	if err != nil || after <= 0 {
		return false
	}
	until, err := resourceversion.CompareResourceVersion(version, o.Until)
	return err == nil && until <= 0
}

// Written is an object that was written last during an outage.
type Written struct {
	ID   change.ObjectID
	Tier string // of its namespace
}

// FailedOpen finds what an outage let by: objects of namespaces that a tier judges, and in open ones what tells
// engines where to deliver. What was deleted leaves nothing to find; that which was proven is missing in an
// audit. System namespaces and Fairway's own kinds are guarded by policies all the while.
type FailedOpen struct {
	Lister Lister
	World  func() *tier.World
	System []string // namespaces
}

// Look lists every object of the given kinds. The second result names kinds that could not be read, and why.
// Both are sorted.
func (f FailedOpen) Look(ctx context.Context, kinds []change.Kind, o Outage) (found []Written, unread []string) {
	w := f.World()
	for _, kind := range kinds {
		err := f.Lister.List(ctx, kind, "", func(raw []byte) error {
			var object metav1.PartialObjectMetadata
			if err := json.Unmarshal(raw, &object); err != nil {
				return fmt.Errorf("reading a live object: %w", err)
			}
			if t, judged := f.judged(w, kind, object.Namespace); judged && o.has(object.ResourceVersion) {
				id := change.ObjectID{Group: kind.Group, Kind: kind.Kind, Namespace: object.Namespace, Name: object.Name}
				found = append(found, Written{ID: id, Tier: t})
			}
			return nil
		})
		if err != nil {
			unread = append(unread, kind.String()+": "+err.Error())
		}
	}
	slices.SortFunc(found, func(a, b Written) int { return a.ID.Compare(b.ID) })
	slices.Sort(unread)
	return found, unread
}

// judged reports whether a gate should have been asked about a kind in a namespace, and the tier there.
func (f FailedOpen) judged(w *tier.World, kind change.Kind, namespace string) (name string, is bool) {
	if slices.Contains(f.System, namespace) {
		return "", false
	}
	t, _ := w.Tier(namespace)
	return t.Name, t.Lane != tier.Open || slices.Contains(engineGroups(), kind.Group)
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
