package canon

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// An entry is one entry of managedFields: who owns which fields, and how they came by them.
type entry struct {
	manager, operation, apiVersion, subresource string
	raw                                         []byte // the set as it stands in the text
	set                                         owned
}

// same reports whether two entries are of one owner. The API server keeps one entry a manager that
// applies, whatever the version; an updating manager has one for each version.
func (e *entry) same(o *entry) bool {
	return e.manager == o.manager && e.operation == o.operation && e.subresource == o.subresource &&
		(e.operation == operationApply || e.apiVersion == o.apiVersion)
}

const operationApply = "Apply"

// find is the entry of the same owner, or nil.
func find(all []entry, e *entry) *entry {
	for i := range all {
		if all[i].same(e) {
			return &all[i]
		}
	}
	return nil
}

// owned is a set of field paths as a tree. A node is in the set if member; its children are ordered
// by step, so that whatever is made of a set does not depend on how it was written.
type owned struct {
	step   elem
	member bool
	kids   []owned
}

var errFields = errors.New("managedFields cannot be read")

// entries reads metadata.managedFields of an object. Known are entries whose sets may be taken over
// where the text is the same: most are, before and after an update.
func entries(d *doc, k change.Kind, known []entry) ([]entry, error) {
	n := d.at(0, "metadata", "managedFields")
	if d.kind(n) == null {
		return nil, nil
	}
	if d.kind(n) != list {
		return nil, errFields
	}
	out := make([]entry, 0, d.nodes[n].count)
	r := setReader{d: d}
	for c := d.first(n); c != none; c = d.next(c) {
		fields := d.member(c, "fieldsV1")
		e := entry{
			manager: d.str(d.member(c, "manager")), operation: d.str(d.member(c, "operation")),
			apiVersion: d.str(d.member(c, "apiVersion")), subresource: d.str(d.member(c, "subresource")),
		}
		if d.kind(fields) != object || d.str(d.member(c, "fieldsType")) != "FieldsV1" {
			return nil, errFields
		}
		e.raw = d.bytes(fields)
		if i := slices.IndexFunc(known, func(o entry) bool { return bytes.Equal(o.raw, e.raw) }); i >= 0 {
			e.set = known[i].set
			out = append(out, e)
			continue
		}
		var err error
		if e.set, err = r.read(fields); err != nil {
			return nil, err
		}
		if isSecret(k) {
			foldStringData(&e.set)
		}
		out = append(out, e)
	}
	return out, nil
}

// A setReader reads sets in their JSON form, fieldsV1. It takes its memory in large pieces, since
// the sets of an object have hundreds of nodes.
type setReader struct {
	d     *doc
	nodes []owned // free
	steps []byte  // free, after its length
	name  []byte  // reused for names with escapes
	key   parser  // reused for the JSON inside steps
}

// take is a piece of zeroed nodes.
func (r *setReader) take(n int) []owned {
	if n > len(r.nodes) {
		r.nodes = make([]owned, max(n, 128))
	}
	out := r.nodes[:n:n]
	r.nodes = r.nodes[n:]
	return out
}

func (r *setReader) read(n ref) (owned, error) {
	var s owned
	if r.d.kind(n) != object {
		return s, errFields
	}
	if r.d.empty(n) {
		return s, nil
	}
	s.kids = r.take(int(r.d.nodes[n].count))[:0]
	for c := r.d.first(n); c != none; c = r.d.next(c) {
		key := r.keyOf(c)
		if string(key) == "." {
			s.member = true
			continue
		}
		step, err := r.step(key)
		if err != nil {
			return s, err
		}
		kid, err := r.read(c)
		if err != nil {
			return s, err
		}
		if kid.step = step; len(kid.kids) == 0 {
			kid.member = true
		}
		s.kids = append(s.kids, kid)
	}
	s.sort()
	for i := 1; i < len(s.kids); i++ {
		if bytes.Equal(s.kids[i-1].step, s.kids[i].step) {
			return s, fmt.Errorf("%w: a field stands twice", errFields)
		}
	}
	return s, nil
}

// keyOf is the name of a member, which lasts until the next one if it has escapes.
func (r *setReader) keyOf(c ref) []byte {
	if x := &r.d.nodes[c]; x.kescaped {
		r.name = unescape(r.name[:0], r.d.raw[x.key:x.key+x.klen])
		return r.name
	}
	return r.d.key(c)
}

