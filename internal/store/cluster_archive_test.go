package store

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// testWorld has the source of aProof, spelled in one way, in a namespace with one UID.
func testWorld(uid string, source tier.Source) *tier.World {
	return &tier.World{
		Namespaces: map[string]tier.Namespace{"shop": {Name: "shop", UID: uid}},
		Bindings:   map[string]tier.Binding{"shop": {Namespace: "shop", Name: "tier", Tier: "production", Sources: []tier.Source{source}}},
		Tiers:      map[string]tier.Tier{"production": {Name: "production", Lane: tier.Gated}},
	}
}

var testSource = tier.Source{Name: "shop", Repository: "apps", Branch: "main", Path: "shop", Render: tier.Plain, FieldManager: "deployer"}

// cluster is an archive with what it was told.
type testCluster struct {
	*Archive
	index    *Index
	key      testKey
	rejected []string
	version  int
}

func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	c := &testCluster{index: NewIndex(), key: newTestKey(t)}
	c.Archive = NewArchive(c.index, c.key, testPlace.ClusterID)
	c.Rejected = func(_, name, why string) { c.rejected = append(c.rejected, name+" "+why) }
	c.Reindex(testWorld(testPlace.NamespaceUID, testSource))
	return c
}

func here() Place {
	at := testPlace
	at.SourceDigest = SourceDigest(testSource)
	return at
}

// stores shows an object as an API server would, with the next resource version.
func (c *testCluster) stores(p v1alpha1.ProvenCommit) *v1alpha1.ProvenCommit {
	c.version++
	p.ResourceVersion = strconv.Itoa(c.version)
	stored := p.DeepCopy()
	c.Observe(stored)
	return stored
}

func (c *testCluster) indexed(p change.Proof) []string {
	var commits []string
	for _, have := range c.index.Of(p.Key) {
		commits = append(commits, have.Commit)
	}
	return commits
}

// TestRuling01OnlyCompleteSetsAreIndexed: a proof counts from its last shard to the first that goes.
func TestRuling01OnlyCompleteSetsAreIndexed(t *testing.T) {
	c, p := newTestCluster(t), aProof(9000)
	shards := written(t, p, here(), c.key)
	for i := len(shards) - 1; i > 0; i-- {
		c.stores(shards[i])
	}
	if got := c.indexed(p); got != nil {
		t.Fatalf("indexed %v without the first shard", got)
	}
	c.stores(shards[0])
	if got := c.indexed(p); len(got) != 1 || !c.Proven(p.Key, p.Commit) {
		t.Fatalf("indexed %v, want the whole proof", got)
	}
	if n := len(c.index.Speaking(p.Objects[8999].ID)); n != 1 {
		t.Errorf("%d proofs speak of the last object", n)
	}
	c.Forget("shop", shards[1].Name)
	if got := c.indexed(p); got != nil || c.Proven(p.Key, p.Commit) {
		t.Errorf("indexed %v although a shard is gone", got)
	}
	if c.rejected != nil {
		t.Errorf("rejected %v", c.rejected)
	}
}

func TestRuling02WhatIsNotOursIsNotIndexedAndTold(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	c.stores(written(t, p, here(), newTestKey(t))[0])
	other := here()
	other.ClusterID = "cluster-2"
	c.stores(written(t, p, other, c.key)[0])
	if got := c.indexed(p); got != nil {
		t.Errorf("indexed %v", got)
	}
	if d := cmp.Diff([]string{ProofName(p) + " spec", ProofName(p) + " cluster"}, c.rejected); d != "" {
		t.Errorf("rejected (-want +got):\n%s", d)
	}
}

