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

// A handover is what the Update entries of leftovers lost by a request, by version and path.
type handover map[string]bool

func handedOver(changes []EntryChange) handover {
	h := handover{}
	for _, c := range changes {
		if c.Operation == operationApply || c.Subresource != "" || !leftover(c.Manager) {
			continue
		}
		for _, p := range c.Lost {
			h[c.APIVersion+" "+p] = true
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
		if held || !h[c.APIVersion+" "+p] {
			return false
		}
	}
	return len(c.Gained) > 0
}
