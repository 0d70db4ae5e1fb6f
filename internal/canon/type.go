package canon

import "sigs.k8s.io/structured-merge-diff/v6/typed"

// Traits are what a structural schema does not say of a kind.
type Traits struct {
	// Native: the API server holds the kind in a Go type, which cannot tell an empty map or list
	// from none. False for custom resources.
	Native bool
	// ResetsStatus: a write to the main resource never changes .status.
	ResetsStatus bool
}

// Type is the compiled structural type of one kind. It is immutable.
type Type struct {
	parseable typed.ParseableType
	traits    Traits
}

// NewType compiles the type of a kind.
func NewType(t typed.ParseableType, traits Traits) *Type {
	return &Type{parseable: t, traits: traits}
}
