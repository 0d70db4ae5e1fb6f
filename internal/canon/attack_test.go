package canon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvkschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

const flux = "kustomize-controller"

var (
	deployment = gvkschema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	key        = testKey()
)

func testKey() canon.Key {
	k, err := canon.NewKey(bytes.Repeat([]byte{7}, canon.MinKey))
	if err != nil {
		panic(err)
	}
	return k
}

// manifest is a Deployment as Git holds it. A sidecar is added where image is not empty.
func manifest(image, sidecar string) map[string]any {
	text := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "` + image + `", ports: [{containerPort: 80}], resources: {requests: {cpu: 1000m}}}
`
	if sidecar != "" {
		text += `      - {name: sidecar, image: "` + sidecar + "\"}\n"
	}
	return parseYAML(text)
}

func parseYAML(s string) map[string]any {
	var m map[string]any
	if err := yaml.Unmarshal([]byte(s), &m); err != nil {
		panic(err)
	}
	return m
}

// server is the API server's own field management, in process.
type server struct {
	t testing.TB
	managedfieldstest.TestFieldManager
}

func newServer(t testing.TB) *server {
	return &server{t: t, TestFieldManager: managedfieldstest.NewTestFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), deployment)}
}

func (s *server) apply(m map[string]any, manager string) *server {
	s.t.Helper()
	if err := s.Apply(&unstructured.Unstructured{Object: runtime.DeepCopyJSON(clone(m))}, manager, true); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *server) put(m map[string]any, manager string) *server {
	s.t.Helper()
	if err := s.Update(&unstructured.Unstructured{Object: clone(m)}, manager); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// live is the object as a webhook is given it: put through its Go type.
func (s *server) live(change ...func(map[string]any)) *canon.Object {
	s.t.Helper()
	return s.parse(s.object(change...))
}

func (s *server) object(change ...func(map[string]any)) map[string]any {
	s.t.Helper()
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s.Live())
	if err != nil {
		s.t.Fatal(err)
	}
	m, err = schema.BuiltIn().Canonical(change1(deployment), m)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func (s *server) parse(m map[string]any) *canon.Object {
	s.t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	o, err := canon.Parse(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func change1(gvk gvkschema.GroupVersionKind) change.Kind {
	return change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
}

func clone(m map[string]any) map[string]any {
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		panic(err)
	}
	return u.Object
}

func containers(m map[string]any) []any {
	l, _, _ := unstructured.NestedSlice(m, "spec", "template", "spec", "containers")
	return l
}

func setContainers(m map[string]any, l []any) {
	if err := unstructured.SetNestedSlice(m, l, "spec", "template", "spec", "containers"); err != nil {
		panic(err)
	}
}

// withManagedFields is m with the managedFields of the object that s holds.
func withManagedFields(m map[string]any, s *server) map[string]any {
	u := &unstructured.Unstructured{Object: clone(m)}
	u.SetManagedFields(s.ManagedFields())
	return u.Object
}

func bind(object, old *canon.Object, tolerate ...string) canon.Result {
	b := canon.Binding{Kind: change1(deployment), Object: object, Old: old, Manager: flux, Types: schema.BuiltIn(), Key: key, Residue: true}
	for _, s := range tolerate {
		p, err := canon.ParsePattern(s)
		if err != nil {
			panic(err)
		}
		b.Tolerate = append(b.Tolerate, p)
	}
	return canon.Bind(b)
}

func digest(t testing.TB, m map[string]any) change.Digest {
	t.Helper()
	d, err := canon.DigestManifest(m, schema.BuiltIn(), key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// expect is a result without its digest, and whether it is bound to Git's manifest.
type expect struct {
	Reason    canon.Reason
	Bound     bool
	Paths     []string
	Tolerated []string
	Inherited []canon.Residue
}

func check(t *testing.T, r canon.Result, git map[string]any, want expect) {
	t.Helper()
	got := expect{r.Reason, r.BoundTo(digest(t, git)), r.Paths, r.Tolerated, r.Inherited}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("result (-want +got):\n%s", d)
	}
}

const sidecarPath = `spec.template.spec.containers[name="sidecar"]`

func TestBindCreate(t *testing.T) {
	git := manifest("web:1", "")
	s := newServer(t).apply(git, flux)
	check(t, bind(s.live(), nil), git, expect{Reason: canon.Applied, Bound: true})
	check(t, bind(s.live(), nil), manifest("web:2", ""), expect{Reason: canon.Applied})
	check(t, bind(s.live(), nil), manifest("web:1", "x:1"), expect{Reason: canon.Applied})
}

// The attacks and their legitimate look-alikes, each from an object that Flux applied.

func TestT01CopiedManagedFieldsOnCreate(t *testing.T) {
	good := newServer(t).apply(manifest("web:1", ""), flux)
	forged := newServer(t).put(withManagedFields(manifest("web:1", "evil:1"), good), flux)
	check(t, bind(forged.live(), nil), manifest("web:1", ""), expect{Reason: canon.NotApplied})
	check(t, bind(forged.live(), nil), manifest("web:1", "evil:1"), expect{Reason: canon.NotApplied})
}

func TestT01PutUnderTheSameManager(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live()
	s.put(withManagedFields(manifest("web:1", "evil:1"), s), flux)
	check(t, bind(s.live(), old), manifest("web:1", ""), expect{Reason: canon.ForeignGain, Paths: []string{
		sidecarPath, sidecarPath + ".image", sidecarPath + ".name"}})
}

func TestT01PutClaimingTheChangeAsApplied(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	other := newServer(t).apply(manifest("web:1", "evil:1"), flux)
	old := s.live()
	s.put(withManagedFields(manifest("web:1", "evil:1"), other), "x")
	check(t, bind(s.live(), old), manifest("web:1", "evil:1"), expect{Reason: canon.ForeignGain, Paths: []string{
		sidecarPath, sidecarPath + ".image", sidecarPath + ".name"}})
}

func TestT01PutResettingManagedFields(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live()
	m := manifest("web:1", "evil:1")
	m["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{}}
	s.put(m, "x")
	check(t, bind(s.live(), old), manifest("web:1", ""), expect{Reason: canon.NotApplied})
}

func TestT01PutReusingAnOwnersName(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux).put(manifest("web:1", "app:1"), "kubectl-edit")
	old := s.live()
	s.put(withManagedFields(manifest("web:1", "evil:2"), s), "kubectl-edit")
	check(t, bind(s.live(), old), manifest("web:1", ""), expect{Reason: canon.ForeignChange, Paths: []string{sidecarPath + ".image"}})
}

func TestT01PutRemovingForeignFields(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux).put(manifest("web:1", "mesh:1"), "istio-injector")
	old := s.live()
	s.put(withManagedFields(manifest("web:1", ""), s), flux)
	check(t, bind(s.live(), old), manifest("web:1", ""), expect{Reason: canon.ForeignRemoval, Paths: []string{
		sidecarPath, sidecarPath + ".image", sidecarPath + ".name", sidecarPath + ".resources"}})
}

func TestT01PutRemovingWhatNobodyOwns(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live(addSidecar("mesh:1"))
	r := bind(s.live(), old)
	check(t, r, manifest("web:1", ""), expect{Reason: canon.ForeignRemoval, Paths: []string{
		sidecarPath, sidecarPath + ".image", sidecarPath + ".name", sidecarPath + ".resources"}})
}

// Step one puts a foreign field into Flux's entry and changes no content; step two removes it.
func TestT01TwoSteps(t *testing.T) {
	git := manifest("web:1", "")
	s := newServer(t).apply(git, flux).put(manifest("web:1", "mesh:1"), "istio-injector")
	claims := newServer(t).apply(manifest("web:1", "mesh:1"), flux)
	old := s.live()
	s.put(withManagedFields(manifest("web:1", "mesh:1"), claims), "attacker")
	if r := bind(s.live(), old); r.BoundTo(digest(t, git)) {
		t.Errorf("step one is bound: %+v", r)
	}
	// Step two alone would be bound: it looks like an apply that drops the container. That is why
	// no lane may let step one pass, neither the no-op nor the hygiene lane.
	if _, ok := canon.Hygiene(old, s.live(), flux); ok {
		t.Error("step one passes as hygiene")
	}
}

// A request that changes managedFields alone, and only of others.
func TestT01ForeignEntryRewritten(t *testing.T) {
	git := manifest("web:1", "")
	s := newServer(t).apply(git, flux).put(manifest("web:1", "mesh:1"), "istio-injector")
	old := s.live()
	m := s.object(func(m map[string]any) {
		u := &unstructured.Unstructured{Object: m}
		u.SetManagedFields(u.GetManagedFields()[:1])
	})
	check(t, bind(s.parse(m), old), git, expect{Reason: canon.ForeignLoss, Paths: []string{
		sidecarPath, sidecarPath + ".image", sidecarPath + ".name"}})
}

func TestDriftIsRepairedAndTheRestReported(t *testing.T) {
	git := manifest("web:1", "")
	edited := manifest("web:9", "debug:1")
	s := newServer(t).apply(git, flux).put(edited, "kubectl-edit")
	old := s.live()
	s.apply(git, flux)
	check(t, bind(s.live(), old), git, expect{Reason: canon.Applied, Bound: true, Inherited: []canon.Residue{
		{Path: sidecarPath, Manager: "kubectl-edit"}}})
}

func TestApplyDropsItsOwnContainer(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", "old:1"), flux)
	// The container carries defaults that nobody owns; they vanish with it.
	old := s.live(eachContainer("terminationMessagePath", "/dev/termination-log"))
	s.apply(manifest("web:1", ""), flux)
	check(t, bind(s.live(eachContainer("terminationMessagePath", "/dev/termination-log")), old), manifest("web:1", ""),
		expect{Reason: canon.Applied, Bound: true})
}

func TestT08MutatingHook(t *testing.T) {
	git := manifest("web:2", "")
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live()
	s.apply(git, flux)
	env := eachContainer("env", []any{map[string]any{"name": "PROXY", "value": "http://evil"}})
	envPath := `spec.template.spec.containers[name="web"].env[name="PROXY"]`
	for _, tt := range []struct {
		name     string
		change   func(map[string]any)
		tolerate []string
		want     expect
	}{
		{name: "env", change: env, want: expect{Reason: canon.Addition, Paths: []string{envPath}}},
		{name: "env tolerated elsewhere", change: env, tolerate: []string{"spec.template.spec.initContainers[*].env"},
			want: expect{Reason: canon.Addition, Paths: []string{envPath}}},
		{name: "sidecar", change: addSidecar("mesh:1"), want: expect{Reason: canon.Addition, Paths: []string{sidecarPath}}},
		{name: "sidecar tolerated", change: addSidecar("mesh:1"), tolerate: []string{"spec.template.spec.containers[name=sidecar]"},
			want: expect{Reason: canon.Applied, Bound: true, Tolerated: []string{sidecarPath}}},
		{name: "image pinned", change: eachContainer("image", "web@sha256:0"), want: expect{Reason: canon.Applied}},
		{name: "owned field removed", change: eachContainer("image", nil), want: expect{Reason: canon.ForeignRemoval, Paths: []string{`spec.template.spec.containers[name="web"].image`}}},
		{name: "default changed", change: setPath("Never", "spec", "template", "spec", "restartPolicy"),
			want: expect{Reason: canon.Addition, Paths: []string{"spec.template.spec.restartPolicy"}}},
		{name: "owner reference", change: setPath([]any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}}, "metadata", "ownerReferences"),
			want: expect{Reason: canon.Addition, Paths: []string{`metadata.ownerReferences[uid="1"]`}}},
		{name: "finalizer", change: setPath([]any{"x.example/hold"}, "metadata", "finalizers"),
			want: expect{Reason: canon.Addition, Paths: []string{`metadata.finalizers[="x.example/hold"]`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, bind(s.live(tt.change), old, tt.tolerate...), git, tt.want)
		})
	}
	// What a hook adds next to a name that Git uses belongs to nobody either.
	twice := func(m map[string]any) { setContainers(m, append(containers(m), containers(m)...)) }
	check(t, bind(s.live(twice), old), git, expect{Reason: canon.Duplicate, Paths: []string{"spec.template.spec.containers"}})
	check(t, bind(s.live(twice), s.live(twice)), git, expect{Reason: canon.Duplicate, Paths: []string{`spec.template.spec.containers[name="web"]`}})
	check(t, bind(s.live(twice), nil), git, expect{Reason: canon.Addition, Paths: []string{"spec.template.spec.containers"}})
}

