package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/origin"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/schema"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// stage is what the gate sees in a measurement: one namespace, its tier, and in a gated tier one
// proof of a delivered commit that renders the object of each size. All of it is in memory, as the
// gate's informers have it.
type stage struct {
	world  *tier.World
	proof  *change.Proof
	marks  []change.Delivered
	spoken map[change.ObjectID][]change.Spoken
}

// judge is the real gate in a namespace of a tier with this lane.
func judge(lane tier.Lane, sizes []int) (*gate.Gate, error) {
	key, err := canon.NewKey([]byte("a key for measuring, of 32 bytes or more"))
	if err != nil {
		return nil, err
	}
	s, err := newStage(lane, sizes, key)
	if err != nil {
		return nil, err
	}
	return gate.New(gate.Rooms{
		World: func() *tier.World { return s.world }, Types: func() canon.Types { return schema.BuiltIn() },
		Proofs: s, Marks: s, Live: s, Records: s, Making: s, Origins: origins{}, Engines: s,
		Compile: store.Requested{Own: "fairway-system"}, Key: key, Now: time.Now,
		Sealing: func(tier.Binding, *tier.World) change.Found { return change.CouldNotTell },
	}), nil
}

// newStage proves the objects of all sizes at one commit.
func newStage(lane tier.Lane, sizes []int, key canon.Key) (*stage, error) {
	source := tier.Source{Name: "apps", Repository: "shop", Branch: "main", Path: "deploy", Render: tier.Plain, FieldManager: manager}
	binding := tier.Binding{Namespace: namespace, Name: "tier", Tier: "measured", Sources: []tier.Source{source}}
	measured := tier.Tier{Name: "measured", Digest: "d", Generation: 1, Lane: lane, Enforcement: tier.Enforce, Declared: tier.DeclaredOptional}
	s := &stage{
		world: &tier.World{
			Tiers:        map[string]tier.Tier{measured.Name: measured},
			Namespaces:   map[string]tier.Namespace{namespace: {Name: namespace, UID: "1"}},
			Bindings:     map[string]tier.Binding{namespace: binding},
			Repositories: map[string]tier.Repository{"shop": {Name: "shop", URL: "https://git.example/shop", Branches: []string{"main"}}},
			Install:      tier.Install{Namespace: "fairway-system", DefaultTier: measured.Name, Sealed: true},
		},
		marks:  []change.Delivered{{Commit: "3f2c1ab0000000000000000000000000000000aa", Height: 7, At: time.Now()}},
		spoken: map[change.ObjectID][]change.Spoken{},
	}
	s.proof = &change.Proof{
		Name: "apps-3f2c1ab", Key: change.SourceKey{Repository: "shop", Branch: "main", Path: "deploy", Namespace: namespace},
		Source: "apps", Commit: s.marks[0].Commit, Tree: "beef", Height: 7, ProvenAt: time.Now(), Approvers: []string{"alice", "bob"},
		Judgements: []change.Judgement{{
			Tier: measured.Name, Admissible: change.Present, PolicyDigest: s.world.PolicyDigest(measured, binding, source),
		}},
	}
	for _, size := range sizes {
		digest, err := canon.DigestManifest(manifest(size), schema.BuiltIn(), key)
		if err != nil {
			return nil, fmt.Errorf("digesting an object of %d bytes: %w", size, err)
		}
		id := change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name(size)}
		s.proof.Objects = append(s.proof.Objects, change.ProvenObject{ID: id, Version: "v1", Digest: digest})
	}
	for i, o := range s.proof.Objects {
		s.spoken[o.ID] = []change.Spoken{{Proof: s.proof, Object: &s.proof.Objects[i]}}
	}
	return s, nil
}

// Speaking are the proofs that speak of an object.
func (s *stage) Speaking(id change.ObjectID) []change.Spoken { return s.spoken[id] }

// Of are the proofs of the source.
func (s *stage) Of(change.SourceKey) []*change.Proof { return []*change.Proof{s.proof} }

// Delivered is the one commit.
func (s *stage) Delivered(change.SourceKey) ([]change.Delivered, change.Found) {
	return s.marks, change.Present
}

// Deliver is never needed: the commit has been delivered.
func (s *stage) Deliver(context.Context, change.SourceKey, change.Delivered, string) error {
	return fmt.Errorf("the commit counts as delivered already")
}

// Object finds nothing live.
func (s *stage) Object(context.Context, change.Kind, string, string) ([]byte, change.Found) {
	return nil, change.Absent
}

// Grants are none.
func (s *stage) Grants(string) []policy.Grant { return nil }

// Rollbacks are none.
func (s *stage) Rollbacks(change.SourceKey, string, string) []string { return nil }

// SelfSigned is no object.
func (s *stage) SelfSigned([]byte) change.Found { return change.Absent }

// Reaches is nowhere.
func (s *stage) Reaches(change.Kind, []byte) ([]string, bool, bool) { return nil, false, false }

// Repeats is nothing.
func (s *stage) Repeats(change.Kind, []byte) []string { return nil }

// Claimed is nothing.
func (s *stage) Claimed(context.Context, change.Origin) []string { return nil }

// Wanted is no commit.
func (s *stage) Wanted(string, string) bool { return false }

// origins reads the marks of an object as the program does.
type origins struct{}

// Of is where a request says it comes from.
func (origins) Of(req *change.Request, object *canon.Object) change.Origin {
	return origin.Of(origin.Read(req, object))
}
