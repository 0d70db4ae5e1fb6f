package charts_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// foreign are the kinds of others, whose types are not at hand.
var foreign = []string{"cert-manager.io/v1", "monitoring.coreos.com/v1"}

// TestStrict: every object of every case is what its kind's type says, without a field too many; and every
// pod asks for no more than the restricted Pod Security Standard gives, with a root that cannot be written to.
func TestStrict(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	version, pods := regexp.MustCompile(`(?m)^apiVersion: (\S+)$`), 0
	for name, set := range cases {
		for _, text := range documents(t, set) {
			of := version.FindStringSubmatch(text)
			if of == nil || slices.Contains(foreign, of[1]) {
				continue
			}
			object, kind, err := decoder.Decode([]byte(text), nil, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
				continue
			}
			if spec := podOf(object); spec != nil {
				pods++
				for _, broken := range unrestricted(spec) {
					t.Errorf("%s: %s: %s", name, kind.Kind, broken)
				}
			}
		}
	}
	if pods < 4*len(cases)-2 {
		t.Errorf("%d pods were looked at in %d cases", pods, len(cases))
	}
}

// documents are the manifests that the chart renders to with some values.
func documents(t *testing.T, set []string) []string {
	t.Helper()
	args := []string{"template", "fairway", "fairway", "--namespace", "guard"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	out, err := run(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split("\n"+out, "\n---\n")
}

// unrestricted is what of a pod the restricted standard or the chart's own would refuse.
func unrestricted(spec *corev1.PodSpec) []string {
	var found []string
	say := func(is bool, what string) {
		if is {
			found = append(found, what)
		}
	}
	pod := spec.SecurityContext
	say(pod == nil || pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot, "it may run as root")
	say(pod == nil || pod.SeccompProfile == nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
	say(spec.HostNetwork || spec.HostPID || spec.HostIPC, "it shares the node's namespaces")
	for _, v := range spec.Volumes {
		say(v.HostPath != nil, "it mounts the node")
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		say(s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, "it may gain privileges")
		say(s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem, "its root can be written to")
		say(s == nil || s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL"), "it keeps capabilities")
		say(c.Resources.Limits.Memory().IsZero(), "its memory has no limit")
		say(!c.Resources.Limits.Cpu().IsZero(), "its CPU has a limit")
	}
	return found
}

// podOf is the pod that an object makes; nil: none.
func podOf(object runtime.Object) *corev1.PodSpec {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template.Spec
	case *batchv1.Job:
		return &o.Spec.Template.Spec
	case *corev1.Pod:
		return &o.Spec
	}
	return nil
}
