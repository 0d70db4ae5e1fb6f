package canon_test

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gvkschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/schema"
)

const roleText = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop, labels: {app: web}, annotations: {argocd.argoproj.io/tracking-id: "shop:x"}}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
`

var role = gvkschema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"}

// roles is the API server's own field management, of Roles.
func roles(t *testing.T) *server {
	return &server{t: t, TestFieldManager: managedfieldstest.NewTestFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), role)}
}

func (s *server) asIs() *canon.Object {
	s.t.Helper()
	raw, err := json.Marshal(s.Live())
	if err != nil {
		s.t.Fatal(err)
	}
	o, err := canon.Parse(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// TestT01Made: where a create may stand for an apply, it does if all of it is what Git renders, and at no other time.
func TestT01Made(t *testing.T) {
	git := parseYAML(roleText)
	more := func(change func(map[string]any)) map[string]any { return both2(git, change) }
	rules := func(m map[string]any) []any {
		l, _, _ := unstructured.NestedSlice(m, "rules")
		return l
	}
	wider := more(func(m map[string]any) {
		m["rules"] = append(rules(m), map[string]any{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}})
	})
	forged := func(m map[string]any) map[string]any { // with the entries of the apply of Git's
		u := &unstructured.Unstructured{Object: clone(m)}
		u.SetManagedFields(roles(t).apply(git, argo).ManagedFields())
		return u.Object
	}
	for name, tt := range map[string]struct {
		now, before *server
		made, bound bool
	}{
		"as Git has it":                       {roles(t).put(git, "argocd-application-controller"), nil, true, true},
		"under the manager's own name":        {roles(t).put(git, argo), nil, true, true},
		"of a kind that is applied":           {roles(t).put(git, "argocd-application-controller"), nil, false, false},
		"with more rights":                    {roles(t).put(wider, "x"), nil, true, false},
		"with more rights and forged entries": {roles(t).put(forged(wider), "x"), nil, true, false},
		"with an annotation":                  {roles(t).put(more(annotate("a", "b")), "x"), nil, true, false},
		"with a finalizer":                    {roles(t).put(more(setPath([]any{"example.com/a"}, "metadata", "finalizers")), "x"), nil, true, false},
		"without its labels":                  {roles(t).put(more(func(m map[string]any) { unstructured.RemoveNestedField(m, "metadata", "labels") }), "x"), nil, true, false},
		"an update to what Git has":           {roles(t).put(wider, "x").put(git, "x"), roles(t).put(wider, "x"), true, false},
		"an apply":                            {roles(t).apply(git, argo), nil, true, true},
		"an apply of another manager":         {roles(t).apply(git, "x"), nil, true, false},
	} {
		b := canon.Binding{Kind: change1(role), Object: tt.now.asIs(), Manager: argo, Made: tt.made, Types: schema.BuiltIn(), Key: key}
		if tt.before != nil {
			b.Old = tt.before.asIs()
		}
		r := canon.Bind(b)
		if got := r.BoundTo(digest(t, git)); got != tt.bound {
			t.Errorf("%s: bound is %t: %+v", name, got, r)
		}
	}
}
