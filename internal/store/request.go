package store

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Requested compiles the objects that a request carries as they would be compiled once stored.
// Own is Fairway's namespace.
type Requested struct{ Own string }

// Binding is the binding of a TierBinding; false where it cannot be read or stands under a name or
// in a namespace where it binds nothing.
func (r Requested) Binding(raw []byte) (tier.Binding, bool) {
	var in v1alpha1.TierBinding
	if json.Unmarshal(raw, &in) != nil {
		return tier.Binding{}, false
	}
	w := Compile(Kinds{Bindings: []v1alpha1.TierBinding{in}}, Settings{Namespace: r.Own}, nil)
	if w.Cluster != nil {
		return *w.Cluster, true
	}
	b, ok := w.Bindings[in.Namespace]
	return b, ok
}

// Namespace is what decides the tier of a Namespace; false where it cannot be read.
func (r Requested) Namespace(raw []byte) (tier.Namespace, bool) {
	var in corev1.Namespace
	if json.Unmarshal(raw, &in) != nil || in.Name == "" {
		return tier.Namespace{}, false
	}
	return tier.Namespace{Name: in.Name, UID: string(in.UID), Labels: in.Labels, Terminating: in.DeletionTimestamp != nil}, true
}
