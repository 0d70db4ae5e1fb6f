package canon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// The encoding that digests are made over. It is prefix-free: each step and scalar carries its
// length, each container the number of its parts, each value a letter for what it is. So no two
// sets of leaves have one encoding.
//
//	node  = parts { length step, flags, value, [ node ] }
//	flags = 1 the field itself is owned, 2 there are fields below it
//	value = "0" none, "s" scalar, "w" a whole list or map, "m" a map, "l" a list,
//	        "e" a map or list whose emptiness says nothing
//
// The items of a list stand in the order of the object, since order can change what a list means.

var errDuplicate = errors.New("two items of one key")

// encoder writes the leaves of one object that one set owns.
type encoder struct {
	d       *doc
	native  bool
	buf     []byte
	scratch []byte
	path    path
	at      path // where err happened
	err     error
	// each and order, if set, are given what was written of each owned field, without what is below
	// it, and of each list the steps of its owned items in their order.
	each, order func(p path, written []byte)
}

// set writes the part of the object at n that s owns.
func (w *encoder) set(s *owned, n ref, t *shape, f fills) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s.kids)))
	if w.d.kind(n) == list && t.list() != nil {
		w.items(s, n, t.list(), &f)
		return
	}
	var of *fields
	if w.d.kind(n) == object {
		of = t.object()
	}
	hint := none
	for i := range s.kids {
		k := &s.kids[i]
		child, ct, cf := none, (*shape)(nil), fills{}
		if of != nil && k.step[0] == 'f' {
			if child = w.d.memberAfter(n, k.step[2:], hint); child != none {
				hint = child
			}
		}
		if k.step[0] == 'f' {
			cf = f.field(k.step[2:])
			if o := t.object(); o != nil {
				ct = o.field(k.step[2:])
			}
		}
		w.node(k, child, ct, cf)
	}
}

// items writes owned items in the order of the list, and then those that the list does not hold.
func (w *encoder) items(s *owned, n ref, it *items, f *fills) {
	written := make([]bool, len(s.kids))
	var scratch [128]byte
	var order []byte
	for c := w.d.first(n); c != none; c = w.d.next(c) {
		step, ok := it.appendStep(scratch[:0], w.d, c)
		if !ok {
			continue // no identity: nobody can own it
		}
		i, ok := slices.BinarySearchFunc(s.kids, step, func(k owned, e elem) int { return bytes.Compare(k.step, e) })
		if !ok {
			continue
		}
		if written[i] {
			w.fail(s.kids[i].step)
			return
		}
		written[i] = true
		if w.order != nil {
			order = appendSized(order, step)
		}
		w.node(&s.kids[i], c, it.of, f.item(w.d, c))
	}
	for i := range s.kids {
		if !written[i] {
			w.node(&s.kids[i], none, nil, fills{})
		}
	}
	if w.order != nil {
		w.order(w.path, order)
	}
}

func (w *encoder) fail(step elem) {
	if w.err == nil {
		w.err, w.at = errDuplicate, append(w.path.clone(), step)
	}
}

// node writes one owned field and what is owned below it.
func (w *encoder) node(k *owned, n ref, t *shape, f fills) {
	w.buf = appendSized(w.buf, k.step)
	flags := byte(0)
	if k.member {
		flags = 1
	}
	start := len(w.buf)
	w.path = append(w.path, k.step)
	if len(w.path) == 1 && k.step.isField("metadata") { // a Go type in every kind
		was := w.native
		w.native = true
		defer func() { w.native = was }()
	}
	if len(k.kids) == 0 {
		w.buf = append(w.buf, flags)
		w.leaf(n, t, &f)
	} else {
		w.buf = append(w.buf, flags|2)
		switch w.d.kind(n) {
		case object, list:
		case null:
			w.buf = append(w.buf, '0')
		default: // a scalar where the set says that there are fields: nothing that an apply makes
			w.scalar(n)
		}
	}
	if w.each != nil && (k.member || len(k.kids) == 0) {
		w.each(w.path, w.buf[start:])
	}
	if len(k.kids) > 0 {
		w.set(k, n, t, f)
	}
	w.path = w.path[:len(w.path)-1]
}

