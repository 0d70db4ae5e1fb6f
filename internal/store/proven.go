package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The limits of one ProvenCommit (ruling 1): what is larger is written as several shards.
const (
	shardBytes   = 512 << 10
	shardObjects = 4096
	shardLimit   = 256
	// headBytes is room for everything of a shard that is neither closure nor objects.
	headBytes = 32 << 10
)

// Place is what a proof is bound to beside its source: one cluster, one namespace, one spelling of
// the source.
type Place struct {
	ClusterID    string // UID of the namespace kube-system
	NamespaceUID string
	SourceDigest string // see SourceDigest
	Prover       string // version of the prover
}

// SourceDigest is the digest of a source as its binding spells it, in hex: content that was rendered
// under another spelling is none of it.
func SourceDigest(s tier.Source) string { return digest(s) }

// ErrTooLarge is a proof that even shards cannot hold.
var ErrTooLarge = errors.New("the source renders more than can be kept")

// ToProven makes the unsigned ProvenCommits of a proof: one, or several shards where it is larger
// than one object may be. Text that came from outside is cut to what the API takes. The status is
// left empty: see ToStatus.
func ToProven(p change.Proof, at Place) ([]v1alpha1.ProvenCommit, error) {
	objects := slices.Clone(p.Objects)
	slices.SortFunc(objects, func(a, b change.ProvenObject) int { return a.ID.Compare(b.ID) })
	closure := &v1alpha1.Closure{Prefix: p.Closure.Prefix, Files: p.Closure.Files, Dirs: p.Closure.Dirs, Missing: p.Closure.Missing}
	room := shardBytes - headBytes - size(closure)
	if len(closure.Files) > shardObjects || len(closure.Dirs) > shardObjects/2 || len(closure.Missing) > shardObjects/2 || room < 0 {
		return nil, fmt.Errorf("keeping proof %q: %w: its render reads too many files", ProofName(p), ErrTooLarge)
	}
	parts := split(objects, room)
	if len(parts) > shardLimit {
		return nil, fmt.Errorf("keeping proof %q: %w: %d objects", ProofName(p), ErrTooLarge, len(objects))
	}
	shards := make([]v1alpha1.ProvenCommit, len(parts))
	for i, part := range parts {
		shard := &shards[i]
		shard.Namespace, shard.Name = p.Key.Namespace, shardName(ProofName(p), i)
		shard.Spec = specOf(p, at)
		shard.Spec.Objects = part
		shard.Spec.Shard = v1alpha1.Shard{Index: int32(i), Count: int32(len(parts))} //nolint:gosec // at most shardLimit
	}
	shards[0].Spec.Closure = closure
	return shards, nil
}

// specOf is what all shards of a proof have in common.
func specOf(p change.Proof, at Place) v1alpha1.ProvenCommitSpec {
	spec := v1alpha1.ProvenCommitSpec{
		Source: v1alpha1.ProvenSource{
			Name: p.Source, Repository: p.Key.Repository, Branch: p.Key.Branch, Path: p.Key.Path, SourceDigest: at.SourceDigest,
		},
		ClusterID: at.ClusterID, NamespaceUID: at.NamespaceUID, Commit: p.Commit, Tree: p.Tree, Base: p.Base, Height: p.Height,
		Subject: cutText(p.Subject, 256), Author: cutText(p.Author, 256),
		Prover: cutText(at.Prover, 63), ProvenAt: metav1.NewTime(p.ProvenAt.UTC().Truncate(time.Second)),
	}
	for _, t := range p.Trailers {
		if len(spec.Trailers) < 32 && t.Key != "" && utf8.RuneCountInString(t.Key) <= 63 && utf8.ValidString(t.Key) {
			spec.Trailers = append(spec.Trailers, v1alpha1.Trailer{Key: t.Key, Value: cutText(t.Value, 256)})
		}
	}
	return spec
}

// split parts objects so that each part fits an object; the first has less room, since it holds the
// closure. There is always one part.
func split(objects []change.ProvenObject, room int) [][]v1alpha1.ProvenObject {
	parts := [][]v1alpha1.ProvenObject{nil}
	for _, o := range objects {
		out := v1alpha1.ProvenObject{
			Group: o.ID.Group, Version: o.Version, Kind: o.ID.Kind, Namespace: o.ID.Namespace, Name: o.ID.Name,
			Digest: hex.EncodeToString(o.Digest[:]),
		}
		need := size(out) + 1
		last := len(parts) - 1
		if need > room || len(parts[last]) == shardObjects {
			parts, room, last = append(parts, nil), shardBytes-headBytes, last+1
		}
		parts[last] = append(parts[last], out)
		room -= need
	}
	return parts
}

