package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestWebhookTemplateIsValid(t *testing.T) {
	client := installCRDs(t, cluster(t))
	template := manifests(t, "../config/webhook")[0]
	if _, err := clientFor(client, template).Create(t.Context(), &template, dryRun); err != nil {
		t.Fatal(err)
	}
}

// deafWebhook is the shipped configuration, changed so that it judges one namespace and nodes alone and
// is answered by nobody: what a condition leaves out goes through, everything else fails.
func deafWebhook(t *testing.T, namespace string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	template := manifests(t, "../config/webhook")[0]
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template.Object, &config, true); err != nil {
		t.Fatal(err)
	}
	config.Name = namespace
	for i := range config.Webhooks {
		hook := &config.Webhooks[i]
		hook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/validate")}
		hook.NamespaceSelector.MatchExpressions[0].Operator = metav1.LabelSelectorOpIn
		hook.NamespaceSelector.MatchExpressions[0].Values = []string{namespace}
	}
	config.Webhooks[0].Rules[0].Scope = new(admissionregistrationv1.NamespacedScope)
	nodes := config.Webhooks[0].DeepCopy()
	nodes.Name = "nodes.fairway.dev"
	nodes.Rules[0].Scope = new(admissionregistrationv1.ClusterScope)
	nodes.Rules[0].Resources = []string{"nodes", "nodes/status"}
	config.Webhooks = append(config.Webhooks, *nodes)
	return &config
}

// TestT45MatchConditions: no condition ever fails for lack of a field, whatever the request's shape, and
// each leaves out what it names and no more.
func TestT45MatchConditions(t *testing.T) {
	c := cluster(t)
	installCRDs(t, c)
	namespace := c.Namespace(t, nil)
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []*metav1.ObjectMeta{{Name: "first"}, {Name: "second"}} {
		settings := &corev1.ConfigMap{ObjectMeta: *made}
		if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), settings, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}
	if _, err := client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	listen(t, client, namespace)

	kubelet, err := c.ConfigFor("system:node:node-45", "system:nodes", "system:masters") // masters: the right to ask
	if err != nil {
		t.Fatal(err)
	}
	const core = "/api/v1/namespaces/NS"
	for _, test := range []struct {
		name, verb, path, body string
		config                 *rest.Config
		judged                 bool
	}{
		{"create", "POST", core + "/configmaps", `{"metadata":{"name":"third"}}`, c.Config, true},
		{"update", "PATCH", core + "/configmaps/first", `{"data":{"a":"b"}}`, c.Config, true},
		{"delete", "DELETE", core + "/configmaps/first", ``, c.Config, true},
		{"delete collection", "DELETE", core + "/configmaps", ``, c.Config, true},
		{"sub-resource create", "POST", core + "/serviceaccounts/robot/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`, c.Config, true},
		{"connect", "POST", core + "/pods/none/exec?command=sh", ``, c.Config, true},
		{"pod named leases", "POST", core + "/pods", `{"metadata":{"name":"leases"},"spec":{"containers":[{"name":"c","image":"i"}]}}`, c.Config, true},
		{"lease", "POST", "/apis/coordination.k8s.io/v1/namespaces/NS/leases", `{"metadata":{"name":"lease"}}`, c.Config, false},
		{"lease update", "PATCH", "/apis/coordination.k8s.io/v1/namespaces/NS/leases/lease", `{"spec":{"holderIdentity":"a"}}`, c.Config, false},
		{"lease delete", "DELETE", "/apis/coordination.k8s.io/v1/namespaces/NS/leases/lease", ``, c.Config, false},
		{"event", "POST", core + "/events", `{"metadata":{"name":"event"},"involvedObject":{"namespace":"NS"}}`, c.Config, false},
		{"event delete collection", "DELETE", core + "/events", ``, c.Config, false},
		{"question about rights", "POST", "/apis/authorization.k8s.io/v1/namespaces/NS/localsubjectaccessreviews", `{"metadata":{"namespace":"NS"},"spec":{"user":"ada","resourceAttributes":{"namespace":"NS","verb":"get","resource":"pods"}}}`, c.Config, false},
		{"namespace", "PATCH", "/api/v1/namespaces/NS", `{"metadata":{"labels":{"example.com/environment":"sandbox"}}}`, c.Config, true},
		{"namespace status", "PATCH", "/api/v1/namespaces/NS/status", `{"metadata":{"labels":{"a":"b"}}}`, c.Config, true},
		{"namespace finalize", "PUT", "/api/v1/namespaces/NS/finalize", `{"metadata":{"name":"NS"},"spec":{}}`, c.Config, true},
		{"Fairway's own kind", "POST", "/apis/fairway.dev/v1alpha1/namespaces/NS/deliveries", `{"apiVersion":"fairway.dev/v1alpha1","kind":"Delivery","metadata":{"name":"a"},"spec":{"repository":"a","branch":"b","path":"c"}}`, c.Config, true},
		{"node by somebody", "POST", "/api/v1/nodes", `{"metadata":{"name":"node-46"}}`, c.Config, true},
		{"node by its kubelet", "POST", "/api/v1/nodes", `{"metadata":{"name":"node-45"}}`, kubelet, false},
		{"node status by its kubelet", "PATCH", "/api/v1/nodes/node-45/status", `{"status":{"phase":"Running"}}`, kubelet, false},
		{"node status by somebody", "PATCH", "/api/v1/nodes/node-45/status", `{"status":{"phase":"Running"}}`, c.Config, true},
		{"node deletion by its kubelet", "DELETE", "/api/v1/nodes/node-45", ``, kubelet, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := request(t, test.config, test.verb, strings.ReplaceAll(test.path, "NS", namespace), strings.ReplaceAll(test.body, "NS", namespace))
			switch {
			case test.judged && (err == nil || !strings.Contains(err.Error(), "failed calling webhook")):
				t.Errorf("got %v, want that the webhook is called", err)
			case !test.judged && err != nil:
				t.Errorf("got %v, want that no webhook is called", err)
			}
		})
	}
}

// listen installs the deaf webhook until the test ends, and returns when the API server calls it.
func listen(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	hooks := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	config, err := hooks.Create(t.Context(), deafWebhook(t, namespace), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := hooks.Delete(ctx, config.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		// The API server lets go of the webhook a moment later: other tests may make nodes.
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			return client.CoreV1().Nodes().Delete(ctx, "node-45", metav1.DeleteOptions{}) == nil, nil
		})
		if err != nil {
			t.Errorf("removing the node: %v", err)
		}
	})
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}
		_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil, nil
	})
	if err != nil {
		t.Fatal("the API server does not call the webhook")
	}
}

func request(t *testing.T, config *rest.Config, verb, path, body string) error {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r := client.Discovery().RESTClient().Verb(verb).RequestURI(path).SetHeader("Content-Type", "application/json")
	if verb == "PATCH" {
		r = client.Discovery().RESTClient().Patch(types.MergePatchType).RequestURI(path)
	}
	if body != "" {
		r = r.Body([]byte(body))
	}
	return r.Do(t.Context()).Error()
}
