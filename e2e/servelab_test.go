package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// binary is Fairway itself, built once for this test binary.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairway-binary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fairway")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/fairway").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building fairway: %w\n%s", err, out)
	}
	return path, nil
})

// fairwayUser is who `fairway serve` is to the API server: a user with the shipped RBAC and nothing else.
const fairwayUser = "system:serviceaccount:fairway-system:fairway"

// serveLab is a real cluster, with controllers, that the real program guards by the shipped webhook
// configuration, and a signed repository beside it. Everybody in it but Fairway has all rights that RBAC
// can give: what is refused is refused by Fairway.
type serveLab struct {
	t       *testing.T
	cluster *controlplane.Cluster
	shop    *story.Shop
	mapper  meta.RESTMapper
	typed   kubernetes.Interface // administrator's
	program *controlplane.Program
	pair    controlplane.ServingPair
	listen  string
	dir     string
	managed bool // Fairway keeps the webhook configuration itself
	// baseline is the first commit of the repository.
	baseline string
	more     []string // arguments of the program
}

func newServeLab(t *testing.T) *serveLab {
	t.Helper()
	return newServeLabBy(t, (*serveLab).serve)
}

// newServeLabBy is the lab with Fairway started in some other way.
func newServeLabBy(t *testing.T, start func(*serveLab)) *serveLab {
	t.Helper()
	return newServeLabOn(t, controlplane.Options{ControllerManager: true}, start)
}

// newServeLabOn is the lab on another control plane, for example one without controllers.
func newServeLabOn(t *testing.T, options controlplane.Options, start func(*serveLab)) *serveLab {
	t.Helper()
	l := &serveLab{t: t, dir: t.TempDir()}
	var err error
	if l.cluster, err = controlplane.Start(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && l.program != nil {
			t.Logf("fairway said:\n%s", l.program.Log())
		}
		if err := l.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if l.typed, err = kubernetes.NewForConfig(l.cluster.Config); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(l.dir, "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	if l.shop, err = story.NewShop(t.Context(), filepath.Join(l.dir, "shop")); err != nil {
		t.Fatal(err)
	}
	l.baseline = l.tip()
	client := installCRDs(t, l.cluster)
	l.create(client, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "fairway-system"},
	}})
	for _, object := range manifests(t, "../config/rbac") {
		l.create(client, &object)
	}
	http, err := rest.HTTPClientFor(l.cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	if l.mapper, err = apiutil.NewDynamicRESTMapper(l.cluster.Config, http); err != nil {
		t.Fatal(err)
	}
	l.prepare()
	start(l)
	if !l.managed {
		l.guard()
	}
	for _, file := range []string{"tiers.yaml", "teams.yaml", "repository.yaml", "namespaces.yaml", "bindings.yaml"} {
		l.world(file)
	}
	return l
}