func TestT22DeletionTimestampExemptsNothing(t *testing.T) {
	deleting := setPath("2026-01-02T03:04:05Z", "metadata", "deletionTimestamp")
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live(deleting)
	s.put(withManagedFields(manifest("evil:1", ""), s), "x")
	if r := bind(s.live(deleting), old); r.Reason == canon.Applied && r.BoundTo(digest(t, manifest("web:1", ""))) {
		t.Errorf("an edit of a terminating object is bound: %+v", r)
	}
}

func TestRuling20ApplyInAnotherVersion(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	o := s.live(func(m map[string]any) {
		u := &unstructured.Unstructured{Object: m}
		mf := u.GetManagedFields()
		mf[0].APIVersion = "apps/v1beta2"
		u.SetManagedFields(mf)
	})
	check(t, bind(o, nil), manifest("web:1", ""), expect{Reason: canon.OtherVersion})
}

func TestFirstApplyOverAnUnmanagedObject(t *testing.T) {
	git := manifest("web:1", "")
	s := newServer(t).put(manifest("web:0", "old:1"), "x")
	bare := func(m map[string]any) { delete(m["metadata"].(map[string]any), "managedFields") }
	old := s.live(bare)
	m := s.object(bare)
	fresh := newServer(t)
	fresh.put(m, "x")
	stripped := fresh.object(bare)
	again := newServer(t).put(stripped, "before-first-apply")
	again.apply(git, flux)
	check(t, bind(again.live(), old), git, expect{Reason: canon.Applied, Bound: true, Inherited: []canon.Residue{
		{Path: sidecarPath, Manager: "before-first-apply"}}})
}

