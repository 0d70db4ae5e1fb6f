// Package charts_test holds the chart against the repository that it is made of, and against itself, with
// the real Helm and without a cluster.
package charts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the chart's README and the golden files anew")

// helm is the Helm that is built from its pinned module.
var helm = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("../hack/helm/build.sh").Output()
	if err != nil {
		return "", fmt.Errorf("building helm: %w", err)
	}
	dir := strings.TrimSpace(string(out))
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		dir = filepath.Join(dir, "helm")
	}
	return dir, nil
})

// run runs Helm, and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := helm()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w: %s", args[0], err, problems.String())
	}
	return out.String(), nil
}

// copies are the files that the repository keeps elsewhere and the chart carries along, by their place in
// the chart: a chart cannot reach out of its folder.
func copies(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for in, from := range map[string]string{"crds": "../config/crd/*.yaml", "policies": "../config/policies/*.yaml"} {
		files, err := filepath.Glob(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			all[in+"/"+filepath.Base(file)] = file
		}
	}
	for _, role := range []string{"gate", "prover", "audit", "people"} {
		all["rbac/"+role+".yaml"] = "../config/rbac/" + role + ".yaml"
	}
	return all
}

// TestCopies: kinds, roles, policies and webhooks are said once; the chart has copies, and none besides.
func TestCopies(t *testing.T) {
	wanted := copies(t)
	for _, in := range []string{"crds", "policies", "rbac"} {
		found, err := filepath.Glob("fairway/files/" + in + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			if _, ok := wanted[in+"/"+filepath.Base(file)]; !ok {
				t.Errorf("%s is a copy of nothing", file)
			}
		}
	}
	for _, to := range slices.Sorted(maps.Keys(wanted)) {
		want, err := os.ReadFile(wanted[to])
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile("fairway/files/" + to)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(have)); diff != "" {
			t.Errorf("%s is stale; run make generate (-want +have):\n%s", to, diff)
		}
	}
}

// golden compares a file with what it should hold, or writes it.
func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("%s is stale; run go test ./charts -update (-want +have):\n%s", path, diff)
	}
}

// value is one value of the chart with its meaning.
type value struct{ path, fallback, meaning string }

// keyLine is a key in values.yaml, with its indentation and what stands behind it.
var keyLine = regexp.MustCompile(`^( *)([A-Za-z]+):(?: (.*))?$`)

// values reads values.yaml with the comments that explain them. Each leaf must have one.
func values(t *testing.T) []value {
	t.Helper()
	text, err := os.ReadFile("fairway/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []value
	var path []string
	meaning := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if _, comment, ok := strings.Cut(line, "# -- "); ok {
			meaning = comment
			continue
		}
		m := keyLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		path = append(path[:len(m[1])/2], m[2])
		if m[3] == "" {
			continue
		}
		if meaning == "" {
			t.Errorf("%s says nothing of what it means", strings.Join(path, "."))
		}
		all = append(all, value{strings.Join(path, "."), m[3], meaning})
		meaning = ""
	}
	return all
}

// TestREADME: the table of values is made from values.yaml.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("fairway/README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), "<!-- values -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end of values -->\n")
	if !ok || !ended {
		t.Fatal("README.md has no place for the values")
	}
	table := "| value | default | meaning |\n|---|---|---|\n"
	for _, v := range values(t) {
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", v.path, v.fallback, strings.ReplaceAll(v.meaning, "|", `\|`))
	}
	golden(t, "fairway/README.md", before+"<!-- values -->\n"+table+"<!-- end of values -->\n"+after)
}

// node is as much of a JSON schema as the chart's has.
type node struct {
	Properties           map[string]node `json:"properties"`
	AdditionalProperties any             `json:"additionalProperties"`
}

func (n node) leaves(at string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		path := strings.TrimPrefix(at+"."+name, ".")
		if child := n.Properties[name]; len(child.Properties) > 0 {
			all = append(all, child.leaves(path)...)
		} else {
			all = append(all, path)
		}
	}
	return all
}

// closed names the objects that take keys which they do not know.
func (n node) closed(at string) []string {
	var open []string
	if len(n.Properties) > 0 && n.AdditionalProperties != false {
		open = append(open, at)
	}
	for name, child := range n.Properties {
		open = append(open, child.closed(at+"."+name)...)
	}
	return open
}

// TestSchemaKnowsEveryValue: the schema has the values that there are, none besides, and takes no other.
func TestSchemaKnowsEveryValue(t *testing.T) {
	text, err := os.ReadFile("fairway/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema node
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if open := schema.closed(""); len(open) > 0 {
		t.Errorf("a misspelt value would be ignored in %q", open)
	}
	delete(schema.Properties, "global") // Helm adds it
	var want []string
	for _, v := range values(t) {
		want = append(want, v.path)
	}
	slices.Sort(want)
	have := schema.leaves("")
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("values (-values.yaml +values.schema.json):\n%s", diff)
	}
}

// TestBadValues: what would come to nothing good is refused before anything is sent.
func TestBadValues(t *testing.T) {
	for set, want := range map[string]string{
		"gate.replicas=0":                       "minimum",
		"gate.replica=3":                        "additional properties",
		"gate.maxStaleness=9s":                  "maxStaleness",
		"gate.memory=512":                       "gate",
		"tls.mode=none":                         "tls",
		"tls.mode=existingSecret":               "tls.existingSecret.name is needed",
		"image.gate.digest=latest":              "image",
		"webhook.url=http://gate":               "webhook",
		"webhook.systemNamespaces={Not A Name}": "webhook",
		"seal.key=abc":                          "seal",
		"tracing.ratio=2":                       "tracing",
		"networkPolicy.apiServerPorts={}":       "networkPolicy",
		"prover.hooks.port=0":                   "prover",
	} {
		_, err := run(t, "template", "fairway", "fairway", "--namespace", "fairway-system", "--set", set)
		if err == nil || !strings.Contains(err.Error(), strings.Split(want, ".")[0]) {
			t.Errorf("--set %s: got %v, want it refused for %q", set, err, want)
		}
	}
}

