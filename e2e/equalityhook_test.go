package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// meshed is a Deployment that a mesh puts its sidecar and its label into.
const meshed = `apiVersion: apps/v1
kind: Deployment
metadata: {name: meshed, labels: {mesh.example.com/inject: "true"}}
spec:
  selector: {matchLabels: {app: meshed}}
  template:
    metadata: {labels: {app: meshed}}
    spec: {containers: [{name: app, image: "registry.example.com/app:1"}]}
`

// meshTolerates is what the tier of the mesh's namespace has beside what production has: that the mesh may.
const meshTolerates = `[
	{"group": "apps", "kind": "Deployment", "path": "spec.template.spec.containers[name=mesh]", "why": "the mesh's sidecar"},
	{"group": "apps", "kind": "Deployment", "path": "metadata.labels[\"mesh.example.com/revision\"]", "why": "the mesh's mark"}
]`

// meshBinding is that of the namespace.
const meshBinding = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: mesh}
spec:
  tier: meshed
  owners: [shop]
  sources:
  - {name: mesh, repository: apps, branch: main, path: shop/mesh, render: Plain, fieldManager: deployer}
`

// installMesh installs a mutating webhook that adds a sidecar and a label, and a namespace whose tier
// tolerates them, in an install that is not sealed yet.
func (l *equalityLab) installMesh() {
	l.t.Helper()
	tier, err := resource(l.as("admin"), "EnvironmentTier", "").Get(l.t.Context(), "production", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	var tolerate []any
	if err := json.Unmarshal([]byte(meshTolerates), &tolerate); err != nil {
		l.t.Fatal(err)
	}
	own := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": tier.GetAPIVersion(), "kind": tier.GetKind(), "metadata": map[string]any{"name": "meshed"}, "spec": tier.Object["spec"],
	}}
	if err := unstructured.SetNestedSlice(own.Object, tolerate, "spec", "content", "tolerate"); err != nil {
		l.t.Fatal(err)
	}
	l.admitted(l.apply("admin", "admin", own))
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: mesh}\n")))
	l.until("the namespace is known", func(context.Context) error { return l.apply("admin", "admin", manifest(l.t, meshBinding)) })
	cert, err := tls.X509KeyPair(l.pair.Certificate, l.pair.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(inject))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	l.t.Cleanup(srv.Close)
	hook := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "mesh"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "inject.mesh.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &srv.URL, CABundle: l.pair.CA},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"mesh.example.com/inject": "true"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}},
			SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if _, err := l.typed.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(l.t.Context(), hook, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// inject answers as the mesh's webhook.
func inject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in := admissionv1.AdmissionReview{}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || in.Request == nil {
		http.Error(w, "not a review", http.StatusBadRequest)
		return
	}
	patch := `[{"op":"add","path":"/metadata/labels/mesh.example.com~1revision","value":"7"},
		{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"mesh","image":"registry.example.com/mesh:7"}}]`
	in.Response = &admissionv1.AdmissionResponse{UID: in.Request.UID, Allowed: true, Patch: []byte(patch), PatchType: new(admissionv1.PatchTypeJSONPatch)}
	in.Request = nil
	_ = json.NewEncoder(w).Encode(in) // the API server says so if it did not arrive
}

// meshIsTolerated: what a mutating webhook adds is refused by name where the tier does not tolerate it,
// and admitted and told of where it does (T-08).
func (l *equalityLab) meshIsTolerated() {
	l.t.Helper()
	l.judged("mesh", "tier", l.commit, "Allow")
	deliver := func(namespace, source string) error {
		u := l.stamped(meshed, l.commit, source)
		u.SetNamespace(namespace)
		return l.apply("deployer", "deployer", u)
	}
	err := deliver("shop", "shop")
	l.refused(err, "containers[name='mesh']")
	l.refused(err, "mesh.example.com/revision")
	l.admitted(deliver("mesh", "mesh"))
}

// nullKeysBreak: a null among the keys of a list's items is no spelling of the default. The API server books
// another item than it stores, where Fairway does not look at all, and refuses the next apply itself.
func (l *equalityLab) nullKeysBreak() {
	l.t.Helper()
	service := manifest(l.t, "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: default}\nspec: {ports: [{port: 80, protocol: null}]}\n")
	l.admitted(l.apply("admin", "admin", service))
	service.SetLabels(map[string]string{"release": "2"})
	err := l.apply("admin", "admin", service)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "Duplicate value") {
		l.t.Errorf("a null key is applied twice: %v", err)
	}
}
