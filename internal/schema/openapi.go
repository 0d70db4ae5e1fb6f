package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/openapi3"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairway-dev/fairway/internal/change"

	"github.com/fairway-dev/fairway/internal/canon"
)

// FromCluster is the snapshot of every kind that a cluster publishes. Groups that cannot be read, for
// example because an aggregated API server is down, are left out and named in the error; the
// snapshot holds the others all the same.
func FromCluster(root openapi3.Root) (*Snapshot, error) {
	gvs, err := root.GroupVersions()
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's OpenAPI: %w", err)
	}
	s := &Snapshot{kinds: map[change.Kind]*kind{}}
	var failed []error
	for _, gv := range gvs {
		doc, err := root.GVSpec(gv)
		if err == nil {
			err = s.addDocument(doc)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("reading the cluster's OpenAPI of %s: %w", gv, err))
		}
	}
	return s, errors.Join(failed...)
}

// FromOpenAPI is the snapshot of the kinds in one OpenAPI v3 document, as a cluster publishes one
// for each group and version.
func FromOpenAPI(doc *spec3.OpenAPI) (*Snapshot, error) {
	s := &Snapshot{kinds: map[change.Kind]*kind{}}
	return s, s.addDocument(doc)
}

func (s *Snapshot) addDocument(doc *spec3.OpenAPI) error {
	if doc.Components == nil {
		return nil
	}
	types, err := schemaconv.ToSchemaFromOpenAPI(doc.Components.Schemas, false)
	if err != nil {
		return err
	}
	status := statusKinds(doc)
	for name, component := range doc.Components.Schemas {
		for _, k := range kindsOf(component.Extensions) {
			t := typed.ParseableType{Schema: types, TypeRef: smd.TypeRef{NamedType: &name}}
			s.kinds[k] = published(k, t, filler{root: component, named: doc.Components.Schemas}, status[k])
		}
	}
	return nil
}

// published is a kind with the type that a cluster publishes. A built-in kind keeps its Go type.
func published(k change.Kind, t typed.ParseableType, f filler, hasStatus bool) *kind {
	if b, ok := BuiltIn().kinds[k]; ok {
		return &kind{
			typ:       canon.NewType(t, canon.Traits{Native: true, ResetsStatus: hasField(t, "status")}),
			canonical: b.canonical,
			digest:    onceSum(t, "native"),
		}
	}
	return custom(k, t, f, hasStatus, defaultsOf(&f))
}

// statusKinds are the kinds that have a sub-resource status.
func statusKinds(doc *spec3.OpenAPI) map[change.Kind]bool {
	out := map[change.Kind]bool{}
	if doc.Paths == nil {
		return out
	}
	for path, item := range doc.Paths.Paths {
		if item != nil && item.Put != nil && strings.HasSuffix(path, "/status") {
			for _, k := range kindsOf(item.Put.Extensions) {
				out[k] = true
			}
		}
	}
	return out
}

// kindsOf reads the extension that names the kinds of a schema or the kind of an operation.
func kindsOf(extensions spec.Extensions) []change.Kind {
	raw, err := json.Marshal(extensions["x-kubernetes-group-version-kind"])
	if err != nil {
		return nil
	}
	var all []change.Kind
	if json.Unmarshal(raw, &all) == nil {
		return all
	}
	var one change.Kind
	if json.Unmarshal(raw, &one) == nil && one.Kind != "" {
		return []change.Kind{one}
	}
	return nil
}

// defaultsOf is the schema in which a filler looks, for a digest.
func defaultsOf(f *filler) string {
	raw, err := json.Marshal(f.root)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