// cases are values, by the name of the golden file that they make.
var cases = map[string][]string{
	"default": nil,
	"built-in": {
		"tls.mode=builtIn", "prover.persistence.enabled=false", "webhook.systemNamespaces={kube-system,kube-node-lease,cni}",
		"tracing.endpoint=http://collector:4318/v1/traces", "gate.verbose=false",
	},
	"existing-secret": {
		"tls.mode=existingSecret", "tls.existingSecret.name=mine", "policies.enabled=false",
		"networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "tiers.enabled=false", "test.enabled=false",
	},
	"everything": {
		"metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true",
		"tls.certManager.issuerName=corporate", "webhook.url=https://10.0.0.1:9443", "seal.repository=https://git.example.com/fleet",
		"seal.key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "image.pullSecrets={regcred}", "gate.tolerations[0].key=x",
		"image.gate.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000", "prover.interval=30s",
		"prover.hooks.enabled=true", "prover.hooks.from[0].namespaceSelector.matchLabels.name=ingress",
		"networkPolicy.apiServer[0].ipBlock.cidr=10.0.0.0/28",
	},
}

// TestGolden shows what each case renders to, so that a change of the chart is seen in review. The kinds
// are left out: they are copies.
func TestGolden(t *testing.T) {
	for name, set := range cases {
		t.Run(name, func(t *testing.T) {
			args := []string{"template", "fairway", "fairway", "--namespace", "guard", "--set", "crds.enabled=false"}
			for _, s := range set {
				args = append(args, "--set", s)
			}
			out, err := run(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out, "fairway-system") {
				t.Error("something is tied to a namespace that is not the release's")
			}
			golden(t, "testdata/"+name+".yaml", out)
		})
	}
}

// TestPoliciesAreTold: the guards know the namespaces of the install, and let cert-manager write what it is
// asked for and nothing else. What they are told is put into their text, so a change of theirs must be seen.
func TestPoliciesAreTold(t *testing.T) {
	told := "request.userInfo.username == 'system:serviceaccount:cert-manager:cert-manager' && (request.kind.group in ['cert-manager.io', 'acme.cert-manager.io'] || request.kind.kind == 'Secret' && ['fairway-tls', 'fairway-ca']"
	for _, tc := range []struct {
		set, want string
		absent    bool
	}{
		{"tls.mode=certManager", told, false},
		{"tls.mode=builtIn", told, true},
		{"webhook.systemNamespaces={kube-system,cni}", "values: [kube-system, cni, guard]", false},
	} {
		out, err := run(t, "template", "fairway", "fairway", "--namespace", "guard", "--set", tc.set)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, tc.want) == tc.absent {
			t.Errorf("--set %s: %q is there: %t", tc.set, tc.want, !tc.absent)
		}
	}
}

// TestLint: Helm has nothing to say, whatever the case.
func TestLint(t *testing.T) {
	for name, set := range cases {
		args := []string{"lint", "fairway", "--strict", "--quiet"}
		for _, s := range set {
			args = append(args, "--set", s)
		}
		if out, err := run(t, args...); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestKindsStay: an uninstall takes no kind away, and with it every tier, binding and proof, unless asked to.
func TestKindsStay(t *testing.T) {
	for set, want := range map[string]int{"crds.keep=true": 7, "crds.keep=false": 0} {
		out, err := run(t, "template", "fairway", "fairway", "--set", set)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out, "helm.sh/resource-policy: keep"); got != want {
			t.Errorf("%s: %d kinds stay, want %d", set, got, want)
		}
		if got := strings.Count(out, "kind: CustomResourceDefinition"); got != 7 {
			t.Errorf("%s: %d kinds, want 7", set, got)
		}
	}
}

// named are the metrics in an expression.
var named = regexp.MustCompile(`\b(fairway_[a-z_]+|apiserver_[a-z_]+|process_[a-z_]+)\b`)

// TestMonitoringNamesMetrics: alerts and dashboard ask for metrics that there are, and each alert has its
// place in the documentation.
func TestMonitoringNamesMetrics(t *testing.T) {
	page, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile("`(fairway_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		known[m[1]] = true
	}
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile("fairway/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &alerts, yaml.DisallowUnknownFields); err != nil {
		// labels and for are not of interest here
		if err := yaml.Unmarshal(text, &alerts); err != nil {
			t.Fatal(err)
		}
	}
	dashboard, err := os.ReadFile("fairway/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("the dashboard is no JSON")
	}
	asked := string(dashboard)
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			asked += "\n" + rule.Expr
			if !strings.Contains(string(page), "### "+rule.Alert+"\n") {
				t.Errorf("docs/observability.md says nothing of %s", rule.Alert)
			}
			if want := "#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
				t.Errorf("%s leads to %q", rule.Alert, rule.Annotations["runbook_url"])
			}
		}
	}
	for _, name := range named.FindAllString(asked, -1) {
		name = strings.TrimSuffix(name, "_bucket")
		if strings.HasPrefix(name, "fairway_") && !known[name] {
			t.Errorf("nobody counts %s", name)
		}
	}
}
