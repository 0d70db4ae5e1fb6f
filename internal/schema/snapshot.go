package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

// Snapshot is the schema of every kind that is known at one moment. It is immutable and safe for
// concurrent use; a look-up is one access to a map.
type Snapshot struct {
	kinds map[change.Kind]*kind
}

// kind is one kind in one version.
type kind struct {
	typ       *canon.Type
	canonical func(manifest map[string]any) (map[string]any, error)
	digest    func() [sha256.Size]byte // of everything that shapes the canonical form
}

// Type is the structural type of a kind; false: the snapshot does not know it.
func (s *Snapshot) Type(k change.Kind) (*canon.Type, bool) {
	e, ok := s.kinds[k]
	if !ok {
		return nil, false
	}
	return e.typ, true
}

// Canonical is the object that the API server would make of an apply of manifest to nothing. It
// copies; manifest stays as it is.
func (s *Snapshot) Canonical(k change.Kind, manifest map[string]any) (map[string]any, error) {
	e, ok := s.kinds[k]
	if !ok {
		return nil, fmt.Errorf("no schema for %s", k)
	}
	return e.canonical(manifest)
}

// Digest is one hex digest over the schemas of the given kinds, in whatever order they are named: a
// policy input of the proofs that hold objects of these kinds (rulings 4 and 23). An unknown kind
// counts as unknown, so that the digest changes when it becomes known.
func (s *Snapshot) Digest(kinds ...change.Kind) string {
	lines := make([]string, 0, len(kinds))
	for _, k := range kinds {
		sum := "unknown"
		if e, ok := s.kinds[k]; ok {
			d := e.digest()
			sum = hex.EncodeToString(d[:])
		}
		lines = append(lines, fmt.Sprintf("%q %s\n", k, sum))
	}
	slices.Sort(lines)
	all := sha256.Sum256([]byte(strings.Join(slices.Compact(lines), "")))
	return hex.EncodeToString(all[:])
}

// Over is a snapshot in which the kinds of upper stand in front of those of s: the schemas of a
// render before those of the cluster, those of the cluster before the built-in ones.
func (s *Snapshot) Over(upper *Snapshot) *Snapshot {
	out := &Snapshot{kinds: make(map[change.Kind]*kind, len(s.kinds)+len(upper.kinds))}
	for k, e := range s.kinds {
		out.kinds[k] = e
	}
	for k, e := range upper.kinds {
		out.kinds[k] = e
	}
	return out
}
