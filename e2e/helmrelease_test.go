package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// helmController is who helm-controller is to the API server.
const helmController = "system:serviceaccount:flux-system:helm-controller"

// releaseBinding has the shop delivered by a HelmRelease, and the HelmRelease by a pipeline.
const releaseBinding = `apiVersion: fairway.dev/v1alpha1
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
    helm: {release: shop}
    via: {helmRelease: {name: shop/shop, ` + releaseFile + `users: ["` + helmController + `"]}}
  - {name: release, repository: apps, branch: main, path: releases/shop, render: Plain, fieldManager: deployer}
  controllers:
  - name: helm-controller
    users: ["` + helmController + `"]
    groups: [source.toolkit.fluxcd.io]
    kinds: [HelmChart]
    operations: [CREATE, UPDATE, DELETE]
    why: helm-controller asks source-controller for the chart of each HelmRelease
`

// releaseEngines lists Flux in a sealed install.
const releaseEngines = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [platform]
  sources:
  - {name: fleet, repository: apps, branch: main, path: clusters/main, render: Plain, fieldManager: deployer}
  install: {defaultTier: sandbox, engines: ["` + sourceController + `", "` + helmController + `"], proverUsers: ["` + fairwayUser + `"]}
`

// The paths of what steers helm-controller.
const (
	releasePath       = "releases/shop/release.yaml"
	releaseFile       = "file: " + releasePath + ", "
	releaseSourcePath = "releases/shop/source.yaml"
	chartValuesPath   = "charts/shop/values.yaml"
)

// releaseManifest is a HelmRelease as docs/engines/helm.md recommends it. What it waits between two tries is
// long, so that what happens soon happens because something asked for it; it does not wait for pods, since
// no node runs any here.
func releaseManifest(upgrade string) string {
	return `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: shop}
