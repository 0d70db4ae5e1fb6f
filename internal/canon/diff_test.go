package canon

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/yaml"
)

// A Pod has every shape there is: atomic and owned lists, sets, maps, structs, int-or-string.
const podText = `
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: b, labels: {a: b, c: d}, annotations: {x/y: z}, finalizers: [a/b, c/d]}
spec:
  restartPolicy: Always
  nodeSelector: {a: b}
  tolerations: [{key: a, operator: Exists}, {key: b, value: c}]
  securityContext: {runAsUser: 1, supplementalGroups: [1, 2]}
  containers:
  - name: a
    image: a
    args: [x, z]
    ports: [{containerPort: 80, protocol: TCP, name: p}, {containerPort: 80, protocol: UDP}]
    env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    livenessProbe: {httpGet: {port: 80, path: /}, periodSeconds: 3}
    resources: {limits: {cpu: "1", memory: 1Gi}}
  - {name: b, image: b, resources: {}}
  volumes: [{name: v, emptyDir: {}}, {name: w, configMap: {name: c, items: [{key: k, path: p}]}}]
`

var converter = applyconfigurations.NewTypeConverter(scheme.Scheme)

func typeFor(t testing.TB, c managedfields.TypeConverter, m map[string]any) *Type {
	t.Helper()
	v, err := c.ObjectToTyped(&unstructured.Unstructured{Object: m}, typed.AllowDuplicates)
	if err != nil {
		t.Fatal(err)
	}
	return NewType(typed.ParseableType{Schema: v.Schema(), TypeRef: v.TypeRef()}, Traits{Native: true, ResetsStatus: true})
}

func fromYAML(t testing.TB, s string) map[string]any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u.Object
}

func docFor(t testing.TB, m map[string]any) *doc {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDifferAgreesWithStructuredMergeDiff holds the walk against the library that the API server
// compares with, over random pairs of objects.
func TestDifferAgreesWithStructuredMergeDiff(t *testing.T) {
	base := fromYAML(t, podText)
	kind := typeFor(t, converter, base)
	r := rand.New(rand.NewPCG(1, 2))
	compared := 0
	for range 2500 {
		a, b := runtime.DeepCopyJSON(base), runtime.DeepCopyJSON(base)
		for range 1 + r.IntN(3) {
			mutate(r, a)
			mutate(r, b)
		}
		want, ok := libraryDiff(a, b)
		if !ok {
			continue // no longer an object of the type
		}
		compared++
		got := map[string]bool{}
		w := differ{a: docFor(t, a), b: docFor(t, b)}
		w.visit = func(k changeKind, p path) { got[fmt.Sprint(k, " ", p)] = true }
		w.walk(0, 0, kind.root)
		for s := range got {
			if isReorder(s, want) {
				delete(got, s)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-library +own):\n%s\n%v\n%v", d, a, b)
		}
	}
	if compared < 1000 {
		t.Fatalf("only %d pairs compared", compared)
	}
}

// isReorder reports the one thing that the library does not see: items in another order.
func isReorder(s string, want map[string]bool) bool {
	return !want[s] && slices.Contains([]string{
		"2 metadata.finalizers", "2 spec.containers", "2 spec.volumes", `2 spec.containers[name="a"].env`, `2 spec.containers[name="a"].ports`,
	}, s)
}

func libraryDiff(a, b map[string]any) (map[string]bool, bool) {
	x, err := converter.ObjectToTyped(&unstructured.Unstructured{Object: a})
	if err != nil {
		return nil, false
	}
	y, err := converter.ObjectToTyped(&unstructured.Unstructured{Object: b})
	if err != nil {
		return nil, false
	}
	c, err := x.Compare(y)
	if err != nil {
		return nil, false
	}
	out := map[string]bool{}
	for k, set := range map[changeKind]*fieldpath.Set{added: c.Added, removed: c.Removed, modified: c.Modified} {
		raw, err := set.ToJSON()
		if err != nil {
			return nil, false
		}
		d, err := parseJSON(raw)
		if err != nil {
			return nil, false
		}
		reader := setReader{d: d}
		s, err := reader.read(0)
		if err != nil {
			return nil, false
		}
		s.each(nil, func(p path) { out[fmt.Sprint(k, " ", p)] = true })
	}
	return out, true
}

// mutate changes one thing somewhere in a tree: a value, a member, an item, an order.
func mutate(r *rand.Rand, v any) {
	if v, ok := v.(map[string]any); ok {
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			v["added"] = "x"
			return
		}
		k := keys[r.IntN(len(keys))]
		if k == "apiVersion" || k == "kind" {
			return
		}
		if _, deep := v[k].(map[string]any); deep && r.IntN(8) > 0 {
			mutate(r, v[k])
			return
		}
		if l, deep := v[k].([]any); deep && len(l) > 0 {
			v[k] = mutateList(r, l)
			return
		}
		switch r.IntN(5) {
		case 0:
			delete(v, k)
		case 1:
			v["a"] = "x"
		case 2:
			v[k] = map[string]any{}
		default:
			v[k] = other(r, v[k])
		}
	}
}

