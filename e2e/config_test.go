package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// schemaRules are the messages of all rules in the CRDs, by kind.
func schemaRules(t *testing.T) map[string][]string {
	t.Helper()
	rules := map[string][]string{}
	for _, object := range manifests(t, crdFolder) {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &crd); err != nil {
			t.Fatal(err)
		}
		walk(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, func(s *apiextensionsv1.JSONSchemaProps) {
			for _, rule := range s.XValidations {
				rules[crd.Spec.Names.Kind] = append(rules[crd.Spec.Names.Kind], rule.Message)
			}
		})
	}
	if len(rules) != len(crdResources) {
		t.Fatalf("%d kinds have rules, want all %d", len(rules), len(crdResources))
	}
	return rules
}

// walk visits a schema and all below it.
func walk(s *apiextensionsv1.JSONSchemaProps, visit func(*apiextensionsv1.JSONSchemaProps)) {
	visit(s)
	for _, p := range s.Properties {
		walk(&p, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(s.Items.Schema, visit)
	}
}

// coreResources are the resources of the kinds in config that are not Fairway's.
var coreResources = map[string]schema.GroupVersionResource{
	"Namespace":                      corev1.SchemeGroupVersion.WithResource("namespaces"),
	"ServiceAccount":                 corev1.SchemeGroupVersion.WithResource("serviceaccounts"),
	"ClusterRole":                    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":             {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"Role":                           {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":                    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"ValidatingWebhookConfiguration": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
}

// applyManifests applies a folder as a person would, with strict field validation, and removes what it
// applied when the test ends. Namespaces stay: without a controller manager none ever goes.
func applyManifests(t *testing.T, client dynamic.Interface, folder string) {
	t.Helper()
	for _, object := range manifests(t, folder) {
		kind := object.GetKind()
		gvr, core := coreResources[kind]
		if !core {
			gvr = fairwayResource(kind)
		}
		var to dynamic.ResourceInterface = client.Resource(gvr)
		if namespace := object.GetNamespace(); namespace != "" {
			to = client.Resource(gvr).Namespace(namespace)
		}
		created, err := to.Create(t.Context(), &object, strict)
		if kind == "Namespace" {
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("applying %s %s: %v", kind, object.GetName(), err)
		}
		name := created.GetName()
		t.Cleanup(func() {
			if err := to.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && t.Context().Err() == nil {
				t.Errorf("removing %s %s: %v", kind, name, err)
			}
		})
	}
}

var _ = json.Marshal
var _ = strings.Join
var _ = cmp.Diff
var _ = slices.Sort[[]string]
var _ rest.Config
var _ kubernetes.Interface
var _ unstructured.Unstructured
