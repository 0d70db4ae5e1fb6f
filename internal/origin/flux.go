package origin

import (
	"strings"

	"github.com/fairway-dev/fairway/internal/tier"
)

// Kustomization is the Flux Kustomization that delivers a source to a namespace; ok is false where
// another engine does, or none.
func Kustomization(via tier.Via, namespace string) (owner, name string, ok bool) {
	if via.Engine != EngineFlux || via.Owner == "" {
		return "", "", false
	}
	owner, name, qualified := strings.Cut(via.Owner, "/")
	if !qualified {
		owner, name = namespace, via.Owner
	}
	return owner, name, true
}
