package canon

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// Object is one parsed object. It is immutable and may be shared between requests.
type Object struct {
	doc  *doc
	meta Meta // without what more makes
	more sync.Once
	full Meta
}

// Meta is what an object says of itself. All of it but the UID was chosen by whoever wrote it.
type Meta struct {
	Kind        change.Kind
	Namespace   string
	Name        string
	UID         string
	Labels      map[string]string
	Annotations map[string]string
	Owners      []Owner
	Finalizers  []string
	Deleting    bool // has a deletionTimestamp
}

// Owner is one owner reference.
type Owner struct {
	Kind       change.Kind
	Name, UID  string
	Controller bool
}

var errNoObject = errors.New("not an object with apiVersion, kind and metadata")

// Parse reads the raw JSON of an object as the API server sends it, and keeps the bytes: the caller
// must not change them afterwards. A member that stands twice, nesting beyond 256 levels, and
// anything that is not one JSON object with apiVersion, kind and metadata are errors.
func Parse(raw []byte) (*Object, error) {
	d, err := parseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("reading object: %w", err)
	}
	m := d.member(0, "metadata")
	kind := d.str(d.member(0, "kind"))
	k, ok := parseKind(d.str(d.member(0, "apiVersion")), kind)
	if !ok || d.kind(m) != object {
		return nil, fmt.Errorf("reading object: %w", errNoObject)
	}
	return &Object{doc: d, meta: Meta{
		Kind: k, Namespace: d.str(d.member(m, "namespace")), Name: d.str(d.member(m, "name")), UID: d.str(d.member(m, "uid")),
		Deleting: d.kind(d.member(m, "deletionTimestamp")) != null,
	}}, nil
}

// parseKind splits an apiVersion. Not ok: one of the parts is empty.
func parseKind(apiVersion, kind string) (change.Kind, bool) {
	group, version, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group, version = "", apiVersion
	}
	return change.Kind{Group: group, Version: version, Kind: kind}, version != "" && kind != "" && grouped == (group != "")
}

// Meta is what the object says of itself. The maps and lists are the object's own: read only.
func (o *Object) Meta() Meta {
	o.more.Do(func() {
		d, m := o.doc, o.doc.member(0, "metadata")
		o.full = o.meta
		o.full.Labels, o.full.Annotations = d.stringMap(d.member(m, "labels")), d.stringMap(d.member(m, "annotations"))
		o.full.Owners, o.full.Finalizers = d.owners(d.member(m, "ownerReferences")), d.stringList(d.member(m, "finalizers"))
	})
	return o.full
}

// ID is the object's identity.
func (o *Object) ID() change.ObjectID {
	return change.ObjectID{Group: o.meta.Kind.Group, Kind: o.meta.Kind.Kind, Namespace: o.meta.Namespace, Name: o.meta.Name}
}

// plain is the object as plain Go values.
func (o *Object) plain() map[string]any {
	m, _ := o.doc.value(0).(map[string]any) // Parse takes nothing else
	return m
}

func (d *doc) stringMap(n ref) map[string]string {
	if d.kind(n) != object || d.empty(n) {
		return nil
	}
	m := make(map[string]string, d.nodes[n].count)
	for c := d.first(n); c != none; c = d.next(c) {
		m[string(d.key(c))] = d.str(c)
	}
	return m
}

func (d *doc) stringList(n ref) (out []string) {
	if d.kind(n) != list {
		return nil
	}
	for c := d.first(n); c != none; c = d.next(c) {
		out = append(out, d.str(c))
	}
	return out
}

func (d *doc) owners(n ref) (out []Owner) {
	if d.kind(n) != list {
		return nil
	}
	for c := d.first(n); c != none; c = d.next(c) {
		k, _ := parseKind(d.str(d.member(c, "apiVersion")), d.str(d.member(c, "kind")))
		controller := d.member(c, "controller")
		out = append(out, Owner{
			Kind: k, Name: d.str(d.member(c, "name")), UID: d.str(d.member(c, "uid")),
			Controller: d.kind(controller) == boolean && string(d.bytes(controller)) == "true",
		})
	}
	return out
}

// Managers are the names of the managers in the object's managedFields, in their order there. Each
// was chosen by a client.
func (o *Object) Managers() []string {
	var names []string
	all := o.doc.at(0, "metadata", "managedFields")
	if o.doc.kind(all) != list {
		return nil
	}
	for c := o.doc.first(all); c != none; c = o.doc.next(c) {
		names = append(names, o.doc.str(o.doc.member(c, "manager")))
	}
	return names
}
