package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// testKey signs and verifies as the prover does.
type testKey struct{ private ed25519.PrivateKey }

func newTestKey(t *testing.T) testKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{private}
}

func (k testKey) id() string {
	sum := sha256.Sum256(k.private.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // it is one
	return hex.EncodeToString(sum[:])
}

func (k testKey) Sign(payload []byte) (string, []byte) {
	return k.id(), ed25519.Sign(k.private, payload)
}

func (k testKey) Verify(keyID string, payload, sig []byte) bool {
	return keyID == k.id() && ed25519.Verify(k.private.Public().(ed25519.PublicKey), payload, sig) //nolint:forcetypeassert // it is one
}

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var testPlace = Place{ClusterID: "cluster-1", NamespaceUID: "ns-1", SourceDigest: strings.Repeat("d", 64), Prover: "v1"}

func aProof(objects int) change.Proof {
	p := change.Proof{
		Key:    change.SourceKey{Repository: "apps", Branch: "main", Path: "shop", Namespace: "shop"},
		Source: "shop", Commit: commitA, Tree: strings.Repeat("1", 40), Height: 7, Base: commitB,
		ProvenAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Subject: "Sell <more> & \u2028", Author: "sara",
		Trailers:  []change.Trailer{{Key: "Ticket", Value: "SHOP-1"}},
		Closure:   change.Closure{Prefix: "shop", Files: []string{"shop/web.yaml"}, Dirs: []string{"shop"}, Missing: []string{"shop/kustomization.yaml"}},
		Approvers: []string{"paula", "sam"},
		Judgements: []change.Judgement{
			{Tier: "production", Admissible: change.Present, PolicyDigest: strings.Repeat("e", 64)},
			{Tier: "pending", Admissible: change.Absent, Pending: true, PolicyDigest: strings.Repeat("f", 64), Missing: []string{"[FW103] needs approval"}},
			{Tier: "denied", Admissible: change.Absent, PolicyDigest: strings.Repeat("0", 64)},
			{Tier: "unknown", PolicyDigest: strings.Repeat("9", 64)},
		},
	}
	for i := range objects {
		o := change.ProvenObject{ID: change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: fmt.Sprintf("web-%05d", i)}, Version: "v1"}
		o.Digest = sha256.Sum256([]byte(o.ID.Name))
		p.Objects = append(p.Objects, o)
	}
	return p
}

// written is a proof as it stands in a cluster, signed.
func written(t *testing.T, p change.Proof, at Place, key testKey) []v1alpha1.ProvenCommit {
	t.Helper()
	shards, err := ToProven(p, at)
	if err != nil {
		t.Fatal(err)
	}
	for i := range shards {
		if err := SignSpec(&shards[i], key); err != nil {
			t.Fatal(err)
		}
	}
	shards[0].Status = ToStatus(p, p.ProvenAt)
	shards[0].Status.Sequence = 1
	if err := SignStatus(&shards[0], key); err != nil {
		t.Fatal(err)
	}
	return shards
}

