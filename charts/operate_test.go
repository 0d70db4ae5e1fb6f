package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// rendered reads one object that the chart renders into its type.
func rendered[T any](t *testing.T, kind, name string, set ...string) T {
	t.Helper()
	for _, text := range documents(t, set) {
		var of metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(text), &of); err != nil {
			t.Fatal(err)
		}
		if of.Kind != kind || of.Name != name {
			continue
		}
		var object T
		if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	t.Fatalf("there is no %s %s", kind, name)
	panic("unreachable")
}

// selects holds that a selector is of a pod.
func selects(t *testing.T, what string, s *metav1.LabelSelector, pod map[string]string) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(pod)) {
		t.Errorf("%s selects %v, which is not the pods %v (%v)", what, s, pod, err)
	}
}

// TestGatesSurvive: a node, a zone, a drain of nodes, a rollout and a full cluster leave gates that answer.
func TestGatesSurvive(t *testing.T) {
	gates := rendered[appsv1.Deployment](t, "Deployment", "fairway-gate")
	pod := gates.Spec.Template
	if n := *gates.Spec.Replicas; n < 3 {
		t.Errorf("%d gates", n)
	}
	if r := gates.Spec.Strategy.RollingUpdate; r == nil || *r.MaxUnavailable != intstr.FromInt32(0) || *r.MaxSurge != intstr.FromInt32(1) {
		t.Errorf("a rollout takes a gate away before there is another: %+v", r)
	}
	if c := pod.Spec.PriorityClassName; c != "system-cluster-critical" {
		t.Errorf("their priority class is %q", c)
	}
	var spread []string
	for _, s := range pod.Spec.TopologySpreadConstraints {
		spread = append(spread, s.TopologyKey)
		selects(t, "the spread over "+s.TopologyKey, s.LabelSelector, pod.Labels)
	}
	if diff := cmp.Diff([]string{corev1.LabelTopologyZone, corev1.LabelHostname}, spread); diff != "" {
		t.Errorf("they are spread over (-want +got):\n%s", diff)
	}
	budget := rendered[policyv1.PodDisruptionBudget](t, "PodDisruptionBudget", "fairway-gate")
	selects(t, "the disruption budget", budget.Spec.Selector, pod.Labels)
	if *budget.Spec.MaxUnavailable != intstr.FromInt32(1) || budget.Spec.MinAvailable != nil {
		t.Errorf("the disruption budget is %+v", budget.Spec)
	}
	// drain, the end of the listener and what is in flight: docs/operations.md.
	if *pod.Spec.TerminationGracePeriodSeconds < 10+5 {
		t.Errorf("they are killed after %d s", *pod.Spec.TerminationGracePeriodSeconds)
	}
}

// TestProbes: both roles are asked where they answer without a certificate, and are not restarted for what is
// not theirs to mend.
func TestProbes(t *testing.T) {
	for _, role := range []string{"gate", "prover"} {
		c := rendered[appsv1.Deployment](t, "Deployment", "fairway-"+role).Spec.Template.Spec.Containers[0]
		ports := map[string]int32{}
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
		if ports["probes"] != 9440 || !strings.Contains(strings.Join(c.Args, " "), "--probes=:9440") {
			t.Errorf("%s: its probes are at %v, its arguments say %q", role, ports, c.Args)
		}
		for path, probe := range map[string]*corev1.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port != intstr.FromString("probes") {
				t.Errorf("%s: the probe of %s is %+v", role, path, probe)
			}
		}
		if s := c.StartupProbe; s == nil || s.HTTPGet.Path != "/livez" {
			t.Errorf("%s: nothing lets it start in peace: %+v", role, s)
		}
	}
}

