package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/internal/change"
)

// headers are objects by kind; a kind that is not in it may not be read.
type headers map[string][]metav1.ObjectMeta

func (h headers) Each(_ context.Context, kind change.Kind, each func(metav1.Object)) error {
	objects, ok := h[kind.Kind]
	if !ok {
		return errors.New("forbidden")
	}
	for i := range objects {
		each(&objects[i])
	}
	return nil
}

func wrote(namespace, name, version string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, ResourceVersion: version}
}

// TestTheSweepGoesByWhatTheAPIServerGives: what was written in an outage is told by its resource version, which
// nobody else can choose, in every namespace that is judged and of every kind that may be read. What was written
// since is told after it: a status that somebody writes, or the writer itself once gates are back, must not hide what
// went by.
func TestTheSweepGoesByWhatTheAPIServerGives(t *testing.T) {
	live := headers{
		"ConfigMap": {
			wrote("pilot", "before", "99"), wrote("pilot", "at", "100"), wrote("pilot", "first", "101"),
			wrote("pilot", "last", "1200"), wrote("pilot", "after", "1201"), wrote("pilot", "longer", "11000"),
			wrote("soon", "warned", "500"), wrote("shop", "strict", "500"), wrote("free", "default", "500"),
			wrote("play", "sandbox", "500"), wrote("kube-system", "system", "500"),
			wrote("lost", "of no tier", "500"), wrote("unknown", "of nobody", "500"), wrote("pilot", "none", ""), wrote("pilot", "other", "x500"),
		},
		"Kustomization": {wrote("play", "engine", "700"), wrote("play", "reconciled", "1300")},
	}
	f := FailedOpen{Headers: live, World: tiered, System: testHooks.System}
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
	since := func(w Written) Written { w.Since = true; return w }
	want := []Written{
		in("ConfigMap", "free", "default", "production"), in("ConfigMap", "lost", "of no tier", "(none)"), in("ConfigMap", "pilot", "first", "trial"), in("ConfigMap", "pilot", "last", "trial"),
		in("ConfigMap", "shop", "strict", "production"), in("ConfigMap", "soon", "warned", "warned"),
		in("ConfigMap", "unknown", "of nobody", "(none)"), in("Kustomization", "play", "engine", "sandbox"),
		since(in("ConfigMap", "pilot", "after", "trial")), since(in("ConfigMap", "pilot", "longer", "trial")),
		since(in("Kustomization", "play", "reconciled", "sandbox")),
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1 Secret: forbidden"}, unread); diff != "" {
		t.Errorf("unread: -want +got:\n%s", diff)
	}
}

// TestOutagesThatWaitAreOne: who makes gates come and go must not have everything listed once for each time.
func TestOutagesThatWaitAreOne(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	first := Outage{After: "9", Until: "20", From: at(1), To: at(2)}
	second := Outage{After: "30", Until: "100", From: at(3), To: at(4)}
	want := Outage{After: "9", Until: "100", From: at(1), To: at(4)}
	for _, got := range []Outage{first.With(second), second.With(first)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
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