// TestRuling01ProofsSurviveTheirObjects: what was written and read back says the same, whatever its size.
func TestRuling01ProofsSurviveTheirObjects(t *testing.T) {
	for _, objects := range []int{0, 1, 100, 5000, 20000} {
		t.Run(fmt.Sprint(objects), func(t *testing.T) {
			p := aProof(objects)
			shards := written(t, p, testPlace, newTestKey(t))
			for i := range shards {
				raw, err := json.Marshal(shards[i])
				if err != nil {
					t.Fatal(err)
				}
				if len(raw) > shardBytes || len(shards[i].Spec.Objects) > shardObjects {
					t.Errorf("shard %d has %d bytes and %d objects", i, len(raw), len(shards[i].Spec.Objects))
				}
				shards[i] = v1alpha1.ProvenCommit{}
				if err := json.Unmarshal(raw, &shards[i]); err != nil {
					t.Fatal(err)
				}
			}
			got, err := FromProven(shards)
			if err != nil {
				t.Fatal(err)
			}
			want := p
			want.Name, want.ProvenAt = ProofName(p), p.ProvenAt.Truncate(time.Second)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestRuling01OnlyWholeProofs: shards of two proofs, too few, or out of order are none.
func TestRuling01OnlyWholeProofs(t *testing.T) {
	key := newTestKey(t)
	one := written(t, aProof(9000), testPlace, key)
	later := aProof(9000)
	later.ProvenAt = later.ProvenAt.Add(time.Second)
	other := written(t, later, testPlace, key)
	if len(one) < 3 {
		t.Fatalf("%d shards, want several", len(one))
	}
	for name, shards := range map[string][]v1alpha1.ProvenCommit{
		"none":         {},
		"too few":      one[:len(one)-1],
		"without head": one[1:],
		"mixed":        append([]v1alpha1.ProvenCommit{one[0], other[1]}, one[2:]...),
		"twice":        append([]v1alpha1.ProvenCommit{one[0], one[1], one[1]}, one[3:]...),
	} {
		if p, err := FromProven(shards); !errors.Is(err, errShards) {
			t.Errorf("%s: got a proof of %d objects, %v", name, len(p.Objects), err)
		}
	}
}

func TestTooLargeProofsAreRefused(t *testing.T) {
	p := aProof(0)
	for i := range 5000 {
		p.Closure.Files = append(p.Closure.Files, fmt.Sprintf("shop/%d.yaml", i))
	}
	if _, err := ToProven(p, testPlace); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
}

func TestForeignTextIsCut(t *testing.T) {
	p := aProof(0)
	p.Subject = strings.Repeat("ü", 300) + "\xff"
	p.Trailers = []change.Trailer{{Key: "", Value: "no key"}, {Key: strings.Repeat("k", 64)}, {Key: "T", Value: strings.Repeat("v", 300)}}
	p.Judgements = []change.Judgement{{Tier: "t", PolicyDigest: "d", Missing: []string{strings.Repeat("m", 600)}}}
	shards := written(t, p, testPlace, newTestKey(t))
	spec := shards[0].Spec
	if n := len([]rune(spec.Subject)); n != 256 {
		t.Errorf("subject of %d characters", n)
	}
	if len(spec.Trailers) != 1 || len(spec.Trailers[0].Value) != 256 {
		t.Errorf("trailers: %v", spec.Trailers)
	}
	if n := len(shards[0].Status.Judgements[0].Missing[0]); n != 512 {
		t.Errorf("a missing line of %d characters", n)
	}
}

// TestRuling02OnlyWhatWeSignedIsBelieved: each field that is changed afterwards, another key, another
// name and another cluster.
func TestRuling02OnlyWhatWeSignedIsBelieved(t *testing.T) {
	key := newTestKey(t)
	for name, test := range map[string]struct {
		spoil func(p *v1alpha1.ProvenCommit)
		want  string
	}{
		"as written":    {func(*v1alpha1.ProvenCommit) {}, ""},
		"no status yet": {func(p *v1alpha1.ProvenCommit) { p.Status = v1alpha1.ProvenCommitStatus{} }, ""},
		"metadata":      {func(p *v1alpha1.ProvenCommit) { p.Labels = map[string]string{"a": "b"} }, ""},
		"digest":        {func(p *v1alpha1.ProvenCommit) { p.Spec.Objects[0].Digest = strings.Repeat("0", 64) }, RejectedSpec},
		"namespace":     {func(p *v1alpha1.ProvenCommit) { p.Namespace = "other" }, RejectedSpec},
		"name":          {func(p *v1alpha1.ProvenCommit) { p.Name = "other" }, RejectedName},
		"commit":        {func(p *v1alpha1.ProvenCommit) { p.Spec.Commit = commitB }, RejectedName},
		"verdict":       {func(p *v1alpha1.ProvenCommit) { p.Status.Judgements[1].Verdict = v1alpha1.VerdictAllow }, RejectedStatus},
		"revocation":    {func(p *v1alpha1.ProvenCommit) { p.Status.Revoked = v1alpha1.RevokedOffBranch }, RejectedStatus},
		"sequence":      {func(p *v1alpha1.ProvenCommit) { p.Status.Sequence = 99 }, RejectedStatus},
		"unsigned":      {func(p *v1alpha1.ProvenCommit) { p.Status.Signature = nil }, RejectedStatus},
		"another key": {func(p *v1alpha1.ProvenCommit) {
			if err := SignSpec(p, newTestKey(t)); err != nil {
				t.Fatal(err)
			}
		}, RejectedSpec},
		"another cluster": {func(p *v1alpha1.ProvenCommit) {
			p.Spec.ClusterID = "cluster-2"
			if err := errors.Join(SignSpec(p, key), SignStatus(p, key)); err != nil {
				t.Fatal(err)
			}
		}, RejectedCluster},
		"status of another proof": {func(p *v1alpha1.ProvenCommit) {
			p.Status.Signature = written(t, aProof(2), testPlace, key)[0].Status.Signature
		}, RejectedStatus},
	} {
		t.Run(name, func(t *testing.T) {
			p := written(t, aProof(1), testPlace, key)[0]
			test.spoil(&p)
			if got := VerifyProven(&p, testPlace.ClusterID, key); got != test.want {
				t.Errorf("rejected for %q, want %q", got, test.want)
			}
		})
	}
}
