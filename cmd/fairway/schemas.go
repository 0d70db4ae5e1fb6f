package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/origin"
	"github.com/fairway-dev/fairway/internal/schema"
)

// schemas are the kinds that objects may be of: the built-in ones and those that
// CustomResourceDefinitions define.
type schemas struct{ now atomic.Pointer[known] }

// known is one state of the schemas.
type known struct {
	snapshot   *schema.Snapshot
	namespaced map[string]bool // custom kinds, by group and kind
	sum        string
}

func newSchemas() *schemas {
	s := &schemas{}
	s.now.Store(&known{snapshot: schema.BuiltIn()})
	return s
}

// current is the snapshot in force.
func (s *schemas) current() *schema.Snapshot { return s.now.Load().snapshot }

// digest is that of the custom kinds: a policy input.
func (s *schemas) digest() string { return s.now.Load().sum }

// Namespaced says whether the objects of a custom kind live in a namespace.
func (s *schemas) Namespaced(group, _, kind string) (namespaced, known bool) {
	namespaced, known = s.now.Load().namespaced[group+"/"+kind]
	return namespaced, known
}

// define puts custom kinds in force, in place of those before.
func (s *schemas) define(crds []apiextensionsv1.CustomResourceDefinition) error {
	defining := make([]*apiextensionsv1.CustomResourceDefinition, len(crds))
	for i := range crds {
		defining[i] = &crds[i]
	}
	custom, err := schema.FromCRDs(defining...)
	if err != nil {
		return fmt.Errorf("reading custom kinds: %w", err)
	}
	next := &known{snapshot: schema.BuiltIn().Over(custom), namespaced: map[string]bool{}}
	h := sha256.New()
	for _, c := range crds {
		next.namespaced[c.Spec.Group+"/"+c.Spec.Names.Kind] = c.Spec.Scope == apiextensionsv1.NamespaceScoped
		if err := json.NewEncoder(h).Encode(c.Spec); err != nil {
			return fmt.Errorf("reading custom kind %q: %w", c.Name, err)
		}
	}
	if len(crds) > 0 {
		next.sum = hex.EncodeToString(h.Sum(nil))
	}
	s.now.Store(next)
	return nil
}

// origins reads where a request says that its object comes from.
type origins struct{}

// Of is the origin that a request and its object declare.
func (origins) Of(req *change.Request, object *canon.Object) change.Origin {
	return origin.Of(origin.Read(req, object))
}
