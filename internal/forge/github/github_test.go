package github

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/forge/forgetest"
)

func TestConformance(t *testing.T) {
	forgetest.Run(t, forge.GitHub, func(a forge.Access) (forge.Reader, error) { return New(a) })
}

// TestT38Hostile: a forge that gives back what it was asked with is not quoted.
func TestT38Hostile(t *testing.T) {
	forgetest.Hostile(t, func(a forge.Access) (forge.Reader, error) { return New(a) })
}
