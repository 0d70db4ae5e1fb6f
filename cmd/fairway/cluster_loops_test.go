package main

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
)

// TestUnknownLoopsAreToldOnce: who may not list webhooks is asked again every second, and must not fill the log.
func TestUnknownLoopsAreToldOnce(t *testing.T) {
	var lines []string
	problem := errors.New("forbidden")
	in := &install{
		log: funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}),
		cluster: &connection{client: fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return problem },
		}).Build()},
	}
	in.ready.Store(true)
	l := newLooping(in, nil)
	for range 3 {
		if err := l.look(t.Context()); err == nil {
			t.Fatal("it is known")
		}
	}
	problem = errors.New("away")
	if err := l.look(t.Context()); err == nil {
		t.Fatal("it is known")
	}
	if len(lines) != 2 {
		t.Errorf("the log has %q", lines)
	}
}

// TestWhatAnAuditFoundIsNotTold, whichever binding delivered it.
func TestWhatAnAuditFoundIsNotTold(t *testing.T) {
	id := func(name string) change.ObjectID {
		return change.ObjectID{Kind: "ConfigMap", Namespace: "pilot", Name: name}
	}
	sweeps := []audited{{Sweep: controller.Sweep{Bound: []change.ObjectID{id("a")}}}, {Sweep: controller.Sweep{Drifted: []change.ObjectID{id("b")}, Bound: []change.ObjectID{id("c")}}}}
	got := undelivered([]controller.Written{{ID: id("a")}, {ID: id("b")}, {ID: id("c"), Since: true}, {ID: id("d")}}, sweeps)
	if diff := cmp.Diff([]controller.Written{{ID: id("b")}, {ID: id("d")}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