// TestRuling02BoundToNamespaceAndSource: the namespace of that UID, and the source as it is spelled now.
func TestRuling02BoundToNamespaceAndSource(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	c.stores(written(t, p, here(), c.key)[0])
	renamed := testSource
	renamed.FieldManager = "somebody"
	for _, step := range []struct {
		name         string
		world        *tier.World
		index, known int
	}{
		{"as it was", testWorld("ns-1", testSource), 1, 1},
		{"made anew", testWorld("ns-2", testSource), 0, 0},
		{"spelled anew", testWorld("ns-1", renamed), 0, 1}, // the prover goes on from it
		{"unknown namespace", &tier.World{}, 0, 0},
		{"as it was again", testWorld("ns-1", testSource), 1, 1},
	} {
		c.Reindex(step.world)
		if got := len(c.indexed(p)); got != step.index {
			t.Errorf("%s: %d proofs indexed, want %d", step.name, got, step.index)
		}
		if got := len(c.Known(p.Key)); got != step.known {
			t.Errorf("%s: %d proofs known, want %d", step.name, got, step.known)
		}
	}
}

// TestRuling01AnOldStatusDoesNotComeBack: neither in the same object nor in one that is put back.
func TestRuling01AnOldStatusDoesNotComeBack(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	old := written(t, p, here(), c.key)[0]
	c.stores(old)
	revoked := p
	revoked.Revoked = true
	now := old
	now.Status = ToStatus(revoked, p.ProvenAt)
	now.Status.Sequence = 2
	if err := SignStatus(&now, c.key); err != nil {
		t.Fatal(err)
	}
	stored := c.stores(now)
	c.stores(old)
	if known := c.Known(p.Key); len(known) != 1 || !known[0].Revoked {
		t.Errorf("known %+v after an old status was put back, want the revoked one", known)
	}
	if _, sequence, spoilt := c.stored("shop", ProofName(p)); sequence != 2 || !spoilt {
		t.Errorf("sequence %d, spoilt %v: the prover must put it right", sequence, spoilt)
	}
	c.Forget("shop", stored.Name)
	c.stores(old)
	if known := c.Known(p.Key); len(known) != 0 {
		t.Errorf("known %+v after the object was put back with its old status", known)
	}
	if d := cmp.Diff([]string{ProofName(p) + " replay", ProofName(p) + " replay"}, c.rejected); d != "" {
		t.Errorf("rejected (-want +got):\n%s", d)
	}
}

// TestALaggingInformerIsNoReplay: what this process wrote is in force before the informer shows it, and
// what the informer shows of the time before is no reason for alarm.
func TestALaggingInformerIsNoReplay(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	made := written(t, p, here(), c.key)[0]
	judged := made
	made.Status = v1alpha1.ProvenCommitStatus{}
	made.ResourceVersion, judged.ResourceVersion = "10", "11"
	c.Observe(made.DeepCopy())
	c.Observe(judged.DeepCopy())
	c.Observe(made.DeepCopy()) // from the informer
	if known := c.Known(p.Key); len(known) != 1 || len(known[0].Judgements) != 4 || c.rejected != nil {
		t.Errorf("known %+v, rejected %v", known, c.rejected)
	}
}

// TestATamperedStatusKeepsTheOneBefore: it is not believed, and what was believed stays until it is put
// right.
func TestATamperedStatusKeepsTheOneBefore(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	one := written(t, p, here(), c.key)[0]
	c.stores(one)
	one.Status.Judgements = nil
	c.stores(one)
	if known := c.Known(p.Key); len(known) != 1 || len(known[0].Judgements) != 4 {
		t.Errorf("known %+v", known)
	}
	if _, _, spoilt := c.stored("shop", ProofName(p)); !spoilt {
		t.Error("nobody puts it right")
	}
}

// TestAProofMadeAnewTakesThePlace: the same commit with other digests.
func TestAProofMadeAnewTakesThePlace(t *testing.T) {
	c, p := newTestCluster(t), aProof(1)
	c.stores(written(t, p, here(), c.key)[0])
	anew := aProof(2)
	anew.ProvenAt = p.ProvenAt.Add(time.Minute)
	c.Forget("shop", ProofName(p))
	c.stores(written(t, anew, here(), c.key)[0])
	if n := len(c.index.Speaking(anew.Objects[1].ID)); n != 1 {
		t.Errorf("%d proofs speak of the new object", n)
	}
	if d := cmp.Diff([]string{p.Commit}, c.indexed(p)); d != "" {
		t.Errorf("indexed (-want +got):\n%s", d)
	}
}
