package canon_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/schema"
)

// takeOver is the clean-up that kustomize-controller makes before it applies: it puts the fields of all
// Update entries that taken chooses into the manager's own Apply entry, or makes one of the first.
func takeOver(t testing.TB, manager string, taken func(metav1.ManagedFieldsEntry) bool) func(map[string]any) {
	return func(m map[string]any) {
		t.Helper()
		u := &unstructured.Unstructured{Object: m}
		var kept []metav1.ManagedFieldsEntry
		mine := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1"}
		union := fieldpath.NewSet()
		for _, e := range u.GetManagedFields() {
			own := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply
			if !own && !taken(e) {
				kept = append(kept, e)
				continue
			}
			mine.APIVersion = e.APIVersion
			var s fieldpath.Set
			if err := s.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
				t.Fatal(err)
			}
			union = union.Union(&s)
		}
		raw, err := union.ToJSON()
		if err != nil {
			t.Fatal(err)
		}
		mine.FieldsV1 = &metav1.FieldsV1{}
		mine.FieldsV1.SetRawBytes(raw)
		u.SetManagedFields(append(kept, mine))
	}
}

// byKubectl are the entries that kustomize-controller takes over.
func byKubectl(e metav1.ManagedFieldsEntry) bool {
	return e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == "" && strings.HasPrefix(e.Manager, "kubectl")
}

func restart(m map[string]any) map[string]any {
	m = clone(m)
	setPath("now", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")(m)
	return m
}

// TestRuling13Handover: what kubectl left behind goes to the manager that Git delivers by, without any
// change of content; and the apply that follows ends with what Git says.
func TestRuling13Handover(t *testing.T) {
	git := manifest("web:1", "")
	for name, edited := range map[string]map[string]any{
		"a restart":                 restart(git),
		"drift, and a container":    manifest("web:9", "debug:1"),
		"nothing but an annotation": both2(git, annotate("team", "x")),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t).apply(git, flux).put(edited, "kubectl-edit")
			old := s.live()
			after := s.object(takeOver(t, flux, byKubectl))
			if paths, ok := canon.Hygiene(old, s.parse(after), flux); !ok {
				t.Fatalf("refused: %v", paths)
			}
			if _, ok := canon.Hygiene(old, s.parse(after), "another"); ok {
				t.Error("it went to a manager that delivers nothing here")
			}
			if _, ok := canon.Hygiene(old, s.parse(after)); ok {
				t.Error("it went to nobody's manager")
			}
			if bind(s.parse(after), old).BoundTo(digest(t, git)) {
				t.Error("the clean-up is taken for an apply")
			}
			raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s.Live())
			if err != nil {
				t.Fatal(err)
			}
			takeOver(t, flux, byKubectl)(raw)
			s.put(raw, flux) // the API server takes the entries of a request that has some
			handed := s.live()
			s.apply(git, flux)
			r := bind(s.live(), handed)
			if !r.BoundTo(digest(t, git)) || len(r.Inherited) > 0 {
				t.Errorf("the apply that follows: %+v", r)
			}
		})
	}
	// What was never applied: the first entry is renamed.
	s := newServer(t).put(restart(git), "kubectl-client-side-apply")
	if paths, ok := canon.Hygiene(s.live(), s.live(takeOver(t, flux, byKubectl)), flux); !ok {
		t.Errorf("the first take-over is refused: %v", paths)
	}
}

// TestRuling13TakesOver: what Helm set on the client's side before goes to its own Apply entry, and to no other
// manager's; the apply that follows ends with what Git says, without what it said before.
func TestRuling13TakesOver(t *testing.T) {
	const helm = "helm"
	own := func(e metav1.ManagedFieldsEntry) bool {
		return e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == "" && e.Manager == helm
	}
	before, git := manifest("web:1", "debug:1"), manifest("web:2", "")
	s := newServer(t).put(before, helm)
	old := s.live()
	after := s.object(takeOver(t, helm, own))
	if !canon.TakesOver(old, s.parse(after), helm) {
		t.Fatal("refused")
	}
	for name, by := range map[string]string{"another manager": flux, "nobody": ""} {
		if canon.TakesOver(old, s.parse(after), by) {
			t.Errorf("%s takes it over", name)
		}
	}
	others := s.object(takeOver(t, flux, own))
	if canon.TakesOver(old, s.parse(others), flux) || canon.TakesOver(old, s.parse(others), helm) {
		t.Error("what Helm set goes to another manager")
	}
	if _, ok := canon.Hygiene(old, s.parse(others), flux); ok {
		t.Error("what Helm set goes to another manager by an engine's clean-up")
	}
	more := clone(after)
	annotate("team", "x")(more)
	if canon.TakesOver(old, s.parse(more), helm) {
		t.Error("an annotation comes with it")
	}
	kubectl := newServer(t).put(before, helm).put(both2(before, annotate("team", "x")), "kubectl-edit")
	if canon.TakesOver(kubectl.live(), kubectl.live(takeOver(t, helm, byKubectl)), helm) {
		t.Error("who delivers takes over what somebody else set")
	}
	gone := s.object(func(m map[string]any) { (&unstructured.Unstructured{Object: m}).SetManagedFields(nil) })
	if canon.TakesOver(old, s.parse(gone), helm) {
		t.Error("the entries are dropped")
	}
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s.Live())
	if err != nil {
		t.Fatal(err)
	}
	takeOver(t, helm, own)(raw)
	s.put(raw, helm)
	handed := s.live()
	s.apply(git, helm)
	if r := canon.Bind(canon.Binding{
		Kind: change1(deployment), Object: s.live(), Old: handed, Manager: helm, Types: schema.BuiltIn(), Key: key, Residue: true,
	}); !r.BoundTo(digest(t, git)) || len(r.Inherited) > 0 {
		t.Errorf("the apply that follows: %+v", r)
	}
}

