package origin

import (
	"cmp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// The API groups of Flux whose objects say what is delivered: Kustomizations, HelmReleases, and the sources
// that feed them (GitRepository, OCIRepository, Bucket and their like).
const (
	fluxKustomizations = "kustomize.toolkit.fluxcd.io"
	fluxReleases       = "helm.toolkit.fluxcd.io"
	fluxSources        = "source.toolkit.fluxcd.io"
)

// fluxObject is what counts of an object of Flux here.
type fluxObject struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		TargetNamespace  string `json:"targetNamespace"`
		StorageNamespace string `json:"storageNamespace"` // of a HelmRelease: where its records are
	} `json:"spec"`
}

// fluxReaches are the namespaces that a Kustomization or a HelmRelease names, and everywhere where it cannot be
// read. Its manifests may name others: what arrives there is judged there. A source names none.
func fluxReaches(raw []byte) (namespaces []string, everywhere bool) {
	var o fluxObject
	if json.Unmarshal(raw, &o) != nil { // see Reaches for what this library does not take
		return nil, true
	}
	for _, n := range []string{o.Spec.TargetNamespace, o.Spec.StorageNamespace} {
		if n != "" {
			namespaces = append(namespaces, n)
		}
	}
	return namespaces, false
}

// Feed says which owners of sources an object of Flux stands behind, as their via names them: those of the
// engines, in the namespace, and of the name, where there is one.
type Feed struct {
	Engines         []string
	Namespace, Name string
}

// Feeds says whom an object of Flux feeds: a Kustomization or a HelmRelease itself, a source every one of its
// namespace. ok is false for objects that are no part of Flux, and where it cannot be read.
func Feeds(kind change.Kind, raw []byte) (feed Feed, ok bool) {
	engine, delivers := map[string]string{fluxKustomizations + "/Kustomization": EngineFlux, fluxReleases + "/HelmRelease": EngineHelmRelease}[kind.Group+"/"+kind.Kind]
	var o fluxObject
	if !delivers && kind.Group != fluxSources || json.Unmarshal(raw, &o) != nil {
		return Feed{}, false
	}
	if delivers {
		return Feed{[]string{engine}, o.Metadata.Namespace, o.Metadata.Name}, true
	}
	return Feed{[]string{EngineFlux, EngineHelmRelease}, o.Metadata.Namespace, ""}, true
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

// Artifact is the object from which a Kustomization takes an OCI artifact, of which its own status names no
// commit; ok is false where it takes something else.
func Artifact(kustomization []byte) (kind change.Kind, namespace, name string, ok bool) {
	var k struct {
		fluxObject
		Spec struct {
			SourceRef struct {
				Kind      string `json:"kind"`
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"sourceRef"`
		} `json:"spec"`
	}
	if json.Unmarshal(kustomization, &k) != nil || k.Spec.SourceRef.Kind != "OCIRepository" {
		return change.Kind{}, "", "", false
	}
	ref := k.Spec.SourceRef
	return change.Kind{Group: fluxSources, Version: "v1", Kind: ref.Kind}, cmp.Or(ref.Namespace, k.Metadata.Namespace), ref.Name, true
}

// MadeOf are the commits of which an OCI artifact says that it was made: free text of whoever pushed it, in
// an annotation of the image specification. Like every claim it selects and explains, and proves nothing.
func MadeOf(repository []byte) []string {
	var r struct {
		Status struct {
			Artifact struct {
				Metadata map[string]string `json:"metadata"`
			} `json:"artifact"`
		} `json:"status"`
	}
	if json.Unmarshal(repository, &r) != nil {
		return nil
	}
	said := r.Status.Artifact.Metadata["org.opencontainers.image.revision"]
	if IsCommit(said) {
		return []string{said}
	}
	revision, err := ParseRevision(said) // as the flux command writes it
	if err != nil {
		return nil
	}
	return []string{revision.Commit}
}

// FluxOwner is the Kustomization or the HelmRelease of Flux that delivers a source to a namespace; ok is false
// where another engine does, or none.
func FluxOwner(via tier.Via, namespace string) (owner, name string, ok bool) {
	if via.Engine != EngineFlux && via.Engine != EngineHelmRelease || via.Owner == "" {
		return "", "", false
	}
	owner, name, qualified := strings.Cut(via.Owner, "/")
	if !qualified {
		owner, name = namespace, via.Owner
	}
	return owner, name, true
}
