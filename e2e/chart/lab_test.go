// Package chart proves the chart with the real Helm on a real API server: install, test, upgrade from the
// version before and back in a sealed install, failed install and uninstall, with the real cert-manager or with
// built-in rotation. The tests play the kubelet: see the type that stands in for one. A real one runs the chart
// in `make e2e-kubelet`.
package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

func TestMain(m *testing.M) {
	if _, err := controlplane.Binaries(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// own is the namespace of the release. It is not the default's, so that nothing is tied to a name.
const own = "guard"

// built runs a script that builds a program and prints where it is.
func built(script string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		cmd := exec.Command(script)
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", script, err, problems.String())
		}
		return strings.TrimSpace(string(out)), nil
	})
}

var (
	helmBinary        = built("../../hack/helm/build.sh")
	certManagerFolder = built("../../hack/certmanager/build.sh")
	// product is Fairway itself, built once for this test binary.
	product = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "fairway-chart-")
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, "fairway")
		cmd := exec.Command("go", "build", "-o", path, "./cmd/fairway")
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building fairway: %w\n%s", err, out)
		}
		return path, nil
	})
)

// lab is a cluster with a kubelet's stand-in and a balancer before the gates.
type lab struct {
	t        *testing.T
	cluster  *controlplane.Cluster
	typed    kubernetes.Interface
	dynamic  dynamic.Interface
	kubelet  *kubelet
	balancer *controlplane.Balancer
	config   string // kubeconfig of the administrator
	home     string // Helm's
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := startLab(t, own)
	// Every pod of the release must be fit for the strictest standard.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: own, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
	}}}
	if _, err := l.typed.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

// startLab is a lab whose kubelet runs the pods of a namespace.
func startLab(t *testing.T, namespace string) *lab {
	t.Helper()
	program, err := product()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, home: t.TempDir()}
	if l.cluster, err = controlplane.Start(t.Context(), controlplane.Options{ControllerManager: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	l.config = filepath.Join(l.home, "kubeconfig")
	if err := l.cluster.Kubeconfig(l.config); err != nil {
		t.Fatal(err)
	}
	if l.typed, err = kubernetes.NewForConfig(l.cluster.Config); err != nil {
		t.Fatal(err)
	}
	if l.dynamic, err = dynamic.NewForConfig(l.cluster.Config); err != nil {
		t.Fatal(err)
	}
	l.kubelet = startKubelet(t, l.cluster, l.typed, namespace, program)
	if l.balancer, err = controlplane.NewBalancer("127.0.0.1:0", l.kubelet.answers); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.balancer.Close(); err != nil {
			t.Error(err)
		}
	})
	l.follow()
	l.volumes()
	return l
}

