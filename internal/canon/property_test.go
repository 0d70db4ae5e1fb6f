package canon_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// TestT01NoMutationIsBound: an admitted object with all marks of provenance in place and one field
// changed, added or, on an update, removed is never bound.
func TestT01NoMutationIsBound(t *testing.T) {
	git := sixKiB("2")
	want := digest(t, git)
	s := newServer(t).apply(sixKiB("1"), flux)
	s.put(s.object(setPath("1", "metadata", "annotations", "deployment.kubernetes.io/revision")), "kube-controller-manager")
	s.apply(git, flux)
	live := s.object(serverDefaults)
	old := s.parse(live)
	create := newServer(t).apply(git, flux).object(serverDefaults)
	if !bind(s.parse(create), nil).BoundTo(want) || !bind(old, old).BoundTo(want) {
		t.Fatal("the objects that are mutated are not bound themselves")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		m := runtime.DeepCopyJSON(create)
		if what := vandalise(r, m, false); bind(s.parse(m), nil).BoundTo(want) {
			t.Fatalf("CREATE bound after %s", what)
		}
		m = runtime.DeepCopyJSON(live)
		if what := vandalise(r, m, true); bind(s.parse(m), old).BoundTo(want) {
			t.Fatalf("UPDATE bound after %s", what)
		}
	}
}

// vandalise changes one field somewhere outside of what the API server keeps itself.
func vandalise(r *rand.Rand, m map[string]any, remove bool) string {
	for {
		at, holder, k := pick(r, m)
		switch {
		case at == "apiVersion" || at == "kind" || strings.HasPrefix(at, "status") || at == "metadata" || at == "metadata.creationTimestamp":
			continue
		case strings.HasPrefix(at, "metadata.managedFields") || at == "metadata.name" || at == "metadata.namespace":
			continue
		}
		switch v := holder[k].(type) {
		case string:
			if remove && r.IntN(4) == 0 {
				delete(holder, k)
				return "removing " + at
			}
			holder[k] = v + "x"
		case int64:
			holder[k] = v + 1
		case bool:
			holder[k] = !v
		case nil:
			continue
		case map[string]any:
			if remove && r.IntN(4) == 0 && len(v) > 0 {
				delete(holder, k)
				return "removing " + at
			}
			v["added"] = "x"
		case []any:
			if len(v) == 0 {
				continue
			}
			holder[k] = append(v, v[0])
		}
		return fmt.Sprintf("changing %s to %v", at, holder[k])
	}
}

// pick is a random member of a random map in m.
func pick(r *rand.Rand, m map[string]any) (at string, holder map[string]any, key string) {
	keys := slices.Sorted(maps.Keys(m))
	key = keys[r.IntN(len(keys))]
	if r.IntN(6) == 0 {
		return key, m, key
	}
	switch v := m[key].(type) {
	case map[string]any:
		if len(v) > 0 {
			sub, h, k := pick(r, v)
			return key + "." + sub, h, k
		}
	case []any:
		if i := r.IntN(max(len(v), 1)); i < len(v) {
			if item, ok := v[i].(map[string]any); ok && len(item) > 0 {
				sub, h, k := pick(r, item)
				return fmt.Sprintf("%s[%d].%s", key, i, sub), h, k
			}
		}
	}
	return key, m, key
}

