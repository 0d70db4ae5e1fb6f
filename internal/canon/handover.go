package canon

import (
	"slices"
	"strings"
)

// leftover reports whether a manager is one whose Update entries an engine takes over: of kubectl's commands, by the
// beginning of the name, and of what stood there before anybody applied. Source:
// PatchReplaceFieldsManagers of fluxcd/pkg/ssa, and how kustomize-controller calls it.
func leftover(manager string) bool {
	return strings.HasPrefix(manager, "kubectl") || manager == beforeFirstApply
}

// TakesOver reports whether an UPDATE does nothing but hand to the Apply entry of a manager what its own Update entry
// owns, as csaupgrade of client-go does where a release that was applied on the client's side is to be applied on
// the server's.
func TakesOver(old, object *Object, manager string) bool {
	paths, ok := Hygiene(old, object, manager)
	if !ok || slices.ContainsFunc(paths, func(p string) bool { return p != "metadata.managedFields" }) {
		return false
	}
	changes, err := compareEntries(old, object)
	return err == nil && !slices.ContainsFunc(changes, func(c EntryChange) bool { return c.Manager != manager }) &&
		slices.ContainsFunc(changes, func(c EntryChange) bool { return c.Operation == operationApply })
}

// A handover is what Update entries lost by a request, by whom it may go to (nobody: to anybody), version and path.
type handover map[string]bool

func handedOver(changes []EntryChange) handover {
	h := handover{}
	for _, c := range changes {
		if c.Operation == operationApply || c.Subresource != "" {
			continue
		}
		heir := c.Manager // what a manager wrote in another way before stays its own
		if leftover(c.Manager) {
			heir = ""
		}
		for _, p := range c.Lost {
			h[heir+" "+c.APIVersion+" "+p] = true
		}
	}
	return h
}

// to reports whether an Apply entry changed by nothing but this handover, and is of one of the managers.
// Finalizers and owner references are handed to nobody: to drop one that somebody else has set is to let
// go of an object.
func (h handover) to(c EntryChange, managers []string) bool {
	if c.Operation != operationApply || c.Subresource != "" || c.OtherVersion || len(c.Lost) > 0 || !slices.Contains(managers, c.Manager) {
		return false
	}
	for _, p := range c.Gained {
		held := strings.HasPrefix(p, "metadata.finalizers") || strings.HasPrefix(p, "metadata.ownerReferences")
		if held || !h[" "+c.APIVersion+" "+p] && !h[c.Manager+" "+c.APIVersion+" "+p] {
			return false
		}
	}
	return len(c.Gained) > 0
}
