package tier

import "testing"

// TestDeliveredBy: an object is the one that a source names by namespace and name; what feeds a
// namespace's objects, by the namespace alone.
func TestDeliveredBy(t *testing.T) {
	b := Binding{Namespace: "shop", Sources: []Source{
		{Via: Via{Engine: "Flux", Owner: "flux-system/shop"}}, {Via: Via{Engine: "Flux", Owner: "own"}}, {Via: Via{Engine: "ArgoCD", Owner: "argocd/shop"}}, {},
	}}
	for _, tt := range []struct {
		engine, namespace, name string
		want                    bool
	}{
		{"Flux", "flux-system", "shop", true},
		{"Flux", "flux-system", "other", false},
		{"Flux", "play", "shop", false},
		{"Flux", "flux-system", "", true},
		{"Flux", "play", "", false},
		{"Flux", "shop", "own", true},
		{"ArgoCD", "flux-system", "shop", false},
		{"", "", "", false},
	} {
		if got := b.DeliveredBy(tt.engine, tt.namespace, tt.name); got != tt.want {
			t.Errorf("by %s %s/%s: %t, want %t", tt.engine, tt.namespace, tt.name, got, tt.want)
		}
	}
}
