package canon

import "slices"

// What Argo CD runs at some moment of a sync carries one of two annotations: its own, or that of a chart's hook.
// On such an object, and on no other, it puts a finalizer when it applies it, which Git does not hold, and it takes
// that off when the object is done. Source: getSyncTasks and removeHookFinalizer in pkg/sync/sync_context.go of
// gitops-engine, as Argo CD 3.2 has it.
const (
	hookFinalizer = "argocd.argoproj.io/hook-finalizer"
	hookManager   = "argocd-controller" // under which Argo CD applies on the server side; no setting changes it
)

// isHook reports whether Argo CD runs the object at some moment of a sync, by what the object says of itself.
func (o *Object) isHook() bool {
	for _, mark := range [...]string{"argocd.argoproj.io/hook", "helm.sh/hook"} {
		if o.doc.kind(o.doc.at(0, "metadata", "annotations", mark)) == text {
			return true
		}
	}
	return false
}

// unhooked is the set without the finalizer of a hook, whether it is there or was taken off. The set that is
// given stays as it is.
func (o *Object) unhooked(s *owned) *owned {
	if !o.isHook() {
		return s
	}
	out := *s
	without(&out, "f:metadata", func(meta *owned) {
		meta.kids = slices.DeleteFunc(slices.Clone(meta.kids), func(k owned) bool {
			return string(k.step) == "f:finalizers" && len(k.kids) == 1 && isHookFinalizer(k.kids[0].step)
		})
		without(meta, "f:finalizers", func(finalizers *owned) {
			finalizers.kids = slices.DeleteFunc(slices.Clone(finalizers.kids), func(k owned) bool { return isHookFinalizer(k.step) })
		})
	})
	return &out
}

func isHookFinalizer(step elem) bool { return string(step) == "v:s"+hookFinalizer }

// letsGo reports whether of the finalizers of a hook that of Argo CD goes, and nothing else changes of them.
func letsGo(old, object *Object) bool {
	before, after := old.Meta().Finalizers, object.Meta().Finalizers
	rest := slices.DeleteFunc(slices.Clone(before), func(f string) bool { return f == hookFinalizer })
	return old.isHook() && object.isHook() && len(rest) == len(before)-1 && slices.Equal(rest, after)
}

// letGo reports whether an entry lost nothing but what letsGo takes off.
func (c EntryChange) letGo() bool {
	finalizer := path{elem("f:metadata"), elem("f:finalizers"), elem("v:s" + hookFinalizer)}
	return c.Manager == hookManager && c.Operation == operationApply && c.Subresource == "" && !c.OtherVersion &&
		len(c.Gained) == 0 && len(c.Lost) > 0 &&
		!slices.ContainsFunc(c.Lost, func(p string) bool { return p != finalizer.String() && p != finalizer[:2].String() })
}