// step reads one step as fieldsV1 spells it.
func (r *setReader) step(key []byte) (elem, error) {
	if len(key) < 2 || key[1] != ':' {
		return nil, errFields
	}
	switch key[0] {
	case 'f', 'i':
		if len(r.name) > 0 && &key[0] == &r.name[0] {
			return elem(slices.Clone(key)), nil
		}
		return elem(key), nil
	case 'k', 'v':
		if err := r.key.parse(key[2:]); err != nil {
			return nil, errFields
		}
		if cap(r.steps)-len(r.steps) < 2*len(key)+16 {
			r.steps = make([]byte, 0, max(2048, 2*len(key)+16))
		}
		start := len(r.steps)
		if key[0] == 'v' {
			r.steps = appendScalar(append(r.steps, 'v', ':'), &r.key.doc, 0)
		} else if err := r.keys(); err != nil {
			return nil, err
		}
		return elem(r.steps[start:len(r.steps):len(r.steps)]), nil
	}
	return nil, errFields
}

// keys appends the step to a list item by its keys, in the order of their names.
func (r *setReader) keys() error {
	d := &r.key.doc
	if d.kind(0) != object || d.empty(0) {
		return errFields
	}
	var few [4]ref
	keys := few[:0]
	for c := d.first(0); c != none; c = d.next(c) {
		keys = append(keys, c)
	}
	if len(keys) > 1 {
		slices.SortFunc(keys, func(a, b ref) int { return bytes.Compare(d.key(a), d.key(b)) })
	}
	r.steps = append(r.steps, 'k', ':')
	var scratch [64]byte
	for _, c := range keys {
		r.steps = appendKey(r.steps, d.key(c), appendScalar(scratch[:0], d, c))
	}
	return nil
}

func appendKey(e elem, name, scalar []byte) elem {
	return appendSized(appendSized(e, name), scalar)
}

func (s *owned) sort() {
	less := func(a, b owned) int { return bytes.Compare(a.step, b.step) }
	if !slices.IsSortedFunc(s.kids, less) {
		slices.SortFunc(s.kids, less)
	}
}

// kid is the child at that step, or nil. A nil set is empty.
func (s *owned) kid(step elem) *owned {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.kids, step, func(k owned, e elem) int { return bytes.Compare(k.step, e) })
	if !ok {
		return nil
	}
	return &s.kids[i]
}

// field is the child for the member of that name.
func (s *owned) field(name []byte) *owned {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.kids, name, func(k owned, name []byte) int {
		if k.step[0] != 'f' {
			return 1
		}
		return bytes.Compare(k.step[2:], name)
	})
	if !ok {
		return nil
	}
	return &s.kids[i]
}

// under is the part of the set at and below p; nil if there is none.
func (s *owned) under(p path) *owned {
	for _, e := range p {
		if s = s.kid(e); s == nil {
			return nil
		}
	}
	return s
}

// has reports whether p itself is in the set.
func (s *owned) has(p path) bool {
	s = s.under(p)
	return s != nil && s.member
}

// each calls f for every path of the set. The path is reused between calls.
func (s *owned) each(p path, f func(path)) {
	if s.member {
		f(p)
	}
	for i := range s.kids {
		s.kids[i].each(append(p, s.kids[i].step), f)
	}
}

// without calls f for every path of s that is not in o.
func (s *owned) without(o *owned, p path, f func(path)) {
	if s.member && (o == nil || !o.member) {
		f(p)
	}
	for i := range s.kids {
		s.kids[i].without(o.kid(s.kids[i].step), append(p, s.kids[i].step), f)
	}
}

func isSecret(k change.Kind) bool { return k.Group == "" && k.Kind == "Secret" }

// foldStringData moves what is owned below a Secret's stringData to data, where the API server puts
// the values. An empty stringData says nothing.
func foldStringData(s *owned) {
	from := s.field([]byte("stringData"))
	if from == nil {
		return
	}
	moved := from.kids
	s.kids = slices.DeleteFunc(s.kids, func(k owned) bool { return k.step.isField("stringData") })
	if len(moved) == 0 {
		return
	}
	to := s.field([]byte("data"))
	if to == nil {
		s.kids = append(s.kids, owned{step: elem("f:data")})
		s.sort()
		to = s.field([]byte("data"))
	}
	to.kids = append(to.kids, moved...)
	to.sort()
	to.kids = slices.CompactFunc(to.kids, func(a, b owned) bool { return bytes.Equal(a.step, b.step) })
}
