package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// bindingFiles are manifests that the defaults table was not made from. Some are of kinds that the newest API server
// alone has.
func bindingFiles() []string {
	files := []string{"workloads.yaml", "other.yaml", "custom.yaml"}
	if os.Getenv("FAIRWAY_KUBERNETES") == "" {
		files = append(files, "newest.yaml")
	}
	return files
}

func bindingCorpus(t *testing.T, l *bindingLab) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, name := range bindingFiles() {
		content, err := os.ReadFile(filepath.Join(bindingFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split(string(content), "\n---\n") {
			out = append(out, l.placed(t, parseManifest(t, text)))
		}
	}
	if len(out) < 60 {
		t.Fatalf("the corpus has %d manifests, want at least 60", len(out))
	}
	return out
}

// TestT61EveryManifestIsBound: what Git holds is bound to what admission sees, whatever the API server
// made of it, on CREATE and on UPDATE.
func TestT61EveryManifestIsBound(t *testing.T) {
	l := newBindingLab(t)
	for _, m := range bindingCorpus(t, l) {
		t.Run(titleOf(m), func(t *testing.T) {
			s, err := l.apply(t, m, true)
			if err != nil {
				t.Fatalf("the API server refuses the manifest: %v", err)
			}
			l.wantBound(t, s, m)
			if l.clusterScoped(t, m) {
				return
			}
			if s, err = l.apply(t, m, false); err != nil {
				t.Fatal(err)
			}
			defer l.remove(t, m)
			l.wantBound(t, s, m)
			changed := runtime.DeepCopyJSON(m)
			u := &unstructured.Unstructured{Object: changed}
			u.SetLabels(merged(u.GetLabels(), "release", "2"))
			if s, err = l.apply(t, changed, false); err != nil {
				t.Fatal(err)
			}
			l.wantBound(t, s, changed)
			if l.bind(t, s).BoundTo(l.digest(t, m)) {
				t.Error("the changed object is bound to the manifest before the change")
			}
			paths, err := canon.Differ(parse(t, s.Object), bindingManager, m, l.schema)
			paths = slices.DeleteFunc(paths, func(p string) bool { return p == "metadata.labels" }) // was sent empty
			if d := cmp.Diff([]string{"metadata.labels.release"}, paths); err != nil || d != "" {
				t.Errorf("Differ (-want +got), error %v:\n%s", err, d)
			}
		})
	}
}

func merged(m map[string]string, k, v string) map[string]string {
	out := map[string]string{k: v}
	maps.Copy(out, m)
	return out
}

func titleOf(m map[string]any) string {
	u := unstructured.Unstructured{Object: m}
	return u.GetKind() + " " + u.GetName()
}

func (l *bindingLab) wantBound(t *testing.T, s seen, m map[string]any) {
	t.Helper()
	r := l.bind(t, s)
	if r.BoundTo(l.digest(t, m)) {
		if len(r.Tolerated)+len(r.Inherited) > 0 {
			t.Errorf("bound with tolerated %q, inherited %v", r.Tolerated, r.Inherited)
		}
		return
	}
	t.Errorf("%s is not bound: %s %q", s.Operation, r.Reason, r.Paths)
	if r.Reason == canon.Applied {
		paths, err := canon.Differ(parse(t, s.Object), bindingManager, m, l.schema)
		t.Errorf("differs in %q (%v)", paths, err)
	}
}

// TestT01OneFieldAtATime: every manifest that differs from Git's in one field, and that the API server
// takes, is refused.
func TestT01OneFieldAtATime(t *testing.T) {
	l := newBindingLab(t)
	accepted, same, restored := 0, []string{}, []string{}
	for _, m := range bindingCorpus(t, l) {
		want := l.digest(t, m)
		original, err := l.apply(t, m, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variants(m) {
			if d, err := canon.DigestManifest(v.object, l.schema, l.key); err == nil && d == want {
				same = append(same, titleOf(m)+" "+v.what) // says the same: see below
				continue
			}
			s, err := l.apply(t, v.object, true)
			if err != nil {
				continue
			}
			accepted++
			if l.bind(t, s).BoundTo(want) {
				// Only where the API server makes the very same object of it.
				if d := cmp.Diff(content(t, original), content(t, s)); d != "" {
					t.Errorf("%s: bound after %s:\n%s", titleOf(m), v.what, d)
				}
				restored = append(restored, titleOf(m)+" "+v.what)
			}
		}
	}
	t.Logf("%d mutated manifests were accepted by the API server and refused by the binding", accepted)
	if accepted < 500 {
		t.Errorf("only %d mutated manifests were accepted, too few to prove anything", accepted)
	}
	if d := cmp.Diff([]string{
		"StatefulSet queue changing spec.volumeClaimTemplates[0].apiVersion", // overwritten by the API server
		"StatefulSet queue changing spec.volumeClaimTemplates[0].kind",
		"ReplicationController rc without spec.selector.app", // filled in from the template
	}, restored); d != "" {
		t.Errorf("mutations that the API server takes back (-want +got):\n%s", d)
	}
	// Fields that an apply never owns, a null that the API server folds away, a default spelled out
	// inside what is owned as a whole, and an empty list, which says what no list says.
	slices.Sort(same)
	if d := cmp.Diff([]string{
		"Deployment helmed without spec.template.spec.containers[0].env",
		"Deployment helmed without spec.template.spec.containers[0].volumeMounts",
		"Deployment helmed without spec.template.spec.hostAliases",
		"Deployment helmed without spec.template.spec.imagePullSecrets",
		"Deployment helmed without spec.template.spec.topologySpreadConstraints",
		"Deployment helmed without spec.template.spec.volumes",
		"Deployment kustomized without metadata.creationTimestamp",
		"Deployment kustomized without status",
		"Deployment podinfo without metadata.annotations", // an empty map, in whose place a stamp may stand
		"Deployment sidecars without spec.template.spec.containers[0].env[0].valueFrom.fieldRef.apiVersion",
		"NetworkPolicy allow without spec.egress[0].to",
		"NetworkPolicy allow without spec.ingress[0].ports[1].protocol",
		"RoleBinding readers without roleRef.apiGroup",
		"RoleBinding readers without subjects[1].apiGroup",
		"Secret nullstrings without stringData",
		"StatefulSet queue without spec.volumeClaimTemplates[0].apiVersion",
		"StatefulSet queue without spec.volumeClaimTemplates[0].kind",
		"StatefulSet queue without spec.volumeClaimTemplates[0].metadata.creationTimestamp",
		"StatefulSet queue without spec.volumeClaimTemplates[0].spec.volumeMode",
		"StatefulSet queue without spec.volumeClaimTemplates[0].status",
		"Widget full without metadata.annotations",
		"Widget nested without spec.steps",
	}, same); d != "" {
		t.Errorf("mutations that change nothing (-want +got):\n%s", d)
	}
}

// content is what an object says beside what every write of it makes anew.
func content(t *testing.T, s seen) map[string]any {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(s.Object); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"managedFields", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	return u.Object
}

type variant struct {
	what   string
	object map[string]any
}

// variants are the copies of m with one field changed, removed, or one list turned round.
func variants(m map[string]any) (out []variant) {
	var visit func(v any, at string, set func(root map[string]any, v any, drop bool))
	emit := func(what string, set func(map[string]any, any, bool), v any, drop bool) {
		c := runtime.DeepCopyJSON(m)
		set(c, v, drop)
		out = append(out, variant{what, c})
	}
	visit = func(v any, at string, set func(map[string]any, any, bool)) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				where := strings.TrimPrefix(at+"."+k, ".")
				if where == "apiVersion" || where == "kind" || where == "metadata" && at != "" || where == "metadata.namespace" {
					continue
				}
				below := func(root map[string]any, x any, drop bool) { change1(root, set, at, k, x, drop) }
				if where != "metadata" && where != "metadata.name" {
					emit("without "+where, below, nil, true)
				}
				visit(v[k], where, below)
			}
		case []any:
			for i := range v {
				shorter := slices.Delete(slices.Clone(v), i, i+1)
				emit(fmt.Sprintf("without %s[%d]", at, i), set, shorter, false)
				visit(v[i], fmt.Sprintf("%s[%d]", at, i), func(root map[string]any, x any, _ bool) {
					l := slices.Clone(v)
					l[i] = x
					set(root, l, false)
				})
			}
			if len(v) > 1 {
				turned := slices.Clone(v)
				slices.Reverse(turned)
				emit("turning round "+at, set, turned, false)
			}
		case string:
			emit("changing "+at, set, v+"x", false)
		case int64:
			emit("changing "+at, set, v+1, false)
		case float64:
			emit("changing "+at, set, v+0.5, false)
		case bool:
			emit("changing "+at, set, !v, false)
		}
	}
	visit(m, "", nil)
	return out
}

