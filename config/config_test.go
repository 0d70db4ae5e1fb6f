// Package config_test holds the manifests against the types and against each other, without a cluster.
// What only an API server can tell is told in e2e.
package config_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/tier"
)

// read decodes all documents of a folder strictly: an unknown or doubled field is an error.
func read(t *testing.T, folder string) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, rbacv1.AddToScheme, admissionregistrationv1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s (%v)", folder, err)
	}
	var all []runtime.Object
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			object, _, err := decoder.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all = append(all, object)
		}
	}
	return all
}

// of are the objects of one type.
func of[T runtime.Object](objects []runtime.Object) []T {
	var some []T
	for _, object := range objects {
		if o, ok := object.(T); ok {
			some = append(some, o)
		}
	}
	return some
}

// TestSamplesAreOneWorld: whatever a sample names exists in the samples, and no identity stands twice.
func TestSamplesAreOneWorld(t *testing.T) {
	samples := read(t, "samples")
	known := map[string]bool{}
	for _, object := range samples {
		known[name(t, object)] = true
	}
	needs := func(who, kind string, names ...string) {
		for _, n := range names {
			if !known[kind+" "+n] {
				t.Errorf("%s names the %s %q, which is in no sample", who, kind, n)
			}
		}
	}
	for _, tier := range of[*v1alpha1.EnvironmentTier](samples) {
		for _, rule := range tier.Spec.Approvals {
			needs(tier.Name, "Team", rule.Teams...)
			if rule.When != nil {
				needs(tier.Name, "Team", rule.When.AuthorIn...)
			}
		}
	}
	for _, b := range of[*v1alpha1.TierBinding](samples) {
		who := b.Namespace + "/" + b.Name
		needs(who, "EnvironmentTier", b.Spec.Tier)
		needs(who, "Team", b.Spec.Owners...)
		needs(who, "Namespace", b.Namespace)
		for _, source := range b.Spec.Sources {
			needs(who, "Repository", source.Repository)
		}
		if b.Spec.Install != nil {
			needs(who, "EnvironmentTier", b.Spec.Install.DefaultTier)
			account := of[*corev1.ServiceAccount](read(t, "rbac"))[0]
			want := []string{"system:serviceaccount:" + account.Namespace + ":" + account.Name}
			if diff := cmp.Diff(want, b.Spec.Install.ProverUsers); diff != "" {
				t.Errorf("the prover's users (-rbac +sample):\n%s", diff)
			}
		}
	}
	identities := map[string]string{}
	for _, team := range of[*v1alpha1.Team](samples) {
		for _, p := range team.Spec.Principals {
			for _, id := range append(keys(t, p), append(p.Emails, p.Users...)...) {
				if other, taken := identities[id]; taken && other != p.Name {
					t.Errorf("%s and %s both claim %s", other, p.Name, id)
				}
				identities[id] = p.Name
			}
		}
	}
	last := samples[len(samples)-1]
	if binding, ok := last.(*v1alpha1.TierBinding); !ok || binding.Name != v1alpha1.ClusterBindingName {
		t.Errorf("the samples end with %s, want the binding that seals the install", name(t, last))
	}
}

// keys are the fingerprints of a principal's keys.
func keys(t *testing.T, p v1alpha1.Principal) []string {
	t.Helper()
	var all []string
	for _, key := range p.Keys {
		public, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(key.PublicKey))
		if err != nil || len(rest) != 0 {
			t.Errorf("key of %s: %v, %d bytes left", p.Name, err, len(rest))
			continue
		}
		all = append(all, ssh.FingerprintSHA256(public))
	}
	return all
}

func name(t *testing.T, object runtime.Object) string {
	t.Helper()
	named, ok := object.(interface{ GetName() string })
	if !ok {
		t.Fatalf("%T has no name", object)
	}
	return object.GetObjectKind().GroupVersionKind().Kind + " " + named.GetName()
}

