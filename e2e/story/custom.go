package story

import (
	"encoding/json"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Define has the server know custom kinds, so that it manages their fields as an API server does.
func (s *Server) Define(crds ...*apiextensionsv1.CustomResourceDefinition) error {
	models := map[string]*spec.Schema{}
	for _, crd := range crds {
		for _, v := range crd.Spec.Versions {
			raw, err := json.Marshal(v.Schema.OpenAPIV3Schema)
			if err != nil {
				return fmt.Errorf("reading the schema of %s: %w", crd.Name, err)
			}
			model := &spec.Schema{}
			if err := json.Unmarshal(raw, model); err != nil {
				return fmt.Errorf("reading the schema of %s: %w", crd.Name, err)
			}
			model.AddExtension("x-kubernetes-group-version-kind", []any{
				map[string]any{"group": crd.Spec.Group, "version": v.Name, "kind": crd.Spec.Names.Kind},
			})
			meta := model.Properties["metadata"]
			meta.AddExtension("x-kubernetes-preserve-unknown-fields", true)
			model.Properties["metadata"] = meta
			models[crd.Spec.Group+"."+v.Name+"."+crd.Spec.Names.Kind] = model
		}
	}
	converter, err := managedfields.NewTypeConverter(models, false)
	if err != nil {
		return fmt.Errorf("reading the schemas of custom kinds: %w", err)
	}
	s.custom = converter
	return nil
}