// change1 sets or drops the member k of the map that set reaches; a nil set is the root itself.
func change1(root map[string]any, set func(map[string]any, any, bool), at, k string, x any, drop bool) {
	holder := root
	if set != nil {
		fields, _ := lookup(root, at).(map[string]any)
		holder = maps.Clone(fields)
	}
	if drop {
		delete(holder, k)
	} else {
		holder[k] = runtime.DeepCopyJSONValue(x)
	}
	if set != nil {
		set(root, holder, false)
	}
}

// lookup finds the value at a path that variants has made.
func lookup(v any, at string) any {
	for at != "" {
		switch x := v.(type) {
		case map[string]any:
			key := ""
			for k := range x { // names may hold dots: the longest that fits
				if (at == k || strings.HasPrefix(at, k+".") || strings.HasPrefix(at, k+"[")) && len(k) > len(key) {
					key = k
				}
			}
			v, at = x[key], strings.TrimPrefix(at[len(key):], ".")
		case []any:
			number, rest, _ := strings.Cut(at[1:], "]")
			i, err := strconv.Atoi(number)
			if err != nil {
				panic(err) // variants made the path
			}
			v, at = x[i], strings.TrimPrefix(rest, ".")
		default:
			return nil
		}
	}
	return v
}

// TestT01WritesThatAreNoApply: on the real API server, what looks like Git's apply and is none.
func TestT01WritesThatAreNoApply(t *testing.T) {
	l := newBindingLab(t)
	git := l.placed(t, parseManifest(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: target}
spec:
  selector: {matchLabels: {app: a}}
  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: "a:1", env: [{name: A, value: "1"}, {name: B, value: $(A)}]}]}}
