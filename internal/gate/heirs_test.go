package gate

import (
	"slices"
	"testing"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// rendering are proofs of an object.
type rendering []change.SourceKey

func (r rendering) Speaking(change.ObjectID) []change.Spoken {
	var all []change.Spoken
	for _, key := range r {
		all = append(all, change.Spoken{Proof: &change.Proof{Key: key}})
	}
	return all
}

func (rendering) Of(change.SourceKey) []*change.Proof { return nil }

// TestRuling13Heirs: what kubectl left behind goes to who delivers the object here, and to nobody where
// that makes an object one that may be re-created.
func TestRuling13Heirs(t *testing.T) {
	key := func(path string) change.SourceKey {
		return change.SourceKey{Repository: "apps", Branch: "main", Path: path, Namespace: "shop"}
	}
	b := tier.Binding{Namespace: "shop", Sources: []tier.Source{
		{Repository: "apps", Branch: "main", Path: "a", FieldManager: "kustomize-controller"},
		{Repository: "apps", Branch: "main", Path: "b", FieldManager: "argocd-controller", Recreate: tier.RecreateAllow},
	}}
	for name, tt := range map[string]struct {
		proofs rendering
		want   []string
	}{
		"nothing renders it":        {nil, nil},
		"a source renders it":       {rendering{key("a")}, []string{"kustomize-controller"}},
		"a source of elsewhere":     {rendering{key("c")}, nil},
		"its engine may re-create":  {rendering{key("b")}, nil},
		"one of two may re-create":  {rendering{key("a"), key("b")}, nil},
		"a source, and a stale one": {rendering{key("a"), key("c")}, []string{"kustomize-controller"}},
	} {
		c := &inquiry{bindings: []tier.Binding{b}, facts: policy.Facts{Request: change.Request{ID: change.ObjectID{Kind: "ConfigMap", Namespace: "shop", Name: "x"}}}}
		if got := New(Rooms{Proofs: tt.proofs}).heirs(c); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