func TestOrderOfItemsIsContent(t *testing.T) {
	git := manifest("web:1", "side:1")
	s := newServer(t).apply(git, flux)
	swap := func(m map[string]any) {
		c := containers(m)
		setContainers(m, []any{c[1], c[0]})
	}
	check(t, bind(s.live(swap), nil), git, expect{Reason: canon.Applied})
	check(t, bind(s.live(swap), s.live()), git, expect{Reason: canon.Applied})
	// An apply puts Git's order back.
	s.put(s.object(swap), "kubectl-edit")
	old := s.live()
	s.apply(git, flux)
	check(t, bind(s.live(), old), git, expect{Reason: canon.Applied, Bound: true})
}

// A write that moves an injected sidecar before the application's container changes no field and no
// owner, and is no apply all the same.
func TestT01PutTurningForeignItems(t *testing.T) {
	git := manifest("web:1", "")
	s := newServer(t).apply(git, flux).put(manifest("web:1", "mesh:1"), "istio-injector")
	turned := s.live(func(m map[string]any) { // the API server leaves managedFields as they are
		c := containers(m)
		setContainers(m, []any{c[1], c[0]})
	})
	check(t, bind(turned, s.live()), git, expect{Reason: canon.ForeignChange, Paths: []string{"spec.template.spec.containers"}})
}

