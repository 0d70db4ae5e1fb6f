package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/tier"
)

var updateOperations = flag.Bool("update-operations", false, "write testdata/operations.txt anew")

// TestT45EveryOperationIsAsked sends every shape of request to a real API server that has the webhook
// configuration which Fairway compiles from tiers, and writes down which entry was asked, what became of a
// refusal, and what became of silence. The table is golden: a cell that changes is a decision.
func TestT45EveryOperationIsAsked(t *testing.T) {
	r := newOperationsLab(t)
	spaces := []string{"shop", "new", "pilot", "play", "kube-system"}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	write := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) } // a builder takes all
	write("in a namespace of", "a gated tier", "no known tier", "an auditing tier", "an open tier", "the system")
	for _, o := range inNamespaces {
		cells := []string{o.name}
		for _, ns := range spaces {
			cells = append(cells, r.outcome(o, ns))
		}
		write(cells...)
	}
	write("outside of namespaces", "")
	for _, o := range outOfNamespaces {
		write(o.name, r.outcome(o, ""))
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(text.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	const path = "testdata/operations.txt"
	if *updateOperations {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("if it is meant, run the test with -update-operations (-want +got):\n%s", diff)
	}
	r.noConditionFailed()
	t.Run("a condition that fails would be silent", func(t *testing.T) { r.failingCondition(t) })
}

// operationsLab is a real API server with the compiled configuration and a gate that notes who asks.
type operationsLab struct {
	t       *testing.T
	cluster *controlplane.Cluster
	client  kubernetes.Interface
	people  map[string]rest.Interface // who asks, beside the administrator
	gate    *recordingGate
	config  *admissionv1.ValidatingWebhookConfiguration
}

// listedEngine is one that the cluster binding names.
const listedEngine = "system:serviceaccount:flux-system:kustomize-controller"

func newOperationsLab(t *testing.T) *operationsLab {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	r := &operationsLab{t: t, cluster: c, people: map[string]rest.Interface{}}
	if r.client, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string][]string{"kubelet": {"system:node:x", "system:nodes"}, "engine": {listedEngine}} {
		config, err := c.ConfigFor(who[0], append(who[1:], "system:masters")...) // masters: the right to ask
		if err != nil {
			t.Fatal(err)
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		r.people[name] = client.Discovery().RESTClient()
	}
	installCRDs(t, c)
	r.kinds()
	for _, ns := range []string{"shop", "new", "pilot", "play", "kube-system"} {
		r.standing(ns)
	}
	for path, body := range map[string]string{
		rolesV1: `{"metadata":{"name":"x"},"rules":[]}`, "/api/v1/nodes": `{"metadata":{"name":"x"}}`,
		"/apis/t03.example/v1/worlds": `{"apiVersion":"t03.example/v1","kind":"World","metadata":{"name":"x"}}`,
	} {
		r.must(operation{verb: "POST", path: path, body: body}, "")
	}
	r.gate = newRecordingGate(t, c)
	r.guard()
	return r
}

// kinds makes the custom kinds of the table.
func (r *operationsLab) kinds() {
	r.t.Helper()
	content, err := os.ReadFile("testdata/everykind-crds.yaml")
	if err != nil {
		r.t.Fatal(err)
	}
	flux := strings.NewReplacer("gadgets.t03.example", "kustomizations.kustomize.toolkit.fluxcd.io", "t03.example", "kustomize.toolkit.fluxcd.io",
		"kind: Gadget", "kind: Kustomization", "gadgets", "kustomizations").Replace(strings.Split(string(content), "---\n")[0])
	for _, crd := range append(documents(r.t, content), documents(r.t, []byte(flux))...) {
		raw, err := crd.MarshalJSON()
		if err != nil {
			r.t.Fatal(err)
		}
		r.must(operation{verb: "POST", path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body: string(raw)}, "")
	}
	for _, path := range []string{toysV1, fluxV1, "/apis/t03.example/v1/worlds"} {
		r.await("the custom kinds are served", func(context.Context) error { return r.send(operation{verb: "GET", path: path}, "default") })
	}
}

// standing makes what the requests are about, before anybody judges.
func (r *operationsLab) standing(ns string) {
	r.t.Helper()
	if ns != "kube-system" {
		r.must(operation{verb: "POST", path: "/api/v1/namespaces", body: `{"metadata":{"name":"NS"}}`}, ns)
	}
	template := `{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	for _, o := range [][2]string{
		{coreV1 + "/serviceaccounts", `{"metadata":{"name":"default"}}`}, {coreV1 + "/configmaps", `{"metadata":{"name":"x"}}`},
		{coreV1 + "/pods", `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i"}]}}`},
		{coreV1 + "/services", `{"metadata":{"name":"x"},"spec":{"ports":[{"port":80}]}}`},
		{appsV1 + "/deployments", `{"metadata":{"name":"x"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":` + template + `}}`},
		{toysV1, `{"apiVersion":"t03.example/v1","kind":"Gadget","metadata":{"name":"x"},"spec":{"replicas":1}}`},
		{fluxV1, `{"apiVersion":"kustomize.toolkit.fluxcd.io/v1","kind":"Kustomization","metadata":{"name":"x"}}`},
		{ownV1 + "/deliveries", `{"apiVersion":"fairway.dev/v1alpha1","kind":"Delivery","metadata":{"name":"x"},"spec":{"repository":"a","branch":"b","path":"c"}}`},
	} {
		r.must(operation{verb: "POST", path: o[0], body: o[1]}, ns)
	}
}

