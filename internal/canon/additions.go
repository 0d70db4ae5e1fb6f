package canon

import (
	"bytes"
	"slices"
)

// maxPaths is how many paths of one sort a Result names.
const maxPaths = 64

// Residue is a field that stands in the object beside what Git sets.
type Residue struct {
	Path    string
	Manager string // who owns it; empty: nobody
}

// A surveyor walks the admitted object and asks of each field who answers for it: the manager
// whose apply is judged, another manager, the old object, the API server, or a tolerance. What
// nobody answers for was added by a mutating webhook, and is refused.
type surveyor struct {
	d, old   *doc
	owners   []entry // the first is the one that is judged
	tolerate []PathPattern
	residue  bool // look also at what did not change

	native, keepStatus bool

	path      path
	steps     []byte   // the bytes of the path's steps
	stack     []*owned // the owners' sets at each level, so that a level costs no allocation
	refused   []string
	tolerated []string
	inherited []Residue
}

// systemFields of metadata are the API server's own.
var systemFields = map[string]bool{
	"name": true, "namespace": true, "uid": true, "resourceVersion": true, "generation": true, "managedFields": true,
	"creationTimestamp": true, "deletionTimestamp": true, "deletionGracePeriodSeconds": true, "selfLink": true,
}

// root walks the whole object. The old object may be nil.
func (w *surveyor) root(t *Type, f fills) {
	w.native, w.keepStatus = t.traits.Native, !t.traits.ResetsStatus
	for i := range w.owners {
		w.stack = append(w.stack, &w.owners[i].set)
	}
	old := none
	if w.old != nil {
		old = 0
	}
	w.members(0, old, t.root.object(), f)
}

// members looks at the members of an object whose old self is at old.
func (w *surveyor) members(n, old ref, of *fields, f fills) {
	hint := none
	for c := w.d.first(n); c != none; c = w.d.next(c) {
		name := w.d.key(c)
		if w.systems(name) {
			continue
		}
		before := none
		if old != none {
			if before = w.old.memberAfter(old, name, hint); before != none {
				hint = before
			}
		}
		if w.settled(c, before) {
			continue
		}
		below := f.field(name)
		if w.copied(n, c, &below, &f) {
			continue
		}
		top := w.descend(func(s *owned) *owned { return s.field(name) })
		if !w.native && w.owner() < 0 && of.field(name).isDefault(w.d, c, of.fallbacks[string(name)], 0) {
			w.stack = w.stack[:top]
			continue
		}
		start := len(w.steps)
		w.steps = append(append(w.steps, 'f', ':'), name...)
		w.value(w.steps[start:], c, before, of.field(name), below)
		w.steps, w.stack = w.steps[:start], w.stack[:top]
	}
}

// settled reports whether nothing has to be asked of a value: it stood there before, spelled alike.
func (w *surveyor) settled(n, old ref) bool {
	return !w.residue && old != none && w.d.kind(n) == w.old.kind(old) && bytes.Equal(w.d.bytes(n), w.old.bytes(old))
}

// systems reports whether the member of that name is the API server's own.
func (w *surveyor) systems(name []byte) bool {
	switch {
	case len(w.path) == 0:
		s := string(name)
		return s == "apiVersion" || s == "kind" || s == "status" && !w.keepStatus
	case len(w.path) == 1 && w.path[0].isField("metadata"):
		return systemFields[string(name)]
	}
	return false
}

// copied reports whether the member c of n is the server's copy of a sibling that somebody answers
// for: the judged manager, or the table by a value. Two copies do not answer for each other.
func (w *surveyor) copied(n, c ref, below, around *fills) bool {
	for _, name := range below.like() {
		sibling := w.d.member(n, name)
		if sibling == none || !same(w.d, c, w.d, sibling) {
			continue
		}
		siblings := around.field([]byte(name))
		if w.level()[0].field([]byte(name)) != nil || siblings.allows(w.d, sibling) {
			return true
		}
	}
	return false
}

// descend pushes the owners' sets one level down and returns where they were.
func (w *surveyor) descend(down func(*owned) *owned) (top int) {
	top = len(w.stack)
	for _, s := range w.stack[top-len(w.owners):] {
		w.stack = append(w.stack, down(s))
	}
	return top
}

