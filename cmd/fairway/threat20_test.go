package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// panicking are rooms that panic whenever they are asked.
type panicking struct{}

func (panicking) Asked(string, []byte, []byte) policy.GlassRequest { panic("the test has it panic") }

// TestT20APanicInEachStage: whichever stage of a verdict panics, the answer is a denial with the request's uid, and is
// counted; whether the request would have been admitted, refused or let by without being judged. What stands around
// the stages, and the signatures below them, have tests of their own by this name.
func TestT20APanicInEachStage(t *testing.T) {
	l := newLab(t)
	real := l.in.rooms
	real.Live = liveObjects{"ReplicaSet web-1": livingSet}
	real.Age, real.Limit = func() time.Duration { return 0 }, time.Minute
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	good := story.Web(2, "", "2.0")
	reviews := l.refusedReviews(good, merge)
	for name, w := range map[string]story.Write{
		"what is proven": l.apply(good, merge),
		"in a sandbox":   {Object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: play}}", User: "sara", Manager: "kubectl"},
	} {
		review, _, err := l.server.Try(w)
		if err != nil {
			t.Fatal(err)
		}
		reviews[name] = review
	}
	l.moreReviews(reviews)
	world := *l.in.directory.state.World()
	world.Install.Sealed, world.Install.ProverUsers = true, []string{"fairway"}
	sealed := real
	sealed.World = func() *tier.World { return &world }
	denied := func(rooms gate.Rooms, review *admissionv1.AdmissionReview, what string) (panics float64) {
		t.Helper()
		registry, front := prometheus.NewRegistry(), l.front
		defer func() { l.front = front }()
		l.front = webhook.New(gate.New(rooms), webhook.Options{Registry: registry}).Handler()
		answer := l.ask(review)
		if panics = counter(t, registry, "fairway_admission_panics_total"); panics > 0 && (answer.Allowed || answer.Result == nil || answer.Result.Code != 403 || answer.UID != review.Request.UID) {
			t.Errorf("%s: a panic is answered with %+v", what, answer)
		}
		return panics
	}
	reached := map[string]int{}
	for name, review := range reviews {
		for _, rooms := range []gate.Rooms{real, sealed} {
			whole := &faulty{real: rooms, fails: -1}
			if denied(whole.rooms(), review, name) != 0 {
				t.Errorf("%s: something panics by itself", name)
			}
			for i, call := range whole.calls {
				f := &faulty{real: rooms, fails: i, panics: true}
				if n := denied(f.rooms(), review, name+", "+call); f.failed && n != 1 {
					t.Errorf("%s: a panic of %s was counted %v times", name, call, n)
				}
				reached[call]++
			}
			for stage, rooms := range inMemoryPanics(rooms) {
				reached[stage] += int(denied(rooms, review, name+", "+stage))
			}
		}
	}
	for _, stage := range []string{
		"World", "Types", "Now", "Age", "Glasses", "Proofs.Speaking", "Proofs.Of", "Marks.Delivered", "Marks.Deliver", "Live.Object",
		"Records.Grants", "Records.Rollbacks", "Records.SelfSigned", "Making.Wanted", "Origins.Of", "Engines.Reaches", "Engines.Repeats", "Engines.Claimed",
		"Compile.Namespace", "Compile.Binding", "Sealing",
	} {
		if reached[stage] == 0 {
			t.Errorf("%s never panicked", stage)
		}
	}
}

// inMemoryPanics are rooms of which one panics that never fails: what is held in memory as a whole.
func inMemoryPanics(real gate.Rooms) map[string]gate.Rooms {
	all := map[string]gate.Rooms{}
	for stage, change := range map[string]func(*gate.Rooms){
		"World":   func(r *gate.Rooms) { r.World = func() *tier.World { panic("the test has it panic") } },
		"Types":   func(r *gate.Rooms) { r.Types = func() canon.Types { panic("the test has it panic") } },
		"Now":     func(r *gate.Rooms) { r.Now = func() time.Time { panic("the test has it panic") } },
		"Age":     func(r *gate.Rooms) { r.Age = func() time.Duration { panic("the test has it panic") } },
		"Glasses": func(r *gate.Rooms) { r.Glasses = panicking{} },
		"Sealing": func(r *gate.Rooms) {
			r.Sealing = func(tier.Binding, *tier.World) change.Found { panic("the test has it panic") }
		},
	} {
		rooms := real
		change(&rooms)
		all[stage] = rooms
	}
	return all
}

// moreReviews adds requests that ask for stages which no change of a workload does.
func (l *lab) moreReviews(reviews map[string]*admissionv1.AdmissionReview) {
	l.t.Helper()
	own := func(kind, resource, namespace, name, user string, object []byte) *admissionv1.AdmissionReview {
		review := reviews["an edit by hand"].DeepCopy()
		r := review.Request
		r.Kind.Group, r.Kind.Version, r.Kind.Kind = "fairway.dev", "v1alpha1", kind
		r.Resource.Group, r.Resource.Version, r.Resource.Resource = "fairway.dev", "v1alpha1", resource
		r.RequestKind, r.RequestResource = nil, nil
		r.Namespace, r.Name, r.Operation, r.UserInfo.Username = namespace, name, admissionv1.Create, user
		r.Object, r.OldObject = runtime.RawExtension{Raw: object}, runtime.RawExtension{}
		return review
	}
	reviews["a request for break-glass"] = own("BreakGlass", "breakglasses", "shop", "incident", "sara", asJSON(l.t, l.glass("incident", l.emergency("sara"))))
	reviews["a proof by Fairway's user"] = own("ProvenCommit", "provencommits", "shop", "x", "fairway",
		[]byte(`{"apiVersion":"fairway.dev/v1alpha1","kind":"ProvenCommit","metadata":{"name":"x","namespace":"shop"},"spec":{}}`))
	reviews["the sealing write"] = own("TierBinding", "tierbindings", "fairway-system", "cluster", "sara",
		[]byte(`{"apiVersion":"fairway.dev/v1alpha1","kind":"TierBinding","metadata":{"name":"cluster","namespace":"fairway-system"},"spec":{"tier":"production"}}`))
	review, _, err := l.server.Try(story.Write{User: "sara", Manager: "kubectl", Object: `apiVersion: v1
kind: ConfigMap
metadata:
  name: delivered
  namespace: shop
  labels: {kustomize.toolkit.fluxcd.io/name: shop, kustomize.toolkit.fluxcd.io/namespace: flux-system}
`})
	if err != nil {
		l.t.Fatal(err)
	}
	reviews["marked as an engine's"] = review
}

// counter is the sum of a metric.
func counter(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
