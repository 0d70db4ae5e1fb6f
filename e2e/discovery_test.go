package e2e

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/controller"
)

// exemptions are the writes of a gated cluster that a gate admits without a proof, each with its reason.
// Together with what no gate is asked about on purpose (controller.Exemptions) they are all: whatever else
// discovery finds must be refused, in whichever version it is written.
var exemptions = []struct {
	places       []string
	outcome, why string
}{
	{[]string{"fairway.dev/v1alpha1 breakglasses"}, "admitted: patch update", "approvals come one by one, and open nothing before two principals' signatures are there; what is no signed request is not made"},
	{[]string{
		"apiregistration.k8s.io/v1 apiservices/status", "certificates.k8s.io/v1 podcertificaterequests/status", "flowcontrol.apiserver.k8s.io/v1 flowschemas/status",
		"flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations/status", "networking.k8s.io/v1 servicecidrs/status",
		"resource.k8s.io/v1 devicetaintrules/status", "resource.k8s.io/v1 resourceclaims/status", "storagemigration.k8s.io/v1 storageversionmigrations/status", "storage.k8s.io/v1 csinodes/status", "storage.k8s.io/v1 volumeattachments/status",
		"t03.example/v1 gadgets/status", "t03.example/v1 worlds/status",
	}, "admitted: patch update", "of a write to this /status the API server itself drops all but the status, so that nothing changes"},
}

// TestT03T26EveryWriteIsSeen walks the discovery of a live cluster with custom kinds in it, and sends to every
// resource and sub-resource, in every version and by every verb that writes, something that nobody proved.
// The shipped webhook configuration must bring it to Fairway, and Fairway must refuse it, but for what is
// listed: T-26 is that this is so of every kind in the cluster's scope too. A kind or sub-resource that a later
// Kubernetes adds fails here until somebody says what it is.
func TestT03T26EveryWriteIsSeen(t *testing.T) {
	l := newServeLab(t)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.unguard()
	client, err := kubernetes.NewForConfig(l.cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	p := &prober{serveLab: l, client: client.Discovery().RESTClient(), objects: l.everyKind()}
	content, err := os.ReadFile("testdata/everykind-crds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, crd := range documents(t, content) {
		if err := p.do("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd.Object, nil); err != nil {
			t.Fatal(err)
		}
	}
	l.until("the custom kinds are served", func(context.Context) error {
		for _, path := range []string{"/apis/t03.example/v1/gadgets", "/apis/t03.example/v1/worlds"} {
			if err := p.get(path, &metav1.Status{}); err != nil {
				return err
			}
		}
		return nil
	})
	all := l.endpoints()
	p.standing(all)
	// A Pod may grow only on a node that has room.
	room := map[string]any{"status": map[string]any{"capacity": map[string]any{"cpu": "4"}, "allocatable": map[string]any{"cpu": "4"}}}
	l.admitted(p.do("PATCH", "/api/v1/nodes/x/status", room, nil))
	l.guard()
	p.sealAll()

	refused, got := p.outcomes(all)
	want := unseen(all)
	for _, e := range exemptions {
		for _, place := range e.places {
			if e.why == "" || want[place] != "" {
				t.Errorf("the exemption of %s has no reason, or stands twice", place)
			}
			want[place] = e.outcome
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what is not refused (-want +got):\n%s", d)
	}
	outside := slices.DeleteFunc(slices.Clone(all), func(e endpoint) bool { return e.namespaced })
	t.Logf("%d ways to write, %d of them in no namespace; %d refused, the others in %d places", len(all), len(outside), refused, len(got))
}

// unseen are the places that no gate is asked about, with their verbs: those that Fairway itself says are
// left out on purpose.
func unseen(all []endpoint) map[string]string {
	want := map[string]string{}
	for _, e := range controller.Exemptions() {
		for _, resource := range e.Resources {
			verbs := map[string][]string{} // by place: there may be several versions
			for _, o := range all {
				if name := strings.TrimSuffix(o.resource+"/"+o.sub, "/"); o.gv.Group == e.Group && name == resource {
					verbs[o.place()] = append(verbs[o.place()], o.verb)
				}
			}
			for place, of := range verbs {
				slices.Sort(of)
				want[place] = "unseen: " + strings.Join(of, " ")
			}
		}
	}
	return want
}
