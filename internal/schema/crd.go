package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

// objectMeta is the name of metadata's type, in the built-in schema and in every cluster's.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// FromCRDs is the snapshot of the kinds that some CustomResourceDefinitions define, in every served
// version. Where two define one kind, or one defines a built-in kind, it is an error: nobody can
// tell which the cluster will hold.
func FromCRDs(crds ...*apiextensionsv1.CustomResourceDefinition) (*Snapshot, error) {
	s := &Snapshot{kinds: map[change.Kind]*kind{}}
	for _, crd := range crds {
		for i := range crd.Spec.Versions {
			v := &crd.Spec.Versions[i]
			if !v.Served {
				continue
			}
			k := change.Kind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
			if _, ok := s.kinds[k]; ok {
				return nil, fmt.Errorf("%s: defined twice", k)
			}
			if _, ok := BuiltIn().kinds[k]; ok {
				return nil, fmt.Errorf("%s: a built-in kind", k)
			}
			e, err := customKind(k, v, crd.Spec.PreserveUnknownFields)
			if err != nil {
				return nil, fmt.Errorf("CustomResourceDefinition %s, version %s: %w", crd.Name, v.Name, err)
			}
			s.kinds[k] = e
		}
	}
	return s, nil
}

func customKind(k change.Kind, v *apiextensionsv1.CustomResourceDefinitionVersion, keepUnknown bool) (*kind, error) {
	if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return nil, fmt.Errorf("has no schema")
	}
	raw, err := json.Marshal(v.Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	root := &spec.Schema{}
	if err := json.Unmarshal(raw, root); err != nil {
		return nil, err
	}
	embed(root, true)
	name := k.String()
	types, err := schemaconv.ToSchemaFromOpenAPI(map[string]*spec.Schema{name: root}, keepUnknown)
	if err != nil {
		return nil, err
	}
	types.Types = append(types.Types, metaTypes()...)
	t := typed.ParseableType{Schema: types, TypeRef: smd.TypeRef{NamedType: &name}}
	hasStatus := v.Subresources != nil && v.Subresources.Status != nil
	return custom(k, t, filler{root: root}, hasStatus, string(raw)), nil
}

// custom is a kind that the API server holds as plain JSON. More is whatever shapes its canonical
// form beside the type.
func custom(k change.Kind, t typed.ParseableType, f filler, hasStatus bool, more string) *kind {
	return &kind{
		typ: canon.NewType(t, canon.Traits{ResetsStatus: hasStatus}),
		canonical: func(manifest map[string]any) (map[string]any, error) {
			o := runtime.DeepCopyJSON(manifest)
			if err := normaliseMeta(o); err != nil {
				return nil, fmt.Errorf("metadata does not fit its type")
			}
			f.fill(o)
			return o, nil
		},
		digest: onceSum(t, fmt.Sprintf("custom %q status=%t %s", k, hasStatus, more)),
	}
}

// normaliseMeta puts metadata through its Go type, which it has in every kind.
func normaliseMeta(o map[string]any) error {
	raw, err := json.Marshal(o["metadata"])
	if err != nil {
		return err
	}
	var meta metav1.ObjectMeta
	if err := json.Unmarshal(raw, &meta); err != nil {
		return err
	}
	o["metadata"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&meta)
	return err
}

// embed gives a schema the fields that every object has: the root, and what is marked as an
// embedded resource.
func embed(s *spec.Schema, root bool) {
	if s == nil {
		return
	}
	for name, p := range s.Properties {
		embed(&p, false)
		s.Properties[name] = p
	}
	if s.Items != nil {
		embed(s.Items.Schema, false)
	}
	if s.AdditionalProperties != nil {
		embed(s.AdditionalProperties.Schema, false)
	}
	embedded, _ := s.Extensions.GetBool("x-kubernetes-embedded-resource")
	if !root && !embedded {
		return
	}
	if s.Properties == nil {
		s.Properties = map[string]spec.Schema{}
	}
	s.Properties["apiVersion"] = *spec.StringProperty()
	s.Properties["kind"] = *spec.StringProperty()
	s.Properties["metadata"] = *spec.RefSchema("#/components/schemas/" + objectMeta)
}

// metaTypes are the types that metadata is made of, out of the built-in schema.
var metaTypes = sync.OnceValue(func() []smd.TypeDef {
	t := builtInSchema()
	seen := map[string]bool{}
	var out []smd.TypeDef
	var visit func(smd.TypeRef)
	inside := func(a smd.Atom) {
		if a.List != nil {
			visit(a.List.ElementType)
		}
		if a.Map != nil {
			visit(a.Map.ElementType)
			for _, f := range a.Map.Fields {
				visit(f.Type)
			}
		}
	}
	visit = func(r smd.TypeRef) {
		if r.NamedType == nil {
			inside(r.Inlined)
			return
		}
		d, ok := t.FindNamedType(*r.NamedType)
		if !ok || seen[d.Name] || strings.HasPrefix(d.Name, "__") { // "__": every schema has its own
			return
		}
		seen[d.Name] = true
		out = append(out, d)
		inside(d.Atom)
	}
	name := objectMeta
	visit(smd.TypeRef{NamedType: &name})
	return out
})
