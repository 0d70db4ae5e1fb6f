package canon

import "slices"

// Applies reports whether the manager owns a field of the object by a server-side apply: one that a
// proof of the object attests. The field is named step by step, "spec", "replicas". An object whose
// managedFields cannot be read is an error.
func Applies(o *Object, manager string, field ...string) (bool, error) {
	all, err := entries(o.doc, o.meta.Kind, nil)
	if err != nil {
		return false, err
	}
	mine := find(all, &entry{manager: manager, operation: operationApply})
	if mine == nil {
		return false, nil
	}
	at := &mine.set
	for _, name := range field {
		i := slices.IndexFunc(at.kids, func(k owned) bool { return k.step.isField(name) })
		if i < 0 {
			return at != &mine.set && at.member && len(at.kids) == 0, nil // an atomic parent holds it
		}
		at = &at.kids[i]
	}
	return true, nil
}
