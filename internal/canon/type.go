package canon

import (
	"sync"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// Traits are what a structural schema does not say of a kind.
type Traits struct {
	// Native: the API server holds the kind in a Go type, which cannot tell an empty map or list
	// from none. False for custom resources.
	Native bool
	// ResetsStatus: a write to the main resource never changes .status.
	ResetsStatus bool
}

// Type is the compiled structural type of one kind. It is immutable and safe for concurrent use.
type Type struct {
	parseable typed.ParseableType
	traits    Traits
	root      *shape
}

// NewType compiles the type of a kind.
func NewType(t typed.ParseableType, traits Traits) *Type {
	return &Type{parseable: t, traits: traits, root: (&shape{schema: t.Schema, memo: &sync.Map{}}).sub(t.TypeRef)}
}

// shape is the type of one field. What a field may hold is asked by the kind of value that stands
// there, since a schema may leave it open ("int or string", unknown fields). A nil shape is that of
// a field without a schema: scalars and lists are leaves, maps have fields.
//
// Shapes are compiled where somebody first comes by, and a named type once: types can be recursive,
// and most of a type is never visited.
type shape struct {
	schema *schema.Schema
	memo   *sync.Map // of named types, by typeName
	ref    schema.TypeRef
	once   sync.Once
	items  *items  // what a list is; nil: a leaf
	fields *fields // what a map is; nil: a leaf
	known  bool    // the schema has something to say about maps
	single bool    // the field holds one sort of value: not "int or string", nor anything at all
}

// items is the type of a list whose items have an identity.
type items struct {
	keys []listKey // none: a set of scalars
	of   *shape
}

// listKey is one key field of a list of maps, with the default that stands for an absent one.
type listKey struct {
	name     string
	fallback []byte // canonical scalar; nil: no default
}

// fields is the type of a map whose fields are owned one by one.
type fields struct {
	named     map[string]*shape
	fallbacks map[string]*doc // the defaults of fields
	rest      *shape          // of all other names; nil: without a schema
}

func (s *shape) compiled() *shape {
	s.once.Do(func() {
		atom, ok := s.schema.Resolve(s.ref)
		if !ok {
			return
		}
		s.single = atom.Scalar == nil && (atom.List == nil || atom.Map == nil)
		if l := atom.List; l != nil && l.ElementRelationship == schema.Associative {
			s.items = s.compileList(l)
		}
		if m := atom.Map; m != nil {
			s.known = true
			if m.ElementRelationship != schema.Atomic {
				s.fields = s.compileMap(m)
			}
		}
	})
	return s
}

func (s *shape) compileList(l *schema.List) *items {
	it := &items{of: s.sub(l.ElementType)}
	element, _ := s.schema.Resolve(l.ElementType)
	for _, name := range l.Keys {
		k := listKey{name: name}
		if element.Map != nil {
			if f, ok := element.Map.FindField(name); ok {
				if d := docOf(f.Default); d != nil {
					k.fallback = appendScalar(nil, d, 0)
				}
			}
		}
		it.keys = append(it.keys, k)
	}
	return it
}

func (s *shape) compileMap(m *schema.Map) *fields {
	f := &fields{named: make(map[string]*shape, len(m.Fields)), rest: s.sub(m.ElementType)}
	for _, sf := range m.Fields {
		f.named[sf.Name] = s.sub(sf.Type)
		if d := docOf(sf.Default); d != nil {
			if f.fallbacks == nil {
				f.fallbacks = map[string]*doc{}
			}
			f.fallbacks[sf.Name] = d
		}
	}
	return f
}

// typeName is a named type with the relationship that a reference to it may override.
type typeName struct {
	name     string
	override schema.ElementRelationship
}

// sub is the shape of a type that s refers to; nil where the schema says nothing.
func (s *shape) sub(t schema.TypeRef) *shape {
	if t.NamedType == nil {
		if t.Inlined == (schema.Atom{}) {
			return nil
		}
		return &shape{schema: s.schema, memo: s.memo, ref: t}
	}
	key := typeName{name: *t.NamedType}
	if t.ElementRelationship != nil {
		key.override = *t.ElementRelationship
	}
	named, _ := s.memo.LoadOrStore(key, &shape{schema: s.schema, memo: s.memo, ref: t})
	out, _ := named.(*shape) // nothing else is stored
	return out
}

// docOf is a default in a schema as JSON; nil: there is none.
func docOf(v any) *doc {
	if v == nil {
		return nil
	}
	b, err := value.ToJSON(value.NewValueInterface(v))
	if err != nil {
		return nil
	}
	d, err := parseJSON(b)
	if err != nil {
		return nil
	}
	return d
}

// isDefault reports whether the value at n is what a schema's default makes: the default itself,
// with the defaults of the fields that it leaves out.
func (s *shape) isDefault(d *doc, n ref, fallback *doc, at ref) bool {
	if fallback == nil || d.kind(n) != fallback.kind(at) {
		return false
	}
	if d.kind(n) != object {
		return same(d, n, fallback, at)
	}
	of, met := s.object(), int32(0)
	if of == nil {
		of = anyFields
	}
	for c := d.first(n); c != none; c = d.next(c) {
		name := d.key(c)
		if e := fallback.memberAfter(at, name, none); e != none {
			if met++; !of.field(name).isDefault(d, c, fallback, e) {
				return false
			}
		} else if !of.field(name).isDefault(d, c, of.fallbacks[string(name)], 0) {
			return false
		}
	}
	return met == fallback.nodes[at].count
}

// list is what the shape says of a list; nil: it is a leaf.
func (s *shape) list() *items {
	if s == nil {
		return nil
	}
	return s.compiled().items
}

// anyFields is the type of a map without a schema.
var anyFields = &fields{}

// object is what the shape says of a map; nil: it is a leaf.
func (s *shape) object() *fields {
	if s == nil || !s.compiled().known {
		return anyFields
	}
	return s.fields
}

// field is the shape of the member with that name.
func (f *fields) field(name []byte) *shape {
	if s, ok := f.named[string(name)]; ok {
		return s
	}
	return f.rest
}

// granular reports whether the value at n is owned part by part.
func (s *shape) granular(d *doc, n ref) bool {
	switch d.kind(n) {
	case object:
		return s.object() != nil
	case list:
		return s.list() != nil
	}
	return false
}
