package canon

import (
	"errors"

	"github.com/fairway-dev/fairway/internal/change"
)

// Object is one parsed object. It is immutable and may be shared between requests.
type Object struct {
	meta Meta
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

// Parse reads the raw JSON of an object as the API server sends it. A duplicate member, nesting
// beyond 256 levels, and anything that is not one JSON object with apiVersion and kind are errors.
func Parse(raw []byte) (*Object, error) {
	return nil, errors.New("reading object: not an object")
}

// Meta is what the object says of itself. The maps are the object's own: read only.
func (o *Object) Meta() Meta { return o.meta }

// ID is the object's identity.
func (o *Object) ID() change.ObjectID {
	return change.ObjectID{Group: o.meta.Kind.Group, Kind: o.meta.Kind.Kind, Namespace: o.meta.Namespace, Name: o.meta.Name}
}
