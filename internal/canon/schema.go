package canon

import "github.com/fairway-dev/fairway/internal/change"

// Types knows the structural type of each kind. A kind that it does not know is never bound.
type Types interface {
	Type(change.Kind) (*Type, bool)
}

// Schema is what the prover needs beside the types.
type Schema interface {
	Types
	// Canonical is the object that the API server would make of an apply of manifest to nothing:
	// quantities and times in their one spelling, what the kind's own schema defaults filled in,
	// what it does not keep left out. It may share memory with manifest and must not change it.
	Canonical(k change.Kind, manifest map[string]any) (map[string]any, error)
}
