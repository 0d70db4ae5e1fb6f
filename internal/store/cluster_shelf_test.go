package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// testAPI is an API server in memory that counts writes.
func testAPI(t *testing.T, writes *int, funcs interceptor.Funcs) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	count := func() {
		if writes != nil {
			*writes++
		}
	}
	if funcs.Create == nil {
		funcs.Create = func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			count()
			return c.Create(ctx, o, opts...)
		}
	}
	if funcs.SubResourceUpdate == nil {
		funcs.SubResourceUpdate = func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			count()
			return c.SubResource(sub).Update(ctx, o, opts...)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.ProvenCommit{}, &v1alpha1.Delivery{}).WithInterceptorFuncs(funcs).Build()
}

// testShelf is a shelf on an API server in memory.
func testShelf(t *testing.T, writes *int) (*ClusterShelf, *testCluster, *tier.World) {
	t.Helper()
	c := newTestCluster(t)
	api := testAPI(t, writes, interceptor.Funcs{})
	world := testWorld("ns-1", testSource)
	deliveries := NewDeliveries(api, c.Proven)
	deliveries.Synced()
	c.Changed = deliveries.Refresh
	return &ClusterShelf{
		Client: api, Archive: c.Archive, Deliveries: deliveries, World: func() *tier.World { return world }, Signer: c.key,
		ClusterID: "cluster-1", Prover: "v1", Now: func() time.Time { return time.Unix(1e9, 0) },
	}, c, world
}

// judgedProof is a proof that the tier of the world judged.
func judgedProof(w *tier.World, commit string, height int64) change.Proof {
	p := aProof(3)
	p.Commit, p.Height = commit, height
	b := w.Bindings["shop"]
	p.Judgements = []change.Judgement{{
		Tier: "production", Admissible: change.Present, PolicyDigest: w.PolicyDigest(w.Tiers["production"], b, b.Sources[0]),
	}}
	return p
}

// TestRuling01WrittenOnlyWhenSomethingChanged: the same proof again writes nothing, a new verdict its
// status with the next sequence, and new digests a new object.
func TestRuling01WrittenOnlyWhenSomethingChanged(t *testing.T) {
	writes := 0
	shelf, c, world := testShelf(t, &writes)
	p := judgedProof(world, commitA, 1)
	put := func(p change.Proof) int {
		t.Helper()
		before := writes
		if err := shelf.Put(t.Context(), p.Key, []change.Proof{p}, nil); err != nil {
			t.Fatal(err)
		}
		return writes - before
	}
	if n := put(p); n != 4 { // the spec, its status, the Delivery and how far it was proven
		t.Errorf("%d writes of a new proof", n)
	}
	if n := put(p); n != 0 {
		t.Errorf("%d writes of the same proof", n)
	}
	p.Judgements[0].Missing = []string{"something"}
	if n := put(p); n != 1 {
		t.Errorf("%d writes of a new verdict", n)
	}
	var stored v1alpha1.ProvenCommit
	at := client.ObjectKey{Namespace: "shop", Name: ProofName(p)}
	if err := shelf.Client.Get(t.Context(), at, &stored); err != nil {
		t.Fatal(err)
	}
	if why := VerifyProven(&stored, "cluster-1", c.key); why != "" || stored.Status.Sequence != 2 {
		t.Errorf("rejected for %q, sequence %d, want 2", why, stored.Status.Sequence)
	}
	p.Objects = p.Objects[:2]
	if n := put(p); n != 2 {
		t.Errorf("%d writes of new digests", n)
	}
	if known := c.Known(p.Key); len(known) != 1 || len(known[0].Objects) != 2 {
		t.Errorf("known %+v", known)
	}
}

// TestRuling04WhatAnotherPolicyJudgedIsNotWritten: the look that the change of the world asked for is
// on its way.
func TestRuling04WhatAnotherPolicyJudgedIsNotWritten(t *testing.T) {
	shelf, c, world := testShelf(t, nil)
	p := judgedProof(world, commitA, 1)
	p.Judgements[0].PolicyDigest = strings.Repeat("0", 64)
	if err := shelf.Put(t.Context(), p.Key, []change.Proof{p}, nil); err != nil {
		t.Fatal(err)
	}
	if known := c.Known(p.Key); known != nil {
		t.Errorf("known %+v", known)
	}
}

