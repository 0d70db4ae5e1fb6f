package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// Who Flux's controllers are to the API server. The install lists them as engines.
const (
	sourceController    = "system:serviceaccount:flux-system:source-controller"
	kustomizeController = "system:serviceaccount:flux-system:kustomize-controller"
)

// fluxLab is a serveLab in which the real controllers of Flux deliver from the shop's repository, which
// a git server on loopback serves. The install is sealed.
type fluxLab struct {
	*serveLab
	git       *httptest.Server
	engines   string // folder of the controllers
	storage   string // folder of the artifacts
	address   string // at which they are fetched
	source    *controlplane.Program
	kustomize *controlplane.Program
	flags     []string // more arguments of kustomize-controller
	registry  string   // address of a registry of artifacts, where there is one
	bucket    *bucket  // likewise
	store     *httptest.Server
}

// fluxWorld is what a fluxLab begins with.
type fluxWorld struct {
	prepare func(*fluxLab) // what nobody delivers; nil: nothing
	fleet   func(*fluxLab) map[string]string
	bind    func(*fluxLab)
	ready   []string // Kustomizations that are to be so before their namespaces are bound
}

// newFluxLab starts everything, has Flux deliver what the repository holds while the tiers are free,
// and then guards what it delivers to.
func newFluxLab(t *testing.T) *fluxLab {
	t.Helper()
	return newFluxLabOf(t, fluxWorld{fleet: (*fluxLab).fleet, bind: (*fluxLab).bind, ready: []string{"flux-system", "shop", "play", "spot"}})
}

func newFluxLabOf(t *testing.T, world fluxWorld) *fluxLab {
	t.Helper()
	l := &fluxLab{serveLab: newServeLab(t)}
	engines, err := controlplane.Built(t.Context(), "flux")
	if err != nil {
		t.Fatal(err)
	}
	l.engines = engines
	l.serveGit()
	l.installFlux()
	// The shop is freed of the story's binding until Flux has taken over what is in it.
	l.admitted(l.on("admin", l.bindingOf("shop", "")).Delete(t.Context(), "tier", metav1.DeleteOptions{}))
	if world.prepare != nil {
		world.prepare(l)
	}
	files := world.fleet(l)
	l.land("Deliver by Flux\n\nTicket: SHOP-2", files)
	l.startFlux()
	for _, object := range l.documents(files[rootPath]) { // as flux bootstrap does
		l.until("the root is applied", func(context.Context) error { return l.apply("admin", "flux", object) })
	}
	for _, name := range world.ready {
		l.ready(name, l.tip())
	}
	world.bind(l)
	return l
}

// serveGit serves the shop's repository over HTTP, as a forge does.
func (l *fluxLab) serveGit() {
	l.t.Helper()
	out, err := exec.CommandContext(l.t.Context(), "git", "--exec-path").Output()
	if err != nil {
		l.t.Fatal(err)
	}
	l.git = httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(l.shop.Repo.Dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	})
	l.t.Cleanup(l.git.Close)
}