spec:
  interval: 1h
  timeout: 1m
  releaseName: shop
  values: {replicas: 2}
  commonMetadata: {labels: {team: shop}, annotations: {example.com/contact: "#shop"}}
  chart: {spec: {chart: charts/shop, reconcileStrategy: Revision, sourceRef: {kind: GitRepository, name: apps}}}
  install: {disableWait: true, strategy: {name: RetryOnFailure, retryInterval: 1h}}
  rollback: {disableWait: true}
  uninstall: {disableWait: true}
  upgrade: ` + upgrade + "\n"
}

const retryOnFailure = "{disableWait: true, strategy: {name: RetryOnFailure, retryInterval: 1h}}"

// releaseLab is a shop that the real source-controller and helm-controller deliver, in a sealed install.
type releaseLab struct{ *fluxLab }

func newReleaseLab(t *testing.T) *releaseLab {
	t.Helper()
	l := &releaseLab{&fluxLab{serveLab: newServeLab(t)}}
	engines, err := controlplane.Built(t.Context(), "flux")
	if err != nil {
		t.Fatal(err)
	}
	l.engines = engines
	l.serveGit()
	l.installFlux()
	l.admitted(l.apply("admin", "admin", manifest(t, releaseBinding)))
	l.until("the install is sealed", func(context.Context) error { return l.apply("admin", "admin", manifest(t, releaseEngines)) })
	ctx, stop := context.WithCancel(t.Context())
	var nodes sync.WaitGroup
	nodes.Go(func() { (&helmLab{serveLab: l.serveLab}).runPods(ctx) })
	t.Cleanup(func() { stop(); nodes.Wait() })
	storage := filepath.Join(l.dir, "artifacts")
	if err := os.MkdirAll(storage, 0o700); err != nil {
		t.Fatal(err)
	}
	address := l.freeAddress()
	l.runEngine("source-controller", sourceController, "--storage-path", storage, "--storage-addr", address, "--storage-adv-addr", address)
	l.runEngine("helm-controller", helmController)
	return l
}

// TestHelmRelease tells the story of a chart that the real helm-controller delivers to production; its chapters
// build on each other.
func TestHelmRelease(t *testing.T) {
	l := newReleaseLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*releaseLab)
	}{
		{"a proven chart is installed", (*releaseLab).installs},
		{"hands are refused", (*releaseLab).refusesHands},
		{"an approval that comes late is enough", (*releaseLab).waits},
		{"an upgrade that fails goes back when people say so", (*releaseLab).goesBack},
		{"a release goes when Git has dropped it", (*releaseLab).goes},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			server, flux := *l.serveLab, *l.fluxLab
			server.t = t
			flux.serveLab = &server
			chapter.tell(&releaseLab{&flux})
		}) {
			return // what follows would fail for that alone
		}
	}
}

// steer delivers what steers helm-controller as a commit says it, as a pipeline does.
func (l *releaseLab) steer(commit string, texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		l.until("the pipeline delivers", func(context.Context) error {
			return l.apply("deployer", "deployer", l.stamped(text, commit, "release"))
		})
	}
}

func (l *releaseLab) installs() {
	source := fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: shop}\nspec: {interval: 1s, url: %q, ref: {branch: main}}\n", l.git.URL+"/apps.git")
	files := map[string]string{releasePath: releaseManifest(retryOnFailure), releaseSourcePath: source}
	maps.Copy(files, shopChart())
	files[chartValuesPath] = values(1, "1.0")
	merge := l.land("Sell by chart\n\nTicket: SHOP-40", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.steer(merge, source, releaseManifest(retryOnFailure))
	l.delivered(merge)
	d, err := l.typed.AppsV1().Deployments("shop").Get(l.t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if d.Labels["helm.toolkit.fluxcd.io/name"] != "shop" || d.Labels["team"] != "shop" || d.Labels["app.kubernetes.io/managed-by"] != "Helm" || *d.Spec.Replicas != 2 {
		l.t.Errorf("the Deployment has labels %v and %d replicas", d.Labels, *d.Spec.Replicas)
	}
	job, err := l.typed.BatchV1().Jobs("shop").Get(l.t.Context(), "migrate", metav1.GetOptions{})
	if err != nil || job.Status.Succeeded != 1 {
		l.t.Errorf("the hook succeeded %d times: %v", job.Status.Succeeded, err)
	}
	if _, err := l.typed.CoreV1().Secrets("shop").Get(l.t.Context(), "sh.helm.release.v1.shop.v1", metav1.GetOptions{}); err != nil {
		l.t.Error(err)
	}
}

// refusesHands: T-01, T-14: neither people nor whoever acts as helm-controller change what Git says.
func (l *releaseLab) refusesHands() {
	d, err := l.typed.AppsV1().Deployments("shop").Get(l.t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	d.Spec.Template.Spec.Containers[0].Image, d.ResourceVersion = "evil", ""
	for _, user := range []string{"sara", helmController} {
		_, err = l.typedAs(user).AppsV1().Deployments("shop").Update(l.t.Context(), d, metav1.UpdateOptions{FieldManager: "helm-controller"})
		l.refused(err, "[FW2")
		l.refused(l.typedAs(user).AppsV1().Deployments("shop").Delete(l.t.Context(), "shop", metav1.DeleteOptions{}), "renders it")
	}
	// What steers helm-controller comes from Git too (T-15), and its status from Flux alone.
	release := manifest(l.t, releaseManifest("{force: true}"))
	l.refused(l.apply("sara", "sara", release), "[FW2")
	release.SetNamespace("elsewhere")
	l.admitted(l.apply("admin", "admin", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: elsewhere}\n")))
	if err := unstructured.SetNestedField(release.Object, "shop", "spec", "targetNamespace"); err != nil {
		l.t.Fatal(err)
	}
	l.until("the namespace is known", func(context.Context) error {
		if err := l.apply("sara", "sara", release); err == nil || !strings.Contains(err.Error(), "no proof speaks of") {
			return fmt.Errorf("a HelmRelease that reaches production from a sandbox: %w", err)
		}
		return nil
	})
	live, err := l.release(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	if err := unstructured.SetNestedField(live.Object, int64(7), "status", "failures"); err != nil {
		l.t.Fatal(err)
	}
	_, err = l.on("sara", live).UpdateStatus(l.t.Context(), live, metav1.UpdateOptions{})
	l.refused(err, "FW")
}

// waits: a commit that waits for people fails the upgrade, and is delivered once they have approved, without
// another commit and long before Flux would try again by itself.
func (l *releaseLab) waits() {
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Sell more\n\nTicket: SHOP-41", map[string]string{chartValuesPath: values(3, "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)
	l.told(merge, "FW")
	if text := l.text(); text != "shop sells 1.0" {
		l.t.Errorf("the text is %q", text)
	}
	l.approve(head, "sam", "paula")
	l.delivered(merge)
	if text := l.text(); text != "shop sells 1.1" {
		l.t.Errorf("the text is %q", text)
	}
}

// goesBack: an upgrade fails in the middle because of what the API server thinks of it. helm-controller goes
// back by itself where it is told to, and is refused until people have signed that the shop may.
func (l *releaseLab) goesBack() {
	before := l.tip()
	remediate := "{disableWait: true, remediation: {retries: 1, remediateLastFailure: true}}"
	merge := l.land("Sell too much\n\nTicket: SHOP-42", map[string]string{
		releasePath:                    releaseManifest(remediate),
		chartValuesPath:                values(4, "1.2"),
		"charts/shop/templates/z.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: z}\nspec: {selector: {app: z}, ports: [{port: 99999}]}\n",
	})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.steer(merge, releaseManifest(remediate))
	l.told(merge, "going back")
	l.fairway("rollback", before, "-C", l.shop.Clone(), "-n", "shop", "--namespace-uid", l.uid("shop"), "--repository", l.shop.Repo.URL(),
		"--path", "charts/shop", "--source", "shop", "--reason", "1.2 failed", "--ticket", "INC-1", "--key", l.shop.Key("sam"), "--as", "sam")
	l.until("helm-controller goes back", func(ctx context.Context) error {
		if text := l.text(); text != "shop sells 1.1" {
			return fmt.Errorf("the text is %q", text)
		}
		return nil
	})
}

// goes: a HelmRelease that Git has is nobody's to delete. Git drops what it delivers first, and then the HelmRelease
// and its name in the source, which is not rendered without it. It goes with the records of its release, which are
// kept while the source is there.
func (l *releaseLab) goes() {
	release := manifest(l.t, releaseManifest(retryOnFailure))
	l.refused(l.on("deployer", release).Delete(l.t.Context(), "shop", metav1.DeleteOptions{}), "renders it")
	gone := map[string]string{"charts/shop/templates/z.yaml": ""}
	for name := range shopChart() {
		if strings.Contains(name, "/templates/") {
			gone[name] = ""
		}
	}
	merge := l.land("Close the shop\n\nTicket: SHOP-43", gone)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.until("the Deployment is gone", func(ctx context.Context) error {
		_, err := l.typed.AppsV1().Deployments("shop").Get(ctx, "shop", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
	binding := strings.Replace(releaseBinding, releaseFile, "", 1)
	merge = l.land("Drop the release\n\nTicket: SHOP-44", map[string]string{releasePath: "", "clusters/main/shop-tier.yaml": binding})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.until("the source drops the file", func(context.Context) error {
		return l.apply("deployer", "deployer", l.stamped(binding, merge, "fleet"))
	})
	l.until("the HelmRelease may go", func(ctx context.Context) error {
		return l.on("deployer", release).Delete(ctx, "shop", metav1.DeleteOptions{})
	})
	l.until("everything to be gone", func(ctx context.Context) error {
		if _, err := l.release(ctx); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("the HelmRelease is there"), err)
		}
		deployments, err := l.typed.AppsV1().Deployments("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		records, err := l.typed.CoreV1().Secrets("shop").List(ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			return err
		}
		if n := len(deployments.Items) + len(records.Items); n > 0 {
			return fmt.Errorf("%d objects are left", n)
		}
		return nil
	})
}

// release is the HelmRelease as it lives.
func (l *releaseLab) release(ctx context.Context) (*unstructured.Unstructured, error) {
	return l.get(ctx, reference("helm.toolkit.fluxcd.io/v2", "HelmRelease", "shop", "shop"))
}

// attempted is the revision of the chart that helm-controller has tried last.
func (l *releaseLab) attempted(ctx context.Context) (*unstructured.Unstructured, string, error) {
	live, err := l.release(ctx)
	if err != nil {
		return nil, "", err
	}
	revision, _, _ := unstructured.NestedString(live.Object, "status", "lastAttemptedRevision")
	return live, revision, nil
}

// delivered awaits that helm-controller has delivered a commit.
func (l *releaseLab) delivered(commit string) {
	l.t.Helper()
	l.until("the chart is delivered at "+commit, func(ctx context.Context) error {
		live, revision, err := l.attempted(ctx)
		if err != nil {
			return err
		}
		if told := conditionIs(live, "Ready", "True"); told != nil || !strings.HasSuffix(revision, "+"+commit[:12]) {
			return fmt.Errorf("it has attempted %q: %w", revision, errors.Join(told))
		}
		return nil
	})
}

// told awaits that helm-controller has failed to deliver a commit, and that its conditions say why.
func (l *releaseLab) told(commit, why string) {
	l.t.Helper()
	l.until("the chart is refused at "+commit, func(ctx context.Context) error {
		live, revision, err := l.attempted(ctx)
		if err != nil {
			return err
		}
		said, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
		if !strings.HasSuffix(revision, "+"+commit[:12]) || !strings.Contains(fmt.Sprint(said), why) {
			return fmt.Errorf("it has attempted %q: %v", revision, said)
		}
		return nil
	})
}

// text is what the shop's ConfigMap says.
func (l *releaseLab) text() string {
	l.t.Helper()
	return (&helmLab{serveLab: l.serveLab}).text()
}
