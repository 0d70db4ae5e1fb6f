package main

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/cli"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/store"
)

// refusal is what the API server says where the entry of a webhook refused.
func refusal(entry string) error {
	return apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New(`admission webhook "`+entry+`" denied the request: no`))
}

// guardLab is a guard over an API server in memory whose answer to the canary is the test's.
type guardLab struct {
	*guarding
	api     client.Client
	answer  error // to the canary
	sweeps  chan struct{}
	answers error // of the gates
	version int   // of what was written last
}

func newGuardLab(t *testing.T) *guardLab {
	t.Helper()
	l := &guardLab{sweeps: make(chan struct{}, 16)}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{admissionv1.AddToScheme, coordinationv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	l.api = fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
			if l.version == 0 {
				return errors.New("the API server is away")
			}
			l.version++
			list.SetResourceVersion(strconv.Itoa(l.version))
			return nil
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if _, canary := o.(*v1alpha1.ProvenCommit); canary {
				return l.answer
			}
			o.SetGeneration(1)
			return c.Create(ctx, o, opts...)
		},
	}).Build()
	bell := controller.NewBell(0, 0)
	in := &install{
		o: cli.ServeOptions{Namespace: "fairway-system"}, log: logr.Discard(), cluster: &connection{client: l.api},
		state: store.NewState(), events: events.NewFakeRecorder(64), auditBell: bell,
	}
	in.o.Webhook.Name, in.o.Webhook.Service = "fairway", "fairway"
	l.guarding = newGuarding(in)
	l.guard.Answers = func(context.Context, admissionv1.WebhookClientConfig) error { return l.answers }
	in.ready.Store(true)
	go func() {
		_ = bell.Run(t.Context(), 0, func(context.Context) error { l.sweeps <- struct{}{}; return nil }) // ends with the test
	}()
	return l
}

// isUp is what the metric says of enforcement.
func (l *guardLab) isUp(t *testing.T) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.up)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

// swept awaits a sweep.
func (l *guardLab) swept(t *testing.T, what string) {
	t.Helper()
	select {
	case <-l.sweeps:
	case <-time.After(10 * time.Second):
		t.Errorf("%s: nothing was swept", what)
	}
}

// TestTheCanaryFailsAndRecovers: enforcement is up only where the entry of a gate refused, whoever else
// refuses; when it comes back, what went by is looked for.
func TestTheCanaryFailsAndRecovers(t *testing.T) {
	l := newGuardLab(t)
	var before error
	if before = l.sing(t.Context(), before); l.isUp(t) != 0 {
		t.Error("enforcement is up before anything was tried")
	}
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		answer error
		up     float64
		sweeps bool
	}{
		{"refused by a gate", refusal("self.fairway.dev"), 1, false},
		{"admitted", nil, 0, false},
		{"refused by another", refusal("self.example.com"), 0, false},
		{"refused by a gate again", refusal("self.fairway.dev"), 1, true},
		{"no gate answers", apierrors.NewInternalError(errors.New(`failed calling webhook "self.fairway.dev"`)), 0, false},
		{"no API server answers", errors.New("connection refused"), 0, false},
		{"by right", apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("no right")), 0, false},
		{"back", refusal("self.fairway.dev"), 1, true},
		{"as before", refusal("self.fairway.dev"), 1, false},
	} {
		l.answer = step.answer
		before = l.sing(t.Context(), before)
		if up := l.isUp(t); up != step.up {
			t.Errorf("%s: enforcement is %v, want %v", step.name, up, step.up)
		}
		if step.sweeps {
			l.swept(t, step.name)
		}
	}
	if len(l.sweeps) > 0 {
		t.Error("something was swept without a reason")
	}
}

