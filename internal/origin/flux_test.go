package origin

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT15FluxReaches: a Kustomization reaches the namespace that it names; a source names none, and
// feeds every Kustomization beside it.
func TestT15FluxReaches(t *testing.T) {
	const named = `{"metadata": {"name": "shop", "namespace": "flux-system"}, "spec": {"targetNamespace": "shop"}}`
	type reach struct {
		Namespaces      []string
		Chained         bool
		Namespace, Name string
		Feeds           bool
	}
	for name, tt := range map[string]struct {
		group, kind, raw string
		want             reach
	}{
		"a Kustomization":         {fluxKustomizations, "Kustomization", named, reach{[]string{"shop"}, true, "flux-system", "shop", true}},
		"one without a target":    {fluxKustomizations, "Kustomization", `{"metadata": {"name": "a", "namespace": "b"}, "spec": {}}`, reach{nil, true, "b", "a", true}},
		"a GitRepository":         {fluxSources, "GitRepository", `{"metadata": {"name": "apps", "namespace": "flux-system"}}`, reach{nil, true, "flux-system", "", true}},
		"an OCIRepository":        {fluxSources, "OCIRepository", `{"metadata": {"name": "apps", "namespace": "play"}}`, reach{nil, true, "play", "", true}},
		"a HelmRelease":           {fluxReleases, "HelmRelease", `{"metadata": {"name": "web", "namespace": "play"}, "spec": {"targetNamespace": "shop", "storageNamespace": "ops"}}`, reach{[]string{"shop", "ops"}, true, "play", "web", true}},
		"kustomize's own of name": {"kustomize.config.k8s.io", "Kustomization", named, reach{}},
		"a ConfigMap":             {"", "ConfigMap", named, reach{}},
	} {
		kind := change.Kind{Group: tt.group, Version: "v1", Kind: tt.kind}
		var got reach
		var everywhere bool
		got.Namespaces, everywhere, got.Chained = Reaches(kind, []byte(tt.raw))
		var feed Feed
		feed, got.Feeds = Feeds(kind, []byte(tt.raw))
		got.Namespace, got.Name = feed.Namespace, feed.Name
		if diff := cmp.Diff(tt.want, got); diff != "" || everywhere {
			t.Errorf("%s: everywhere %t (-want +got):\n%s", name, everywhere, diff)
		}
	}
}

// TestT15FluxReadsOneWay: what Flux would read in another way than Fairway, or not at all, reaches everywhere, and
// a field in other letters is none.
func TestT15FluxReadsOneWay(t *testing.T) {
	kind := change.Kind{Group: fluxKustomizations, Version: "v1", Kind: "Kustomization"}
	for raw, want := range map[string]bool{
		`{`:                                true,
		`[]`:                               true,
		`{"spec": {"targetNamespace": 3}}`: true,
		`{"spec": {"targetNamespace": "shop", "targetNamespace": "play"}}`: true,
		`{"spec": {"targetNamespace": "shop", "TargetNamespace": "play"}}`: false,
	} {
		namespaces, everywhere, chained := Reaches(kind, []byte(raw))
		if everywhere != want || !chained || !want && !cmp.Equal(namespaces, []string{"shop"}) {
			t.Errorf("%s: everywhere %t, namespaces %v, chained %t", raw, everywhere, namespaces, chained)
		}
		if _, ok := Feeds(kind, []byte(raw)); ok && want {
			t.Errorf("%s feeds somebody", raw)
		}
	}
}

// TestAttempted: what Flux writes of a GitRepository names a commit, and nothing else does.
func TestAttempted(t *testing.T) {
	for status, want := range map[string][]string{
		`{"lastAttemptedRevision": "main@sha1:` + commit + `"}`:     {commit},
		`{"lastAttemptedRevision": "sha1:` + commit + `"}`:          {commit},
		`{"lastAppliedRevision": "main@sha1:` + commit + `"}`:       nil,
		`{"lastAttemptedRevision": "latest@sha256:` + commit + `"}`: nil,
		`{"lastAttemptedRevision": "main"}`:                         nil,
		`{"lastAttemptedRevision": 3}`:                              nil,
		`{}`:                                                        nil,
	} {
		if diff := cmp.Diff(want, Attempted([]byte(`{"status": `+status+`}`))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

// TestArtifact: a Kustomization of an OCI artifact names no commit, but the artifact may say one.
func TestArtifact(t *testing.T) {
	for raw, want := range map[string]string{
		`{"metadata": {"namespace": "play"}, "spec": {"sourceRef": {"kind": "OCIRepository", "name": "apps"}}}`:                      "OCIRepository play/apps true",
		`{"metadata": {"namespace": "play"}, "spec": {"sourceRef": {"kind": "OCIRepository", "name": "apps", "namespace": "flux"}}}`: "OCIRepository flux/apps true",
		`{"spec": {"sourceRef": {"kind": "GitRepository", "name": "apps"}}}`:                                                         " / false",
		`{"spec": 3}`: " / false",
	} {
		kind, namespace, name, ok := Artifact([]byte(raw))
		if got := fmt.Sprintf("%s %s/%s %t", kind.Kind, namespace, name, ok); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	for said, want := range map[string][]string{
		`"main@sha1:` + commit + `"`: {commit}, `"` + commit + `"`: {commit}, `"` + commit[1:] + `"`: nil, `"v1"`: nil, `3`: nil,
	} {
		raw := `{"status": {"artifact": {"metadata": {"org.opencontainers.image.revision": ` + said + `}}}}`
		if diff := cmp.Diff(want, MadeOf([]byte(raw))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", said, diff)
		}
	}
}

func TestFluxOwner(t *testing.T) {
	for _, tt := range []struct {
		via                    tier.Via
		namespace, owner, name string
		ok                     bool
	}{
		{tier.Via{Engine: "Flux", Owner: "flux-system/shop"}, "shop", "flux-system", "shop", true},
		{tier.Via{Engine: "Flux", Owner: "shop"}, "prod", "prod", "shop", true},
		{tier.Via{Engine: "HelmRelease", Owner: "flux-system/shop"}, "shop", "flux-system", "shop", true},
		{tier.Via{Engine: "Flux"}, "shop", "", "", false},
		{tier.Via{Engine: "ArgoCD", Owner: "argocd/shop"}, "shop", "", "", false},
	} {
		owner, name, ok := FluxOwner(tt.via, tt.namespace)
		if owner != tt.owner || name != tt.name || ok != tt.ok {
			t.Errorf("%+v: %q, %q, %t", tt.via, owner, name, ok)
		}
	}
}