// corpus are the manifests that the end-to-end tests bind on a real API server.
func corpus(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, name := range []string{"workloads.yaml", "other.yaml"} {
		raw, err := os.ReadFile(filepath.Join("../../e2e/testdata/binding", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(raw), "\n---\n") {
			j, err := yaml.YAMLToJSONStrict([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(j, &m); err != nil {
				t.Fatal(err)
			}
			out = append(out, m)
		}
	}
	if len(out) < 60 {
		t.Fatalf("%d manifests", len(out))
	}
	return out
}

// TestDigestIsOfTheMeaning: the digest does not depend on how a manifest is written down, and the
// canonical form of a canonical form is itself.
func TestDigestIsOfTheMeaning(t *testing.T) {
	for _, m := range corpus(t) {
		want := digest(t, m)
		if got := digest(t, clone(m)); got != want { // int64 instead of float64, other map order
			t.Errorf("%s %s: the digest depends on the form", m["kind"], m["metadata"])
		}
		k := kindOf(m)
		once, err := schema.BuiltIn().Canonical(k, clone(m))
		if err != nil {
			t.Fatal(err)
		}
		twice, err := schema.BuiltIn().Canonical(k, once)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(once)
		b, _ := json.Marshal(twice)
		if string(a) != string(b) {
			t.Errorf("%s: canon(canon(x)) differs:\n%s\n%s", k, a, b)
		}
	}
}

func kindOf(m map[string]any) change.Kind {
	group, version, ok := strings.Cut(m["apiVersion"].(string), "/")
	if !ok {
		group, version = "", group
	}
	return change.Kind{Group: group, Version: version, Kind: m["kind"].(string)}
}

// TestDigestsAreDistinct: no two manifests of the corpus, and none of them under another key, name,
// namespace or kind, have one digest.
func TestDigestsAreDistinct(t *testing.T) {
	other, err := canon.NewKey(make([]byte, canon.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[change.Digest]string{{}: "the zero digest"}
	add := func(what string, d change.Digest) {
		if before, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", what, before)
		}
		seen[d] = what
	}
	for _, m := range corpus(t) {
		what := fmt.Sprintf("%s %s", m["kind"], m["metadata"].(map[string]any)["name"])
		add(what, digest(t, m))
		d, err := canon.DigestManifest(m, schema.BuiltIn(), other)
		if err != nil {
			t.Fatal(err)
		}
		add(what+" under another key", d)
		c := clone(m)
		setPath("elsewhere", "metadata", "namespace")(c)
		add(what+" elsewhere", digest(t, c))
		setPath(fmt.Sprint("renamed-", c["metadata"].(map[string]any)["name"]), "metadata", "name")(c)
		add(what+" renamed", digest(t, c))
	}
	a := parseYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}")
	b := clone(a)
	b["kind"] = "Secret"
	add("a ConfigMap", digest(t, a))
	if d, err := canon.DigestManifest(b, schema.BuiltIn(), key); err == nil {
		add("a Secret", d)
	}
}

func TestDigestManifestRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no kind":              "{apiVersion: v1, metadata: {name: x}}",
		"no metadata":          "{apiVersion: v1, kind: ConfigMap}",
		"unknown kind":         "{apiVersion: x.example/v1, kind: Thing, metadata: {name: x}}",
		"unknown field":        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, dada: {}}",
		"unknown nested field": "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: a, imgae: a}]}}",
		"one key twice":        "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: a}, {name: a}]}}",
		"another type":         "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: {a: b}}}",
		"a quantity of words":  "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {resources: {requests: {storage: much}}}}",
	} {
		if d, err := canon.DigestManifest(parseYAML(text), schema.BuiltIn(), key); err == nil {
			t.Errorf("%s: digest %x", name, d)
		}
	}
	ok := parseYAML("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}")
	if _, err := canon.DigestManifest(ok, schema.BuiltIn(), canon.Key{}); err == nil {
		t.Error("a digest without a key")
	}
}

// No part of a Secret stands in an error.
func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {a: [hunter2]}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: hunter2!}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: hunter2}",
		"{apiVersion: v1, kind: Secret, metadata: {name: x}, immutable: hunter2}",
		"{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: {b: hunter2}}}",
	} {
		_, err := canon.DigestManifest(parseYAML(text), schema.BuiltIn(), key)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if out := fmt.Sprintf(verb, key); out != "digest key (hidden)" {
			t.Errorf("the key prints as %s", out)
		}
	}
	if out, err := json.Marshal(struct{ K canon.Key }{key}); err != nil || string(out) != `{"K":"digest key (hidden)"}` {
		t.Errorf("the key encodes as %s, %v", out, err)
	}
	if _, err := canon.NewKey(make([]byte, canon.MinKey-1)); err == nil {
		t.Error("a short key")
	}
}
