package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// moreSource is one more source of the shop, which the Application "more" delivers.
const moreSource = `  - {name: more, repository: apps, branch: main, path: shop/more, render: Plain, via: {argoCD: {application: argocd/more, tracking: %[1]s}}}
`

// moreNote is what it renders.
const moreNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: more, namespace: shop}
data: {a: b}
`

// moreSet makes that Application; filled in is the URL of the repository.
const moreSet = `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: fleet, namespace: argocd}
spec:
  goTemplate: true
  generators: [{list: {elements: [{app: more}]}}]
  template:
    metadata: {name: "{{.app}}"}
    spec:
      project: default
      source: {repoURL: %q, path: "shop/{{.app}}", targetRevision: main}
      destination: {server: "https://kubernetes.default.svc", namespace: shop}
      syncPolicy:
        automated: {prune: true, selfHeal: true}
        syncOptions: [ServerSideApply=true]
        retry: {limit: 1}
`

// aside runs another program of Argo CD's as a user of its own.
func (l *argoLab) aside(user, program string, args ...string) {
	l.t.Helper()
	kubeconfig := filepath.Join(l.dir, program+".kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, l.config(user)); err != nil {
		l.t.Fatal(err)
	}
	binary, err := controlplane.Built(l.t.Context(), "argocd")
	if err != nil {
		l.t.Fatal(err)
	}
	running, err := l.cluster.RunWith([]string{"HOME=" + l.dir, "TMPDIR=" + l.dir, "KUBECONFIG=" + kubeconfig, "ARGOCD_FAKE_IN_CLUSTER=true"},
		filepath.Join(binary, "argocd"), append([]string{program, "--kubeconfig", kubeconfig, "--namespace", "argocd"}, args...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	t := l.t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("argocd %s said:\n%s", program, running.Log())
		}
	})
}

// console is the API of argocd-server, which its pages and its command speak to.
type console struct {
	*argoLab
	url string
}

// startConsole runs argocd-server, and returns when it answers.
func (l *argoLab) startConsole() console {
	l.t.Helper()
	address := l.git.freeAddress()
	_, port, _ := strings.Cut(address, ":")
	_, metrics, _ := strings.Cut(l.git.freeAddress(), ":")
	l.aside(consoleUser, "server", "--insecure", "--disable-auth", "--address", "127.0.0.1", "--port", port,
		"--metrics-address", "127.0.0.1", "--metrics-port", metrics,
		"--redis", l.redis, "--redis-compress", "none", "--repo-server", l.repositories, "--repo-server-plaintext")
	c := console{l, "http://" + address + "/api/v1/applications/"}
	l.until("argocd-server answers", func(context.Context) error {
		_, err := c.ask(http.MethodGet, "shop", nil)
		return err
	})
	return c
}

// ask sends one call, and returns what was answered.
func (c console) ask(method, path string, body any) (string, error) {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, said)
	}
	return string(said), err
}

// refuses holds that Fairway refused what the console did on a person's word.
func (c console) refuses(what string, err error) {
	c.t.Helper()
	if err == nil || !strings.Contains(err.Error(), "fairway.dev") {
		c.t.Errorf("%s: %v, want that Fairway refuses it", what, err)
	}
}

// pressed: in a sealed install people start a sync in the console, of one source or of several, and change
// nothing there.
func (l *argoLab) pressed() {
	c := l.startConsole()
	for _, app := range []string{"shop", "more"} {
		c.syncs(app)
	}
	resource := func(kind, name string) string {
		return "shop/resource?namespace=shop&resourceName=" + name + "&version=v1&group=apps&kind=" + kind
	}
	_, err := c.ask(http.MethodPost, resource("Deployment", "web")+"&patchType=application/merge-patch%2Bjson", `{"spec":{"replicas":9}}`)
	c.refuses("an edit", err)
	_, err = c.ask(http.MethodDelete, resource("Deployment", "web"), nil)
	c.refuses("a deletion", err)
	_, err = c.ask(http.MethodPatch, "shop", map[string]string{"name": "shop", "patchType": "merge", "patch": `{"spec":{"destination":{"namespace":"play"}}}`})
	c.refuses("an edit of the Application", err)
	_, err = c.ask(http.MethodDelete, "shop?cascade=true", nil)
	c.refuses("a deletion of the Application", err)
}

// syncs presses Sync on an Application until no other sync is in the way, and waits for its end.
func (c console) syncs(app string) {
	c.t.Helper()
	c.until("a sync of "+app+" was started", func(context.Context) error {
		_, err := c.ask(http.MethodPost, app+"/sync", map[string]any{
			"revision": "", "prune": true, "dryRun": false, "strategy": map[string]any{"hook": map[string]any{"force": false}},
			"resources": nil, "syncOptions": map[string]any{"items": []string{"ServerSideApply=true"}},
			"infos": []map[string]string{{"name": "why", "value": "pressed"}},
		})
		return err
	})
	c.until("that sync of "+app+" is over", func(context.Context) error {
		said, err := c.ask(http.MethodGet, app, nil)
		if err != nil {
			return err
		}
		var s argoState
		if err := json.Unmarshal([]byte(said), &s); err != nil {
			return err
		}
		if s.Status.Operation.Phase != "Succeeded" || !strings.Contains(said, "pressed") {
			return fmt.Errorf("it says %+v", s)
		}
		return nil
	})
}

// sets: a set that came from Git makes its Application, which delivers; the same set by hand makes none.
func (l *argoLab) sets() {
	l.aside(setController, "applicationset-controller", "--metrics-addr", l.git.freeAddress(), "--probe-addr", l.git.freeAddress(),
		"--webhook-addr", l.git.freeAddress(), "--argocd-repo-server", l.repositories, "--repo-server-plaintext")
	text := fmt.Sprintf(moreSet, l.git.git.URL+"/apps.git")
	l.refused(l.apply("sara", "sara", manifest(l.t, text)), "no proof speaks of")
	merge := l.land("More by a set\n\nTicket: SHOP-69", map[string]string{"clusters/main/set.yaml": text})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.admitted(l.apply("deployer", "deployer", l.stamped(text, merge, "fleet")))
	l.until("what the set's Application delivers is there", func(ctx context.Context) error {
		_, err := l.on("admin", manifest(l.t, moreNote)).Get(ctx, "more", metav1.GetOptions{})
		return err
	})
	l.until("the set says that it is up to date", func(ctx context.Context) error {
		set, err := l.on("admin", manifest(l.t, text)).Get(ctx, "fleet", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return conditionIs(set, "ResourcesUpToDate", "True")
	})
}
