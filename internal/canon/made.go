package canon

// made takes the entry of whoever created the object for the manager's own, where Binding.Made asks for it and it is
// the only entry there is: a create books every field that the client sent, and every default, to the client. A client
// cannot book them otherwise: managedFields that it sends with a create lose all of it to its own entry.
func (j *judge) made() bool {
	if !j.Made || j.Old != nil || len(j.now) != 1 {
		return false
	}
	e := &j.now[0]
	if e.operation == operationApply || e.subresource != "" || e.apiVersion != j.Kind.APIVersion() {
		return false
	}
	e.set = leavesOnly(&e.set)
	return true
}

// leavesOnly is a set as an apply would have it: an update books maps and structs beside what is in them, an apply
// only what is in them. Items of lists are booked by both. The set that is given stays as it is.
func leavesOnly(s *owned) owned {
	out := *s
	if len(s.kids) == 0 {
		return out
	}
	if len(s.step) == 0 || s.step[0] == 'f' {
		out.member = false
	}
	out.kids = make([]owned, len(s.kids))
	for i := range s.kids {
		out.kids[i] = leavesOnly(&s.kids[i])
	}
	return out
}
