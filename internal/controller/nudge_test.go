package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// kustomizations notes which objects were asked, and answers with an error.
type kustomizations struct {
	client.Client
	asked []string
	err   error
}

func (k *kustomizations) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
	k.asked = append(k.asked, o.GetObjectKind().GroupVersionKind().Kind+" "+o.GetNamespace()+"/"+o.GetName())
	return k.err
}

type nudgeProofs []change.Proof

func (p nudgeProofs) Known(change.SourceKey) []change.Proof { return p }

type nudgeMarks []change.Delivered

func (m nudgeMarks) Delivered(change.SourceKey) ([]change.Delivered, change.Found) {
	if m == nil {
		return nil, change.CouldNotTell
	}
	return m, change.Present
}

func TestNudge(t *testing.T) {
	source := tier.Source{Name: "shop", Repository: "apps", Branch: "main", Path: "shop", Via: tier.Via{Engine: "Flux", Owner: "flux-system/shop"}}
	binding := tier.Binding{Namespace: "shop", Name: "tier", Tier: "production", Sources: []tier.Source{source}}
	world := &tier.World{
		Tiers:    map[string]tier.Tier{"production": {Name: "production", Lane: tier.Gated}},
		Bindings: map[string]tier.Binding{"shop": binding},
	}
	digest := world.PolicyDigest(world.Tiers["production"], binding, source)
	proof := func(commit string, height int64, admissible change.Found) change.Proof {
		return change.Proof{Commit: commit, Height: height, Judgements: []change.Judgement{{Tier: "production", PolicyDigest: digest, Admissible: admissible}}}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "kustomizations"}, "shop", errors.New("no"))
	for _, tt := range []struct {
		name   string
		proofs nudgeProofs
		marks  nudgeMarks
		err    error
		asked  int // in two runs
		fails  bool
	}{
		{name: "nothing proven", marks: nudgeMarks{}},
		{name: "approved, not delivered", proofs: nudgeProofs{proof("b", 2, change.Present)}, marks: nudgeMarks{{Commit: "a", Height: 1}}, asked: 1},
		{name: "delivered", proofs: nudgeProofs{proof("b", 2, change.Present)}, marks: nudgeMarks{{Commit: "b", Height: 2}}},
		{name: "pending", proofs: nudgeProofs{proof("b", 2, change.Absent)}, marks: nudgeMarks{{Commit: "a", Height: 1}}},
		{name: "pending above what is delivered", proofs: nudgeProofs{proof("b", 2, change.Absent), proof("a", 1, change.Present)}, marks: nudgeMarks{{Commit: "a", Height: 1}}},
		{name: "pending above what is approved", proofs: nudgeProofs{proof("c", 3, change.Absent), proof("b", 2, change.Present)}, marks: nudgeMarks{{Commit: "a", Height: 1}}, asked: 1},
		{name: "nobody can tell what was delivered", proofs: nudgeProofs{proof("b", 2, change.Present)}},
		{name: "judged under another policy", proofs: nudgeProofs{{Commit: "b", Height: 2, Judgements: []change.Judgement{{Tier: "production", PolicyDigest: "x", Admissible: change.Present}}}}, marks: nudgeMarks{}},
		{name: "without the right", proofs: nudgeProofs{proof("b", 2, change.Present)}, marks: nudgeMarks{}, err: forbidden, asked: 1},
		{name: "the API server is away", proofs: nudgeProofs{proof("b", 2, change.Present)}, marks: nudgeMarks{}, err: errors.New("away"), asked: 2, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := &kustomizations{err: tt.err}
			n := &Nudge{Client: at, World: func() *tier.World { return world }, Proofs: tt.proofs, Marks: tt.marks, Now: time.Now, Log: logr.Discard()}
			for range 2 {
				if err := n.Run(t.Context()); (err != nil) != tt.fails {
					t.Fatalf("error %v, want one: %t", err, tt.fails)
				}
			}
			if len(at.asked) != tt.asked {
				t.Errorf("asked %v, want %d times", at.asked, tt.asked)
			}
			for _, who := range at.asked {
				if who != "Kustomization flux-system/shop" {
					t.Errorf("asked %s", who)
				}
			}
		})
	}
}

// TestNudgeHelmRelease: what a HelmRelease delivers is asked for at the HelmRelease, and what others deliver at
// nobody.
func TestNudgeHelmRelease(t *testing.T) {
	for engine, want := range map[string][]string{"HelmRelease": {"HelmRelease shop/web"}, "Helm": nil, "ArgoCD": nil, "": nil} {
		source := tier.Source{Name: "shop", Repository: "apps", Branch: "main", Path: "shop", Via: tier.Via{Engine: engine, Owner: "shop/web"}}
		binding := tier.Binding{Namespace: "shop", Name: "tier", Tier: "production", Sources: []tier.Source{source}}
		world := &tier.World{
			Tiers:    map[string]tier.Tier{"production": {Name: "production", Lane: tier.Gated}},
			Bindings: map[string]tier.Binding{"shop": binding},
		}
		digest := world.PolicyDigest(world.Tiers["production"], binding, source)
		proofs := nudgeProofs{{Commit: "b", Height: 2, Judgements: []change.Judgement{{Tier: "production", PolicyDigest: digest, Admissible: change.Present}}}}
		at := &kustomizations{}
		n := &Nudge{Client: at, World: func() *tier.World { return world }, Proofs: proofs, Marks: nudgeMarks{}, Now: time.Now, Log: logr.Discard()}
		if err := n.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, at.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", engine, diff)
		}
	}
}
