package origin

import (
	"encoding/json"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The API groups of Flux whose objects say what is delivered: Kustomizations, and the sources that feed
// them (GitRepository, OCIRepository, Bucket and their like).
const (
	fluxKustomizations = "kustomize.toolkit.fluxcd.io"
	fluxSources        = "source.toolkit.fluxcd.io"
)

// fluxObject is what counts of an object of Flux here.
type fluxObject struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		TargetNamespace string `json:"targetNamespace"`
	} `json:"spec"`
}

// fluxReaches is the namespace that a Kustomization names. Its manifests may name others: what arrives
// there is judged there. A source names none.
func fluxReaches(raw []byte) []string {
	var o fluxObject
	if json.Unmarshal(raw, &o) != nil || o.Spec.TargetNamespace == "" {
		return nil
	}
	return []string{o.Spec.TargetNamespace}
}

// Feeds says which owners of sources an object of Flux stands behind, as their via names them: a
// Kustomization itself, a source every Kustomization of its namespace, which is an owner without a
// name. ok is false for objects that are no part of Flux, and where it cannot be read.
func Feeds(kind change.Kind, raw []byte) (namespace, name string, ok bool) {
	if kind.Group != fluxSources && (kind.Group != fluxKustomizations || kind.Kind != "Kustomization") {
		return "", "", false
	}
	var o fluxObject
	if json.Unmarshal(raw, &o) != nil {
		return "", "", false
	}
	if kind.Group == fluxSources {
		return o.Metadata.Namespace, "", true
	}
	return o.Metadata.Namespace, o.Metadata.Name, true
}

// Attempted are the commits that a Kustomization says it is applying: Flux writes there what it is about
// to apply before it does. Like everything that lives in the cluster this selects and explains, and
// proves nothing. Nil where it names no commit.
func Attempted(kustomization []byte) []string {
	var k struct {
		Status struct {
			LastAttemptedRevision string `json:"lastAttemptedRevision"`
		} `json:"status"`
	}
	if json.Unmarshal(kustomization, &k) != nil {
		return nil
	}
	revision, err := ParseRevision(k.Status.LastAttemptedRevision)
	if err != nil {
		return nil
	}
	return []string{revision.Commit}
}

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