func mutateList(r *rand.Rand, l []any) []any {
	l = slices.Clone(l)
	i := r.IntN(len(l))
	switch r.IntN(5) {
	case 0:
		return slices.Delete(l, i, i+1)
	case 1:
		slices.Reverse(l)
	case 2:
		c := runtime.DeepCopyJSONValue(l[i])
		if m, ok := c.(map[string]any); ok {
			m["name"], m["containerPort"] = fmt.Sprint("n", r.IntN(3)), int64(r.IntN(3))
			delete(m, "containerPort")
		} else {
			c = other(r, c)
		}
		return append(l, c)
	default:
		if _, ok := l[i].(map[string]any); !ok {
			l[i] = other(r, l[i])
			break
		}
		l[i] = runtime.DeepCopyJSONValue(l[i])
		mutate(r, l[i])
	}
	return l
}

func other(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case string:
		return v + string(rune('a'+r.IntN(3)))
	case int64:
		return v + 1
	case bool:
		return !v
	}
	return v
}

func TestDifferSeesOrderAndDuplicates(t *testing.T) {
	base := fromYAML(t, podText)
	kind := typeFor(t, converter, base)
	run := func(change func(m map[string]any)) (changes []string, unclear []string) {
		b := runtime.DeepCopyJSON(base)
		change(b)
		w := differ{a: docFor(t, base), b: docFor(t, b)}
		w.visit = func(k changeKind, p path) { changes = append(changes, fmt.Sprint(k, " ", p)) }
		w.unclear = func(p path) { unclear = append(unclear, p.String()) }
		w.walk(0, 0, kind.root)
		return changes, unclear
	}
	spec := func(m map[string]any) map[string]any { return m["spec"].(map[string]any) }
	changes, unclear := run(func(m map[string]any) { slices.Reverse(spec(m)["containers"].([]any)) })
	if d := cmp.Diff([]string{"2 spec.containers"}, changes); d != "" || unclear != nil {
		t.Errorf("turned round: %v\n%s", unclear, d)
	}
	changes, unclear = run(func(m map[string]any) {
		spec(m)["containers"] = append(spec(m)["containers"].([]any), map[string]any{"name": "a", "image": "evil"})
	})
	if d := cmp.Diff([]string{"2 spec.containers"}, changes); d != "" || !slices.Equal(unclear, []string{"spec.containers"}) {
		t.Errorf("twice: %v\n%s", unclear, d)
	}
	changes, _ = run(func(m map[string]any) { spec(m)["restartPolicy"] = map[string]any{"a": "b"} })
	if d := cmp.Diff([]string{"2 spec.restartPolicy", "0 spec.restartPolicy.a"}, changes); d != "" {
		t.Errorf("another kind of value:\n%s", d)
	}
}