// installFlux installs the kinds of Flux, from the modules that the controllers are built from.
func (l *fluxLab) installFlux() {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n")))
	for _, object := range documents(l.t, read(l.t, "../config/engines/flux.yaml")) {
		l.admitted(l.apply("admin", "admin", &object))
	}
	for _, crd := range manifests(l.t, l.engines) {
		l.admitted(l.apply("admin", "admin", &crd))
		l.until(crd.GetName()+" is served", func(ctx context.Context) error {
			live, err := l.on("admin", &crd).Get(ctx, crd.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			return conditionIs(live, "Established", "True")
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// conditionIs is an error until a condition of an object has a value.
func conditionIs(object *unstructured.Unstructured, kind, want string) error {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			if m["status"] == want {
				return nil
			}
			return fmt.Errorf("%s of %s is %v: %v", kind, object.GetName(), m["status"], m["message"])
		}
	}
	return fmt.Errorf("%s has no condition %s", object.GetName(), kind)
}

// startFlux starts both controllers, each as its own user.
func (l *fluxLab) startFlux() {
	l.t.Helper()
	l.storage, l.address = filepath.Join(l.dir, "artifacts"), l.freeAddress()
	l.startSource()
	l.startKustomize()
}

func (l *fluxLab) startSource() {
	l.t.Helper()
	if err := os.MkdirAll(l.storage, 0o700); err != nil {
		l.t.Fatal(err)
	}
	l.source = l.runEngine("source-controller", sourceController, "--storage-path", l.storage, "--storage-addr", l.address, "--storage-adv-addr", l.address)
}

func (l *fluxLab) startKustomize() {
	l.t.Helper()
	l.kustomize = l.runEngine("kustomize-controller", kustomizeController, append([]string{"--no-remote-bases", "--no-cross-namespace-refs"}, l.flags...)...)
}

func (l *fluxLab) runEngine(name, user string, args ...string) *controlplane.Program {
	l.t.Helper()
	kubeconfig := filepath.Join(l.dir, name+".kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, l.config(user)); err != nil {
		l.t.Fatal(err)
	}
	health := l.freeAddress()
	args = append([]string{"--metrics-addr", "127.0.0.1:0", "--health-addr", health, "--enable-leader-election=false", "--log-level", "info"}, args...)
	program, err := l.cluster.RunWith([]string{"KUBECONFIG=" + kubeconfig, "RUNTIME_NAMESPACE=flux-system", "HOME=" + l.dir}, filepath.Join(l.engines, name), args...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("%s said:\n%s", name, program.Log())
		}
	})
	if err := program.Await(l.t.Context(), func(ctx context.Context) error { return answers(ctx, "http://"+health+"/readyz") }); err != nil {
		l.t.Fatal(err)
	}
	return program
}

// answers is an error until a page is served.
func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// freeAddress is one that nobody listens at now.
func (l *fluxLab) freeAddress() string {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (l *fluxLab) documents(text string) []*unstructured.Unstructured {
	l.t.Helper()
	var all []*unstructured.Unstructured
	for _, document := range strings.Split(text, "---\n") {
		all = append(all, manifest(l.t, document))
	}
	return all
}

// bindingOf is a TierBinding with more under its spec.
func (l *fluxLab) bindingOf(namespace, spec string) *unstructured.Unstructured {
	l.t.Helper()
	return manifest(l.t, "apiVersion: fairway.dev/v1alpha1\nkind: TierBinding\nmetadata: {name: tier, namespace: "+namespace+"}\nspec:\n"+spec)
}

// bind guards shop and seals the install: what tells Flux to deliver into shop, and the root that
// delivers that, come by the cluster binding from then on.
func (l *fluxLab) bind() {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", l.bindingOf("shop", `  tier: production
  owners: [shop]
  sources:
  - name: shop
    repository: apps
    branch: main
    path: shop/production
    render: Kustomize
    via: {flux: {kustomization: flux-system/shop, file: `+shopPath+`}}
  - name: spot
    repository: apps
    branch: main
    path: shop/spot
    render: Plain
    via: {flux: {kustomization: flux-system/spot}}
`)))
	l.seal(sourceController, kustomizeController)
	l.judged("shop", "tier", l.tip(), "Allow")
	l.judged("fairway-system", "cluster", l.tip(), "Allow")
}

// seal has the fleet's root come by the cluster binding, which lists the engines.
func (l *fluxLab) seal(engines ...string) {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(`apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [platform]
  sources:
  - name: fleet
    repository: apps
    branch: main
    path: clusters/main
    render: Plain
    via: {flux: {kustomization: flux-system/flux-system}}
  install: {defaultTier: sandbox, engines: ["%s"], proverUsers: [%q]}
`, strings.Join(engines, `", "`), fairwayUser))))
}

// get is an object of a kind, as it lives.
func (l *fluxLab) get(ctx context.Context, text string) (*unstructured.Unstructured, error) {
	object := manifest(l.t, text)
	return l.on("admin", object).Get(ctx, object.GetName(), metav1.GetOptions{})
}

// reference is a manifest of nothing but an object's identity.
func reference(apiVersion, kind, namespace, name string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\n", apiVersion, kind, name, namespace)
}

func (l *fluxLab) kustomizationNow(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	return l.get(ctx, reference("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "flux-system", name))
}

// ready awaits that a Kustomization has applied a commit.
func (l *fluxLab) ready(name, commit string) {
	l.t.Helper()
	l.until(name+" is ready at "+commit, func(ctx context.Context) error {
		k, err := l.kustomizationNow(ctx, name)
		if err != nil {
			return err
		}
		if applied, _, _ := unstructured.NestedString(k.Object, "status", "lastAppliedRevision"); applied != "main@sha1:"+commit {
			return errors.Join(fmt.Errorf("it has applied %q", applied), conditionIs(k, "Ready", "True"))
		}
		return conditionIs(k, "Ready", "True")
	})
}

// stuck awaits that a Kustomization cannot apply a commit, and that its condition says why.
func (l *fluxLab) stuck(name, commit, why string) {
	l.t.Helper()
	l.until(name+" is refused at "+commit, func(ctx context.Context) error {
		k, err := l.kustomizationNow(ctx, name)
		if err != nil {
			return err
		}
		attempted, _, _ := unstructured.NestedString(k.Object, "status", "lastAttemptedRevision")
		told := conditionIs(k, "Ready", "True")
		if attempted != "main@sha1:"+commit || told == nil || !strings.Contains(told.Error(), why) {
			return fmt.Errorf("it has attempted %q: %w", attempted, told)
		}
		return nil
	})
}

// field awaits the value of a field of an object.
func (l *fluxLab) field(text, want string, path ...string) {
	l.t.Helper()
	l.until(strings.Join(path, ".")+" is "+want, func(ctx context.Context) error {
		live, err := l.get(ctx, text)
		if err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedFieldNoCopy(live.Object, path...); fmt.Sprint(got) != want {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

// trigger asks Flux to reconcile a Kustomization, as `flux reconcile` does, and returns when it has tried.
func (l *fluxLab) trigger(user, name string) {
	l.t.Helper()
	at := metav1.Now().Format("2006-01-02T15:04:05.000000000Z07:00")
	k := manifest(l.t, reference("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "flux-system", name))
	_, err := l.on(user, k).Patch(l.t.Context(), name, types.MergePatchType,
		[]byte(fmt.Sprintf(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":%q}}}`, at)), metav1.PatchOptions{FieldManager: "flux"})
	l.admitted(err)
	l.until(name+" was looked at again", func(ctx context.Context) error {
		k, err := l.kustomizationNow(ctx, name)
		if err != nil {
			return err
		}
		if handled, _, _ := unstructured.NestedString(k.Object, "status", "lastHandledReconcileAt"); handled != at {
			return fmt.Errorf("it has handled %q", handled)
		}
		return nil
	})
}

// asked are the lines of Fairway's log about requests, one for each decision.
func (l *fluxLab) asked(parts ...string) []string {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.cluster.Dir, "fairway.log"))
	if err != nil {
		l.t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(raw)) {
		matches := true
		for _, part := range parts {
			matches = matches && strings.Contains(line, part)
		}
		if matches {
			found = append(found, line)
		}
	}
	return found
}
