package controlplane

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestCluster starts everything, uses it as a user would and looks for what Stop leaves behind.
func TestCluster(t *testing.T) {
	c, err := Start(t.Context(), Options{ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	dir, sockets := c.Dir, c.etcdSockets
	t.Cleanup(func() {
		if err := c.Stop(); err != nil { // a second Stop is harmless
			t.Error(err)
		}
	})
	namespace := c.Namespace(t, map[string]string{"kept": "yes"})

	t.Run("ApplyServerSide", func(t *testing.T) { applyServerSide(t, c, namespace) })
	t.Run("OtherUsersAreReal", func(t *testing.T) { otherUsers(t, c, namespace) })
	t.Run("Kubeconfig", func(t *testing.T) { kubeconfig(t, c) })
	t.Run("ControllersAct", func(t *testing.T) { controllersAct(t, c, namespace) })
	t.Run("APIServerRestarts", func(t *testing.T) { apiServerRestarts(t, c, namespace) })

	processes := c.processes
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(processes) != 3 {
		t.Errorf("%d processes were started, want 3", len(processes))
	}
	for _, p := range processes {
		if err := syscall.Kill(-p.pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the group of %s still lives (%v)", p.name, err)
		}
	}
	for _, path := range []string{dir, sockets} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s still stands (%v)", path, err)
		}
	}
}

func applyServerSide(t *testing.T, c *Cluster, namespace string) {
	client := clientset(t, c.Config)
	object := applycorev1.ConfigMap("settings", namespace).WithData(map[string]string{"colour": "blue"})
	_, err := client.CoreV1().ConfigMaps(namespace).Apply(t.Context(), object, metav1.ApplyOptions{FieldManager: "test"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ManagedFields) != 1 {
		t.Fatalf("managed by %d entries, want 1", len(got.ManagedFields))
	}
	entry := got.ManagedFields[0]
	if diff := cmp.Diff(metav1.ManagedFieldsOperationApply, entry.Operation); diff != "" || entry.Manager != "test" {
		t.Errorf("applied by %q; operation (-want +got):\n%s", entry.Manager, diff)
	}
}

func otherUsers(t *testing.T, c *Cluster, namespace string) {
	config, err := c.ConfigFor("mallory", "outsiders", "testers")
	if err != nil {
		t.Fatal(err)
	}
	client := clientset(t, config)
	_, err = client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `"mallory"`) {
		t.Errorf("a user without rights got %v, want forbidden with her name", err)
	}
	anonymous := rest.AnonymousClientConfig(c.Config)
	_, err = clientset(t, anonymous).CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("nobody got %v, want forbidden", err)
	}
}

func kubeconfig(t *testing.T, c *Cluster) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := c.Kubeconfig(path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientset(t, config).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("the administrator by kubeconfig: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the kubeconfig's mode is %o, want 600", got)
	}
}

// controllersAct awaits the work of a controller in a namespace made after the start, under the
// controller's own name.
func controllersAct(t *testing.T, c *Cluster, namespace string) {
	client := clientset(t, c.Config)
	watch, err := client.CoreV1().ServiceAccounts(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	event := <-watch.ResultChan() // closed with the test's context, so a missing account fails below
	account, ok := event.Object.(*corev1.ServiceAccount)
	if !ok || account.Name != "default" {
		t.Fatalf("the first service account seen is %v", event.Object)
	}
}

// TestStartRefused holds that a process which ends at once fails the start with its reason, and that
// nothing stays.
func TestStartRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Dir: dir, ExtraAPIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Fatalf("got %v, want an error that names the flag", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kube-apiserver.log")); err != nil {
		t.Errorf("the log of a folder that was given must stay: %v", err)
	}
}

func TestPrefix(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"TestRuling17Delete", "testruling17delete-"},
		{"TestT07/Delete_Collection", "testt07-delete-collection-"},
		{strings.Repeat("x", 49) + "/y", strings.Repeat("x", 49) + "-"},
		{strings.Repeat("x", 80), strings.Repeat("x", 50) + "-"},
	} {
		if diff := cmp.Diff(tc.want, prefix(tc.name)); diff != "" {
			t.Errorf("prefix of %s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func clientset(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// apiServerRestarts ends the API server in both ways and starts it again: nobody answers meanwhile, and
// what was written before is there afterwards.
func apiServerRestarts(t *testing.T, c *Cluster, namespace string) {
	client := clientset(t, c.Config)
	for _, end := range []func() error{c.StopAPIServer, c.KillAPIServer} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := client.RESTClient().Get().AbsPath("/livez").Do(t.Context()).Error(); err == nil {
			t.Error("an API server that ended still answers")
		}
		if err := c.StartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "settings", metav1.GetOptions{}); err != nil {
			t.Errorf("what was written before: %v", err)
		}
	}
}
