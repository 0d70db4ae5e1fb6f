package main

import (
	"context"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// liveObjects are what a cluster holds, by kind and name.
type liveObjects map[string]string

func (l liveObjects) Object(_ context.Context, kind change.Kind, _, name string) ([]byte, change.Found) {
	raw, ok := l[kind.Kind+" "+name]
	return []byte(raw), change.FoundIf(ok)
}

const (
	ownedPod = `apiVersion: v1
kind: Pod
metadata:
  name: web-1-abcde
  namespace: shop
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: "11", controller: true}]
spec:
  containers: [{name: evil, image: evil}]
`
	livingSet = `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web-1","namespace":"shop","uid":"11"},
"spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web"}]}}}}`
)

// TestT19AnErrorAtEveryCall: what is refused stays refused, whichever of the calls fails by which a gate learns
// something, and however it fails; what is proven is admitted or refused with an answer.
func TestT19AnErrorAtEveryCall(t *testing.T) {
	l := newLab(t)
	real := l.in.rooms
	real.Live = liveObjects{"ReplicaSet web-1": livingSet}
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	good := story.Web(2, "", "2.0")
	called := map[string]int{}
	for name, review := range l.refusedReviews(good, merge) {
		l.eachFails(real, review, func(f *faulty, answer *admissionv1.AdmissionResponse) {
			if answer.Allowed {
				t.Errorf("%s: admitted on lane %q where call %d of %q failed (panic: %t)", name, answer.AuditAnnotations["lane"], f.fails, f.calls, f.panics)
			}
			for _, call := range f.calls {
				called[call]++
			}
		})
	}
	proven, _, err := l.server.Try(l.apply(good, merge))
	if err != nil {
		t.Fatal(err)
	}
	unmarked := &faulty{real: real, fails: -1, name: "Marks.Deliver"}
	front := l.front
	l.front = webhook.New(gate.New(unmarked.rooms()), webhook.Options{}).Handler()
	if l.ask(proven).Allowed {
		t.Error("admitted, and the mark of its delivery could not be kept")
	}
	l.front = front
	admitted := 0
	n := l.eachFails(real, proven, func(f *faulty, answer *admissionv1.AdmissionResponse) {
		switch {
		case answer.Allowed && f.panics && f.failed:
			t.Errorf("admitted though call %d of %q panicked", f.fails, f.calls)
		case answer.Allowed:
			admitted++
		case !f.failed:
			t.Errorf("what is proven is refused: %s", said(answer))
		case said(answer) == "":
			t.Errorf("refused without a word where call %d of %q failed", f.fails, f.calls)
		}
		for _, call := range f.calls {
			called[call]++
		}
	})
	t.Logf("what is proven was admitted %d of %d times; calls: %v", admitted, n+1, called)
	// Not among them are those that only read the bytes of a request, and what an owner claims, which is a hint.
	for _, call := range []string{
		"Proofs.Speaking", "Proofs.Of", "Marks.Delivered", "Marks.Deliver", "Live.Object", "Records.Grants", "Records.Rollbacks",
		"Making.Wanted", "Origins.Of", "Compile.Namespace",
	} {
		if called[call] == 0 {
			t.Errorf("%s was never called, so it never failed", call)
		}
	}
}

// eachFails asks about a review with no call failing, and then with each of them, in both ways. It returns how many
// calls there are.
func (l *lab) eachFails(real gate.Rooms, review *admissionv1.AdmissionReview, look func(*faulty, *admissionv1.AdmissionResponse)) int {
	l.t.Helper()
	front := l.front
	defer func() { l.front = front }()
	ask := func(f *faulty) {
		l.front = webhook.New(gate.New(f.rooms()), webhook.Options{}).Handler()
		look(f, l.ask(review))
	}
	whole := &faulty{real: real, fails: -1}
	ask(whole)
	for i := range whole.calls {
		ask(&faulty{real: real, fails: i})
		ask(&faulty{real: real, fails: i, panics: true})
	}
	return len(whole.calls)
}

// refusedReviews are what nobody may do in production, by what it is.
func (l *lab) refusedReviews(good, merge string) map[string]*admissionv1.AdmissionReview {
	l.t.Helper()
	evil := strings.ReplaceAll(good, "image: registry", "image: evil.registry")
	reviews := map[string]*admissionv1.AdmissionReview{}
	for name, w := range map[string]story.Write{
		"other content with the stamp of what is proven": l.apply(evil, merge),
		"other content with the stamp of nothing":        l.apply(evil, strings.Repeat("ab", 20)),
		"an edit by hand":                            {Object: good, User: "sara", Manager: "kubectl-edit"},
		"a Pod whose owner has another template":     {Object: ownedPod, User: "system:serviceaccount:kube-system:replicaset-controller", Manager: "kube-controller-manager"},
		"an object of a namespace that nobody knows": {Object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: nowhere}}", User: "sara", Manager: "kubectl"},
	} {
		review, _, err := l.server.Try(w)
		if err != nil {
			l.t.Fatal(err)
		}
		reviews[name] = review
	}
	gone := reviews["an edit by hand"].DeepCopy()
	gone.Request.Operation, gone.Request.OldObject, gone.Request.Object = admissionv1.Delete, gone.Request.Object, runtime.RawExtension{}
	reviews["a deletion by hand"] = gone
	own := func(kind, resource, namespace, object string) {
		review := reviews["an edit by hand"].DeepCopy()
		r := review.Request
		r.Kind.Group, r.Kind.Version, r.Kind.Kind = "fairway.dev", "v1alpha1", kind
		r.Resource.Group, r.Resource.Version, r.Resource.Resource = "fairway.dev", "v1alpha1", resource
		r.RequestKind, r.RequestResource = nil, nil
		r.Namespace, r.Operation = namespace, admissionv1.Create
		r.Object, r.OldObject = runtime.RawExtension{Raw: []byte(object)}, runtime.RawExtension{}
		reviews["a forged "+kind] = review
	}
	own("ProvenCommit", "provencommits", "shop", `{"apiVersion":"fairway.dev/v1alpha1","kind":"ProvenCommit","metadata":{"name":"x","namespace":"shop"},"spec":{}}`)
	own("TierBinding", "tierbindings", "shop", `{"apiVersion":"fairway.dev/v1alpha1","kind":"TierBinding","metadata":{"name":"tier","namespace":"shop"},"spec":{"tier":"sandbox"}}`)
	space := reviews["an edit by hand"].DeepCopy()
	space.Request.Kind.Group, space.Request.Kind.Kind, space.Request.Resource.Group, space.Request.Resource.Resource = "", "Namespace", "", "namespaces"
	space.Request.RequestKind, space.Request.RequestResource = nil, nil
	space.Request.Name, space.Request.Namespace = "shop", "shop"
	space.Request.Object = runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"stage":"sandbox"}}}`)}
	space.Request.OldObject = runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`)}
	space.Request.Operation = admissionv1.Update
	reviews["a Namespace relabelled"] = space
	return reviews
}
