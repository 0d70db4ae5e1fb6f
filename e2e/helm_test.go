package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// shopChart is a chart with what charts have: values over values, a hook before each install and upgrade,
// and a subchart.
func shopChart() map[string]string {
	return map[string]string{
		"charts/shop/Chart.yaml":  "apiVersion: v2\nname: storefront\nversion: 1.0.0\ndependencies: [{name: cache, version: 0.1.0}]\n",
		"charts/shop/values.yaml": "replicas: 1\nimage: registry.example.com/web:1.0\ntext: winter sale\n",
		"charts/shop/templates/_helpers.tpl": `{{ define "shop.labels" }}{app: {{ .Release.Name }}, chart: {{ .Chart.Name }}}{{ end }}
{{ define "shop.secret" }}{{ lookup "v1" "Secret" "shop" "x" }}{{ end }}
`,
		"charts/shop/templates/web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{ include "shop.labels" . }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
      - name: web
        image: {{ .Values.image }}
        ports: [{containerPort: 80}]
`,
		"charts/shop/templates/text.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data: {text: {{ tpl .Values.text . | quote }}}
`,
		"charts/shop/templates/migrate.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: "before-hook-creation"}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: {{ .Values.image }}, args: [migrate]}]
`,
		"charts/shop/templates/NOTES.txt":                 "{{ .Release.Name }} is up.\n",
		"charts/shop/charts/cache/Chart.yaml":             "apiVersion: v2\nname: cache\nversion: 0.1.0\n",
		"charts/shop/charts/cache/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: cache}\nspec: {selector: {app: cache}, ports: [{port: 6379}]}\n",
		"envs/production.yaml":                            values(2, "1.0"),
	}
}

func values(replicas int, tag string) string {
	return fmt.Sprintf("replicas: %d\nimage: registry.example.com/web:%s\ntext: \"{{ .Release.Name }} sells %s\"\n", replicas, tag, tag)
}

// helmBinding has the shop delivered by helm.
const helmBinding = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
  - name: shop
    repository: apps
    branch: main
    path: charts/shop
    render: Helm
    helm: {release: shop, valuesFiles: [envs/production.yaml]}
    via: {helm: {users: [deployer]}}
`

// helmLab is a shop that helm delivers, with nodes that let every pod succeed.
type helmLab struct {
	*serveLab
	kubeconfig, home string
}

func newHelmLab(t *testing.T) *helmLab {
	t.Helper()
	l := &helmLab{serveLab: newServeLab(t), home: t.TempDir()}
	l.admitted(l.apply("admin", "admin", manifest(t, helmBinding)))
	l.kubeconfig = filepath.Join(l.home, "kubeconfig")
	if err := controlplane.WriteKubeconfig(l.kubeconfig, l.config("deployer")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var nodes sync.WaitGroup
	nodes.Go(func() { l.runPods(ctx) })
	t.Cleanup(func() { stop(); nodes.Wait() })
	return l
}

// runPods does what kubelets would: each pod of a Job succeeds. The Job's controller does the rest.
func (l *serveLab) runPods(ctx context.Context) {
	watch, err := l.typed.CoreV1().Pods("shop").Watch(ctx, metav1.ListOptions{LabelSelector: "job-name"})
	if err != nil {
		l.t.Errorf("watching pods: %v", err)
		return
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-watch.ResultChan():
			if !open {
				return
			}
			pod, isPod := event.Object.(*corev1.Pod)
			if !isPod || pod.Status.Phase == corev1.PodSucceeded || pod.DeletionTimestamp != nil {
				continue
			}
			pod.Status.Phase = corev1.PodSucceeded
			_, err := l.typed.CoreV1().Pods("shop").UpdateStatus(ctx, pod, metav1.UpdateOptions{})
			if err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				l.t.Errorf("ending a pod: %v", err)
			}
		}
	}
}

// helm runs helm at a commit, as the pipeline does; what it printed is in the error too.
func (l *helmLab) helm(commit string, args ...string) error {
	l.t.Helper()
	program, err := controlplane.Built(l.t.Context(), "helm")
	if err != nil {
		l.t.Fatal(err)
	}
	l.checkout(commit)
	cmd := exec.CommandContext(l.t.Context(), program, append(args, "--namespace", "shop")...)
	cmd.Dir = l.shop.Clone()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.kubeconfig, "HELM_CACHE_HOME="+l.home, "HELM_CONFIG_HOME="+l.home, "HELM_DATA_HOME="+l.home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("helm %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// upgrade delivers a commit.
func (l *helmLab) upgrade(commit string, more ...string) error {
	l.t.Helper()
	args := []string{"upgrade", "--install", "shop", "charts/shop", "-f", "envs/production.yaml", "--server-side=true", "--timeout", "2m"}
	return l.helm(commit, append(args, more...)...)
}

// image is that of the shop's Deployment.
func (l *helmLab) image() string {
	l.t.Helper()
	d, err := l.typed.AppsV1().Deployments("shop").Get(l.t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

// ready lands a change of the chart or its values and awaits that production takes it.
func (l *helmLab) ready(message string, files map[string]string) string {
	l.t.Helper()
	merge := l.land(message, files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	return merge
}

// TestHelm tells the story of a chart in production, with the real helm; its chapters build on each other.
func TestHelm(t *testing.T) {
	l := newHelmLab(t)
	first := l.ready("Sell by chart\n\nTicket: SHOP-30", shopChart())
	var second string
	for _, chapter := range []struct {
		name string
		tell func(*helmLab)
	}{
		{"a proven chart is installed", func(l *helmLab) { l.installs(first) }},
		{"other values are refused", func(l *helmLab) { l.refusesValues(first) }},
		{"hands are refused", func(l *helmLab) { l.refusesHands(first) }},
		{"records of releases carry nothing else", (*helmLab).guardsRecords},
		{"the next commit is an upgrade", func(l *helmLab) { second = l.upgrades(first) }},
		{"an upgrade that fails is rolled back", func(l *helmLab) { l.rollsBack(second) }},
		{"an uninstall needs Git", (*helmLab).uninstalls},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			server := *l.serveLab
			server.t = t
			chapter.tell(&helmLab{serveLab: &server, kubeconfig: l.kubeconfig, home: l.home})
		}) {
			return // what follows would fail for that alone
		}
	}
}

func (l *helmLab) installs(first string) {
	l.admitted(l.upgrade(first))
	d, err := l.typed.AppsV1().Deployments("shop").Get(l.t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if d.Labels["app.kubernetes.io/managed-by"] != "Helm" || *d.Spec.Replicas != 2 || l.image() != "registry.example.com/web:1.0" {
		l.t.Errorf("the Deployment has labels %v, %d replicas, image %s", d.Labels, *d.Spec.Replicas, l.image())
	}
	if _, err := l.typed.CoreV1().Services("shop").Get(l.t.Context(), "cache", metav1.GetOptions{}); err != nil {
		l.t.Error(err)
	}
	record, err := l.typed.CoreV1().Secrets("shop").Get(l.t.Context(), "sh.helm.release.v1.shop.v1", metav1.GetOptions{})
	if err != nil || record.Labels["status"] != "deployed" {
		l.t.Errorf("the record of the release says %q: %v", record.Labels["status"], err)
	}
	job, err := l.typed.BatchV1().Jobs("shop").Get(l.t.Context(), "migrate", metav1.GetOptions{})
	if err != nil || job.Status.Succeeded != 1 {
		l.t.Errorf("the hook succeeded %d times: %v", job.Status.Succeeded, err)
	}
	// The same again changes nothing, but runs the hook: helm removes it, and makes it anew.
	l.admitted(l.upgrade(first))
	again, err := l.typed.BatchV1().Jobs("shop").Get(l.t.Context(), "migrate", metav1.GetOptions{})
	if err != nil || again.UID == job.UID {
		l.t.Errorf("the hook was not run again: %v", err)
	}
}

func (l *helmLab) refusesValues(first string) {
	l.says(l.upgrade(first, "--set", "replicas=9", "--no-hooks"), "FW202", "shop")
	l.says(l.upgrade(first, "--set", "image=evil"), "FW202", "migrate") // the hook comes first
	if l.image() != "registry.example.com/web:1.0" {
		l.t.Errorf("the image is %s", l.image())
	}
	// What the commit renders goes through after all that failed.
	l.admitted(l.upgrade(first))
}

func (l *helmLab) refusesHands(first string) {
	d, err := l.typed.AppsV1().Deployments("shop").Get(l.t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	d.Spec.Template.Spec.Containers[0].Image = "evil"
	_, err = l.typedAs("sara").AppsV1().Deployments("shop").Update(l.t.Context(), d, metav1.UpdateOptions{FieldManager: "helm"})
	l.refused(err, "[FW2")
	_, err = l.typedAs("deployer").AppsV1().Deployments("shop").Update(l.t.Context(), d, metav1.UpdateOptions{FieldManager: "helm"})
	l.refused(err, "[FW2")
	// The hook alone may go before Git drops it, by those who run it: it is run, and gone.
	err = l.typedAs("deployer").AppsV1().Deployments("shop").Delete(l.t.Context(), "shop", metav1.DeleteOptions{})
	l.refused(err, "renders it")
	l.refused(l.typedAs("sara").BatchV1().Jobs("shop").Delete(l.t.Context(), "migrate", metav1.DeleteOptions{}), "renders it")
}

func (l *helmLab) guardsRecords() {
	secrets := func(user string) func(*corev1.Secret) error {
		return func(s *corev1.Secret) error {
			_, err := l.typedAs(user).CoreV1().Secrets("shop").Create(l.t.Context(), s, metav1.CreateOptions{})
			return err
		}
	}
	record := func() *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name: "sh.helm.release.v1.shop.v99", Labels: map[string]string{"owner": "helm", "name": "shop", "version": "99", "status": "superseded"},
			},
			Type: "helm.sh/release.v1", Data: map[string][]byte{"release": []byte("anything")},
		}
	}
	l.refused(secrets("mallory")(record()), "are kept by")
	more := record()
	more.Data["tls.key"] = []byte("content")
	l.refused(secrets("deployer")(more), "FW201")
	other := record()
	other.Name, other.Labels["name"] = "sh.helm.release.v1.other.v99", "other"
	l.refused(secrets("deployer")(other), "FW201")
	l.admitted(secrets("deployer")(record()))
	// What it holds is nobody's word, and it goes as it came.
	l.admitted(l.typedAs("deployer").CoreV1().Secrets("shop").Delete(l.t.Context(), record().Name, metav1.DeleteOptions{}))
}

func (l *helmLab) upgrades(first string) string {
	second := l.ready("Sell more\n\nTicket: SHOP-31", map[string]string{"envs/production.yaml": values(3, "1.1")})
	l.admitted(l.upgrade(second))
	if l.image() != "registry.example.com/web:1.1" {
		l.t.Errorf("the image is %s", l.image())
	}
	l.says(l.upgrade(first, "--no-hooks"), "going back") // older now, and nobody signed for it
	l.admitted(l.upgrade(second))
	return second
}

func (l *helmLab) rollsBack(second string) {
	revision := l.revision()
	third := l.ready("Sell even more\n\nTicket: SHOP-32", map[string]string{"envs/production.yaml": values(4, "1.2")})
	// Half of the commit arrives, and then something that is not of it: the release fails in the middle.
	l.says(l.upgrade(third, "--set", "image=evil", "--no-hooks"), "FW202")
	if text := l.text(); text != "shop sells 1.2" {
		l.t.Fatalf("the text is %q: nothing of the commit arrived, so there is nothing to go back from", text)
	}
	l.says(l.helm(third, "rollback", "shop", revision, "--no-hooks"), "going back")
	l.fairway("rollback", second, "-C", l.shop.Clone(), "-n", "shop", "--namespace-uid", l.uid("shop"), "--repository", l.shop.Repo.URL(),
		"--path", "charts/shop", "--source", "shop", "--reason", "1.2 failed", "--ticket", "INC-1", "--key", l.shop.Key("sam"), "--as", "sam")
	l.until("helm goes back", func(context.Context) error { return l.helm(third, "rollback", "shop", revision) })
	if text := l.text(); text != "shop sells 1.1" {
		l.t.Errorf("the text is %q", text)
	}
	// Forward again is no roll-back.
	l.admitted(l.upgrade(third))
	if l.image() != "registry.example.com/web:1.2" {
		l.t.Errorf("the image is %s", l.image())
	}
}

// text is what the shop's ConfigMap says.
func (l *helmLab) text() string {
	l.t.Helper()
	m, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), "text", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return m.Data["text"]
}

// revision is that of the release that is deployed.
func (l *helmLab) revision() string {
	l.t.Helper()
	list, err := l.typed.CoreV1().Secrets("shop").List(l.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,status=deployed"})
	if err != nil || len(list.Items) != 1 {
		l.t.Fatalf("%d records are deployed: %v", len(list.Items), err)
	}
	return list.Items[0].Labels["version"]
}

// resumes: after an uninstall that was refused helm takes the release for one that is going, and upgrades it no
// more. A roll-back to the revision that was deployed, which is of the commit that is delivered, ends that.
func (l *helmLab) resumes() {
	list, err := l.typed.CoreV1().Secrets("shop").List(l.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,status=uninstalling"})
	if err != nil || len(list.Items) != 1 {
		l.t.Fatalf("%d releases are going: %v", len(list.Items), err)
	}
	if err := l.upgrade(l.tip()); err == nil || strings.Contains(err.Error(), "fairway.dev") {
		l.t.Errorf("helm upgrades a release that is going: %v", err)
	}
	l.admitted(l.helm(l.tip(), "rollback", "shop", list.Items[0].Labels["version"]))
	l.admitted(l.upgrade(l.tip()))
}

func (l *helmLab) uninstalls() {
	// Without --debug helm keeps the reason to itself.
	l.says(l.helm(l.tip(), "uninstall", "shop", "--no-hooks", "--debug"), "renders it")
	l.resumes()
	gone := map[string]string{}
	for name := range shopChart() {
		if strings.Contains(name, "/templates/") {
			gone[name] = ""
		}
	}
	last := l.ready("Close the shop\n\nTicket: SHOP-33", gone)
	l.admitted(l.helm(last, "uninstall", "shop"))
	l.until("everything to be gone", func(ctx context.Context) error {
		deployments, err := l.typed.AppsV1().Deployments("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		records, err := l.typed.CoreV1().Secrets("shop").List(ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			return err
		}
		if n := len(deployments.Items) + len(records.Items); n > 0 {
			return errors.New(fmt.Sprint(n, " objects are left"))
		}
		// The endpoint-controller removes them, which follow no owner reference.
		endpoints, err := l.kubectl("peter", "", "get", "endpoints", "--namespace", "shop", "--output", "name")
		if err != nil {
			return err
		}
		if endpoints != "" {
			return fmt.Errorf("%s are left", strings.Fields(endpoints))
		}
		return nil
	})
	l.noControllerRefused()
}