func both2(m map[string]any, change func(map[string]any)) map[string]any {
	m = clone(m)
	change(m)
	return m
}

// TestT01Handover: what else one could try under the name of a clean-up.
func TestT01Handover(t *testing.T) {
	git := manifest("web:1", "")
	everything := func(e metav1.ManagedFieldsEntry) bool { return true }
	of := func(manager string) func(metav1.ManagedFieldsEntry) bool {
		return func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager }
	}
	edit := func(change func(*metav1.ManagedFieldsEntry)) func(map[string]any) {
		return func(m map[string]any) {
			u := &unstructured.Unstructured{Object: m}
			all := u.GetManagedFields()
			for i := range all {
				change(&all[i])
			}
			u.SetManagedFields(all)
		}
	}
	mesh := newServer(t).apply(git, flux).put(manifest("web:1", "mesh:1"), "istio-injector")
	other := newServer(t).apply(git, flux).apply(parseYAML("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, labels: {other: x}}\n"), "kubectl")
	kubectl := newServer(t).apply(git, flux).put(restart(git), "kubectl-rollout")
	held := newServer(t).apply(git, flux).put(both2(git, setPath([]any{"example.com/keep"}, "metadata", "finalizers")), "kubectl-edit")
	owned := newServer(t).apply(git, flux).put(both2(git, setPath([]any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"}}, "metadata", "ownerReferences")), "kubectl-edit")
	claims := newServer(t).apply(manifest("web:1", "mesh:1"), flux)
	for name, tt := range map[string]struct {
		on     *server
		change func(map[string]any)
	}{
		"what a webhook or controller added": {mesh, takeOver(t, flux, of("istio-injector"))},
		"what another applied":               {other, takeOver(t, flux, everything)},
		"a finalizer":                        {held, takeOver(t, flux, byKubectl)},
		"an owner":                           {owned, takeOver(t, flux, byKubectl)},
		"content as well":                    {kubectl, both(takeOver(t, flux, byKubectl), setPath(int64(9), "spec", "replicas"))},
		"the annotation goes at once": {kubectl, both(takeOver(t, flux, byKubectl), func(m map[string]any) {
			unstructured.RemoveNestedField(m, "spec", "template", "metadata", "annotations")
		})},
		"another manager's name": {kubectl, takeOver(t, "attacker", byKubectl)},
		"more than was there":    {kubectl, func(m map[string]any) { withManagedFieldsOf(m, claims) }},
		"in another version":     {kubectl, both(takeOver(t, flux, byKubectl), edit(func(e *metav1.ManagedFieldsEntry) { e.APIVersion = "apps/v1beta1" }))},
		"for a sub-resource":     {kubectl, both(takeOver(t, flux, byKubectl), edit(func(e *metav1.ManagedFieldsEntry) { e.Subresource = "status" }))},
		"as an update":           {kubectl, both(takeOver(t, flux, byKubectl), edit(func(e *metav1.ManagedFieldsEntry) { e.Operation = "Update" }))},
		"what the manager applied is let go of": {kubectl, edit(func(e *metav1.ManagedFieldsEntry) {
			if e.Operation == "Update" {
				e.Manager, e.Operation = flux, "Apply"
			} else {
				e.Manager = "gone"
			}
		})},
	} {
		if _, ok := canon.Hygiene(tt.on.live(), tt.on.live(tt.change), flux); ok {
			t.Errorf("%s: passes as a clean-up", name)
		}
	}
}

func withManagedFieldsOf(m map[string]any, s *server) {
	(&unstructured.Unstructured{Object: m}).SetManagedFields(s.ManagedFields())
}

// TestT01NoMutationIsHandedOver: a clean-up with one field changed somewhere is none.
func TestT01NoMutationIsHandedOver(t *testing.T) {
	s := newServer(t).apply(sixKiB("1"), flux)
	s.put(restart(sixKiB("1")), "kubectl-rollout")
	old, after := s.live(), s.object(takeOver(t, flux, byKubectl))
	if paths, ok := canon.Hygiene(old, s.parse(after), flux); !ok {
		t.Fatalf("what is mutated is refused itself: %v", paths)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		m := runtime.DeepCopyJSON(after)
		if what := vandalise(r, m, true); func() bool { _, ok := canon.Hygiene(old, s.parse(m), flux); return ok }() {
			t.Fatalf("it passes after %s", what)
		}
	}
}