// TestMemoryLimits: the Go runtime knows the limit of its container, less what is not its heap.
func TestMemoryLimits(t *testing.T) {
	for _, tc := range []struct{ role, memory, want string }{
		{"gate", "512Mi", "460MiB"},
		{"gate", "2Gi", "1843MiB"},
		{"prover", "1Gi", "460MiB"},
		{"prover", "1536Mi", "691MiB"},
	} {
		c := rendered[appsv1.Deployment](t, "Deployment", "fairway-"+tc.role, tc.role+".memory="+tc.memory).Spec.Template.Spec.Containers[0]
		limit := c.Resources.Limits[corev1.ResourceMemory]
		told := ""
		for _, e := range c.Env {
			if e.Name == "GOMEMLIMIT" {
				told = e.Value
			}
		}
		if told != tc.want || limit.String() != tc.memory {
			t.Errorf("%s of %s: its limit is %s, GOMEMLIMIT %q, want %q", tc.role, tc.memory, limit.String(), told, tc.want)
		}
	}
}

// TestGatesReach: on the network a gate reaches the API server and DNS, and nothing else.
func TestGatesReach(t *testing.T) {
	policy := rendered[networkingv1.NetworkPolicy](t, "NetworkPolicy", "fairway-gate")
	selects(t, "the policy", &policy.Spec.PodSelector, rendered[appsv1.Deployment](t, "Deployment", "fairway-gate").Spec.Template.Labels)
	if diff := cmp.Diff([]networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}, policy.Spec.PolicyTypes); diff != "" {
		t.Errorf("it is about (-want +got):\n%s", diff)
	}
	ports := func(all []networkingv1.NetworkPolicyPort) []string {
		var found []string
		for _, p := range all {
			found = append(found, p.Port.String())
		}
		return found
	}
	var out, in [][]string
	for _, rule := range policy.Spec.Egress {
		out = append(out, ports(rule.Ports))
	}
	for _, rule := range policy.Spec.Ingress {
		in = append(in, ports(rule.Ports))
	}
	if diff := cmp.Diff([][]string{{"443", "6443"}, {"53", "53"}}, out); diff != "" {
		t.Errorf("it may reach (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"webhook"}, {"probes"}}, in); diff != "" {
		t.Errorf("it is reached at (-want +got):\n%s", diff)
	}
}

// TestArtifactHub: what the chart says of itself to those who look for one is true of what it installs.
func TestArtifactHub(t *testing.T) {
	text, err := os.ReadFile("fairway/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var chart struct {
		Version, AppVersion, KubeVersion string
		Annotations                      map[string]string
	}
	if err := yaml.Unmarshal(text, &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Version != chart.AppVersion || chart.KubeVersion == "" {
		t.Errorf("the chart is %q, what it installs %q, for Kubernetes %q", chart.Version, chart.AppVersion, chart.KubeVersion)
	}
	var told []struct{ Name, Image string }
	if err := yaml.UnmarshalStrict([]byte(chart.Annotations["artifacthub.io/images"]), &told); err != nil || len(told) != 2 {
		t.Fatalf("%d images are told: %v", len(told), err)
	}
	for _, image := range told {
		c := rendered[appsv1.Deployment](t, "Deployment", "fairway-"+image.Name).Spec.Template.Spec.Containers[0]
		if c.Image != image.Image {
			t.Errorf("%s runs %s, told is %s", image.Name, c.Image, image.Image)
		}
	}
	type kind struct{ Kind, Version, Name, DisplayName, Description string }
	var kinds []kind
	if err := yaml.UnmarshalStrict([]byte(chart.Annotations["artifacthub.io/crds"]), &kinds); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"ProvenCommit": true, "Delivery": true} // nobody writes them but Fairway
	for _, k := range kinds {
		known[k.Kind] = true
	}
	files, err := filepath.Glob("fairway/files/crds/*.yaml")
	if err != nil || len(files) != len(known) {
		t.Errorf("%d kinds are told of %d (%v)", len(known), len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		if !known[crd.Spec.Names.Kind] {
			t.Errorf("%s is not told", crd.Spec.Names.Kind)
		}
		for _, k := range kinds {
			if k.Kind == crd.Spec.Names.Kind && (k.Name != crd.Name || k.Version != crd.Spec.Versions[0].Name) {
				t.Errorf("%s is told as %s of %s", crd.Name, k.Name, k.Version)
			}
		}
	}
}
