package canon

import "bytes"

// beforeFirstApply is the manager under which the API server books what an object held when it was
// first applied to and had no managedFields.
const beforeFirstApply = "before-first-apply"

// foreignEntries refuses a request by which another manager came to own a field: it was that
// manager who wrote.
func (j *judge) foreignEntries() (Reason, []string) {
	var paths []string
	for i := range j.now[1:] {
		e := &j.now[1:][i]
		old := find(j.before, e)
		if old != nil && bytes.Equal(e.raw, old.raw) {
			continue
		}
		if len(j.before) == 0 && j.Old != nil && e.manager == beforeFirstApply && e.operation != operationApply {
			continue // booked by the API server, which the removals and changes are judged by
		}
		var oldSet *owned
		if old != nil {
			oldSet = &old.set
		}
		e.set.without(oldSet, nil, func(p path) {
			if !refined(oldSet, p) {
				paths = appendPath(paths, p)
			}
		})
	}
	if len(paths) > 0 {
		return ForeignGain, paths
	}
	return Applied, nil
}

// refined reports whether p stands in s in a coarser or finer form: after a change of the schema
// the API server rewrites the sets of everybody. A field that changed is judged all the same.
func refined(s *owned, p path) bool {
	for _, e := range p {
		if s == nil {
			return false
		}
		if s.member && len(s.kids) == 0 {
			return true // was owned as a whole
		}
		s = s.kid(e)
	}
	return s != nil && len(s.kids) > 0 && !s.member // was owned in parts
}

// foreignFields collects what changed and refuses a change of what another manager owns.
func (j *judge) foreignFields() (Reason, []string) {
	if j.Old == nil {
		return Applied, nil
	}
	var paths, ambiguous []string
	w := differ{a: j.Old.doc, b: j.Object.doc}
	w.skip = func(p path) bool { return j.notCompared(p) }
	w.unclear = func(p path) { ambiguous = appendPath(ambiguous, p) }
	w.turned = func(p path, x, y *index) {
		if !j.ordered(p, x, y) {
			paths = appendPath(paths, p)
		}
	}
	w.visit = func(what changeKind, p path) {
		j.changes = append(j.changes, change1{what, p.clone()})
		if what == removed || j.mine().has(p) {
			return
		}
		for i := range j.now[1:] {
			if j.now[1:][i].set.has(p) {
				paths = appendPath(paths, p)
				return
			}
		}
	}
	w.walk(0, 0, j.kind.root)
	switch {
	case len(ambiguous) > 0:
		return Duplicate, ambiguous
	case len(paths) > 0:
		return ForeignChange, paths
	}
	return Applied, nil
}

// ordered reports whether an apply can have put the items of a list into another order. It puts its
// own items into its own order; where they stand as before, it moves nobody's.
func (j *judge) ordered(p path, x, y *index) bool {
	mine := j.mine().under(p)
	order := func(z *index) (out []byte) {
		for _, step := range z.steps {
			if mine.kid(step) != nil {
				out = appendSized(out, step)
			}
		}
		return out
	}
	return !bytes.Equal(order(x), order(y))
}

// notCompared are the fields that the API server keeps itself.
func (j *judge) notCompared(p path) bool {
	switch {
	case len(p) == 1:
		return j.kind.traits.ResetsStatus && p[0].isField("status")
	case len(p) == 2 && p[0].isField("metadata"):
		return p[1][0] == 'f' && serverKept[string(p[1][2:])]
	}
	return false
}

// serverKept are the fields of metadata that change with every write or that no write can change.
var serverKept = map[string]bool{
	"resourceVersion": true, "generation": true, "managedFields": true, "creationTimestamp": true, "uid": true, "selfLink": true,
}