func (w *encoder) scalar(n ref) {
	w.scratch = appendScalar(w.scratch[:0], w.d, n)
	w.buf = appendSized(append(w.buf, 's'), w.scratch)
}

// leaf writes the value of an owned field with nothing owned below it.
func (w *encoder) leaf(n ref, t *shape, f *fills) {
	switch kind := w.d.kind(n); {
	case w.native && w.blurred(t, f):
		w.buf = append(w.buf, 'e')
	case kind == null, w.native && f.means(w.d, n):
		w.buf = append(w.buf, '0')
	case kind != object && kind != list:
		w.scalar(n)
	case t.granular(w.d, n) && kind == object:
		w.buf = append(w.buf, 'm') // was sent empty; what is in it is somebody else's
	case t.granular(w.d, n):
		w.buf = append(w.buf, 'l')
	case w.native && kind == list && w.d.empty(n):
		w.buf = append(w.buf, '0')
	default:
		w.buf = appendWhole(append(w.buf, 'w'), w.d, n, w.native, f)
	}
}

// blurred reports whether, for a native kind, null and empty say the same at a place: a map of
// free names and a list vanish from the Go type when empty, and a struct that the server fills in
// is there either way. What other managers put there must not matter to the digest, so the value
// is not looked at.
func (w *encoder) blurred(t *shape, f *fills) bool {
	switch {
	case t == nil || !t.compiled().single:
		return false // a scalar may stand there, and a scalar always counts
	case t.items != nil:
		return true
	case t.fields == nil:
		return false
	case len(t.fields.named) == 0:
		return true
	}
	return f.here()
}

// appendWhole appends a whole value. In a native kind, members that say no more than their absence
// are left out: null, empty lists and, by f, what the server fills in anyway.
func appendWhole(dst []byte, d *doc, n ref, native bool, f *fills) []byte {
	switch d.kind(n) {
	case object:
		return appendMap(append(dst, '{'), d, n, native, f)
	case list:
		return appendList(append(dst, '['), d, n, native, f)
	}
	var scratch [64]byte
	return appendSized(dst, appendScalar(scratch[:0], d, n))
}

func appendList(dst []byte, d *doc, n ref, native bool, f *fills) []byte {
	for c := d.first(n); c != none; c = d.next(c) {
		var below *fills
		if f != nil && f.n > 0 {
			if x := f.item(d, c); x.n > 0 {
				if below = &x; native && x.means(d, c) {
					continue
				}
			}
		}
		dst = appendWhole(append(dst, ','), d, c, native, below)
	}
	return append(dst, ']')
}

func appendMap(dst []byte, d *doc, n ref, native bool, f *fills) []byte {
	if d.nodes[n].sorted {
		for c := d.first(n); c != none; c = d.next(c) {
			dst = appendMember(dst, d, c, native, f)
		}
		return append(dst, '}')
	}
	members := make([]ref, 0, 16)
	for c := d.first(n); c != none; c = d.next(c) {
		members = append(members, c)
	}
	slices.SortFunc(members, func(a, b ref) int { return bytes.Compare(d.key(a), d.key(b)) })
	for _, c := range members {
		dst = appendMember(dst, d, c, native, f)
	}
	return append(dst, '}')
}

func appendMember(dst []byte, d *doc, c ref, native bool, f *fills) []byte {
	if native && (d.kind(c) == null || d.kind(c) == list && d.empty(c)) {
		return dst
	}
	if f == nil || f.n == 0 {
		return appendWhole(appendSized(append(dst, ':'), d.key(c)), d, c, native, nil)
	}
	below := f.field(d.key(c))
	if native && below.means(d, c) {
		return dst
	}
	start := len(dst)
	dst = appendSized(append(dst, ':'), d.key(c))
	value := len(dst)
	dst = appendWhole(dst, d, c, native, &below)
	if native && string(dst[value:]) == "{}" && below.filledIn() {
		return dst[:start] // nothing but defaults, in a map that the server would make anyway
	}
	return dst
}
