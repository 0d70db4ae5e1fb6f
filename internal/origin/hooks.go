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
// Helm leaves a hook out of which it does not know some word (SortManifests in pkg/release/v1/util of Helm 4).
func AtTheEnd(via tier.Via, object map[string]any) bool {
	meta, _ := object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	helm, _ := annotations[helmHook].(string)
	if via.Engine == "ArgoCD" {
		argo, _ := annotations[argoHook].(string)
		return argoAtTheEnd(words(argo), words(helm))
	}
	at := words(strings.ToLower(helm))
	return via.ByHelm() && len(at) > 0 && !slices.ContainsFunc(at, func(w string) bool { return w != "pre-delete" && w != "post-delete" })
}

// argoAtTheEnd is AtTheEnd of what the two annotations say to Argo CD. It goes by the words that it knows: for the end
// by those of either annotation, for a sync by its own and, where it knows none of these, by Helm's.
//
// Source: controller/hook.go of Argo CD 3.2 to 3.6, and gitops-engine/pkg/sync/hook.
func argoAtTheEnd(argo, helm []string) bool {
	holds := func(list []string, of ...string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return slices.Contains(of, w) })
	}
	sync := holds(argo, "PreSync", "Sync", "PostSync", "SyncFail")
	if !sync && !holds(argo, "Skip") {
		sync = holds(helm, "pre-install", "pre-upgrade", "post-install", "post-upgrade")
	}
	return !sync && (holds(argo, "PreDelete", "PostDelete") || holds(helm, "pre-delete", "post-delete"))
}

// words are the words of a list with commas.
func words(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	all := strings.Split(list, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}