// level are the owners' sets at the current field.
func (w *surveyor) level() []*owned { return w.stack[len(w.stack)-len(w.owners):] }

// owner is who owns the field or something in it; the judged manager before others. -1: nobody.
func (w *surveyor) owner() int {
	return slices.IndexFunc(w.level(), func(s *owned) bool { return s != nil })
}

func (w *surveyor) value(step elem, n, old ref, t *shape, f fills) {
	w.path = append(w.path, step)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	granular := t.granular(w.d, n)
	owner, whole := w.owner(), !granular || w.d.empty(n)
	switch {
	case whole && owner == 0, w.d.kind(n) == null:
	case granular && whole && (w.native || w.d.kind(n) == list):
		// An empty struct, which the Go type spells out; or a list of items with nothing in it, which
		// no set of fields can hold, whoever sent it.
	case whole:
		w.leaf(owner, n, old, f)
	case owner < 0 && old == none:
		w.newcomer(n, t, f)
	case step[0] != 'f' && owner != 0:
		w.resident(owner, n, old, t, f)
	default:
		w.inside(n, old, t, f)
	}
}

// leaf judges a field that the judged manager does not own. That another owns a part of it answers
// for nothing that changed.
func (w *surveyor) leaf(owner int, n, old ref, f fills) {
	unchanged := old != none && same(w.old, old, w.d, n)
	switch {
	case unchanged && owner > 0:
		w.inherit(owner)
	case f.allows(w.d, n):
	case unchanged:
		w.inherit(owner)
	case coveredBy(w.tolerate, w.path):
		w.tolerated = appendPath(w.tolerated, w.path)
	default:
		w.refused = appendPath(w.refused, w.path)
	}
}

// newcomer judges a container that nobody owns and that was not there before. A struct is named as a
// whole, since its parts mean nothing to people; of a list, each item is.
func (w *surveyor) newcomer(n ref, t *shape, f fills) {
	if coveredBy(w.tolerate, w.path) {
		w.tolerated = appendPath(w.tolerated, w.path)
		return
	}
	before := len(w.refused)
	w.inside(n, none, t, f)
	if len(w.refused) > before && w.d.kind(n) == object {
		w.refused = appendPath(w.refused[:before], w.path)
	}
}

// resident judges a list item that the judged manager has no part in and that was there before.
func (w *surveyor) resident(owner int, n, old ref, t *shape, f fills) {
	before := len(w.inherited)
	w.inside(n, old, t, f)
	if len(w.inherited) > before {
		w.inherited = w.inherited[:before]
		w.inherit(owner)
	}
}

// inside walks what is in a container.
func (w *surveyor) inside(n, old ref, t *shape, f fills) {
	if w.d.kind(n) == object {
		if old != none && w.old.kind(old) != object {
			old = none
		}
		w.members(n, old, t.object(), f)
		return
	}
	it := t.list()
	now := it.index(w.d, n)
	var before index
	if old != none {
		before = it.index(w.old, old)
	}
	if now.ambiguous && (old == none || !same(w.old, old, w.d, n)) {
		w.refused = appendPath(w.refused, w.path)
		return
	}
	for i, step := range now.steps {
		if w.settled(now.refs[i], before.get(step)) {
			continue
		}
		top := w.descend(func(s *owned) *owned { return s.kid(step) })
		w.value(step, now.refs[i], before.get(step), it.of, f.item(w.d, now.refs[i]))
		w.stack = w.stack[:top]
	}
}

// inherit notes a field that Git does not set, unless it is tolerated.
func (w *surveyor) inherit(owner int) {
	if len(w.inherited) >= maxPaths || coveredBy(w.tolerate, w.path) {
		return
	}
	r := Residue{Path: w.path.String()}
	if owner > 0 {
		r.Manager = w.owners[owner].manager
	}
	w.inherited = append(w.inherited, r)
}

func appendPath(to []string, p path) []string {
	if len(to) >= maxPaths {
		return to
	}
	return append(to, p.String())
}
