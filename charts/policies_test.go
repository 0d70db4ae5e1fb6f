package charts_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/config"
	"github.com/fairway-dev/fairway/internal/controller"
)

// TestT06PoliciesOfTheChartAreTheShipped: whatever an install sets, its prover takes the policies of the chart for
// those that it was built with; where the two lists of namespaces differ, it says so.
func TestT06PoliciesOfTheChartAreTheShipped(t *testing.T) {
	for _, test := range []struct {
		namespace, set string
		system         []string
		gap            string
	}{
		{"fairway-system", "tls.mode=certManager", []string{"kube-system", "kube-node-lease"}, ""},
		{"guard", "tls.certManager.user=system:serviceaccount:certs:manager", []string{"kube-system", "kube-node-lease"}, ""},
		{"guard", "tls.mode=builtIn", []string{"kube-node-lease", "kube-system"}, ""},
		{"guard", "policies.engineNamespaces={gitops,argo}", []string{"kube-system", "kube-node-lease"}, ""},
		{"guard", "policies.engineNamespaces=null", []string{"kube-system", "kube-node-lease"}, ""},
		{"guard", "webhook.systemNamespaces={kube-system,cni}", []string{"kube-system", "cni"}, ""},
		{"guard", "webhook.systemNamespaces={kube-system}", []string{"kube-system", "cni"}, "fairway-unjudged is not the one"},
	} {
		out, err := run(t, "template", "fairway", "fairway", "--namespace", test.namespace, "--set", test.set, "--show-only", "templates/policies.yaml")
		if err != nil {
			t.Fatal(err)
		}
		scheme := runtime.NewScheme()
		if err := admissionv1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		b := fake.NewClientBuilder().WithScheme(scheme)
		for _, text := range strings.Split(out, "\n---\n") {
			var o client.Object = &admissionv1.ValidatingAdmissionPolicy{}
			if strings.Contains(text, "kind: ValidatingAdmissionPolicyBinding\n") {
				o = &admissionv1.ValidatingAdmissionPolicyBinding{}
			}
			if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
				t.Fatal(err)
			}
			b = b.WithObjects(o)
		}
		shipped, err := controller.ShippedPolicies(config.Policies(), test.namespace, test.system)
		if err != nil {
			t.Fatal(err)
		}
		p := &controller.Policies{Client: b.Build(), Shipped: shipped, Changed: func(string) {}}
		gaps, err := p.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(gaps, "; "); (got == "") != (test.gap == "") || !strings.Contains(got, test.gap) {
			t.Errorf("--namespace %s --set %s: gaps %q, want %q", test.namespace, test.set, got, test.gap)
		}
	}
}
