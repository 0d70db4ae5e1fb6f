package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/canon"
)

// foreign is a write by somebody else, as a merge patch on the main resource or a sub-resource, or, for
// "strategic", as a strategic merge patch on the main resource.
type foreign struct {
	manager, patch, subresource string
}

// TestT61UpdatesAreBound: what Git changes from one commit to the next is bound, whatever others did to
// the object before.
func TestT61UpdatesAreBound(t *testing.T) {
	l := newBindingLab(t)
	const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: u, annotations: {a: b}}
spec:
  replicas: 3
  selector: {matchLabels: {app: u}}
  template:
    metadata: {labels: {app: u}}
    spec:
      volumes: [{name: v, configMap: {name: c}}]
      containers:
      - {name: a, image: "a:1", env: [{name: A, value: "1"}, {name: B, value: "2"}], volumeMounts: [{name: v, mountPath: /v}], resources: {limits: {cpu: 1}}}
      - {name: b, image: "b:1"}
`
	for name, tt := range map[string]struct {
		git       string
		others    []foreign
		edit      func(m map[string]any)
		inherited []canon.Residue
	}{
		"image":          {git: deployment, edit: func(m map[string]any) { container(m, 0)["image"] = "a:2" }},
		"container gone": {git: deployment, edit: func(m map[string]any) { setContainerList(m, containerList(m)[:1]) }},
		"container new": {git: deployment, edit: func(m map[string]any) {
			setContainerList(m, append(containerList(m), map[string]any{"name": "c", "image": "c"}))
		}},
		"containers turned": {git: deployment, edit: func(m map[string]any) { c := containerList(m); setContainerList(m, []any{c[1], c[0]}) }},
		"containers turned by somebody": {
			git: deployment, others: []foreign{{"mesh", `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"m"},{"name":"a"}],"containers":[{"name":"m","image":"m"}]}}}}`, "strategic"}},
			edit:      func(m map[string]any) { container(m, 0)["image"] = "a:2" },
			inherited: []canon.Residue{{Path: `spec.template.spec.containers[name="m"]`, Manager: "mesh"}},
		},
		"env gone": {git: deployment, edit: func(m map[string]any) { delete(container(m, 0), "env") }},
		"volume gone": {git: deployment, edit: func(m map[string]any) {
			delete(container(m, 0), "volumeMounts")
			unstructured.RemoveNestedField(m, "spec", "template", "spec", "volumes")
		}},
		"volume of another kind": {git: deployment, edit: func(m map[string]any) {
			_ = unstructured.SetNestedSlice(m, []any{map[string]any{"name": "v", "secret": map[string]any{"secretName": "s"}}}, "spec", "template", "spec", "volumes")
		}},
		"replicas left to others": {git: deployment, others: []foreign{{"hpa", `{"spec":{"replicas":7}}`, "scale"}},
			edit:      func(m map[string]any) { unstructured.RemoveNestedField(m, "spec", "replicas") },
			inherited: []canon.Residue{{Path: "spec.replicas", Manager: "hpa"}}},
		"replicas left to the server": {git: deployment, edit: func(m map[string]any) { unstructured.RemoveNestedField(m, "spec", "replicas") }},
		"annotations gone":            {git: deployment, edit: func(m map[string]any) { unstructured.RemoveNestedField(m, "metadata", "annotations") }},
		"annotations gone after others had some": {git: deployment,
			others: []foreign{{"kubectl-annotate", `{"metadata":{"annotations":{"x":"y"}}}`, ""}, {"kubectl-annotate", `{"metadata":{"annotations":{"x":null}}}`, ""}},
			edit:   func(m map[string]any) { unstructured.RemoveNestedField(m, "metadata", "annotations") }},
		"annotations gone while others have some": {git: deployment,
			others:    []foreign{{"kubectl-annotate", `{"metadata":{"annotations":{"x":"y"}}}`, ""}},
			edit:      func(m map[string]any) { unstructured.RemoveNestedField(m, "metadata", "annotations") },
			inherited: []canon.Residue{{Path: "metadata.annotations.x", Manager: "kubectl-annotate"}}},
		"status by a controller": {git: deployment, others: []foreign{{"kube-controller-manager", `{"status":{"observedGeneration":1,"replicas":3,"conditions":[{"type":"Available","status":"True"}]}}`, "status"}},
			edit: func(m map[string]any) { container(m, 0)["image"] = "a:2" }},
		"restarted by hand": {git: deployment, others: []foreign{{"kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`, ""}},
			edit:      func(m map[string]any) { container(m, 0)["image"] = "a:2" },
			inherited: []canon.Residue{{Path: `spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]`, Manager: "kubectl-rollout"}}},
		"drift taken back": {git: deployment, others: []foreign{{"kubectl-edit", `{"spec":{"replicas":9,"paused":true}}`, ""}},
			edit:      func(map[string]any) {},
			inherited: []canon.Residue{{Path: "spec.paused", Manager: "kubectl-edit"}}},
		"service without node ports": {git: `
apiVersion: v1
kind: Service
metadata: {name: u}
spec: {type: LoadBalancer, selector: {a: b}, ports: [{name: a, port: 80}, {name: b, port: 81, targetPort: 8081}]}
`, edit: func(m map[string]any) { unstructured.RemoveNestedField(m, "spec", "type") }},
		"service to a name": {git: `
apiVersion: v1
kind: Service
metadata: {name: u}
spec: {type: ClusterIP, selector: {a: b}, ports: [{port: 80}]}
`, edit: func(m map[string]any) {
			m["spec"] = map[string]any{"type": "ExternalName", "externalName": "x.example"}
		}},
		"keys of a secret": {git: `
apiVersion: v1
kind: Secret
metadata: {name: u}
data: {a: YQ==, b: Yg==}
stringData: {c: c}
`, edit: func(m map[string]any) {
			m["data"], m["stringData"] = map[string]any{"a": "eg=="}, map[string]any{"c": "z"}
		}},
		"custom resource": {git: `
apiVersion: binding.example/v1
kind: Widget
metadata: {name: u}
spec: {size: 5, mode: b, tags: [a, b], steps: [{name: one, retries: 1}, {name: two}], nested: {level: {active: true}}, options: {x: z}}
`, others: []foreign{{"operator", `{"status":{"ready":true}}`, "status"}},
			edit: func(m map[string]any) {
				m["spec"] = map[string]any{"tags": []any{"b", "c"}, "steps": []any{map[string]any{"name": "two", "retries": int64(3)}}}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			git := l.placed(t, parseManifest(t, tt.git))
			if _, err := l.apply(t, git, false); err != nil {
				t.Fatal(err)
			}
			client := l.resource(t, git)
			defer l.remove(t, git)
			for _, w := range tt.others {
				sub, patchType := []string{w.subresource}, types.MergePatchType
				switch w.subresource {
				case "":
					sub = nil
				case "strategic":
					sub, patchType = nil, types.StrategicMergePatchType
				}
				if _, err := client.Patch(t.Context(), "u", patchType, []byte(w.patch), metav1.PatchOptions{FieldManager: w.manager}, sub...); err != nil {
					t.Fatal(err)
				}
			}
			next := runtime.DeepCopyJSON(git)
			tt.edit(next)
			s, err := l.apply(t, next, false)
			if err != nil {
				t.Fatal(err)
			}
			r := l.bind(t, s)
			if !r.BoundTo(l.digest(t, next)) {
				t.Errorf("not bound: %s %q", r.Reason, r.Paths)
			}
			if d := cmp.Diff(tt.inherited, r.Inherited); d != "" {
				t.Errorf("inherited (-want +got):\n%s", d)
			}
		})
	}
}

