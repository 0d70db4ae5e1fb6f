package canon

import "bytes"

// changeKind says what became of a field.
type changeKind uint8

const (
	added changeKind = iota
	removed
	modified
)

// A differ walks two objects of one type and reports each field that is not the same, in the sense
// of server-side apply: a leaf where it changed, and with a container that came or went also the
// container and everything in it.
type differ struct {
	a, b    *doc
	visit   func(changeKind, path)
	skip    func(path) bool            // do not look below; nil: never
	unclear func(path)                 // a list in which two items have one key has changed; nil: a leaf like others
	turned  func(path, *index, *index) // items of a list stand in another order; nil: a leaf like others
	path    path
}

// walk compares the values at m and n; either may be absent, not both.
func (w *differ) walk(m, n ref, s *shape) {
	if w.skip != nil && len(w.path) > 0 && w.skip(w.path) {
		return
	}
	gm, gn := s.granular(w.a, m), s.granular(w.b, n)
	switch {
	case m == none:
		w.all(w.b, n, s, added)
		return
	case n == none:
		w.all(w.a, m, s, removed)
		return
	case gm && gn && w.a.kind(m) == w.b.kind(n):
		if w.a.kind(m) == object {
			w.members(m, n, s.object())
		} else {
			w.items(m, n, s.list())
		}
		return
	case !gm && !gn && same(w.a, m, w.b, n):
		return
	}
	// A leaf, or one kind of value turned into another.
	w.visit(modified, w.path)
	if gm {
		w.below(w.a, m, s, removed)
	}
	if gn {
		w.below(w.b, n, s, added)
	}
}

// identical reports whether both values are there and spelled alike: most of an update is.
func (w *differ) identical(m, n ref) bool {
	return m != none && n != none && bytes.Equal(w.a.bytes(m), w.b.bytes(n)) && w.a.kind(m) == w.b.kind(n)
}

func (w *differ) members(m, n ref, f *fields) {
	hint := none
	for c := w.a.first(m); c != none; c = w.a.next(c) {
		name := w.a.key(c)
		e := w.b.memberAfter(n, name, hint)
		if e != none {
			hint = e
		}
		if !w.identical(c, e) {
			w.down(fieldStep(w.a, c), c, e, f.field(name))
		}
	}
	hint = none
	for e := w.b.first(n); e != none; e = w.b.next(e) {
		name := w.b.key(e)
		if c := w.a.memberAfter(m, name, hint); c != none {
			hint = c
			continue
		}
		w.down(fieldStep(w.b, e), none, e, f.field(name))
	}
}

func (w *differ) items(m, n ref, it *items) {
	x, y := it.index(w.a, m), it.index(w.b, n)
	if x.ambiguous || y.ambiguous {
		// Who owns which of two items of one key cannot be told: the list is one leaf.
		if w.visit(modified, w.path); w.unclear != nil {
			w.unclear(w.path)
		}
		return
	}
	for i, step := range x.steps {
		if e := y.get(step); !w.identical(x.refs[i], e) {
			w.down(step, x.refs[i], e, it.of)
		}
	}
	for i, step := range y.steps {
		if x.find(step) < 0 {
			w.down(step, none, y.refs[i], it.of)
		}
	}
	if reordered(&x, &y) {
		if w.visit(modified, w.path); w.turned != nil {
			w.turned(w.path, &x, &y)
		}
	}
}

// reordered reports whether the items that both lists hold stand in another order.
func reordered(x, y *index) bool {
	last := -1
	for _, step := range x.steps {
		if i := y.find(step); i >= 0 {
			if i < last {
				return true
			}
			last = i
		}
	}
	return false
}

func (w *differ) down(step elem, m, n ref, s *shape) {
	w.path = append(w.path, step)
	w.walk(m, n, s)
	w.path = w.path[:len(w.path)-1]
}

// all reports the value at n and everything in it.
func (w *differ) all(d *doc, n ref, s *shape, k changeKind) {
	if w.skip != nil && len(w.path) > 0 && w.skip(w.path) {
		return
	}
	w.visit(k, w.path)
	if s.granular(d, n) {
		w.below(d, n, s, k)
	}
}

// below reports everything in the container at n.
func (w *differ) below(d *doc, n ref, s *shape, k changeKind) {
	if d.kind(n) == object {
		f := s.object()
		for c := d.first(n); c != none; c = d.next(c) {
			w.path = append(w.path, fieldStep(d, c))
			w.all(d, c, f.field(d.key(c)), k)
			w.path = w.path[:len(w.path)-1]
		}
		return
	}
	x := s.list().index(d, n)
	for i, step := range x.steps {
		w.path = append(w.path, step)
		w.all(d, x.refs[i], s.list().of, k)
		w.path = w.path[:len(w.path)-1]
	}
}

// fieldStep is the step to a member of an object.
func fieldStep(d *doc, c ref) elem {
	x := &d.nodes[c]
	return append(append(make(elem, 0, x.klen+2), 'f', ':'), d.key(c)...)
}
