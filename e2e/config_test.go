package e2e

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/api/v1alpha1"
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
	"Namespace":                        corev1.SchemeGroupVersion.WithResource("namespaces"),
	"ServiceAccount":                   corev1.SchemeGroupVersion.WithResource("serviceaccounts"),
	"ClusterRole":                      {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":               {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"Role":                             {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":                      {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"ValidatingAdmissionPolicy":        {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	"ValidatingAdmissionPolicyBinding": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	"ValidatingWebhookConfiguration":   {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
}

// configured creates what stands in a folder of config, as a person would and with strict field
// validation, and removes it when the test ends. Namespaces stay: without a controller manager none ever
// goes.
func configured(t *testing.T, client dynamic.Interface, folder string) {
	t.Helper()
	for _, object := range manifests(t, folder) {
		to := clientFor(client, object)
		_, err := to.Create(t.Context(), &object, strict)
		if object.GetKind() == "Namespace" && apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
		}
		if object.GetKind() == "Namespace" {
			continue
		}
		t.Cleanup(func() {
			if err := to.Delete(context.WithoutCancel(t.Context()), object.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Errorf("removing %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		})
	}
}

// clientFor is the client of an object's kind, which must be one that the tests know: what is created at a
// path without a resource comes back without an error, and nothing was made.
func clientFor(client dynamic.Interface, object unstructured.Unstructured) dynamic.ResourceInterface {
	gvr, core := coreResources[object.GetKind()]
	if !core {
		gvr = fairwayResource(object.GetKind())
	}
	if gvr.Resource == "" {
		panic("clientFor knows no resource for the kind " + object.GetKind())
	}
	if object.GetNamespace() != "" {
		return client.Resource(gvr).Namespace(object.GetNamespace())
	}
	return client.Resource(gvr)
}

func TestSamplesApply(t *testing.T) {
	client := installCRDs(t, cluster(t))
	configured(t, client, sampleFolder)

	// The defaults are what the documentation says: the stricter choice.
	tier, err := client.Resource(fairwayResource("EnvironmentTier")).Get(t.Context(), "staging", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got v1alpha1.EnvironmentTier
	convert(t, tier, &got)
	if got.Spec.Approvals[0].Level != v1alpha1.LevelSigned || got.Spec.Approvals[0].Minimum != 1 ||
		got.Spec.Reciprocal != v1alpha1.ReciprocalNotRequired || got.Spec.BreakGlass.Approvals != 1 {
		t.Errorf("the defaults of the staging tier are %+v", got.Spec)
	}
}

// TestSigningPayloadSurvivesTheAPIServer: what the prover signed before writing is what the gate computes
// after reading, odd characters and all.
func TestSigningPayloadSurvivesTheAPIServer(t *testing.T) {
	c := cluster(t)
	client, namespace := installCRDs(t, c), c.Namespace(t, nil)
	var proof v1alpha1.ProvenCommit
	convert(t, base(t, "ProvenCommit", namespace, "", ""), &proof)
	proof.Spec.Subject = "a <b> & \u2028 \ufffd \\ufffd \x00 \x7f ü"
	proof.Spec.Height = 1 << 60
	proof.Spec.Objects = append(proof.Spec.Objects, proof.Spec.Objects[0])
	proof.Spec.Trailers = []v1alpha1.Trailer{}
	proof.Spec.ProvenAt = metav1.Now() // finer than what is stored
	before, err := proof.SigningPayload()
	if err != nil {
		t.Fatal(err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&proof)
	if err != nil {
		t.Fatal(err)
	}
	to := resource(client, "ProvenCommit", namespace)
	if _, err := to.Create(t.Context(), &unstructured.Unstructured{Object: content}, strict); err != nil {
		t.Fatal(err)
	}
	stored, err := to.Get(t.Context(), proof.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var back v1alpha1.ProvenCommit
	convert(t, stored, &back)
	after, err := back.SigningPayload()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("payload (-before +after):\n%s", diff)
	}
}

func convert(t *testing.T, from *unstructured.Unstructured, to any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, to); err != nil {
		t.Fatal(err)
	}
}

func TestRBACApplies(t *testing.T) {
	client := installCRDs(t, cluster(t))
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "fairway-system"},
	}}
	if _, err := clientFor(client, *namespace).Create(t.Context(), namespace, strict); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	configured(t, client, "../config/rbac")

	const fairway = "system:serviceaccount:fairway-system:fairway"
	for _, test := range []struct {
		verb, group, resource, sub, namespace string
		want                                  bool
	}{
		{"list", "fairway.dev", "environmenttiers", "", "", true},
		{"update", "fairway.dev", "environmenttiers", "", "", false}, // the rules are not Fairway's to change
		{"create", "fairway.dev", "tierbindings", "", "shop", false},
		{"create", "fairway.dev", "provencommits", "", "shop", true},
		{"patch", "fairway.dev", "provencommits", "status", "shop", true},
		{"delete", "fairway.dev", "deliveries", "", "shop", false}, // a mark that is gone lets old content back
		{"create", "fairway.dev", "breakglasses", "", "shop", false},
		{"update", "fairway.dev", "breakglasses", "", "shop", false},
		{"delete", "fairway.dev", "breakglasses", "", "shop", true}, // of what was closed long ago
		{"get", "", "secrets", "", "fairway-system", true},
		{"get", "", "secrets", "", "shop", false},
		{"update", "", "secrets", "", "fairway-system", false},
		{"update", "coordination.k8s.io", "leases", "", "shop", false},
		{"create", "", "events", "", "shop", true},
	} {
		if got := allowed(t, cluster(t).Config, fairway, test.verb, test.group, test.resource, test.sub, test.namespace); got != test.want {
			t.Errorf("%s %s/%s in %q: allowed is %v, want %v", test.verb, test.resource, test.sub, test.namespace, got, test.want)
		}
	}
}

func allowed(t *testing.T, config *rest.Config, user, verb, group, resource, sub, namespace string) bool {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: namespace,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

func TestPrinterColumns(t *testing.T) {
	client := installCRDs(t, cluster(t))
	configured(t, client, sampleFolder)
	want := map[string][]string{
		"EnvironmentTier": {"Name", "Rank", "Lane", "Enforcement", "Namespaces", "Ready", "Age"},
		"TierBinding":     {"Name", "Tier", "Ready", "Enforcing", "Inherited", "Commit", "Age"},
		"Team":            {"Name", "Principals", "Ready", "Age"},
		"Repository":      {"Name", "URL", "Fetched", "Ready", "Age"},
		"ProvenCommit":    {"Name", "Source", "Commit", "Verdict", "Revoked", "Subject", "Age"},
		"Delivery":        {"Name", "Repository", "Branch", "Path", "Proven", "Delivered", "Age"},
		"BreakGlass":      {"Name", "User", "Ticket", "Active", "Until", "Settled", "Reason", "Age"},
	}
	got := map[string][]string{}
	for kind := range crdResources {
		for _, column := range tableOf(t, kind).ColumnDefinitions {
			got[kind] = append(got[kind], column.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	for _, row := range tableOf(t, "EnvironmentTier").Rows {
		if row.Cells[0] == "production" {
			if diff := cmp.Diff([]any{"production", int64(100), "Gated", "Enforce"}, row.Cells[:4]); diff != "" {
				t.Errorf("row of production (-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Error("there is no row of production")
}

// tableOf is what kubectl get shows of a kind, in all namespaces.
func tableOf(t *testing.T, kind string) metav1.Table {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := client.Discovery().RESTClient().Get().AbsPath("/apis/fairway.dev/v1alpha1", crdResources[kind]).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := utiljson.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	return table
}