// TestASpoiltStatusIsPutRight by the next look, with a sequence above every one that was seen.
func TestASpoiltStatusIsPutRight(t *testing.T) {
	shelf, c, world := testShelf(t, nil)
	p := judgedProof(world, commitA, 1)
	if err := shelf.Put(t.Context(), p.Key, []change.Proof{p}, nil); err != nil {
		t.Fatal(err)
	}
	at := client.ObjectKey{Namespace: "shop", Name: ProofName(p)}
	var stored v1alpha1.ProvenCommit
	if err := shelf.Client.Get(t.Context(), at, &stored); err != nil {
		t.Fatal(err)
	}
	stored.Status.Judgements = nil
	if err := shelf.Client.Status().Update(t.Context(), &stored); err != nil {
		t.Fatal(err)
	}
	c.Observe(stored.DeepCopy())
	if err := shelf.Put(t.Context(), p.Key, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := shelf.Client.Get(t.Context(), at, &stored); err != nil {
		t.Fatal(err)
	}
	if why := VerifyProven(&stored, "cluster-1", c.key); why != "" || stored.Status.Sequence != 2 || len(stored.Status.Judgements) != 1 {
		t.Errorf("rejected for %q: %+v", why, stored.Status)
	}
}

// TestRuling01Retention: the newest stay, and of the others those that were delivered.
func TestRuling01Retention(t *testing.T) {
	shelf, c, world := testShelf(t, nil)
	var proofs []change.Proof
	for i := range newestKept + 3 {
		proofs = append(proofs, judgedProof(world, fmt.Sprintf("%012x%028x", i+1, 0), int64(i+1)))
	}
	key := proofs[0].Key
	if err := shelf.Put(t.Context(), key, proofs[:2], nil); err != nil {
		t.Fatal(err)
	}
	if err := shelf.Deliveries.Deliver(t.Context(), key, change.Delivered{Commit: proofs[1].Commit, Height: 2, At: time.Now()}, "p"); err != nil {
		t.Fatal(err)
	}
	if err := shelf.Put(t.Context(), key, proofs[2:], nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]bool{0: false, 1: true, 2: false, 3: true} {
		if got := c.Proven(key, proofs[i].Commit); got != want {
			t.Errorf("proof %d kept: %v, want %v", i, got, want)
		}
	}
}

// TestRuling03AMarkIsKeptBeforeItCounts, read by any other process, and survives a namespace made anew.
func TestRuling03AMarkIsKeptBeforeItCounts(t *testing.T) {
	shelf, _, world := testShelf(t, nil)
	p := judgedProof(world, commitA, 1)
	q := judgedProof(world, commitB, 2)
	if err := shelf.Put(t.Context(), p.Key, []change.Proof{p, q}, nil); err != nil {
		t.Fatal(err)
	}
	d := shelf.Deliveries
	deliver := func(p change.Proof, back bool) error {
		return d.Deliver(t.Context(), p.Key, change.Delivered{Commit: p.Commit, Height: p.Height, At: time.Now(), Back: back}, p.Name)
	}
	if err := errors.Join(deliver(p, false), deliver(q, false)); err != nil {
		t.Fatal(err)
	}
	if err := deliver(p, false); !errors.Is(err, errOvertaken) {
		t.Errorf("a mark that came too late: %v", err)
	}
	if err := deliver(p, true); err != nil {
		t.Errorf("a roll-back: %v", err)
	}
	var stored v1alpha1.Delivery
	at := client.ObjectKey{Namespace: "shop", Name: v1alpha1.DeliveryName("apps", "main", "shop")}
	if err := shelf.Client.Get(t.Context(), at, &stored); err != nil {
		t.Fatal(err)
	}
	if stored.Status.DeliveredHead != p.Commit || len(stored.Status.Delivered) != 2 {
		t.Errorf("stored %+v", stored.Status)
	}
	d.Forget(&stored)
	if got := commitsOf(d.Delivered(p.Key)); !slices.Equal(got, []string{p.Commit, q.Commit}) {
		t.Errorf("after the object is gone this process remembers %v", got)
	}
}

func commitsOf(marks []change.Delivered, found change.Found) []string {
	if found != change.Present {
		return []string{found.String()}
	}
	var commits []string
	for _, m := range marks {
		commits = append(commits, m.Commit)
	}
	return commits
}

// TestRuling03OnlyProvenMarksCount: of a Delivery that somebody else wrote, what names no proof is
// nothing, and one under another name is not looked at.
func TestRuling03OnlyProvenMarksCount(t *testing.T) {
	proven := map[string]bool{commitA: true}
	d := NewDeliveries(nil, func(_ change.SourceKey, commit string) bool { return proven[commit] })
	key := change.SourceKey{Repository: "apps", Branch: "main", Path: "shop", Namespace: "shop"}
	if got := commitsOf(d.Delivered(key)); !slices.Equal(got, []string{"could not tell"}) {
		t.Errorf("before everything was read: %v", got)
	}
	d.Synced()
	forged := &v1alpha1.Delivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: v1alpha1.DeliveryName("apps", "main", "shop"), UID: "1", ResourceVersion: "5"},
		Spec:       v1alpha1.DeliverySpec{Repository: "apps", Branch: "main", Path: "shop"},
		Status: v1alpha1.DeliveryStatus{Delivered: []v1alpha1.Delivered{
			{Commit: commitB, Height: 99, At: metav1.Now()}, {Commit: commitA, Height: 1, At: metav1.Now()},
		}},
	}
	if !d.Observe(forged) {
		t.Fatal("the name was not believed")
	}
	if got := commitsOf(d.Delivered(key)); !slices.Equal(got, []string{commitA}) {
		t.Errorf("delivered %v", got)
	}
	proven[commitB] = true
	d.Refresh(key)
	if got := commitsOf(d.Delivered(key)); len(got) != 2 {
		t.Errorf("delivered %v after the proof came", got)
	}
	older := forged.DeepCopy()
	older.ResourceVersion, older.Status.Delivered = "4", nil
	d.Observe(older)
	if got := commitsOf(d.Delivered(key)); len(got) != 2 {
		t.Errorf("delivered %v after an older state was shown", got)
	}
	other := forged.DeepCopy()
	other.Name = "delivery-other"
	if d.Observe(other) {
		t.Error("a Delivery under another name was believed")
	}
}

