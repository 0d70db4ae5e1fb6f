package store

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestRuling08ANamespaceThatEndsKeepsItsTier: its binding is often the first thing that goes. Where
// nobody knows whether it had one, it is judged by the strictest tier.
func TestRuling08ANamespaceThatEndsKeepsItsTier(t *testing.T) {
	tiers := []v1alpha1.EnvironmentTier{
		{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentTierSpec{Lane: "Gated"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "sandbox"}, Spec: v1alpha1.EnvironmentTierSpec{Lane: "Open"}},
	}
	namespaces := func(ending bool) []corev1.Namespace {
		var all []corev1.Namespace
		for _, name := range []string{"bound", "free"} {
			ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if ending {
				ns.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			}
			all = append(all, ns)
		}
		return all
	}
	const own = "fairway-system"
	bindings := []v1alpha1.TierBinding{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "bound", Name: "tier"}, Spec: v1alpha1.TierBindingSpec{Tier: "production"}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "cluster"}, Spec: v1alpha1.TierBindingSpec{Tier: "production", Install: &v1alpha1.Install{DefaultTier: "sandbox"}}},
	}
	settings := Settings{Namespace: own, Sealed: true}
	alive := Compile(Kinds{Tiers: tiers, Bindings: bindings, Namespaces: namespaces(false)}, settings, nil)
	going := Kinds{Tiers: tiers, Bindings: bindings[1:], Namespaces: namespaces(true)}
	seen := Compile(going, settings, alive)
	for name, tt := range map[string]struct {
		world *tier.World
		want  map[string]string
	}{
		"seen before":            {seen, map[string]string{"bound": "production", "free": "sandbox"}},
		"and again":              {Compile(going, settings, seen), map[string]string{"bound": "production", "free": "sandbox"}},
		"never seen":             {Compile(going, settings, nil), map[string]string{"bound": "(not known any more)", "free": "(not known any more)"}},
		"first of a new state":   {Compile(going, settings, NewState().World()), map[string]string{"bound": "(not known any more)", "free": "(not known any more)"}},
		"with its binding there": {Compile(Kinds{Tiers: tiers, Bindings: bindings, Namespaces: namespaces(true)}, settings, nil), map[string]string{"bound": "production", "free": "(not known any more)"}},
	} {
		for namespace, want := range tt.want {
			got, _ := tt.world.Tier(namespace)
			if got.Name != want || want != "sandbox" && got.Lane == tier.Open {
				t.Errorf("%s: namespace %s is in tier %q (%s), want %q", name, namespace, got.Name, got.Lane, want)
			}
		}
	}
}
