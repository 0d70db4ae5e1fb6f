package store

import (
	"sync/atomic"

	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// State is the world in force with the records that were verified against it. Readers get one
// whole state; a writer puts a new one in its place.
type State struct {
	now atomic.Pointer[inForce]
}

// inForce is one state. It is immutable.
type inForce struct {
	world  *tier.World
	grants map[string][]policy.Grant // by namespace
	glass  []policy.OpenGlass
}

// NewState is a state in which nothing is known: every namespace is judged by the strictest tier.
func NewState() *State {
	s := &State{}
	s.now.Store(&inForce{world: &tier.World{Install: tier.Install{Sealed: true}}})
	return s
}

// World is the world in force.
func (s *State) World() *tier.World { return s.now.Load().world }

// Grants are the break-glasses of a namespace.
func (s *State) Grants(namespace string) []policy.Grant { return s.now.Load().grants[namespace] }

// Glasses are the break-glasses that are stored, granted or not.
func (s *State) Glasses() []policy.OpenGlass { return s.now.Load().glass }

// Set puts a world, its grants and the break-glasses that are stored in force.
func (s *State) Set(w *tier.World, grants map[string][]policy.Grant, glass []policy.OpenGlass) {
	s.now.Store(&inForce{world: w, grants: grants, glass: glass})
}