// TestRuling03ParallelDeliveriesOfOneCommitAreOneWrite, and a conflict is tried again.
func TestRuling03ParallelDeliveriesOfOneCommitAreOneWrite(t *testing.T) {
	var mu sync.Mutex
	updates, conflicts := 0, 2
	api := testAPI(t, nil, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			mu.Lock()
			updates++
			meddle := updates <= conflicts
			mu.Unlock()
			if meddle { // another replica is a moment ahead
				var live v1alpha1.Delivery
				if err := c.Get(ctx, client.ObjectKeyFromObject(o), &live); err != nil {
					return err
				}
				live.Labels = map[string]string{"n": fmt.Sprint(updates)}
				if err := c.Update(ctx, &live); err != nil {
					return err
				}
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	})
	d := NewDeliveries(api, func(change.SourceKey, string) bool { return true })
	d.Synced()
	key := change.SourceKey{Repository: "apps", Branch: "main", Path: "shop", Namespace: "shop"}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := d.Deliver(t.Context(), key, change.Delivered{Commit: commitA, Height: 1, At: time.Now()}, "p"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if updates != conflicts+1 {
		t.Errorf("%d writes, want one beside %d conflicts", updates, conflicts)
	}
}

func TestAMarkThatCannotBeKeptIsAnError(t *testing.T) {
	api := testAPI(t, nil, interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errors.New("no")
		},
	})
	d := NewDeliveries(api, func(change.SourceKey, string) bool { return true })
	d.Synced()
	key := change.SourceKey{Repository: "apps", Branch: "main", Path: "shop", Namespace: "shop"}
	if err := d.Deliver(t.Context(), key, change.Delivered{Commit: commitA, Height: 1, At: time.Now()}, "p"); err == nil {
		t.Error("it was kept")
	}
	if got := commitsOf(d.Delivered(key)); got != nil {
		t.Errorf("delivered %v", got)
	}
}

// TestRuling09TheSealIsALatch: set once, believed only with our code, and set where it is gone.
func TestRuling09TheSealIsALatch(t *testing.T) {
	ctx := t.Context()
	api := testAPI(t, nil, interceptor.Funcs{})
	load := func(key string, isNew bool) (*Seal, error) {
		s := NewSeal(api, "fairway-system", "cluster-1", []byte(key))
		return s, s.Load(ctx, isNew)
	}
	edit := func(change func(*corev1.ConfigMap)) {
		t.Helper()
		var object corev1.ConfigMap
		if err := api.Get(ctx, client.ObjectKey{Namespace: "fairway-system", Name: SealName}, &object); err != nil {
			t.Fatal(err)
		}
		change(&object)
		if err := api.Update(ctx, &object); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := load("k", false); !errors.Is(err, ErrSeal) || !s.Sealed() {
		t.Errorf("an install that is not new, without a seal: sealed %v, %v", s.Sealed(), err)
	}
	s, err := load("k", true)
	if err != nil || s.Sealed() {
		t.Fatalf("a new install: sealed %v, %v", s.Sealed(), err)
	}
	if err := errors.Join(s.Set(ctx), s.Set(ctx)); err != nil || !s.Sealed() {
		t.Errorf("set: sealed %v, %v", s.Sealed(), err)
	}
	if s, err := load("k", false); err != nil || !s.Sealed() {
		t.Errorf("read back: sealed %v, %v", s.Sealed(), err)
	}
	for name, change := range map[string]func(*corev1.ConfigMap){
		"forged":  func(o *corev1.ConfigMap) { o.Data["sealed"] = "false" },
		"emptied": func(o *corev1.ConfigMap) { o.Data = nil },
	} {
		edit(change)
		if s, err := load("k", false); !errors.Is(err, ErrSeal) || !s.Sealed() {
			t.Errorf("%s: sealed %v, %v", name, s.Sealed(), err)
		}
		edit(func(o *corev1.ConfigMap) { o.Data = s.object(true).Data })
	}
	if s, err := load("another key", false); !errors.Is(err, ErrSeal) || !s.Sealed() {
		t.Errorf("under another key: sealed %v, %v", s.Sealed(), err)
	}
	if s.mac(true) == NewSeal(api, "fairway-system", "cluster-2", []byte("k")).mac(true) {
		t.Error("the seal of another cluster has the same code")
	}
}