`))
	s, err := l.apply(t, git, false)
	if err != nil {
		t.Fatal(err)
	}
	l.wantBound(t, s, git)
	live := l.get(t, git)
	options := metav1.UpdateOptions{FieldManager: bindingManager, DryRun: []string{metav1.DryRunAll}}
	patch := metav1.PatchOptions{FieldManager: bindingManager, DryRun: []string{metav1.DryRunAll}}
	client := l.resource(t, git)
	for name, write := range map[string]func() error{
		"put with another image": func() error {
			_, err := client.Update(t.Context(), edited(live, `"a:1"`, `"evil:1"`), options)
			return err
		},
		"put with the order of env turned": func() error {
			_, err := client.Update(t.Context(), edited(live, `{"name":"A","value":"1"},{"name":"B","value":"$(A)"}`, `{"name":"B","value":"$(A)"},{"name":"A","value":"1"}`), options)
			return err
		},
		"put without a default": func() error {
			_, err := client.Update(t.Context(), edited(live, `"maxSurge":"25%"`, `"maxSurge":"50%"`), options)
			return err
		},
		"put with a label": func() error {
			u := live.DeepCopy()
			u.SetLabels(map[string]string{"x": "y"})
			_, err := client.Update(t.Context(), u, options)
			return err
		},
		"put with an owner (T-13)": func() error {
			u := live.DeepCopy()
			u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1"}})
			_, err := client.Update(t.Context(), u, options)
			return err
		},
		"put with managedFields reset": func() error {
			u := live.DeepCopy()
			u.SetManagedFields([]metav1.ManagedFieldsEntry{{}})
			u.SetLabels(map[string]string{"x": "y"})
			_, err := client.Update(t.Context(), u, options)
			return err
		},
		"json patch": func() error {
			_, err := client.Patch(t.Context(), "target", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/replicas","value":9}]`), patch)
			return err
		},
		"merge patch": func() error {
			_, err := client.Patch(t.Context(), "target", types.MergePatchType, []byte(`{"metadata":{"annotations":{"x":"y"}}}`), patch)
			return err
		},
		"post with copied managedFields": func() error {
			u := live.DeepCopy()
			u.SetName("copy")
			u.SetResourceVersion("")
			_, err := client.Create(t.Context(), u, metav1.CreateOptions{FieldManager: bindingManager, DryRun: []string{metav1.DryRunAll}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := l.captured(write)
			if err != nil {
				t.Fatal(err)
			}
			if r := l.bind(t, s); r.BoundTo(l.digest(t, git)) {
				t.Errorf("bound: %+v", r)
			}
		})
	}
}

