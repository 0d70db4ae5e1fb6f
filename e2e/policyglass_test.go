package e2e

import (
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// eviction is what whoever drains a node asks for.
const eviction = `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"dns","namespace":"kube-system"}}`

// systemServices: what keeps the cluster going is not stopped by who works in the namespaces that no gate judges:
// a node is drained by whoever may change nodes, and load balancers say where they are; from namespaces of their own.
func (g *guardedCluster) systemServices(t *testing.T) {
	for name, rule := range map[string]string{
		"drains":    `{"apiGroups":[""],"resources":["nodes"],"verbs":["get","patch"]},{"apiGroups":[""],"resources":["pods/eviction"],"verbs":["create"]}`,
		"evicts":    `{"apiGroups":[""],"resources":["pods/eviction"],"verbs":["create"]}`,
		"balancers": `{"apiGroups":[""],"resources":["services/status"],"verbs":["patch"]}`,
	} {
		for path, body := range map[string]string{
			"/apis/rbac.authorization.k8s.io/v1/clusterroles": `{"metadata":{"name":"` + name + `"},"rules":[` + rule + `]}`,
			"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings": `{"metadata":{"name":"` + name + `"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"` + name + `"},
"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"` + name + `"}]}`,
		} {
			if err := request(t, g.cluster.Config, "POST", path, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	const core = "/api/v1/namespaces/kube-system"
	for _, test := range []struct {
		user, group      string
		verb, path, body string
		let              bool
	}{
		{"nora", "drains", "POST", core + "/pods/dns/eviction?dryRun=All", eviction, true},
		{"system:serviceaccount:kured:kured", "drains", "POST", core + "/pods/dns/eviction?dryRun=All", eviction, true},
		{"nora", "drains", "PATCH", core + "/pods/dns/status", `{"status":{"podIP":"10.0.0.67"}}`, false},
		{"mallory", "evicts", "POST", core + "/pods/dns/eviction?dryRun=All", eviction, false},
		{"system:node:n1", "system:nodes", "POST", core + "/pods/dns/eviction?dryRun=All", eviction, true},
		{"system:serviceaccount:metallb-system:controller", "balancers", "PATCH", core + "/services/web/status", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, true},
	} {
		config, err := g.cluster.ConfigFor(test.user, test.group)
		if err != nil {
			t.Fatal(err)
		}
		err = request(t, config, test.verb, test.path, test.body)
		refused := err != nil && strings.Contains(err.Error(), "no gate judges this namespace")
		if refused == test.let || err != nil && !refused {
			t.Errorf("%s %s by %s: got %v", test.verb, test.path, test.user, err)
		}
	}
}

// glassRecords: T-54, nobody deletes the record of a break-glass but the prover, when it is closed; while no gate is
// asked, and whatever rights they have.
func (g *guardedCluster) glassRecords(t *testing.T) {
	const glasses = "/apis/fairway.dev/v1alpha1/namespaces/default/breakglasses"
	for _, name := range []string{"open", "closed", "given-up"} {
		o := base(t, "BreakGlass", "default", "", "")
		o.SetName(name)
		raw, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := request(t, g.cluster.Config, "POST", glasses, string(raw)); err != nil {
			t.Fatal(err)
		}
	}
	admin, prover, emergency := g.as("root"), g.as(roleUser("fairway-prover")), g.as("root", emergencyGroup)
	gate, collector := g.as(roleUser("fairway-gate")), g.as("system:serviceaccount:kube-system:generic-garbage-collector")
	const refusal = "deletes it some time after it was closed, and nobody else does"
	for _, step := range []struct {
		name             string
		config           *rest.Config
		verb, path, body string
		refusal          string
	}{
		{"an administrator says that it is closed", admin, "PATCH", glasses + "/closed/status", `{"status":{"closedAt":"2026-11-23T18:00:00Z"}}`, "written by Fairway alone"},
		{"the prover does", prover, "PATCH", glasses + "/closed/status", `{"status":{"closedAt":"2026-11-23T18:00:00Z"}}`, ""},
		{"the prover deletes an open one", prover, "DELETE", glasses + "/open", "", refusal},
		{"the prover deletes all", prover, "DELETE", glasses + "?dryRun=All", "", refusal},
		{"an administrator deletes a closed one", admin, "DELETE", glasses + "/closed", "", refusal},
		{"an administrator deletes all", admin, "DELETE", glasses, "", refusal},
		{"a gate deletes a closed one", gate, "DELETE", glasses + "/closed", "", refusal},
		{"the garbage collector deletes a closed one", collector, "DELETE", glasses + "/closed", "", refusal},
		{"people add an approval", admin, "PATCH", glasses + "/open", `{"spec":{"approvals":["{}"]}}`, ""},
		{"the prover deletes a closed one", prover, "DELETE", glasses + "/closed", "", ""},
		{"in an emergency", emergency, "DELETE", glasses + "/given-up", "", ""},
		{"with its namespace", g.as("system:serviceaccount:kube-system:namespace-controller"), "DELETE", glasses + "/open", "", ""},
	} {
		err := request(t, step.config, step.verb, step.path, step.body)
		switch {
		case step.refusal == "" && err != nil:
			t.Errorf("%s: %v", step.name, err)
		case step.refusal != "" && (err == nil || !strings.Contains(err.Error(), step.refusal)):
			t.Errorf("%s: got %v, want it refused for %q", step.name, err, step.refusal)
		}
	}
}