// After an upgrade a list that was owned as a whole may be owned item by item, or the other way round:
// the API server rewrites everybody's entries at the next write. A field that changed is judged as ever.
func TestSetsRewrittenAfterASchemaChange(t *testing.T) {
	git := manifest("web:2", "")
	s := newServer(t).apply(manifest("web:1", ""), flux).put(manifest("web:1", "mesh:1"), "mesh")
	whole := func(m map[string]any) { // as the version before would have had it
		u := &unstructured.Unstructured{Object: m}
		mf := u.GetManagedFields()
		for i := range mf {
			if mf[i].Manager == "mesh" {
				mf[i].FieldsV1 = metav1.NewFieldsV1(`{"f:spec":{"f:template":{"f:spec":{"f:containers":{}}}}}`)
			}
		}
		u.SetManagedFields(mf)
	}
	before, beforeWhole := s.live(), s.live(whole)
	s.apply(git, flux)
	inherited := []canon.Residue{{Path: sidecarPath, Manager: "mesh"}}
	check(t, bind(s.live(), beforeWhole), git, expect{Reason: canon.Applied, Bound: true, Inherited: inherited})
	check(t, bind(s.live(whole), before), git, expect{Reason: canon.Applied, Bound: true, Inherited: []canon.Residue{{Path: sidecarPath}}})
	evil := func(m map[string]any) {
		l := containers(m)
		l[1].(map[string]any)["image"] = "evil:1"
		setContainers(m, l)
	}
	check(t, bind(s.live(evil), beforeWhole), git, expect{Reason: canon.ForeignChange, Paths: []string{sidecarPath + ".image"}})
	check(t, bind(s.live(whole, evil), before), git, expect{Reason: canon.Addition, Paths: []string{sidecarPath + ".image"}})
}