func (l *serveLab) create(client dynamic.Interface, object *unstructured.Unstructured) {
	l.t.Helper()
	if _, err := clientFor(client, *object).Create(l.t.Context(), object, strict); err != nil {
		l.t.Fatalf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// chapter tells one chapter of a story as a subtest, and goes on with the program that it leaves running.
func (l *serveLab) chapter(t *testing.T, name string, tell func(*serveLab)) bool {
	return t.Run(name, func(t *testing.T) {
		here := *l
		here.t = t
		defer func() { l.program = here.program }()
		tell(&here)
	})
}

// prepare writes what the program is started with.
func (l *serveLab) prepare() {
	l.t.Helper()
	var err error
	if l.pair, err = l.cluster.ServingPair(); err != nil {
		l.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": l.pair.Certificate, "tls.key": l.pair.Key} {
		if err := os.WriteFile(filepath.Join(l.dir, name), content, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	config, err := l.cluster.ConfigFor(fairwayUser)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := controlplane.WriteKubeconfig(filepath.Join(l.dir, "kubeconfig"), config); err != nil {
		l.t.Fatal(err)
	}
	// The address stands in the webhook configuration, so it must outlive a restart.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.listen = listener.Addr().String()
	if err := listener.Close(); err != nil {
		l.t.Fatal(err)
	}
}

// args are the program's.
func (l *serveLab) args() []string {
	return append([]string{
		"serve", "--verbose",
		"--kubeconfig", filepath.Join(l.dir, "kubeconfig"), "--listen", l.listen, "--tls-dir", l.dir,
		"--state-dir", filepath.Join(l.dir, "state"), "--interval", "2s", "--audit-interval", "20s",
		"--seal-repository", l.shop.Repo.URL(), "--seal-key", l.shop.People["paula"].Fingerprint(),
	}, l.more...)
}

// serve starts the program and returns when it is ready.
func (l *serveLab) serve() {
	l.t.Helper()
	path, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	l.program, err = l.cluster.Run(path, l.args()...)
	if err != nil {
		l.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.pair.CA)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	err = l.program.Await(l.t.Context(), func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.listen+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// guard installs the shipped webhook configuration, changed only in where it points and in the names of
// the open namespaces, and returns when the API server calls it.
func (l *serveLab) guard() {
	l.t.Helper()
	template := manifests(l.t, "../config/webhook")[0]
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template.Object, &config, true); err != nil {
		l.t.Fatal(err)
	}
	url := "https://" + l.listen + "/validate"
	for i := range config.Webhooks {
		hook := &config.Webhooks[i]
		hook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: l.pair.CA}
		if values := hook.NamespaceSelector.MatchExpressions[0].Values; values[len(values)-1] == "shop-dev" {
			values[len(values)-1] = "play"
		}
	}
	if _, err := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(l.t.Context(), &config, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	// A proof that somebody forges is refused from the first moment on.
	forged := base(l.t, "ProvenCommit", "default", "", "")
	l.until("the API server asks the webhook", func(context.Context) error {
		_, err := l.as("probe").Resource(fairwayResource("ProvenCommit")).Namespace("default").
			Create(l.t.Context(), forged, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("it does not yet")
		}
		return nil
	})
}

// world applies a file of the story's world as an administrator, without what only files can say.
func (l *serveLab) world(file string) {
	l.t.Helper()
	content, err := os.ReadFile(l.shop.World(file))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, text := range strings.Split(string(content), "---\n") {
		object := manifest(l.t, text)
		unstructured.RemoveNestedField(object.Object, "metadata", "uid")
		l.admitted(l.apply("admin", "admin", object))
	}
}

func manifest(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// as is a client of a user who may do anything that RBAC can allow.
func (l *serveLab) as(user string) dynamic.Interface {
	l.t.Helper()
	client, err := dynamic.NewForConfig(l.config(user))
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}

func (l *serveLab) config(user string) *rest.Config {
	l.t.Helper()
	config, err := l.cluster.ConfigFor(user, "system:masters")
	if err != nil {
		l.t.Fatal(err)
	}
	return config
}

// on is a user's client for objects of the same kind and place as one.
func (l *serveLab) on(user string, object *unstructured.Unstructured) dynamic.ResourceInterface {
	l.t.Helper()
	gvk := object.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		l.t.Fatal(err)
	}
	resource := l.as(user).Resource(mapping.Resource)
	if object.GetNamespace() == "" {
		return resource
	}
	return resource.Namespace(object.GetNamespace())
}

// apply applies an object on the server side.
func (l *serveLab) apply(user, manager string, object *unstructured.Unstructured) error {
	l.t.Helper()
	_, err := l.on(user, object).Apply(l.t.Context(), object.GetName(), object, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// stamped is a manifest that says where it comes from, as a pipeline delivers it.
func (l *serveLab) stamped(text, commit, source string) *unstructured.Unstructured {
	l.t.Helper()
	object := manifest(l.t, text)
	notes := object.GetAnnotations()
	if notes == nil {
		notes = map[string]string{}
	}
	notes["fairway.dev/repository"], notes["fairway.dev/commit"], notes["fairway.dev/source"] = "apps", commit, source
	object.SetAnnotations(notes)
	return object
}

// deliver applies a manifest of a commit to the shop, as its pipeline does.
func (l *serveLab) deliver(text, commit string) error {
	l.t.Helper()
	return l.apply("deployer", "deployer", l.stamped(text, commit, "shop"))
}

func (l *serveLab) admitted(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("refused, want admitted: %v", err)
	}
}

// refused holds that Fairway, and nobody else, refused for a reason.
func (l *serveLab) refused(err error, reason string) {
	l.t.Helper()
	var status apierrors.APIStatus
	switch {
	case err == nil:
		l.t.Errorf("admitted, want refused for %q", reason)
	case !errors.As(err, &status) || !strings.Contains(err.Error(), "fairway.dev") || !strings.Contains(err.Error(), reason):
		l.t.Errorf("refused by %v, want by Fairway for %q", err, reason)
	}
}

// patience is how long a test waits for what must come: on a busy machine much comes late.
const patience = 2 * time.Minute

// until awaits that a question is answered without an error.
func (l *serveLab) until(what string, question func(context.Context) error) {
	l.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(l.t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := question(ctx)
		if last == nil || ctx.Err() == nil { // that the time is over says nothing of why
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		l.t.Fatalf("%s: %v (last: %v)", what, err, last)
	}
}

// approve has people approve a change by the program itself.
func (l *serveLab) approve(head string, people ...string) {
	l.t.Helper()
	if err := l.shop.Fetch(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	for _, who := range people {
		l.fairway("approve", head, "-C", l.shop.Clone(), "--repository", l.shop.Repo.URL(), "--key", l.shop.Key(who), "--as", who)
	}
}

// fairway runs a command of the program and returns what it printed.
func (l *serveLab) fairway(args ...string) string {
	l.t.Helper()
	path, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.CommandContext(l.t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		l.t.Fatalf("fairway %s: %v\n%s", args[0], err, exit.Stderr)
	} else if err != nil {
		l.t.Fatal(err)
	}
	return string(out)
}

// land merges a change into main, with its approvals, and returns the merge when it is proven.
func (l *serveLab) land(message string, files map[string]string) string {
	l.t.Helper()
	merge, head, err := l.shop.Land(l.t.Context(), "sara", message, files)
	if err != nil {
		l.t.Fatal(err)
	}
	l.approve(head, "sam", "paula")
	return merge
}

// binding is the shop's binding as it stands.
func (l *serveLab) binding(ctx context.Context, namespace, name string) (*v1alpha1.TierBinding, error) {
	object, err := l.as("admin").Resource(fairwayResource("TierBinding")).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var b v1alpha1.TierBinding
	return &b, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &b)
}

// judged awaits that the status of a binding's first source shows a verdict on a commit.
func (l *serveLab) judged(namespace, name, commit string, want v1alpha1.JudgedVerdict) v1alpha1.SourceStatus {
	l.t.Helper()
	var found v1alpha1.SourceStatus
	l.until(fmt.Sprintf("the verdict %s on %.12s", want, commit), func(ctx context.Context) error {
		b, err := l.binding(ctx, namespace, name)
		if err != nil {
			return err
		}
		if len(b.Status.Sources) == 0 {
			return errors.New("no source in the status")
		}
		if found = b.Status.Sources[0]; found.Commit != commit || found.Verdict != want {
			return fmt.Errorf("the status is %+v", found)
		}
		return nil
	})
	return found
}

// uid is the UID of a namespace.
func (l *serveLab) uid(namespace string) string {
	l.t.Helper()
	ns, err := l.typed.CoreV1().Namespaces().Get(l.t.Context(), namespace, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return string(ns.UID)
}

// pods are the names of the shop's pods.
func (l *serveLab) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := l.typed.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// tip is the commit of main.
func (l *serveLab) tip() string {
	l.t.Helper()
	tip, err := l.shop.Tip(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return tip
}

// typedAs is a typed client of a user who may do anything that RBAC can allow.
func (l *serveLab) typedAs(user string) kubernetes.Interface {
	l.t.Helper()
	client, err := kubernetes.NewForConfig(l.config(user))
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}

func (l *serveLab) createPod(user string, pod *corev1.Pod) error {
	l.t.Helper()
	_, err := l.typedAs(user).CoreV1().Pods(pod.Namespace).Create(l.t.Context(), pod, metav1.CreateOptions{})
	return err
}

// unguard removes the webhook configuration, as somebody with all rights can, and returns when the API
// server asks nobody any more.
func (l *serveLab) unguard() {
	l.t.Helper()
	ctx := l.t.Context()
	if err := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, "fairway", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}
	l.until("the API server asks nobody", func(ctx context.Context) error {
		_, err := l.typedAs("probe").CoreV1().ConfigMaps("shop").Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

// enforcing awaits the condition Enforcing of the shop.
func (l *serveLab) enforcing(status metav1.ConditionStatus, reason, message string) {
	l.t.Helper()
	l.until("Enforcing is "+string(status), func(ctx context.Context) error {
		b, err := l.binding(ctx, "shop", "tier")
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionEnforcing)
		if c == nil || c.Status != status || c.Reason != reason || !strings.Contains(c.Message, message) {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// clusterBinding is the binding of what is outside of namespaces, which seals the install; other
// namespaces get the default tier.
func clusterBinding(defaultTier string) string {
	return fmt.Sprintf(`apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [platform]
  sources:
  - {name: fleet, repository: apps, branch: main, path: clusters/main, render: Plain, fieldManager: deployer}
  install: {defaultTier: %s, proverUsers: [%q]}
`, defaultTier, fairwayUser)
}

// seal puts the cluster binding in force, so that the objects of the cluster are judged by their content.
func (l *serveLab) seal() {
	l.t.Helper()
	binding := manifest(l.t, clusterBinding("sandbox"))
	// It is refused until Fairway has seen the repository and the keys that it seals to.
	l.until("the install is sealed", func(context.Context) error { return l.apply("admin", "admin", binding) })
}
