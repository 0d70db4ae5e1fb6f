package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// Misfits are what an API server would refuse in the spec of an object of a kind that a CustomResourceDefinition
// defines, in words and sorted: words that a field does not know, sizes, patterns, what is missing. Its rules in
// CEL are not tried. An error: the definition cannot be read.
func Misfits(crd *apiextensionsv1.CustomResourceDefinition, object any) ([]string, error) {
	i := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Storage })
	if i < 0 || crd.Spec.Versions[i].Schema == nil || crd.Spec.Versions[i].Schema.OpenAPIV3Schema == nil {
		return nil, fmt.Errorf("CustomResourceDefinition %s: has no schema", crd.Name)
	}
	ofSpec := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
	root, shown := &spec.Schema{}, struct {
		Spec any `json:"spec"`
	}{}
	for _, copied := range []struct{ from, to any }{{&ofSpec, root}, {object, &shown}} {
		raw, err := json.Marshal(copied.from)
		if err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
		if err := json.Unmarshal(raw, copied.to); err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
	}
	var all []string
	for _, err := range validate.NewSchemaValidator(root, nil, "spec", strfmt.Default).Validate(shown.Spec).Errors {
		all = append(all, strings.Replace(err.Error(), " in body ", " ", 1))
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