// TestRBACSaysWhy: each rule has a comment above it, and gives no star.
func TestRBACSaysWhy(t *testing.T) {
	for _, object := range read(t, "rbac") {
		var rules []rbacv1.PolicyRule
		switch o := object.(type) {
		case *rbacv1.ClusterRole:
			rules = o.Rules
		case *rbacv1.Role:
			rules = o.Rules
		}
		for _, rule := range rules {
			if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs), "*") {
				t.Errorf("%s: a rule with a star: %v", name(t, object), rule)
			}
		}
	}
	files, err := filepath.Glob("rbac/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(content), "\n")
		for i, line := range lines {
			if !strings.HasPrefix(line, "  - apiGroups:") {
				continue
			}
			if !strings.HasPrefix(lines[i-1], "  #") {
				t.Errorf("%s:%d: the rule does not say why", file, i+1)
			}
			n++
		}
	}
	if n == 0 {
		t.Error("there are no rules")
	}
}

// TestWebhookListsAgree: what the strict webhook leaves out is what the other one takes, Fail on both. The
// one about engines' objects in open namespaces fails open.
func TestWebhookListsAgree(t *testing.T) {
	config := of[*admissionregistrationv1.ValidatingWebhookConfiguration](read(t, "webhook"))[0]
	strict, self := config.Webhooks[0], config.Webhooks[1]
	out, in := strict.NamespaceSelector.MatchExpressions[0], self.NamespaceSelector.MatchExpressions[0]
	if diff := cmp.Diff(out.Values, in.Values); diff != "" || out.Operator != "NotIn" || in.Operator != "In" {
		t.Errorf("the lists of namespaces differ (-strict +self):\n%s", diff)
	}
	system := config.Webhooks[2].NamespaceSelector.MatchExpressions[0]
	if diff := cmp.Diff(out.Values[:len(out.Values)-1], system.Values); diff != "" || system.Operator != "In" {
		t.Errorf("engines are judged elsewhere than in what is not open (-strict +system):\n%s", diff)
	}
	for _, hook := range config.Webhooks {
		policy, seconds := admissionregistrationv1.Fail, int32(5)
		if hook.Name == "engines.fairway.dev" {
			policy, seconds = admissionregistrationv1.Ignore, 2
		}
		if *hook.FailurePolicy != policy || *hook.TimeoutSeconds != seconds ||
			*hook.SideEffects != admissionregistrationv1.SideEffectClassNoneOnDryRun || *hook.MatchPolicy != admissionregistrationv1.Equivalent {
			t.Errorf("%s: %v %v %v %v", hook.Name, *hook.FailurePolicy, *hook.TimeoutSeconds, *hook.SideEffects, *hook.MatchPolicy)
		}
		if hook.NamespaceSelector.MatchExpressions[0].Key != corev1.LabelMetadataName {
			t.Errorf("%s selects namespaces by a label that can be changed", hook.Name)
		}
	}
}

// TestCompiledConditionsAreTheTested: the conditions of the configuration that Fairway keeps are those of
// the template, which a real API server has been asked with every shape of request (T-45), and two that
// use nothing but the resource, which is always there.
func TestCompiledConditionsAreTheTested(t *testing.T) {
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	tested := map[string]string{
		"no-own-kinds":  `request.resource.group != "fairway.dev"`,
		"no-namespaces": `!(request.resource.group == "" && request.resource.resource == "namespaces")`,
	}
	for _, hook := range of[*admissionregistrationv1.ValidatingWebhookConfiguration](read(t, "webhook"))[0].Webhooks {
		for _, c := range hook.MatchConditions {
			tested[c.Name] = plain(c.Expression)
		}
	}
	world := &tier.World{Install: tier.Install{Engines: []string{"system:serviceaccount:flux-system:kustomize-controller"}}}
	kept := controller.Configure(world, controller.Hooks{Name: "fairway", System: []string{"kube-system"}}, nil)
	for _, hook := range kept.Webhooks {
		for _, c := range hook.MatchConditions {
			if diff := cmp.Diff(tested[c.Name], plain(c.Expression)); diff != "" {
				t.Errorf("%s, %s (-tested +kept):\n%s", hook.Name, c.Name, diff)
			}
		}
	}
}