// What the server filled in by itself may go with an apply that changes something, and with no other
// write.
func TestDefaultsTakenBack(t *testing.T) {
	git := manifest("web:2", "")
	s := newServer(t).apply(manifest("web:1", ""), flux)
	rolling := setPath(map[string]any{"maxSurge": "25%"}, "spec", "strategy", "rollingUpdate")
	old := s.live(rolling)
	check(t, bind(s.live(), old), manifest("web:1", ""), expect{Reason: canon.ForeignRemoval, Paths: []string{"spec.strategy.rollingUpdate.maxSurge"}})
	s.apply(git, flux)
	check(t, bind(s.live(), old), git, expect{Reason: canon.Applied, Bound: true})
	odd := setPath(map[string]any{"odd": "25%"}, "spec", "strategy", "rollingUpdate")
	check(t, bind(s.live(), s.live(odd)), git, expect{Reason: canon.ForeignRemoval, Paths: []string{"spec.strategy.rollingUpdate.odd"}})
}

func TestManyItems(t *testing.T) {
	git := manifest("web:1", "")
	var all []any
	for i := range 20 {
		all = append(all, map[string]any{"name": fmt.Sprintf("c%02d", i), "image": "i:1", "resources": map[string]any{}})
	}
	setContainers(git, all)
	s := newServer(t).apply(git, flux)
	old := s.live()
	next := clone(git)
	setContainers(next, append(slices.Clone(all[3:]), map[string]any{"name": "new", "image": "i:2"}))
	s.apply(next, flux)
	check(t, bind(s.live(), old), next, expect{Reason: canon.Applied, Bound: true})
	check(t, bind(s.live(addSidecar("x:1")), old), next, expect{Reason: canon.Addition, Paths: []string{sidecarPath}})
}

func addSidecar(image string) func(map[string]any) {
	return func(m map[string]any) {
		setContainers(m, append(containers(m), map[string]any{"name": "sidecar", "image": image, "resources": map[string]any{}}))
	}
}

// eachContainer sets a field of every container; nil removes it.
func eachContainer(field string, v any) func(map[string]any) {
	return func(m map[string]any) {
		l := containers(m)
		for _, c := range l {
			if v == nil {
				delete(c.(map[string]any), field)
			} else {
				c.(map[string]any)[field] = v
			}
		}
		setContainers(m, l)
	}
}

func setPath(v any, path ...string) func(map[string]any) {
	return func(m map[string]any) {
		if err := unstructured.SetNestedField(m, v, path...); err != nil {
			panic(err)
		}
	}
}
