package store_test

import (
	"encoding/json"
	"testing"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
)

// FuzzRequested compiles what a request or a file may carry: it never panics, a binding that is read
// binds where it stands, and a tier that cannot be compiled is named.
func FuzzRequested(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"EnvironmentTier","metadata":{"name":"p"},"spec":{"rank":1,"lane":"Gated","trace":{"trailers":[{"key":"T","pattern":"("}]}}}`,
		`{"metadata":{"name":"p"},"spec":{"lane":"Open","namespaceSelector":{"matchExpressions":[{"key":"a","operator":"In"}]}}}`,
		`{"metadata":{"name":"p"},"spec":{"breakGlass":{"maxDuration":"9999999h"},"rollback":{"mode":"Allow","window":"-1s","approvals":-4}}}`,
		`{"metadata":{"name":"tier","namespace":"shop"},"spec":{"tier":"p","sources":[{"name":"a","via":{"flux":{}}}]}}`,
		`{"metadata":{"name":"cluster","namespace":"fairway-system"},"spec":{"tier":"p","install":{"defaultTier":"x"}}}`,
		`{"metadata":{"name":"shop","labels":{"a":"b"},"deletionTimestamp":"2026-01-01T00:00:00Z"}}`,
		`{`, `null`, `[]`, `"x"`, `{"spec":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := store.Requested{Own: "fairway-system"}
		if b, ok := r.Binding(raw); ok && b.Name != "tier" && (b.Name != "cluster" || b.Namespace != r.Own) {
			t.Errorf("a binding named %q in namespace %q binds", b.Name, b.Namespace)
		}
		if ns, ok := r.Namespace(raw); ok {
			w := &tier.World{Install: tier.Install{Sealed: true}}
			if got, _ := w.Entering(ns); got.Lane == tier.Open {
				t.Errorf("namespace %q enters an open tier of a world without tiers", ns.Name)
			}
		}
		var spec v1alpha1.EnvironmentTier
		if json.Unmarshal(raw, &spec) != nil {
			return
		}
		spec.Name = "fuzzed"
		w := store.Compile(store.Kinds{Tiers: []v1alpha1.EnvironmentTier{spec}}, store.Settings{Namespace: r.Own}, nil)
		if _, ok := w.Tiers["fuzzed"]; !ok && len(w.Problems) == 0 {
			t.Error("a tier was left out and nobody is told")
		}
	})
}