// guard compiles the configuration of a world with a namespace for each way of being judged, and returns
// when the API server asks. The entries differ in their path, which says who asked.
func (r *operationsLab) guard() {
	r.t.Helper()
	world := &tier.World{
		Install: tier.Install{Sealed: true, Namespace: "fairway-system", Engines: []string{listedEngine}},
		Tiers: map[string]tier.Tier{
			"production": {Name: "production", Lane: tier.Gated}, "trial": {Name: "trial", Lane: tier.Gated, Enforcement: tier.Audit},
			"sandbox": {Name: "sandbox", Lane: tier.Open},
		},
		Namespaces: map[string]tier.Namespace{}, Bindings: map[string]tier.Binding{},
	}
	for ns, t := range map[string]string{"shop": "production", "pilot": "trial", "play": "sandbox"} {
		world.Namespaces[ns], world.Bindings[ns] = tier.Namespace{Name: ns}, tier.Binding{Namespace: ns, Name: "tier", Tier: t}
	}
	r.config = controller.Configure(world, controller.Hooks{Name: "fairway", URL: r.gate.url, System: []string{"fairway-system", "kube-system"}}, r.gate.ca)
	for i := range r.config.Webhooks {
		hook := &r.config.Webhooks[i]
		hook.ClientConfig.URL = new(r.gate.url + "/" + strings.TrimSuffix(hook.Name, ".fairway.dev"))
	}
	if _, err := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(r.t.Context(), r.config, metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
	r.await("the API server asks", func(context.Context) error {
		for _, ns := range []string{"shop", "pilot"} {
			if err := r.send(inNamespaces[0], ns); err == nil {
				return errors.New("it does not yet")
			}
		}
		return nil
	})
}

// outcome is who was asked, and whether the request was stopped by a refusal and by silence.
func (r *operationsLab) outcome(o operation, ns string) string {
	r.t.Helper()
	r.gate.be(refusing)
	refused := r.fate(o, ns)
	asked := r.gate.asked()
	r.gate.be(silent)
	unanswered := r.fate(o, ns)
	switch {
	case len(asked) == 0 && refused == unanswered:
		return refused
	case len(asked) == 1 && refused == "refused":
		return asked[0] + ", else " + unanswered
	}
	return fmt.Sprintf("%s: %s, else %s", strings.Join(asked, "+"), refused, unanswered)
}

// fate is what became of a request.
func (r *operationsLab) fate(o operation, ns string) string {
	r.t.Helper()
	err := r.send(o, ns)
	connects := strings.HasPrefix(o.name, "connect") || strings.HasPrefix(o.name, "read") // there is no node behind
	switch {
	case err == nil:
		return "goes by"
	case strings.Contains(err.Error(), `.fairway.dev" denied the request`):
		return "refused"
	case strings.Contains(err.Error(), "failed calling webhook"):
		return "stopped"
	case strings.Contains(err.Error(), "this namespace may not be deleted"):
		return "never"
	case connects:
		return "goes by"
	}
	r.t.Errorf("%s in %q was not tried: %v", o.name, ns, err)
	return "not tried"
}

// send sends a request, so that nothing is kept of it.
func (r *operationsLab) send(o operation, ns string) error { return r.sendAs(o, ns, metav1.DryRunAll) }

// must makes something.
func (r *operationsLab) must(o operation, ns string) {
	r.t.Helper()
	if err := r.sendAs(o, ns, ""); err != nil {
		r.t.Fatalf("%s %s in %q: %v", o.verb, o.path, ns, err)
	}
}

func (r *operationsLab) sendAs(o operation, ns, dryRun string) error {
	client := r.client.Discovery().RESTClient()
	if o.by != "" {
		client = r.people[o.by]
	}
	patches := map[string]types.PatchType{"PATCH": types.MergePatchType, "APPLY": types.ApplyYAMLPatchType, "STRATEGIC": types.StrategicMergePatchType}
	request := client.Verb(o.verb).SetHeader("Content-Type", "application/json")
	if kind, is := patches[o.verb]; is {
		request = client.Patch(kind)
	}
	path, query, _ := strings.Cut(strings.ReplaceAll(o.path, "NS", ns), "?")
	request = request.AbsPath(path)
	if name, value, has := strings.Cut(query, "="); has {
		request = request.Param(name, value)
	}
	if o.verb == "APPLY" {
		request = request.Param("fieldManager", "me").Param("force", "true")
	}
	if dryRun != "" && o.verb != "GET" && !strings.HasPrefix(o.name, "connect") {
		request = request.Param("dryRun", dryRun)
	}
	if o.body != "" {
		request = request.Body([]byte(strings.ReplaceAll(o.body, "NS", ns)))
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	return request.Do(ctx).Error()
}

func (r *operationsLab) await(what string, question func(context.Context) error) {
	r.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(r.t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		last = question(ctx)
		return last == nil, nil
	})
	if err != nil {
		r.t.Fatalf("%s: %v (last: %v)", what, err, last)
	}
}

// conditionErrors are the failures of conditions that the API server has counted, of entries whose name holds
// a text.
func (r *operationsLab) conditionErrors(of string) []string {
	r.t.Helper()
	raw, err := r.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(raw)))
	return slices.DeleteFunc(lines, func(line string) bool {
		return !strings.HasPrefix(line, "apiserver_admission_match_condition_evaluation_errors_total{") || !strings.Contains(line, of)
	})
}

