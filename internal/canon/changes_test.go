package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

func TestRuling12NoOp(t *testing.T) {
	raw := []byte(`{"a":1}`)
	for _, tt := range []struct {
		op          change.Operation
		object, old []byte
		want        bool
	}{
		{change.Update, raw, []byte(`{"a":1}`), true},
		{change.Update, raw, []byte(`{"a": 1}`), false}, {change.Update, raw, []byte(`{"a":2}`), false},
		{change.Create, raw, raw, false}, {change.Delete, raw, raw, false}, {change.Connect, raw, raw, false},
		{change.Update, nil, nil, false}, {change.Update, []byte(`null`), []byte(`null`), false}, {change.Update, raw, nil, false}, {change.Update, nil, raw, false},
	} {
		if got := canon.NoOp(change.Request{Operation: tt.op, Object: tt.object, Old: tt.old}); got != tt.want {
			t.Errorf("NoOp(%s, %s, %s) = %t", tt.op, tt.object, tt.old, got)
		}
	}
}

func annotate(key, value string) func(map[string]any) {
	return setPath(value, "metadata", "annotations", key)
}

func both(changes ...func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) {
		for _, c := range changes {
			c(m)
		}
	}
}

// withEntries keeps the managedFields entries that keep says, after edit.
func withEntries(keep func(manager, operation string) bool) func(map[string]any) {
	return func(m map[string]any) {
		u := &unstructured.Unstructured{Object: m}
		all := u.GetManagedFields()
		kept := all[:0:0]
		for _, e := range all {
			if keep(e.Manager, string(e.Operation)) {
				kept = append(kept, e)
			}
		}
		u.SetManagedFields(kept)
	}
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func TestRuling13Hygiene(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux).put(manifest("web:1", "edit:1"), "kubectl-edit")
	marks := both(annotate(lastApplied, "{}"), annotate("fluxcd.io/sync-checksum", "x"), annotate("kustomize.toolkit.fluxcd.io/checksum", "y"), annotate("team", "shop"))
	old := s.live(marks)
	without := func(keys ...string) func(map[string]any) {
		return func(m map[string]any) {
			marks(m)
			for _, k := range keys {
				unstructured.RemoveNestedField(m, "metadata", "annotations", k)
			}
		}
	}
	noEdits := withEntries(func(_, op string) bool { return op == "Apply" })
	for name, tt := range map[string]struct {
		change func(map[string]any)
		ok     bool
		paths  []string
	}{
		"bookkeeping removed": {without(lastApplied, "fluxcd.io/sync-checksum", "kustomize.toolkit.fluxcd.io/checksum"), true, []string{
			`metadata.annotations["fluxcd.io/sync-checksum"]`, `metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]`,
			`metadata.annotations["kustomize.toolkit.fluxcd.io/checksum"]`}},
		"update entries removed":     {both(marks, noEdits), true, []string{"metadata.managedFields"}},
		"both":                       {both(without(lastApplied), noEdits), true, []string{`metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]`, "metadata.managedFields"}},
		"nothing":                    {marks, false, nil},
		"resource version":           {both(marks, setPath("9", "metadata", "resourceVersion")), false, nil},
		"another annotation removed": {without("team"), false, []string{"metadata.annotations.team"}},
		"bookkeeping changed":        {both(marks, annotate(lastApplied, "{1}")), false, []string{`metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]`}},
		"bookkeeping added":          {both(marks, annotate("fluxcd.io/sync-x", "y")), false, []string{`metadata.annotations["fluxcd.io/sync-x"]`}},
		"owner label":                {both(marks, setPath("x", "metadata", "labels", "kustomize.toolkit.fluxcd.io/name")), false, []string{`metadata.labels["kustomize.toolkit.fluxcd.io/name"]`}},
		"content as well":            {both(without(lastApplied), setPath(int64(9), "spec", "replicas")), false, []string{"spec.replicas"}},
		"apply entry removed":        {both(marks, withEntries(func(_, op string) bool { return op != "Apply" })), false, []string{"metadata.managedFields"}},
		"all entries removed":        {both(marks, withEntries(func(_, _ string) bool { return false })), false, []string{"metadata.managedFields"}},
		"apply entry renamed": {both(marks, func(m map[string]any) {
			u := &unstructured.Unstructured{Object: m}
			mf := u.GetManagedFields()
			mf[0].Manager = "attacker"
			u.SetManagedFields(mf)
		}), false, []string{"metadata.managedFields"}},
	} {
		paths, ok := canon.Hygiene(old, s.live(tt.change))
		if ok != tt.ok {
			t.Errorf("%s: hygiene %t", name, ok)
		}
		if d := cmp.Diff(tt.paths, paths); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	// An update entry that grows is no hygiene: that is the first of two steps (T-01).
	less := newServer(t).apply(manifest("web:1", ""), flux)
	less.put(manifest("web:2", ""), "kubectl-edit")
	more := newServer(t).apply(manifest("web:1", ""), flux)
	more.put(manifest("web:2", "edit:1"), "kubectl-edit")
	grown := more.object()
	smaller := more.object(func(m map[string]any) {
		(&unstructured.Unstructured{Object: m}).SetManagedFields(less.ManagedFields())
	})
	if paths, ok := canon.Hygiene(less.parse(smaller), less.parse(grown)); ok {
		t.Errorf("an entry that gained fields is hygiene: %v", paths)
	}
}

func TestRuling15StatusOnly(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live(setPath(int64(1), "status", "replicas"))
	ready := setPath(int64(2), "status", "replicas")
	entryOf := func(sub string) func(map[string]any) {
		return func(m map[string]any) {
			u := &unstructured.Unstructured{Object: m}
			mf := u.GetManagedFields()
			e := mf[0]
			e.Manager, e.Operation, e.Subresource = "kcm", "Update", sub
			u.SetManagedFields(append(mf, e))
		}
	}
	for name, tt := range map[string]struct {
		change func(map[string]any)
		paths  []string
	}{
		"status":                  {ready, nil},
		"status with its entry":   {both(ready, entryOf("status")), nil},
		"status with another":     {both(ready, entryOf("")), []string{"metadata.managedFields"}},
		"label as well":           {both(ready, setPath("x", "metadata", "labels", "a")), []string{"metadata.labels.a"}},
		"T-13 owner as well":      {both(ready, setPath([]any{map[string]any{"uid": "1"}}, "metadata", "ownerReferences")), []string{"metadata.ownerReferences"}},
		"T-13 finalizer as well":  {both(ready, setPath([]any{"a"}, "metadata", "finalizers")), []string{"metadata.finalizers"}},
		"spec instead":            {setPath(int64(3), "spec", "replicas"), []string{"spec.replicas", "status.replicas"}},
		"status and its removal":  {func(m map[string]any) { delete(m, "status") }, nil},
		"nothing but the version": {both(setPath(int64(1), "status", "replicas"), setPath("9", "metadata", "resourceVersion")), nil},
	} {
		paths, ok := canon.StatusOnly(old, s.live(tt.change))
		want := tt.paths
		if name == "spec instead" { // the status of the old object went away too, which is status
			want = []string{"spec.replicas"}
		}
		if d := cmp.Diff(want, paths); d != "" || ok != (want == nil) {
			t.Errorf("%s: %t (-want +got):\n%s", name, ok, d)
		}
	}
}

func patterns(t *testing.T, all ...string) (out []canon.PathPattern) {
	t.Helper()
	for _, s := range all {
		p, err := canon.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestChanges(t *testing.T) {
	kind, _ := schema.BuiltIn().Type(change1(deployment))
	s := newServer(t).apply(manifest("web:1", ""), flux)
	old := s.live()
	object := s.live(both(
		setPath(int64(5), "spec", "replicas"), eachContainer("image", "web:2"), annotate("a", "b"),
		setPath([]any{map[string]any{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}}, "metadata", "ownerReferences")))
	c, err := canon.Compare(old, object, kind)
	if err != nil {
		t.Fatal(err)
	}
	const image = `spec.template.spec.containers[name="web"].image`
	const owner = `metadata.ownerReferences[uid="1"]`
	for name, tt := range map[string]struct{ got, want []string }{
		"paths":              {c.Paths(), []string{"metadata.annotations", "metadata.annotations.a", "metadata.ownerReferences", owner, "spec.replicas", image}},
		"outside":            {c.Outside(patterns(t, "spec.replicas", "metadata.annotations[*]", "metadata.ownerReferences")...), []string{image}},
		"outside of all":     {c.Outside(patterns(t, "spec", "metadata")...), nil},
		"within":             {c.Within(patterns(t, "metadata.finalizers", "spec.template.spec.containers[*].image")...), []string{image}},
		"within, from below": {c.Within(patterns(t, "metadata.ownerReferences[*].controller")...), []string{"metadata.ownerReferences", owner}},
	} {
		if d := cmp.Diff(tt.want, tt.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	attested, err := c.Attested(old, flux)
	if d := cmp.Diff([]string{"spec.replicas", image}, attested); err != nil || d != "" {
		t.Errorf("attested, %v (-want +got):\n%s", err, d)
	}
	if none, err := c.Attested(old, "someone"); err != nil || none != nil {
		t.Errorf("attested by nobody: %v, %v", none, err)
	}
	// Without a schema a list is one field, so that a pattern for an item never covers it.
	c, err = canon.Compare(old, object, nil)
	if d := cmp.Diff([]string{"spec.template.spec.containers"}, c.Within(patterns(t, "spec.template.spec.containers[name=web].image")...)); err != nil || d != "" {
		t.Errorf("without a schema, %v (-want +got):\n%s", err, d)
	}
	if out := c.Outside(patterns(t, "spec.template.spec.containers[name=web].image", "metadata", "spec.replicas")...); len(out) != 1 {
		t.Errorf("without a schema, outside: %v", out)
	}
}

func TestChangesOfEntries(t *testing.T) {
	s := newServer(t).apply(manifest("web:1", ""), flux).put(manifest("web:1", "edit:1"), "kubectl-edit")
	old := s.live()
	s.put(withManagedFields(manifest("web:2", "edit:1"), s), "kubectl-edit")
	c, err := canon.Compare(old, s.live(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const image = `spec.template.spec.containers[name="web"].image`
	want := []canon.EntryChange{
		{Manager: flux, Operation: "Apply", APIVersion: "apps/v1", Lost: []string{image}},
		{Manager: "kubectl-edit", Operation: "Update", APIVersion: "apps/v1", Gained: []string{image}},
	}
	if d := cmp.Diff(want, c.Entries); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