func edited(u *unstructured.Unstructured, from, to string) *unstructured.Unstructured {
	raw, err := u.MarshalJSON()
	if err != nil || !strings.Contains(string(raw), from) {
		panic(fmt.Sprintf("%v: no %s in %s", err, from, raw))
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON([]byte(strings.ReplaceAll(string(raw), from, to))); err != nil {
		panic(err)
	}
	return out
}

// TestT08MutatingHookOnTheServer: an env var that a mutating webhook adds is refused, a sidecar that the
// tier tolerates is not.
func TestT08MutatingHookOnTheServer(t *testing.T) {
	l := newBindingLab(t)
	git := l.placed(t, parseManifest(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: hooked}
spec:
  selector: {matchLabels: {app: a}}
  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: "a:1"}]}}
`))
	const containers = "/spec/template/spec/containers/"
	for _, tt := range []struct {
		patch, tolerate string
		bound           bool
		paths           []string
	}{
		{patch: `[{"op":"add","path":"` + containers + `0/env","value":[{"name":"HTTP_PROXY","value":"x"}]}]`,
			paths: []string{`spec.template.spec.containers[name="a"].env[name="HTTP_PROXY"]`}},
		{patch: `[{"op":"add","path":"` + containers + `-","value":{"name":"mesh","image":"mesh:1"}}]`,
			paths: []string{`spec.template.spec.containers[name="mesh"]`}},
		{patch: `[{"op":"add","path":"` + containers + `-","value":{"name":"mesh","image":"mesh:1"}}]`,
			tolerate: "spec.template.spec.containers[name=mesh]", bound: true},
		{patch: `[{"op":"replace","path":"` + containers + `0/image","value":"evil:1"}]`},
		{patch: `[{"op":"add","path":"/spec/template/spec/serviceAccountName","value":"admin"}]`,
			paths: []string{"spec.template.spec.serviceAccount", "spec.template.spec.serviceAccountName"}},
	} {
		l.mutateWith(t, tt.patch)
		s, err := l.apply(t, git, true)
		if err != nil {
			t.Fatal(err)
		}
		var tolerate []string
		if tt.tolerate != "" {
			tolerate = []string{tt.tolerate}
		}
		r := l.bind(t, s, tolerate...)
		if got := r.BoundTo(l.digest(t, git)); got != tt.bound {
			t.Errorf("%s: bound %t, want %t: %+v", tt.patch, got, tt.bound, r)
		}
		if d := cmp.Diff(tt.paths, r.Paths); d != "" {
			t.Errorf("%s: paths (-want +got):\n%s", tt.patch, d)
		}
	}
}

// TestRuling23SchemasAgree: the compiled-in types and the cluster's, and the schema of a CRD and what
// the cluster publishes of it, make one digest.
func TestRuling23SchemasAgree(t *testing.T) {
	l := newBindingLab(t)
	builtIn := schema.BuiltIn().Over(l.crds)
	for _, m := range bindingCorpus(t, l) {
		var k change.Kind
		raw, _ := json.Marshal(m)
		k = parse(t, raw).Meta().Kind
		if _, ok := builtIn.Type(k); !ok {
			continue // an aggregated API
		}
		a, err := canon.DigestManifest(m, builtIn, l.key)
		if err != nil {
			t.Errorf("%s: %v", titleOf(m), err)
		}
		if b, err := canon.DigestManifest(m, l.published, l.key); err != nil || a != b {
			t.Errorf("%s: the digests differ (error %v)", titleOf(m), err)
		}
	}
}

// TestRuling18DefaultsTableIsCurrent: the table that is shipped is what this API server does.
func TestRuling18DefaultsTableIsCurrent(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", "../hack/defaults", "-check", "-root", "..").CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Fatalf("%v: %s", err, lines[len(lines)-1])
	}
}
