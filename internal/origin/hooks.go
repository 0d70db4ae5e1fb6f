package origin

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/tier"
)

// argoHook is the annotation that makes an object one that Argo CD runs at some moment of a sync.
const argoHook = "argocd.argoproj.io/hook"

// AtTheEnd reports whether the engine of a source runs an object at no other moment than when everything
// that the source delivers is taken away: Helm before and after an uninstall, Argo CD before and after an
// Application goes. Engines run it before anything is deleted, and so before any deletion is judged, and no
// commit that still holds it asks for that. For kubectl and for Flux's Kustomizations such an annotation
// means nothing.
//
// Source: SortManifests in pkg/release/v1/util of Helm 4 for the words; Argo CD reads Helm's where it finds
// none of its own (gitops-engine/pkg/sync/hook).
func AtTheEnd(via tier.Via, object map[string]any) bool {
	meta, _ := object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if via.Engine == "ArgoCD" {
		if moments, set := annotations[argoHook].(string); set {
			return allOf(moments, "PreDelete", "PostDelete")
		}
	} else if !via.ByHelm() {
		return false
	}
	moments, _ := annotations[helmHook].(string)
	return allOf(strings.ToLower(moments), "pre-delete", "post-delete")
}

// allOf reports whether a list with commas has words, and only these.
func allOf(list string, words ...string) bool {
	for word := range strings.SplitSeq(list, ",") {
		if !slices.Contains(words, strings.TrimSpace(word)) {
			return false
		}
	}
	return true
}
