package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/internal/change"
)

// allNamespaces lists by kind, and holds that nobody asks for one namespace.
type allNamespaces struct {
	t    *testing.T
	live lives
}

func (l allNamespaces) List(ctx context.Context, kind change.Kind, namespace string, each func([]byte) error) error {
	if namespace != "" {
		l.t.Errorf("%s was listed in %q alone", kind, namespace)
	}
	return l.live.List(ctx, kind, namespace, each)
}

func wrote(kind, namespace, name, version string) string {
	return `{"kind":"` + kind + `","metadata":{"name":"` + name + `","namespace":"` + namespace + `","resourceVersion":"` + version + `"}}`
}

// TestTheSweepGoesByWhatTheAPIServerGives: what was written in an outage is told by its resource version, which
// nobody else can choose, in every namespace that is judged and of every kind that may be read.
func TestTheSweepGoesByWhatTheAPIServerGives(t *testing.T) {
	live := allNamespaces{t, lives{
		"ConfigMap": {
			wrote("ConfigMap", "pilot", "before", "99"), wrote("ConfigMap", "pilot", "at", "100"), wrote("ConfigMap", "pilot", "first", "101"),
			wrote("ConfigMap", "pilot", "last", "1200"), wrote("ConfigMap", "pilot", "after", "1201"), wrote("ConfigMap", "pilot", "longer", "11000"),
			wrote("ConfigMap", "soon", "warned", "500"), wrote("ConfigMap", "shop", "strict", "500"), wrote("ConfigMap", "free", "default", "500"),
			wrote("ConfigMap", "play", "sandbox", "500"), wrote("ConfigMap", "kube-system", "system", "500"),
			wrote("ConfigMap", "pilot", "none", ""), wrote("ConfigMap", "pilot", "other", "x500"),
		},
		"Kustomization": {wrote("Kustomization", "play", "engine", "700")},
	}}
	f := FailedOpen{Lister: live, World: tiered, System: testHooks.System}
	kinds := []change.Kind{
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"},
	}
	found, unread := f.Look(t.Context(), kinds, Outage{After: "100", Until: "1200"})
	in := func(kind, namespace, name, t string) Written {
		w := Written{ID: change.ObjectID{Kind: kind, Namespace: namespace, Name: name}, Tier: t}
		if kind == "Kustomization" {
			w.ID.Group = "kustomize.toolkit.fluxcd.io"
		}
		return w
	}
	want := []Written{
		in("ConfigMap", "free", "default", "production"), in("ConfigMap", "pilot", "first", "trial"), in("ConfigMap", "pilot", "last", "trial"),
		in("ConfigMap", "shop", "strict", "production"), in("ConfigMap", "soon", "warned", "warned"), in("Kustomization", "play", "engine", "sandbox"),
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1 Secret: forbidden"}, unread); diff != "" {
		t.Errorf("unread: -want +got:\n%s", diff)
	}
}

// broken says one thing that is no object.
type broken struct{}

func (broken) List(_ context.Context, _ change.Kind, _ string, each func([]byte) error) error {
	return errors.Join(each([]byte(`[`)))
}

// TestAnObjectThatCannotBeReadIsTold, and is not taken for one that is in order.
func TestAnObjectThatCannotBeReadIsTold(t *testing.T) {
	f := FailedOpen{Lister: broken{}, World: tiered}
	found, unread := f.Look(t.Context(), []change.Kind{{Version: "v1", Kind: "ConfigMap"}}, Outage{After: "1", Until: "9"})
	if len(found) != 0 || len(unread) != 1 {
		t.Errorf("found %v, unread %q", found, unread)
	}
}

// TestKindsThatAreSwept are those that gates are asked about, once each.
func TestKindsThatAreSwept(t *testing.T) {
	want := []change.Kind{
		{Version: "v1", Kind: "ConfigMap"}, {Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "toys.example", Version: "v1", Kind: "Toy"},
		{Group: "traps.example", Version: "v1", Kind: "Options"},
	}
	if diff := cmp.Diff(want, Kinds(append(served(), &metav1.APIResourceList{GroupVersion: "metrics.k8s.io/v1beta1", APIResources: []metav1.APIResource{
		{Name: "asks", Namespaced: true, Kind: "Ask", Verbs: metav1.Verbs{"create"}},
	}}))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