func containerList(m map[string]any) []any {
	l, _, _ := unstructured.NestedFieldNoCopy(m, "spec", "template", "spec", "containers")
	return l.([]any)
}

func container(m map[string]any, i int) map[string]any { return containerList(m)[i].(map[string]any) }

func setContainerList(m map[string]any, l []any) {
	spec, _, _ := unstructured.NestedFieldNoCopy(m, "spec", "template", "spec")
	spec.(map[string]any)["containers"] = l
}

// TestT61AnotherManagerOwnsTheMapAlone: a map that another manager made and has emptied goes with the
// last entry of Git's.
func TestT61AnotherManagerOwnsTheMapAlone(t *testing.T) {
	l := newBindingLab(t)
	bare := l.placed(t, parseManifest(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: m}}`))
	full := l.placed(t, parseManifest(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: m, annotations: {a: b}}, data: {k: v}}`))
	patch := func(p string) {
		t.Helper()
		if _, err := l.resource(t, bare).Patch(t.Context(), "m", types.MergePatchType, []byte(p), metav1.PatchOptions{FieldManager: "other"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		apply map[string]any
		patch string
	}{
		{apply: bare}, {patch: `{"metadata":{"annotations":{"x":"y"}},"data":{"x":"y"}}`}, {apply: full},
		{patch: `{"metadata":{"annotations":{"x":null}},"data":{"x":null}}`}, {apply: bare},
	} {
		if step.patch != "" {
			patch(step.patch)
			continue
		}
		s, err := l.apply(t, step.apply, false)
		if err != nil {
			t.Fatal(err)
		}
		if r := l.bind(t, s); !r.BoundTo(l.digest(t, step.apply)) {
			t.Errorf("%v is not bound: %s %q\n%s\n%s", step.apply, r.Reason, r.Paths, s.OldObject, s.Object)
		}
	}
}

// TestT01ManifestWithoutFields: an apply of nothing but a name leaves no entry in managedFields, and the
// API server tracks no later update either. Only what is as bare as the manifest is bound to it.
func TestT01ManifestWithoutFields(t *testing.T) {
	l := newBindingLab(t)
	bare := l.placed(t, parseManifest(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: bare}}`))
	client, want := l.resource(t, bare), l.digest(t, bare)
	s, err := l.captured(func() error {
		_, err := client.Create(t.Context(), &unstructured.Unstructured{Object: bare}, metav1.CreateOptions{FieldManager: "somebody"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := l.bind(t, s); !r.BoundTo(want) || r.Reason != canon.NotApplied {
		t.Errorf("what is the same object is not bound: %+v", r)
	}
	live := l.get(t, bare)
	if len(live.GetManagedFields()) > 0 {
		t.Fatalf("the API server tracks a bare object: %v", live.GetManagedFields())
	}
	for name, edit := range map[string]func(u *unstructured.Unstructured){
		"data":      func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"evil": "x"} },
		"label":     func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"a": "b"}) },
		"immutable": func(u *unstructured.Unstructured) { u.Object["immutable"] = true },
		"owner": func(u *unstructured.Unstructured) {
			u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1"}})
		},
		"claimed": func(u *unstructured.Unstructured) {
			u.Object["data"] = map[string]any{"evil": "x"}
			u.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: bindingManager, Operation: "Apply", APIVersion: "v1", FieldsType: "FieldsV1",
				FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:evil":{}}}`)}})
		},
	} {
		u := live.DeepCopy()
		edit(u)
		s, err := l.captured(func() error {
			_, err := client.Update(t.Context(), u, metav1.UpdateOptions{FieldManager: bindingManager, DryRun: []string{metav1.DryRunAll}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := l.bind(t, s); r.BoundTo(want) || r.Reason == canon.Applied {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
