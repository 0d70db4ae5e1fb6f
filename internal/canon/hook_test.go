package canon_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/schema"
)

const (
	argo          = "argocd-controller"
	hookFinalizer = "argocd.argoproj.io/hook-finalizer"
)

// hook is a manifest that Argo CD runs at some moment, with finalizers.
func hook(mark string, finalizers ...string) map[string]any {
	m := manifest("web:1", "")
	if mark != "" {
		annotate(mark, "PreSync")(m)
	}
	if finalizers != nil {
		(&unstructured.Unstructured{Object: m}).SetFinalizers(finalizers)
	}
	return m
}

func bindArgo(object, old *canon.Object, manager string) canon.Result {
	return canon.Bind(canon.Binding{Kind: change1(deployment), Object: object, Old: old, Manager: manager, Types: schema.BuiltIn(), Key: key})
}

// TestHookFinalizer: Argo CD puts a finalizer on what it runs as a hook, and takes it off when that is done. With it
// and without the object is what Git renders; anything else beside what Git renders is not.
func TestHookFinalizer(t *testing.T) {
	for name, tt := range map[string]struct {
		git, sent map[string]any
		manager   string
		bound     bool
	}{
		"a hook of Argo CD":      {hook("argocd.argoproj.io/hook"), hook("argocd.argoproj.io/hook", hookFinalizer), argo, true},
		"a hook of a chart":      {hook("helm.sh/hook"), hook("helm.sh/hook", hookFinalizer), argo, true},
		"without it":             {hook("helm.sh/hook"), hook("helm.sh/hook"), argo, true},
		"beside Git's own":       {hook("helm.sh/hook", "example.com/a"), hook("helm.sh/hook", "example.com/a", hookFinalizer), argo, true},
		"Git has it":             {hook("helm.sh/hook", hookFinalizer), hook("helm.sh/hook", hookFinalizer), argo, true},
		"by another manager":     {hook("helm.sh/hook"), hook("helm.sh/hook", hookFinalizer), flux, false},
		"on what is no hook":     {hook(""), hook("", hookFinalizer), argo, false},
		"another finalizer":      {hook("helm.sh/hook"), hook("helm.sh/hook", "example.com/a"), argo, false},
		"and another finalizer":  {hook("helm.sh/hook"), hook("helm.sh/hook", "example.com/a", hookFinalizer), argo, false},
		"without Git's own":      {hook("helm.sh/hook", "example.com/a"), hook("helm.sh/hook", hookFinalizer), argo, false},
		"the mark is not Git's":  {hook(""), hook("helm.sh/hook", hookFinalizer), argo, false},
		"and another annotation": {hook("helm.sh/hook"), both2(hook("helm.sh/hook", hookFinalizer), annotate("a", "b")), argo, false},
	} {
		r := bindArgo(newServer(t).apply(tt.sent, tt.manager).live(), nil, tt.manager)
		if got := r.BoundTo(digest(t, tt.git)); got != tt.bound {
			t.Errorf("%s: bound is %t: %+v", name, got, r)
		}
	}
}

// TestRuling13HookFinalizer: taking that finalizer off is bookkeeping, and nothing else is under its name.
func TestRuling13HookFinalizer(t *testing.T) {
	git := hook("argocd.argoproj.io/hook")
	finalizers := func(all ...any) func(map[string]any) {
		return func(m map[string]any) {
			if len(all) == 0 {
				unstructured.RemoveNestedField(m, "metadata", "finalizers")
			} else if err := unstructured.SetNestedSlice(m, all, "metadata", "finalizers"); err != nil {
				t.Fatal(err)
			}
		}
	}
	type applied struct {
		sent map[string]any
		by   string
	}
	hooked := func(more ...string) applied {
		return applied{hook("argocd.argoproj.io/hook", append(more, hookFinalizer)...), argo}
	}
	for name, tt := range map[string]struct {
		on     applied
		change func(map[string]any)
		ok     bool
	}{
		"it goes":                 {hooked(), finalizers(), true},
		"one of Git's stays":      {hooked("example.com/a"), finalizers("example.com/a"), true},
		"both go":                 {hooked("example.com/a"), finalizers(), false},
		"another goes":            {hooked("example.com/a"), finalizers(hookFinalizer), false},
		"another comes":           {hooked(), finalizers("example.com/a"), false},
		"content as well":         {hooked(), both(finalizers(), setPath(int64(9), "spec", "replicas")), false},
		"the mark as well":        {hooked(), both(finalizers(), annotate("argocd.argoproj.io/hook", "Sync")), false},
		"an owner as well":        {hooked(), both(finalizers(), setPath([]any{map[string]any{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1"}}, "metadata", "ownerReferences")), false},
		"of what is no hook":      {applied{hook("", hookFinalizer), argo}, finalizers(), false},
		"of what another applied": {applied{hook("argocd.argoproj.io/hook", hookFinalizer), flux}, finalizers(), false},
	} {
		s := newServer(t).apply(tt.on.sent, tt.on.by)
		old := s.live()
		s.put(both2(tt.on.sent, tt.change), "argocd-application-controller")
		if paths, ok := canon.Hygiene(old, s.live()); ok != tt.ok {
			t.Errorf("%s: bookkeeping is %t: %v", name, ok, paths)
		}
		if tt.ok && len(tt.on.sent["metadata"].(map[string]any)["finalizers"].([]any)) == 1 && !bindArgo(s.live(), s.live(), argo).BoundTo(digest(t, git)) {
			t.Errorf("%s: what is left is not Git's", name)
		}
	}
	// Who owns it is bookkeeping of the API server, which nobody edits.
	s := newServer(t).apply(hooked().sent, argo)
	if _, ok := canon.Hygiene(s.live(), s.live(func(m map[string]any) { withManagedFieldsOf(m, newServer(t).apply(git, argo)) })); ok {
		t.Error("its entry goes and it does not")
	}
}