// TestAnOutageIsBetweenTwoCanaries: it begins before the last canary that a gate refused, and ends after the
// first that one refuses again; a version that could not be read makes it longer, and never shorter.
func TestAnOutageIsBetweenTwoCanaries(t *testing.T) {
	l := newGuardLab(t)
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	var before error
	for i, step := range []struct {
		name    string
		version int // of the API server; 0: it does not say
		answer  error
		want    []string // of the outage that is over
	}{
		{"nobody knows since when", 10, errors.New("no"), nil},
		{"it is over, and began before this process", 20, refusal("self.fairway.dev"), nil},
		{"up", 30, refusal("self.fairway.dev"), nil},
		{"up, and the version unread", 0, refusal("self.fairway.dev"), nil},
		{"down", 50, errors.New("no"), nil},
		{"still down", 60, nil, nil},
		{"back, and the version unread", 0, refusal("self.fairway.dev"), nil},
		{"back", 80, refusal("self.fairway.dev"), []string{"31", "82"}},
		{"up again", 90, refusal("self.fairway.dev"), nil},
		{"down again", 100, errors.New("no"), nil},
		{"back again", 110, refusal("self.fairway.dev"), []string{"91", "112"}},
	} {
		l.version, l.answer = step.version, step.answer
		before = l.sing(t.Context(), before)
		var got []string
		if o := l.outages.take(); o != nil {
			got = []string{o.After, o.Until}
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%d, %s: -want +got:\n%s", i, step.name, diff)
		}
	}
}

// TestT06TheCanaryFindsWhatCannotBeMadeAgain: a configuration was removed while no gate answers, so that
// it cannot come back. Enforcement must not be told to be up from memory.
func TestT06TheCanaryFindsWhatCannotBeMadeAgain(t *testing.T) {
	l := newGuardLab(t)
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.answer = refusal("self.fairway.dev")
	before := l.sing(t.Context(), nil)
	hook := &admissionv1.ValidatingWebhookConfiguration{}
	hook.Name = "fairway"
	if err := l.api.Delete(t.Context(), hook); err != nil {
		t.Fatal(err)
	}
	l.answer, l.answers = nil, errors.New("no gate")
	if err := l.reconcile(t.Context()); !errors.Is(err, l.answers) {
		t.Fatalf("without a gate: %v", err)
	}
	if err := l.sing(t.Context(), before); err == nil || l.isUp(t) != 0 {
		t.Errorf("enforcement is up with no configuration: the canary said %v", err)
	}
}

// TestT06TamperingIsSwept: what was admitted between a change by others and the next look of the guard is
// looked for, also where no canary was sung meanwhile.
func TestT06TamperingIsSwept(t *testing.T) {
	l := newGuardLab(t)
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	hook := &admissionv1.ValidatingWebhookConfiguration{}
	hook.Name = "fairway"
	if err := l.api.Delete(t.Context(), hook); err != nil {
		t.Fatal(err)
	}
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.swept(t, "removed")
}

// TestT06WhatTamperingLetByIsNamed: entries may have been gone between two canaries that gates refused, so what was
// written since the one before is looked for. The last canary may have been sung while they were.
func TestT06WhatTamperingLetByIsNamed(t *testing.T) {
	l := newGuardLab(t)
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	var before error
	l.answer = refusal("self.fairway.dev")
	for _, version := range []int{10, 20, 30} {
		l.version = version
		before = l.sing(t.Context(), before)
	}
	live := &admissionv1.ValidatingWebhookConfiguration{}
	if err := l.api.Get(t.Context(), client.ObjectKey{Name: "fairway"}, live); err != nil {
		t.Fatal(err)
	}
	live.Webhooks, live.Generation = live.Webhooks[1:], live.Generation+1
	if err := l.api.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if err := l.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.version = 40
	before = l.sing(t.Context(), before)
	if o := l.outages.take(); o == nil || o.After != "21" || o.Until != "42" {
		t.Errorf("after tampering %+v is looked through, want after 21 and until 42", o)
	}
	if err := l.sing(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if o := l.outages.take(); o != nil {
		t.Errorf("it is looked through again: %+v", o)
	}
}
