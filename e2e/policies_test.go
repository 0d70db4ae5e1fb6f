package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// The groups that the policies know.
const (
	emergencyGroup = "fairway:emergency"
	admissionGroup = "fairway:admission-admins"
)

// guardedCluster is a cluster with the shipped policies, those from files too, and with an audit log. It
// is a cluster of its own: the policies hold for everybody in it.
type guardedCluster struct {
	t       *testing.T
	cluster *controlplane.Cluster
	audit   string // file
}

func newGuardedCluster(t *testing.T) *guardedCluster {
	t.Helper()
	args, audit := staticGuards(t)
	g := &guardedCluster{t: t, audit: audit}
	var err error
	g.cluster, err = controlplane.Start(t.Context(), controlplane.Options{ExtraAPIServerArgs: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	client := installCRDs(t, g.cluster)
	// With the static bundle the policies too are changed in an emergency alone.
	emergency, err := dynamic.NewForConfig(g.as("root", emergencyGroup))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range manifests(t, "../config/policies") {
		g.apply(emergency, &object)
	}
	g.apply(client, namespaced("Namespace", "", "fairway-system"))
	return g
}

// staticGuards writes what an API server needs to read the static bundle, and to keep an audit log. They are
// its arguments, and the file of the log.
func staticGuards(t *testing.T) (args []string, audit string) {
	t.Helper()
	dir := t.TempDir()
	static := filepath.Join(dir, "static")
	if err := os.Mkdir(static, 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"../config/static/policies.yaml":  filepath.Join(static, "policies.yaml"),
		"../config/static/admission.yaml": filepath.Join(dir, "admission.yaml"),
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(content), "/etc/kubernetes/fairway", static)
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	policy := "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
	if err := os.WriteFile(filepath.Join(dir, "audit.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	audit = filepath.Join(dir, "audit.log")
	return []string{
		"--admission-control-config-file=" + filepath.Join(dir, "admission.yaml"),
		"--audit-policy-file=" + filepath.Join(dir, "audit.yaml"), "--audit-log-path=" + audit,
	}, audit
}

func (g *guardedCluster) apply(client dynamic.Interface, object *unstructured.Unstructured) {
	g.t.Helper()
	if _, err := clientFor(client, *object).Create(g.t.Context(), object, strict); err != nil {
		g.t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

func namespaced(kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}}}
	if namespace != "" {
		o.SetNamespace(namespace)
	}
	return o
}

// as is a user with every right that RBAC has.
func (g *guardedCluster) as(user string, groups ...string) *rest.Config {
	g.t.Helper()
	config, err := g.cluster.ConfigFor(user, append(groups, "system:masters")...)
	if err != nil {
		g.t.Fatal(err)
	}
	return config
}

const (
	hookConfigs = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
	mutators    = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
	policies    = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
	hookBody    = `{"metadata":{"name":"NAME"},"webhooks":[{"name":"a.example.com","admissionReviewVersions":["v1"],"sideEffects":"None",
	"failurePolicy":"Ignore","clientConfig":{"url":"https://127.0.0.1:1/"},
	"rules":[{"operations":["CREATE"],"apiGroups":["none.example.com"],"apiVersions":["*"],"resources":["none"]}]}]}`
)

// TestT06T07ThePoliciesHoldForEverybody, for each way in which an object can be written, with no webhook
// there at all.
func TestT06T07ThePoliciesHoldForEverybody(t *testing.T) {
	g := newGuardedCluster(t)
	admin, emergency := g.as("root"), g.as("root", emergencyGroup)
	prover, admissions := g.as(roleUser("fairway-prover")), g.as("mira", admissionGroup)
	hook := func(name string) string { return strings.ReplaceAll(hookBody, "NAME", name) }
	lease := `{"metadata":{"name":"fairway-emergency"},"spec":{"holderIdentity":"root"}}`
	delivery := `{"apiVersion":"fairway.dev/v1alpha1","kind":"Delivery","metadata":{"name":"a"},"spec":{"repository":"a","branch":"b","path":"c"}}`
	const leases = "/apis/coordination.k8s.io/v1/namespaces/fairway-system/leases"
	const deliveries = "/apis/fairway.dev/v1alpha1/namespaces/default/deliveries"
	g.inForce(admin)
	for _, step := range []struct {
		name             string
		config           *rest.Config
		verb, path, body string
		refusal          string // empty: it goes through
	}{
		{"only Fairway makes its configuration", admin, "POST", hookConfigs, hook("fairway"), "kept by Fairway alone"},
		{"Fairway makes it", prover, "POST", hookConfigs, hook("fairway"), ""},
		{"others are others'", admin, "POST", hookConfigs, hook("other"), ""},
		{"fail open", admin, "PATCH", hookConfigs + "/fairway", `{"webhooks":[]}`, "kept by Fairway alone"},
		{"replace", admin, "PUT", hookConfigs + "/fairway", hook("fairway"), "kept by Fairway alone"},
		{"a label", admin, "PATCH", hookConfigs + "/fairway", `{"metadata":{"labels":{"a":"b"}}}`, "kept by Fairway alone"},
		{"delete", admin, "DELETE", hookConfigs + "/fairway", "", "kept by Fairway alone"},
		{"delete all", admin, "DELETE", hookConfigs, "", "kept by Fairway alone"},
		{"Fairway changes it", prover, "PATCH", hookConfigs + "/fairway", `{"metadata":{"labels":{"a":"b"}}}`, ""},
		{"the guard is guarded from a file", admin, "DELETE", policies + "/fairway-webhook", "", "guarded by the API server itself"},
		{"its binding is", admin, "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/fairway-webhook", "", "guarded by the API server itself"},
		{"all at once", admin, "DELETE", policies, "", "guarded by the API server itself"},
		{"a policy that mutates", admin, "POST", "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies", mutation, "fairway:admission-admins"},
		{"by those who may", admissions, "POST", "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies", mutation, ""},
		{"a webhook that mutates", admin, "POST", mutators, hook("inject"), "fairway:admission-admins"},
		{"it too by those who may", admissions, "POST", mutators, hook("inject"), ""},
		{"a fresh bundle", admin, "PUT", mutators + "/inject", strings.Replace(hook("inject"), `"url"`, `"caBundle":"`+bundle+`","url"`, 1), ""},
		{"another place", admin, "PUT", mutators + "/inject", strings.Replace(hook("inject"), "127.0.0.1:1", "127.0.0.1:2", 1), "only its caBundle"},
		{"more rules", admin, "PUT", mutators + "/inject", strings.Replace(hook("inject"), `"none"`, `"some"`, 1), "only its caBundle"},
		{"a mark", admin, "POST", deliveries, delivery, "written by Fairway alone"},
		{"a mark by Fairway", prover, "POST", deliveries, delivery, ""},
		{"its status", admin, "PATCH", deliveries + "/a/status", `{"status":{"asked":7}}`, "written by Fairway alone"},
		{"all marks", admin, "DELETE", deliveries, "", "written by Fairway alone"},
		{"labels by way of a status", admin, "PATCH", "/api/v1/namespaces/default/status", `{"metadata":{"labels":{"tier":"sandbox"}}}`, "sub-resources"},
		{"labels by way of finalize", admin, "PUT", "/api/v1/namespaces/default/finalize", `{"metadata":{"name":"default","labels":{"tier":"sandbox"}},"spec":{"finalizers":["kubernetes"]}}`, "sub-resources"},
		{"a status", admin, "PATCH", "/api/v1/namespaces/default/status", `{"metadata":{"annotations":{"a":"b"}}}`, ""},
		{"a key", admin, "POST", "/api/v1/namespaces/fairway-system/secrets", `{"metadata":{"name":"fairway-keys"}}`, "keys and its seal"},
		{"a key by Fairway", prover, "POST", "/api/v1/namespaces/fairway-system/secrets", `{"metadata":{"name":"fairway-keys"}}`, ""},
		{"all keys", admin, "DELETE", "/api/v1/namespaces/fairway-system/secrets", "", "keys and its seal"},
		{"the prover's lease", admin, "POST", leases, strings.Replace(lease, "emergency", "prover", 1), "the lease of its prover"},
		{"it by the prover", prover, "POST", leases, strings.Replace(lease, "emergency", "prover", 1), ""},
		{"taken from it", admin, "PATCH", leases + "/fairway-prover", `{"spec":{"holderIdentity":"eve"}}`, "the lease of its prover"},
		{"renewed by it", prover, "PATCH", leases + "/fairway-prover", `{"spec":{"leaseTransitions":1}}`, ""},
		{"another lease", admin, "POST", leases, strings.Replace(lease, "emergency", "other", 1), ""},
		{"an emergency", admin, "POST", leases, lease, "fairway:emergency"},
		{"an emergency by those who may", emergency, "POST", leases, lease, ""},
		{"it ends", emergency, "DELETE", leases + "/fairway-emergency", "", ""},
		{"an emergency opens all of it", emergency, "DELETE", hookConfigs + "/fairway", "", ""},
		{"and the guards", emergency, "DELETE", policies + "/fairway-webhook", "", ""},
	} {
		if step.verb == "PUT" {
			step.body = strings.Replace(step.body, `"metadata":{`, `"metadata":{"resourceVersion":"`+g.version(step.path)+`",`, 1)
		}
		err := request(t, step.config, step.verb, step.path, step.body)
		switch {
		case step.refusal == "" && err != nil:
			t.Errorf("%s: %v", step.name, err)
		case step.refusal != "" && (err == nil || !strings.Contains(err.Error(), step.refusal)):
			t.Errorf("%s: got %v, want it refused for %q", step.name, err, step.refusal)
		}
	}
	t.Run("server-side apply", func(t *testing.T) { g.appliedNot(t, admin) })
	t.Run("T-18 in system namespaces", func(t *testing.T) { g.systemNamespaces(t) })
	t.Run("and what the cluster needs there", func(t *testing.T) { g.systemServices(t) })
	t.Run("T-54 records of break-glass stay", func(t *testing.T) { g.glassRecords(t) })
	t.Run("the status of an engine's objects is the engine's", func(t *testing.T) { g.engines(t) })
	t.Run("an emergency is on record", func(t *testing.T) { g.recorded(t) })
}

const bundle = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"

const mutation = `{"metadata":{"name":"slip"},"spec":{"reinvocationPolicy":"Never","matchConstraints":{"resourceRules":[{"operations":["CREATE"],
"apiGroups":["none.example.com"],"apiVersions":["*"],"resources":["none"]}]},
"mutations":[{"patchType":"JSONPatch","jsonPatch":{"expression":"[JSONPatch{op: \"test\", path: \"/kind\", value: \"None\"}]"}}]}}`

// version is that of the live object which a PUT takes the place of.
func (g *guardedCluster) version(path string) string {
	g.t.Helper()
	client, err := kubernetes.NewForConfig(g.cluster.Config)
	if err != nil {
		g.t.Fatal(err)
	}
	raw, err := client.Discovery().RESTClient().Get().AbsPath(strings.TrimSuffix(path, "/finalize")).DoRaw(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	live := &unstructured.Unstructured{}
	if err := live.UnmarshalJSON(raw); err != nil {
		g.t.Fatal(err)
	}
	return live.GetResourceVersion()
}

// inForce returns when the API server has the policies.
func (g *guardedCluster) inForce(admin *rest.Config) {
	g.t.Helper()
	err := wait.PollUntilContextTimeout(g.t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		missing := slices.ContainsFunc([][3]string{
			{"POST", hookConfigs + "?dryRun=All", strings.ReplaceAll(hookBody, "NAME", "fairway")},
			{"POST", mutators + "?dryRun=All", strings.ReplaceAll(hookBody, "NAME", "probe")},
			{"PATCH", "/api/v1/namespaces/default/status?dryRun=All", `{"metadata":{"labels":{"a":"b"}}}`},
			{"POST", "/api/v1/namespaces/fairway-system/secrets?dryRun=All", `{"metadata":{"name":"fairway-keys"}}`},
			{"POST", "/apis/coordination.k8s.io/v1/namespaces/fairway-system/leases?dryRun=All", `{"metadata":{"name":"fairway-emergency"}}`},
		}, func(r [3]string) bool { return request(g.t, admin, r[0], r[1], r[2]) == nil })
		return !missing, nil
	})
	if err != nil {
		g.t.Fatalf("the policies are not in force: %v", err)
	}
}

// appliedNot: server-side apply is a write like others.
func (g *guardedCluster) appliedNot(t *testing.T, admin *rest.Config) {
	client, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	if err := request(t, g.as(roleUser("fairway-prover")), "POST", hookConfigs, strings.ReplaceAll(hookBody, "NAME", "fairway")); err != nil {
		t.Fatal(err)
	}
	// The policy from the API is gone by now; the one from a file is not.
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"metadata": map[string]any{"name": "fairway", "annotations": map[string]any{"a": "b"}},
	}}
	_, err = clientFor(client, *o).Apply(t.Context(), "fairway", o, metav1.ApplyOptions{FieldManager: "me", Force: true})
	if err == nil || !strings.Contains(err.Error(), "kept by Fairway alone") {
		t.Errorf("got %v", err)
	}
}

// systemNamespaces: who works where no gate judges.
func (g *guardedCluster) systemNamespaces(t *testing.T) {
	// Everybody may edit in kube-system, and sally in the whole cluster.
	for path, binding := range map[string]string{
		"/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings": "system:authenticated",
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings":                 "sallies",
	} {
		body := `{"metadata":{"name":"t18"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},
"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"` + binding + `"}]}`
		if err := request(t, g.cluster.Config, "POST", path, body); err != nil {
			t.Fatal(err)
		}
	}
	// What a right in the namespace could be made more of, beside objects.
	const core, apps = "/api/v1/namespaces/kube-system", "/apis/apps/v1/namespaces/kube-system"
	template := `{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	for path, body := range map[string]string{
		core + "/serviceaccounts":        `{"metadata":{"name":"robot"}}`,
		core + "/pods":                   `{"metadata":{"name":"dns"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
		core + "/services":               `{"metadata":{"name":"web"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}`,
		core + "/persistentvolumeclaims": `{"metadata":{"name":"book"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`,
		apps + "/deployments":            `{"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":` + template + `}}`,
	} {
		if err := request(t, g.cluster.Config, "POST", path, body); err != nil {
			t.Fatal(err)
		}
	}
	tina, err := g.cluster.ConfigFor("tina")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][3]string{
		{"POST", core + "/serviceaccounts/robot/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`},
		{"DELETE", core + "/persistentvolumeclaims/book?dryRun=All", ""},
		{"DELETE", core + "/persistentvolumeclaims?dryRun=All", ""},
		{"PATCH", core + "/pods/dns/status", `{"status":{"podIP":"10.0.0.66","podIPs":[{"ip":"10.0.0.66"}]}}`},
		{"POST", core + "/pods/dns/eviction?dryRun=All", eviction},
		{"PATCH", apps + "/deployments/web/scale", `{"spec":{"replicas":0}}`},
		{"POST", "/apis/networking.k8s.io/v1/namespaces/kube-system/networkpolicies", `{"metadata":{"name":"none"},"spec":{"podSelector":{}}}`},
		{"POST", "/apis/autoscaling/v2/namespaces/kube-system/horizontalpodautoscalers", `{"metadata":{"name":"web"},"spec":{"maxReplicas":1,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}`},
	} {
		for who, config := range map[string]*rest.Config{"tina": tina, "root": g.as("root")} {
			err := request(t, config, r[0], r[1], r[2])
			if refused := err != nil && strings.Contains(err.Error(), "no gate judges this namespace"); refused != (who == "tina") || err != nil && !refused {
				t.Errorf("%s %s by %s: got %v", r[0], r[1], who, err)
			}
		}
	}
	pod := `{"metadata":{"generateName":"p-"},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	for user, test := range map[string]struct {
		groups []string
		let    bool
	}{
		"tina":                                  {nil, false},
		"system:serviceaccount:tenant:deployer": {[]string{"system:serviceaccounts", "system:serviceaccounts:tenant"}, false},
		"system:serviceaccount:kube-system:ds-controller": {[]string{"system:serviceaccounts", "system:serviceaccounts:kube-system"}, true},
		"system:node:n1": {[]string{"system:nodes"}, true},
		"root":           {[]string{"system:masters"}, true},
		"sally":          {[]string{"sallies"}, true},
	} {
		config, err := g.cluster.ConfigFor(user, test.groups...)
		if err != nil {
			t.Fatal(err)
		}
		err = request(t, config, "POST", "/api/v1/namespaces/kube-system/pods", pod)
		refused := err != nil && strings.Contains(err.Error(), "no gate judges this namespace")
		if refused == test.let {
			t.Errorf("%s: got %v, want let by is %t", user, err, test.let)
		}
		if err := request(t, config, "POST", "/api/v1/namespaces/default/configmaps?dryRun=All", `{"metadata":{"generateName":"c-"}}`); err != nil && strings.Contains(err.Error(), "no gate") {
			t.Errorf("%s elsewhere: %v", user, err)
		}
	}
}

// recorded: the audit log of the API server names who used the emergency.
func (g *guardedCluster) recorded(t *testing.T) {
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		log, err := os.ReadFile(g.audit)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return strings.Contains(string(log), `"fairway-webhook/emergency":"root"`) &&
			strings.Contains(string(log), `"fairway-emergency/emergency":"root"`) &&
			strings.Contains(string(log), `"fairway-guards.static.k8s.io/emergency":"root"`), err
	})
	if err != nil {
		t.Errorf("the audit log does not tell of it: %v", err)
	}
}