func size(v any) int {
	raw, err := json.Marshal(v)
	if err != nil {
		return shardBytes // no part of ours fails to encode
	}
	return len(raw)
}

// shardName is the name of one shard; the first is that of the proof.
func shardName(proof string, index int) string {
	if index == 0 {
		return proof
	}
	return proof + "-" + strconv.Itoa(index)
}

// errShards is a set of shards that is not one proof.
var errShards = errors.New("the shards are not one whole proof")

// FromProven makes the proof of its shards, in their order, as ToProven made them; the status is that
// of the first. It believes what it reads: whoever calls it has verified the signatures. Shards of two
// different proofs, or too few, are an error.
func FromProven(shards []v1alpha1.ProvenCommit) (change.Proof, error) {
	if len(shards) == 0 || shards[0].Spec.Closure == nil {
		return change.Proof{}, errShards
	}
	head := shards[0].Spec
	p := change.Proof{
		Name: shards[0].Name, Source: head.Source.Name, Commit: head.Commit, Tree: head.Tree, Height: head.Height,
		Key: change.SourceKey{
			Repository: head.Source.Repository, Branch: head.Source.Branch, Path: head.Source.Path, Namespace: shards[0].Namespace,
		},
		ProvenAt: head.ProvenAt.UTC(), Base: head.Base, Subject: head.Subject, Author: head.Author,
		Closure: change.Closure{
			Prefix: head.Closure.Prefix, Files: head.Closure.Files, Dirs: head.Closure.Dirs, Missing: head.Closure.Missing,
		},
	}
	for _, t := range head.Trailers {
		p.Trailers = append(p.Trailers, change.Trailer{Key: t.Key, Value: t.Value})
	}
	for i := range shards {
		if !oneProof(&shards[0], &shards[i], i, len(shards)) {
			return change.Proof{}, errShards
		}
		for _, o := range shards[i].Spec.Objects {
			object := change.ProvenObject{ID: change.ObjectID{Group: o.Group, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}, Version: o.Version}
			if n, err := hex.Decode(object.Digest[:], []byte(o.Digest)); err != nil || n != len(object.Digest) {
				return change.Proof{}, fmt.Errorf("reading the digest of %s: not 32 bytes in hex", object.ID)
			}
			p.Objects = append(p.Objects, object)
		}
	}
	fromStatus(&p, shards[0].Status)
	return p, nil
}

// oneProof reports whether a shard is the i-th of the n of the proof that first begins. Two proofs of
// one commit are never made in the same second, so the time tells their shards apart.
func oneProof(first, shard *v1alpha1.ProvenCommit, i, n int) bool {
	a, b := first.Spec, shard.Spec
	a.Closure, a.Objects, a.Shard, a.Signature = nil, nil, v1alpha1.Shard{}, v1alpha1.Signature{}
	b.Closure, b.Objects, b.Shard, b.Signature = nil, nil, v1alpha1.Shard{}, v1alpha1.Signature{}
	return digest(a) == digest(b) && first.Namespace == shard.Namespace &&
		int(shard.Spec.Shard.Index) == i && int(shard.Spec.Shard.Count) == n && shard.Name == shardName(first.Name, i)
}

// sameContent reports whether two sets of shards say the same, whoever made them, when and from which
// base: then nothing needs to be written (ruling 1).
func sameContent(a, b []v1alpha1.ProvenCommit) bool {
	return slices.EqualFunc(a, b, func(x, y v1alpha1.ProvenCommit) bool {
		return x.Name == y.Name && digest(contentOf(x.Spec)) == digest(contentOf(y.Spec))
	})
}

func contentOf(s v1alpha1.ProvenCommitSpec) v1alpha1.ProvenCommitSpec {
	return v1alpha1.ProvenCommitSpec{
		Source: s.Source, ClusterID: s.ClusterID, NamespaceUID: s.NamespaceUID, Commit: s.Commit, Tree: s.Tree, Height: s.Height,
		Closure: s.Closure, Objects: s.Objects, Shard: s.Shard,
	}
}

// cutText is text that the API takes: valid UTF-8 of at most limit characters.
func cutText(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}
