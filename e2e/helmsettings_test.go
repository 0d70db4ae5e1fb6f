package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// settingsChart is the shop's chart with what the settings of helm are about: a test, a hook that goes when it has
// run, hooks in an order, a definition, and a dependency in an archive as `helm dependency build` leaves it.
func settingsChart(t *testing.T) map[string]string {
	t.Helper()
	hook := func(name, annotations string) string {
		return "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: " + name + "\n  annotations: {" + annotations + "}\nspec:\n" +
			"  template: {spec: {restartPolicy: Never, containers: [{name: a, image: {{ .Values.image }}}]}}\n"
	}
	files := shopChart()
	maps.Copy(files, map[string]string{
		"charts/shop/Chart.yaml": "apiVersion: v2\nname: storefront\nversion: 1.0.0\n" +
			"dependencies: [{name: cache, version: 0.1.0}, {name: queue, version: 0.1.0, repository: \"https://charts.example.com\"}]\n",
		"charts/shop/charts/queue-0.1.0.tgz":     packed(t, "queue/", map[string]string{"Chart.yaml": "apiVersion: v2\nname: queue\nversion: 0.1.0\n", "templates/queue.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: queue}\ndata: {of: {{ .Release.Name }}}\n"}),
		"charts/shop/templates/tests/ping.yaml":  hook("ping", `helm.sh/hook: test, helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"`),
		"charts/shop/templates/hooks/first.yaml": hook("first", `helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5", helm.sh/hook-delete-policy: hook-succeeded`),
		"charts/shop/crds/till.yaml":             tillDefinition,
	})
	return files
}

// tillDefinition is a definition of a kind, which helm applies once, before everything else.
const tillDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tills.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Till, plural: tills, singular: till, listKind: TillList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// packed is an archive of files below a folder.
func packed(t *testing.T, folder string, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{Name: folder + name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestHelmSettings tries the settings of helm that docs/engines/helm.md speaks of, on a release that Helm 3 made
// before anybody enforced anything; its chapters build on each other.
func TestHelmSettings(t *testing.T) {
	l := &helmLab{serveLab: newServeLab(t), home: t.TempDir()}
	l.kubeconfig = filepath.Join(l.home, "kubeconfig")
	if err := controlplane.WriteKubeconfig(l.kubeconfig, l.config("deployer")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.runPods(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for _, chapter := range []struct {
		name string
		tell func(*helmLab)
	}{
		{"a release of Helm 3 is taken over", (*helmLab).migrates},
		{"tests and hooks run, and go", (*helmLab).runsTests},
		{"dry runs and waiting", (*helmLab).rehearses},
		{"settings that bring what Git does not say", (*helmLab).refusesSettings},
		{"settings that change how it is applied", (*helmLab).refusesWays},
		{"going back by itself", (*helmLab).refusesGoingBack},
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

// helm3 runs the newest helm of version 3 that Argo CD ships, on a checkout.
func (l *helmLab) helm3(commit string, args ...string) error {
	l.t.Helper()
	built, err := controlplane.Built(l.t.Context(), "argocd")
	if err != nil {
		l.t.Fatal(err)
	}
	l.checkout(commit)
	cmd := exec.CommandContext(l.t.Context(), filepath.Join(built, "bin", "helm"), append(args, "--namespace", "shop")...)
	cmd.Dir = l.shop.Clone()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+l.kubeconfig, "HELM_CACHE_HOME="+l.home, "HELM_CONFIG_HOME="+l.home, "HELM_DATA_HOME="+l.home)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm 3 %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// migrates: Helm 3 has installed and upgraded the shop, on the client's side. Then the tier enforces. Helm 3 is
// refused; Helm 4 goes on like that until it is told otherwise, and then takes over what Helm 3 set and applies.
func (l *helmLab) migrates() {
	l.admitted(l.on("admin", manifest(l.t, reference("fairway.dev/v1alpha1", "TierBinding", "shop", "tier"))).Delete(l.t.Context(), "tier", metav1.DeleteOptions{}))
	files := settingsChart(l.t)
	files["charts/shop/templates/old.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\ndata: {a: b}\n"
	files["charts/shop/templates/text.yaml"] = strings.Replace(files["charts/shop/templates/text.yaml"], "data: {text", "data: {gone: soon, text", 1)
	first := l.land("Sell by Helm 3\n\nTicket: SHOP-50", files)
	plain := []string{"upgrade", "--install", "shop", "charts/shop", "-f", "envs/production.yaml", "--timeout", "2m"}
	l.until("nothing is guarded", func(context.Context) error { return l.helm3(first, plain...) })
	// Helm removes a hook before it runs it again. What Helm 3 left of one is no apply of any commit, so it goes before.
	l.admitted(l.typed.BatchV1().Jobs("shop").Delete(l.t.Context(), "migrate", metav1.DeleteOptions{}))
	l.admitted(l.apply("admin", "admin", manifest(l.t, helmBinding)))
	files = settingsChart(l.t)
	files["envs/production.yaml"] = values(3, "1.1")
	second := l.ready("Sell by Helm 4\n\nTicket: SHOP-51", files)
	l.says(l.helm3(second, append(plain, "--no-hooks")...), "server-side")
	l.says(l.helm(second, append(plain, "--no-hooks")...), "server-side") // auto
	l.admitted(l.upgrade(second))
	text, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), "text", metav1.GetOptions{})
	if err != nil || text.Data["text"] != "shop sells 1.1" || text.Data["gone"] != "" || l.image() != "registry.example.com/web:1.1" {
		l.t.Errorf("the shop sells %v with %s: %v", text.Data, l.image(), err)
	}
	for _, entry := range text.ManagedFields {
		if entry.Manager == "helm" && entry.Operation == metav1.ManagedFieldsOperationUpdate {
			l.t.Errorf("what Helm 3 set was not taken over: %v", text.ManagedFields)
		}
	}
	queue, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), "queue", metav1.GetOptions{})
	if err != nil || queue.Data["of"] != "shop" {
		l.t.Errorf("the dependency in an archive says %v: %v", queue.Data, err)
	}
	// auto goes by the last release, which was one of the server's side now. What was delivered once may be dropped.
	third := l.ready("Drop the old\n\nTicket: SHOP-53", map[string]string{"charts/shop/templates/old.yaml": ""})
	l.admitted(l.helm(third, plain...))
	if _, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), "old", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		l.t.Errorf("what the commit dropped is there: %v", err)
	}
}

// runsTests: what `helm test` runs is a hook like others, and one that goes when it has run does.
func (l *helmLab) runsTests() {
	l.admitted(l.helm(l.tip(), "test", "shop", "--timeout", "2m"))
	for _, name := range []string{"ping", "first"} {
		l.until(name+" is gone", func(ctx context.Context) error {
			_, err := l.typed.BatchV1().Jobs("shop").Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New("it is there"), err)
		})
	}
}