// volumes makes volumes for the claims of a few installs: nobody provisions any here.
func (l *lab) volumes() {
	l.t.Helper()
	for i := range 5 {
		volume := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("volume-%d", i)},
			Spec: corev1.PersistentVolumeSpec{
				Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
				AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/none"}},
			},
		}
		if _, err := l.typed.CoreV1().PersistentVolumes().Create(l.t.Context(), volume, metav1.CreateOptions{}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// follow keeps the balancer's backends as the pods are, until the test ends.
func (l *lab) follow() {
	ctx, stop := context.WithCancel(context.WithoutCancel(l.t.Context()))
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			l.balancer.Set(l.kubelet.gates()...)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	l.t.Cleanup(func() { stop(); done.Wait() })
}

// run runs a program against the cluster and returns what it printed.
func (l *lab) run(name string, args ...string) (string, error) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.config, "HELM_CACHE_HOME="+l.home, "HELM_CONFIG_HOME="+l.home, "HELM_DATA_HOME="+l.home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// helm runs Helm.
func (l *lab) helm(args ...string) (string, error) {
	l.t.Helper()
	path, err := helmBinary()
	if err != nil {
		l.t.Fatal(err)
	}
	return l.run(path, append(args, "--namespace", own)...)
}

// chartFolder is the chart.
const chartFolder = "../../charts/fairway"

// install installs the chart, and waits until all its pods are ready.
func (l *lab) install(set ...string) {
	l.t.Helper()
	if out, err := l.helm(l.args("install", set...)...); err != nil {
		l.t.Fatalf("%v", err)
	} else {
		l.t.Log(strings.TrimSpace(out))
	}
}

// args are those of an install or upgrade of the chart as this machine needs it.
func (l *lab) args(verb string, set ...string) []string {
	args := []string{verb, "fairway", chartFolder, "--wait", "--timeout", "3m"}
	for _, s := range append([]string{"webhook.url=https://" + l.balancer.Address(), "prover.auditInterval=10s"}, set...) {
		args = append(args, "--set", s)
	}
	return args
}

// until awaits that a question is answered without an error.
func (l *lab) until(what string, question func(context.Context) error) {
	l.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(l.t.Context(), 50*time.Millisecond, 90*time.Second, true, func(ctx context.Context) (bool, error) {
		last = question(ctx)
		return last == nil, nil
	})
	if err != nil {
		l.t.Fatalf("%s: %v (last: %v)", what, err, last)
	}
}

// of are the resources that the tests ask for.
func of(group, version, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// certManager installs cert-manager's kinds and runs its controller.
func (l *lab) certManager() {
	l.t.Helper()
	folder, err := certManagerFolder()
	if err != nil {
		l.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		l.t.Fatalf("no kinds of cert-manager in %s (%v)", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			l.t.Fatal(err)
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			l.t.Fatal(err)
		}
		crd.SetLabels(nil) // templates of its chart
		if _, err := l.dynamic.Resource(of("apiextensions.k8s.io", "v1", "customresourcedefinitions")).Create(l.t.Context(), crd, metav1.CreateOptions{}); err != nil {
			l.t.Fatal(err)
		}
	}
	metrics, err := freeAddress()
	if err != nil {
		l.t.Fatal(err)
	}
	p, err := l.cluster.Run(filepath.Join(folder, "controller"),
		"--kubeconfig", l.certManagerIdentity(), "--leader-elect=false", "--metrics-listen-address", metrics, "--cluster-resource-namespace", own)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("cert-manager said:\n%s", p.Log())
		}
	})
}

// certManagerIdentity is a kubeconfig of cert-manager's own account, with what it needs and no more: an
// administrator would not see what the policies refuse.
func (l *lab) certManagerIdentity() string {
	l.t.Helper()
	const user = "system:serviceaccount:cert-manager:cert-manager"
	all := []string{"*"}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"cert-manager.io", "acme.cert-manager.io"}, Resources: all, Verbs: all},
		{APIGroups: []string{""}, Resources: []string{"secrets", "events", "configmaps", "pods", "services"}, Verbs: all},
		{APIGroups: []string{"networking.k8s.io", "certificates.k8s.io", "coordination.k8s.io", "authorization.k8s.io"}, Resources: all, Verbs: all},
	}}
	if _, err := l.typed.RbacV1().ClusterRoles().Create(l.t.Context(), role, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cert-manager"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	if _, err := l.typed.RbacV1().ClusterRoleBindings().Create(l.t.Context(), binding, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	config, err := l.cluster.ConfigFor(user)
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.home, "cert-manager")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// enforced holds that the API server asks Fairway, which refuses a forgery.
func (l *lab) enforced() {
	l.t.Helper()
	program, err := product()
	if err != nil {
		l.t.Fatal(err)
	}
	l.until("the API server enforces", func(context.Context) error {
		_, err := l.run(program, "doctor", "--kubeconfig", l.config, "--namespace", own)
		return err
	})
}

// unblocked holds that nothing of Fairway is in anybody's way.
func (l *lab) unblocked() {
	l.t.Helper()
	l.unasked()
	policies, err := l.typed.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, policy := range policies.Items {
		l.t.Errorf("policy binding %s is left behind", policy.Name)
	}
}

// unasked holds that no API server asks a gate about anything.
func (l *lab) unasked() {
	l.t.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "free-"}}
	if _, err := l.typed.CoreV1().ConfigMaps("default").Create(l.t.Context(), config, metav1.CreateOptions{}); err != nil {
		l.t.Errorf("an object of nobody's: %v", err)
	}
	hooks, err := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, hook := range hooks.Items {
		if strings.Contains(hook.Name, "fairway") {
			l.t.Errorf("webhook configuration %s is left behind", hook.Name)
		}
	}
}

// gone awaits that no process of the release is left.
func (l *lab) gone() {
	l.t.Helper()
	l.until("the pods end", func(context.Context) error {
		l.kubelet.mu.Lock()
		defer l.kubelet.mu.Unlock()
		if n := len(l.kubelet.pods); n > 0 {
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
}