// removals refuses the removal of what another manager owns, and of what the manager had never
// applied: that no apply does. What vanishes inside a field that the manager dropped as a whole
// went with it. The API server itself takes back what it had filled in or allocated when an apply
// changes the object, such as the node ports of a service that needs none any more.
func (j *judge) removals() (Reason, []string) {
	var paths []string
	mine, own, applies := j.mine(), j.owned(), j.applies()
	fills := shippedDefaults().of(j.Kind)
	for i, c := range j.changes {
		if c.what != removed || carrier(j.changes, i) && c.path[len(c.path)-1][0] == 'f' {
			continue // a map is judged by what was in it
		}
		switch {
		case j.ownedByAnother(c.path):
			paths = appendPath(paths, c.path)
		case dropped(own, mine, c.path):
		case applies && (fills.covers(c.path) || coveredBy(j.Tolerate, c.path)):
		default:
			paths = appendPath(paths, c.path)
		}
	}
	if len(paths) > 0 {
		return ForeignRemoval, paths
	}
	return Applied, nil
}

// applies reports whether the request changed anything that the manager applies.
func (j *judge) applies() bool {
	if j.own == nil && !j.bare || j.own != nil && !bytes.Equal(j.own.raw, j.now[0].raw) {
		return true
	}
	for _, c := range j.changes {
		if c.what != removed && j.mine().has(c.path) {
			return true
		}
	}
	return false
}

func (j *judge) ownedByAnother(p path) bool {
	for i := range j.before {
		if e := &j.before[i]; e != j.own && e.set.has(p) {
			return true
		}
	}
	return false
}

// dropped reports whether the manager owned something at or under a beginning of p before, and owns
// nothing there now.
func dropped(before, now *owned, p path) bool {
	for _, e := range p {
		if before, now = before.kid(e), now.kid(e); before == nil {
			return false
		}
		if now == nil {
			return true
		}
	}
	return false
}

// lost refuses a request that takes fields from another manager's entry which the apply neither
// changed nor took over: that is a rewrite of managedFields. An entry in another version than the
// request's may go as a whole, since the API server drops the entries of versions that it no longer
// serves.
func (j *judge) lost() (Reason, []string) {
	var paths []string
	var changed map[string]bool
	for i := range j.before {
		e := &j.before[i]
		if e == j.own {
			continue
		}
		now := find(j.now, e)
		if now != nil && bytes.Equal(now.raw, e.raw) || now == nil && e.apiVersion != j.Kind.APIVersion() {
			continue
		}
		if changed == nil {
			changed = j.changed()
		}
		var nowSet *owned
		if now != nil {
			nowSet = &now.set
		}
		e.set.without(nowSet, nil, func(p path) {
			if !j.mine().has(p) && !changed[p.String()] && !refined(nowSet, p) {
				paths = appendPath(paths, p)
			}
		})
	}
	if len(paths) > 0 {
		return ForeignLoss, paths
	}
	return Applied, nil
}

func (j *judge) changed() map[string]bool {
	out := make(map[string]bool, len(j.changes))
	for _, c := range j.changes {
		out[c.path.String()] = true
	}
	return out
}

// additions refuses what nobody answers for.
func (j *judge) additions() (Reason, []string) {
	w := surveyor{d: j.Object.doc, owners: j.now, tolerate: j.Tolerate, residue: j.Residue}
	if j.Old != nil {
		w.old = j.Old.doc
	}
	w.root(j.kind, shippedDefaults().of(j.Kind))
	if len(w.refused) > 0 {
		return Addition, w.refused
	}
	j.result.Tolerated, j.result.Inherited = w.tolerated, w.inherited
	return Applied, nil
}

// sum makes the digest.
func (j *judge) sum() (Reason, []string) {
	sum, at, err := j.Object.digest(j.Key, j.kind, j.mine(), j.Manager)
	switch {
	case at != nil:
		return Duplicate, []string{at.String()}
	case err != nil:
		return Unreadable, nil
	}
	j.result.Digest, j.result.explained = sum, true
	return Applied, nil
}
