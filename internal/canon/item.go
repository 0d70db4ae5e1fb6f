package canon

import "bytes"

// appendStep appends the step to an item of a list whose items have an identity. Not ok: the item
// has none, because a key is missing without a default or a set holds something else than scalars.
func (it *items) appendStep(dst elem, d *doc, n ref) (elem, bool) {
	if len(it.keys) == 0 {
		if k := d.kind(n); k == null || k == list || k == object {
			return dst, false
		}
		return appendScalar(append(dst, 'v', ':'), d, n), true
	}
	if d.kind(n) != object {
		return dst, false
	}
	dst = append(dst, 'k', ':')
	empty := len(dst)
	var scratch [64]byte
	for i := range it.keys {
		k := &it.keys[i]
		scalar := k.fallback
		if c := d.member(n, k.name); c != none {
			scalar = appendScalar(scratch[:0], d, c)
		}
		if scalar != nil {
			dst = appendKey(dst, []byte(k.name), scalar)
		}
	}
	return dst, len(dst) > empty
}

// index maps the items of a list to their steps. Items without an identity, and all but the first
// of one identity, are left out and make the list ambiguous.
type index struct {
	steps     []elem // by position in the list
	refs      []ref
	byStep    map[string]int
	ambiguous bool
}

// smallList is up to where a list is searched rather than indexed.
const smallList = 8

func (it *items) index(d *doc, n ref) index {
	if d.kind(n) != list {
		return index{}
	}
	count := int(d.nodes[n].count)
	x := index{steps: make([]elem, 0, count), refs: make([]ref, 0, count)}
	if count > smallList {
		x.byStep = make(map[string]int, count)
	}
	buf := make(elem, 0, 32*count)
	for c := d.first(n); c != none; c = d.next(c) {
		start := len(buf)
		grown, ok := it.appendStep(buf, d, c)
		step := grown[start:len(grown):len(grown)]
		if !ok || x.find(step) >= 0 {
			x.ambiguous = true
			continue
		}
		buf = grown
		if x.byStep != nil {
			x.byStep[string(step)] = len(x.steps)
		}
		x.steps, x.refs = append(x.steps, step), append(x.refs, c)
	}
	return x
}

// find is the position of a step, or -1.
func (x *index) find(step elem) int {
	if x.byStep != nil {
		if i, ok := x.byStep[string(step)]; ok {
			return i
		}
		return -1
	}
	for i, s := range x.steps {
		if bytes.Equal(s, step) {
			return i
		}
	}
	return -1
}

// get is the item with that step, or none.
func (x *index) get(step elem) ref {
	if i := x.find(step); i >= 0 {
		return x.refs[i]
	}
	return none
}
