package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// noted are Events in the order in which they were recorded.
type noted struct {
	mu  sync.Mutex
	all []string
}

func (n *noted) Eventf(regarding, related runtime.Object, kind, reason, _, note string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	binding, _ := regarding.(*v1alpha1.TierBinding)
	object, _ := related.(*corev1.ObjectReference)
	n.all = append(n.all, fmt.Sprintf("%s %s %s/%s about %s %s: %s", kind, reason, binding.Namespace, binding.UID, object.Kind, object.Name, fmt.Sprintf(note, args...)))
}

// denying runs a story with what tells of denials, and returns the Events and how many were dropped.
func denying(t *testing.T, story func(d *Denials)) ([]string, int) {
	t.Helper()
	world := &tier.World{
		Namespaces: map[string]tier.Namespace{"shop": {Name: "shop"}, "play": {Name: "play"}},
		Tiers:      map[string]tier.Tier{"production": {Name: "production"}},
		Bindings:   map[string]tier.Binding{"shop": {Namespace: "shop", Name: "tier", Tier: "production"}},
	}
	events, dropped := &noted{}, 0
	synctest.Test(t, func(t *testing.T) {
		scheme := runtime.NewScheme()
		if err := v1alpha1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&v1alpha1.TierBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "tier", UID: "1234"},
		}).Build()
		d := NewDenials(reader, events, func() *tier.World { return world }, func() { dropped++ })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		story(d)
		synctest.Wait()
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
	return events.all, dropped
}

func refusal(namespace, name string) policy.Verdict {
	return policy.Verdict{
		Outcome: policy.Deny, Enforcement: tier.Enforce, Tier: "production", Operation: "UPDATE",
		Object:   change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name},
		Findings: []policy.Finding{{Code: "FW202", Outcome: policy.Deny, Reason: "content differs", Detail: "spec.replicas"}},
	}
}

func TestDenialsAreToldOnTheBinding(t *testing.T) {
	events, dropped := denying(t, func(d *Denials) {
		d.Tell(refusal("shop", "web"), "mallory\nroot", false)
		d.Tell(refusal("shop", "dry"), "ada", true)  // a dry run leaves nothing
		d.Tell(refusal("play", "web"), "ada", false) // no binding, nobody to tell
		d.Tell(policy.Verdict{Outcome: policy.Allow}, "", false)
	})
	if len(events) != 1 || dropped != 0 {
		t.Fatalf("%d events, %d dropped: %q", len(events), dropped, events)
	}
	for _, want := range []string{"Warning Refused shop/1234 about Deployment web: UPDATE by ", "FW202", "mallory"} {
		if !strings.Contains(events[0], want) {
			t.Errorf("the event is %q, want %q in it", events[0], want)
		}
	}
	if strings.Contains(events[0], "\n") {
		t.Errorf("a user's name breaks the line: %q", events[0])
	}
}

// TestT59Events: a flood of refused requests becomes few Events, and the rest are counted.
func TestT59Events(t *testing.T) {
	const flood = 10_000
	events, dropped := denying(t, func(d *Denials) {
		for i := range flood {
			d.Tell(refusal("shop", fmt.Sprintf("web-%d", i)), "mallory", false)
		}
	})
	if len(events) != denialBurst || dropped != flood-denialBurst {
		t.Errorf("%d events and %d dropped of %d", len(events), dropped, flood)
	}
}