// noConditionFailed: an entry that fails open is skipped in silence where a condition fails.
func (r *operationsLab) noConditionFailed() {
	r.t.Helper()
	if failed := r.conditionErrors(`.fairway.dev"`); len(failed) > 0 {
		r.t.Errorf("conditions failed: %q", failed)
	}
}

// failingCondition shows what no entry of Fairway may do: with a condition that a request makes fail, the
// lenient entry is skipped and nobody is told but the API server's own metric. Such a configuration has a gap.
func (r *operationsLab) failingCondition(t *testing.T) {
	weak := r.config.DeepCopy()
	i := slices.IndexFunc(weak.Webhooks, func(h admissionv1.ValidatingWebhook) bool { return h.Name == "lenient.fairway.dev" })
	patch := fmt.Sprintf(`[{"op":"add","path":"/webhooks/%d/matchConditions/-","value":{"name":"x","expression":"object.data.a == 'b'"}}]`, i)
	weak, err := r.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), "fairway", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.gate.be(refusing)
	r.await("the request slips by", func(context.Context) error { return r.send(inNamespaces[0], "pilot") })
	if asked := r.gate.asked(); slices.Contains(asked, "lenient") {
		r.gate.be(refusing)
		if err := r.send(inNamespaces[0], "pilot"); err != nil || len(r.gate.asked()) > 0 {
			t.Errorf("the entry was asked: %v, %v", asked, err)
		}
	}
	if len(r.conditionErrors(`"lenient.fairway.dev"`)) == 0 {
		t.Error("the API server counted no failure: the check above holds nothing")
	}
	_, served, err := r.client.Discovery().ServerGroupsAndResourcesWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	world := &tier.World{
		Install:    tier.Install{Sealed: true},
		Tiers:      map[string]tier.Tier{"trial": {Name: "trial", Lane: tier.Gated, Enforcement: tier.Audit}},
		Bindings:   map[string]tier.Binding{"pilot": {Tier: "trial"}},
		Namespaces: map[string]tier.Namespace{"pilot": {Name: "pilot"}},
	}
	if gaps := controller.Uncovered(weak, served, world, controller.Hooks{}); !slices.Contains(gaps, "no gate is asked about anything in pilot") {
		t.Errorf("the gaps are %q", gaps)
	}
	if gaps := controller.Uncovered(r.config, served, world, controller.Hooks{}); len(gaps) > 0 {
		t.Errorf("as it is compiled it has the gaps %q", gaps)
	}
}
