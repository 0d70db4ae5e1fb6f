package config_test

import (
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// TestSchemasAreBounded: whatever people or Fairway write has a greatest size, lists say how they are
// merged, everything is described, and there is no map, whose keys no schema can check.
func TestSchemasAreBounded(t *testing.T) {
	crds := of[*apiextensionsv1.CustomResourceDefinition](read(t, "crd"))
	if len(crds) != 7 {
		t.Errorf("%d CRDs, want 7", len(crds))
	}
	for _, crd := range crds {
		if !slices.Contains(crd.Spec.Names.Categories, "fairway") {
			t.Errorf("%s is not in the category fairway", crd.Name)
		}
		version := crd.Spec.Versions[0]
		if version.Subresources == nil || version.Subresources.Status == nil {
			t.Errorf("%s has no status sub-resource", crd.Name)
		}
		for _, part := range []string{"spec", "status"} {
			bounded(t, crd.Spec.Names.Kind+" "+part, version.Schema.OpenAPIV3Schema.Properties[part])
		}
		for _, column := range version.AdditionalPrinterColumns {
			if column.JSONPath == "" || column.Name == "" {
				t.Errorf("%s has a column without name or path", crd.Name)
			}
		}
	}
}

// TestProofsHaveNoDefaults: a field that the API server fills in would break the signature over what was
// sent.
func TestProofsHaveNoDefaults(t *testing.T) {
	for _, crd := range of[*apiextensionsv1.CustomResourceDefinition](read(t, "crd")) {
		if crd.Spec.Names.Kind == "ProvenCommit" {
			noDefault(t, "ProvenCommit", *crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
			return
		}
	}
	t.Error("there is no CRD of ProvenCommit")
}

func noDefault(t *testing.T, path string, s apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if s.Default != nil {
		t.Errorf("%s has the default %s", path, s.Default.Raw)
	}
	if s.Items != nil {
		noDefault(t, path+"[]", *s.Items.Schema)
	}
	for name, p := range s.Properties {
		noDefault(t, path+"."+name, p)
	}
}

func bounded(t *testing.T, path string, s apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if s.Description == "" {
		t.Errorf("%s is not described", path)
	}
	if s.AdditionalProperties != nil {
		t.Errorf("%s is a map", path)
	}
	switch s.Type {
	case "string":
		if s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time" {
			t.Errorf("%s may be any length", path)
		}
	case "boolean", "number":
		t.Errorf("%s is a %s: use an enumeration or an integer", path, s.Type)
	case "array":
		if s.MaxItems == nil || s.XListType == nil {
			t.Errorf("%s has no greatest number of items or no list type", path)
		}
		items := *s.Items.Schema
		items.Description += " " // of the list
		bounded(t, path+"[]", items)
	}
	for name, p := range s.Properties {
		// The selector is Kubernetes' own type.
		if name != "namespaceSelector" {
			bounded(t, path+"."+name, p)
		}
	}
}