// rehearses: a dry run on the server is judged like what it rehearses, and waiting asks for nothing.
func (l *helmLab) rehearses() {
	l.admitted(l.upgrade(l.tip(), "--dry-run=server"))
	l.admitted(l.upgrade(l.tip(), "--wait=hookOnly", "--no-hooks", "--history-max", "2"))
	l.admitted(l.upgrade(l.tip(), "--reuse-values", "--no-hooks"))
	records, err := l.typed.CoreV1().Secrets("shop").List(l.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil || len(records.Items) > 3 {
		l.t.Errorf("%d records with --history-max 2: %v", len(records.Items), err)
	}
}

// refusesSettings: each brings something that no commit holds.
func (l *helmLab) refusesSettings() {
	l.says(l.upgrade(l.tip(), "--no-hooks", "--set", "replicas=9"), "FW202", "shop")
	l.says(l.upgrade(l.tip(), "--no-hooks", "--labels", "team=shop"), "sh.helm.release.v1.shop", "FW2")
	// The namespace comes first, and by the cluster binding; that it is there already is no matter.
	l.admitted(l.upgrade(l.tip(), "--no-hooks", "--create-namespace"))
}

// refusesWays: what is not applied on the server's side cannot be told from an edit.
func (l *helmLab) refusesWays() {
	replace := []string{"upgrade", "--install", "shop", "charts/shop", "-f", "envs/production.yaml", "--no-hooks"}
	l.says(l.helm(l.tip(), append(replace, "--server-side=false", "--force-replace")...), "does not explain")
	// Taking over what belongs to no release writes Helm's marks by an apply like any other.
	l.admitted(l.upgrade(l.tip(), "--no-hooks", "--take-ownership"))
}

// refusesGoingBack: Helm goes back by itself where it is told to, and that is refused until people have signed.
func (l *helmLab) refusesGoingBack() {
	merge := l.ready("Sell too much\n\nTicket: SHOP-52", map[string]string{
		"envs/production.yaml":         values(4, "1.2"),
		"charts/shop/templates/z.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: z}\nspec: {selector: {app: z}, ports: [{port: 99999}]}\n",
	})
	l.says(l.upgrade(merge, "--no-hooks", "--rollback-on-failure", "--wait=hookOnly"), "going back", "99999")
	if text := l.text(); text != "shop sells 1.2" {
		l.t.Errorf("the text is %q", text)
	}
}
