package origin

import (
	"testing"

	"github.com/fairway-dev/fairway/internal/tier"
)

// TestT21HooksOfTheEnd: what an engine runs only when everything goes, and what it runs at other moments too.
func TestT21HooksOfTheEnd(t *testing.T) {
	for _, tt := range []struct {
		engine      string
		annotations map[string]any
		want        bool
	}{
		{"Helm", map[string]any{helmHook: "pre-delete"}, true},
		{"Helm", map[string]any{helmHook: " Post-Delete , pre-delete"}, true},
		{"HelmRelease", map[string]any{helmHook: "post-delete"}, true},
		{"Helm", map[string]any{helmHook: "pre-delete,pre-upgrade"}, false},
		{"Helm", map[string]any{helmHook: "pre-upgrade"}, false},
		{"Helm", map[string]any{helmHook: "pre-rollback"}, false},
		{"Helm", map[string]any{helmHook: ""}, false},
		{"Helm", map[string]any{argoHook: "PostDelete"}, false},
		{"Helm", map[string]any{}, false},
		{"Helm", nil, false},
		{"ArgoCD", map[string]any{argoHook: "PostDelete"}, true},
		{"ArgoCD", map[string]any{argoHook: "PostDelete,PreDelete"}, true},
		{"ArgoCD", map[string]any{argoHook: "PostDelete,Sync"}, false},
		{"ArgoCD", map[string]any{argoHook: "PreSync", helmHook: "post-delete"}, false},
		{"ArgoCD", map[string]any{helmHook: "post-delete"}, true},
		// Words that Argo CD does not know are nothing to it, and it looks at both annotations for the end.
		{"ArgoCD", map[string]any{argoHook: "PostDelete,Nonsense"}, true},
		{"ArgoCD", map[string]any{argoHook: "Nonsense", helmHook: "post-delete"}, true},
		{"ArgoCD", map[string]any{argoHook: "Skip", helmHook: "pre-delete"}, true},
		{"ArgoCD", map[string]any{argoHook: "Skip", helmHook: "pre-delete,pre-install"}, true},
		{"ArgoCD", map[string]any{argoHook: "PreDelete,Skip"}, true},
		{"ArgoCD", map[string]any{argoHook: "PreDelete", helmHook: "pre-upgrade"}, false},
		{"ArgoCD", map[string]any{helmHook: "post-delete,test"}, true},
		{"ArgoCD", map[string]any{helmHook: "post-delete, pre-rollback"}, true},
		{"ArgoCD", map[string]any{argoHook: "Nonsense", helmHook: "post-delete,pre-upgrade"}, false},
		{"ArgoCD", map[string]any{helmHook: "post-install,post-delete"}, false},
		{"ArgoCD", map[string]any{argoHook: "Skip"}, false},
		{"ArgoCD", map[string]any{argoHook: "Nonsense"}, false},
		{"ArgoCD", map[string]any{helmHook: "test"}, false},
		{"Flux", map[string]any{helmHook: "post-delete", argoHook: "PostDelete"}, false},
		{"CI", map[string]any{helmHook: "pre-delete"}, false},
		{"", map[string]any{helmHook: "pre-delete"}, false},
	} {
		object := map[string]any{"metadata": map[string]any{"annotations": tt.annotations}}
		if got := AtTheEnd(tier.Via{Engine: tt.engine}, object); got != tt.want {
			t.Errorf("%s, %v: %t, want %t", tt.engine, tt.annotations, got, tt.want)
		}
	}
	for _, object := range []map[string]any{nil, {"metadata": 3}, {"metadata": map[string]any{"annotations": map[string]any{helmHook: true}}}} {
		if AtTheEnd(tier.Via{Engine: "Helm"}, object) {
			t.Errorf("%v is run at the end", object)
		}
	}
}
