package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// Who delivers in TestHelmReleaseSettings: an account of the shop, which helm-controller acts as.
const releaseAccount = "system:serviceaccount:shop:deliverer"

// The ConfigMap with values in Git, and the file that takes the place of the chart's own values.
const (
	releaseValuesPath = "releases/shop/values.yaml"
	fleetValuesPath   = "envs/fleet.yaml"
)

// givenValues is the manifest of the ConfigMap from which the release takes values.
func givenValues(replicas int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: shop}\ndata:\n  values.yaml: |\n    replicas: %d\n  note: \"1,2\"\n", replicas)
}

// settledRelease is a HelmRelease that uses what the page speaks of: an account of its own, values of a ConfigMap, files
// of values, the chart's version, a test after each release, definitions that are replaced, and more in its spec.
func settledRelease(more string) string {
	return `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: shop}
spec:
  interval: 1h
  timeout: 1m
  releaseName: shop
  targetNamespace: shop
  storageNamespace: shop
  serviceAccountName: deliverer
  valuesFrom:
  - {kind: ConfigMap, name: values}
  - {kind: ConfigMap, name: values, valuesKey: note, targetPath: note, literal: true}
  - {kind: ConfigMap, name: absent, optional: true}
  chart: {spec: {chart: charts/shop, reconcileStrategy: ChartVersion, sourceRef: {kind: GitRepository, name: apps}}}
  install: {disableWait: true, crds: CreateReplace, strategy: {name: RetryOnFailure, retryInterval: 1h}}
  upgrade: {disableWait: true, crds: Skip, strategy: {name: RetryOnFailure, retryInterval: 1h}}
  uninstall: {disableWait: true}
` + more
}

// withFiles is settledRelease with files of values in the place of the chart's own. source-controller then writes the
// generation of the HelmChart into the version, so that a chart may not print that.
func withFiles(more string) string {
	return strings.Replace(settledRelease(more), "sourceRef:", "valuesFiles: [charts/shop/values.yaml, "+fleetValuesPath+"], sourceRef:", 1)
}

// settledChart is the shop's chart at a version that it prints, with a test.
func settledChart(version string) map[string]string {
	files := shopChart()
	maps.Copy(files, map[string]string{
		"charts/shop/Chart.yaml":                strings.Replace(files["charts/shop/Chart.yaml"], "version: 1.0.0", "version: "+version, 1),
		"charts/shop/templates/note.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, labels: {chart: {{ .Values.chart | default .Chart.Version | quote }}}}\ndata: {note: {{ .Values.note | quote }}, big: \"{{ .Values.big | default 7 }}\"}\n",
		"charts/shop/templates/tests/ping.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: ping, annotations: {helm.sh/hook: test}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n",
		fleetValuesPath:                         "chart: fleet\nbig: 1000000\ntext: the fleet's\n",
	})
	return files
}

// TestHelmReleaseSettings tries the settings of a HelmRelease that docs/engines/helm.md speaks of; its chapters build
// on each other.
func TestHelmReleaseSettings(t *testing.T) {
	l := newReleaseLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*releaseLab)
	}{
		{"values come from ConfigMaps and files of the commit", (*releaseLab).takesValues},
		{"a ConfigMap that is not as Git says", (*releaseLab).refusesOtherValues},
		{"drift is told, and its correction refused", (*releaseLab).tellsDrift},
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

// takesValues: everything that the release is made of stands in one commit, and binds; helm-controller delivers as an
// account of the shop, which keeps the records and runs the test.
func (l *releaseLab) takesValues() {
	l.away(func() error {
		var problems []error
		for _, object := range documents(l.t, []byte(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: deliverer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: deliverer, namespace: shop}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: deliverer, namespace: shop}
`)) {
			problems = append(problems, l.apply("admin", "admin", &object))
		}
		return errors.Join(problems...)
	})
	source := fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: shop}\nspec: {interval: 1s, url: %q, ref: {branch: main}}\n", l.git.URL+"/apps.git")
	binding := strings.Replace(strings.Replace(releaseBinding, `users: ["`+helmController, `users: ["`+releaseAccount, 1),
		releaseFile, releaseFile+"valuesFrom: ["+releaseValuesPath+"], ", 1)
	files := settledChart("1.0.0")
	maps.Copy(files, map[string]string{
		releasePath: withFiles("  test: {enable: true}\n"), releaseSourcePath: source, releaseValuesPath: givenValues(2), "clusters/main/shop-tier.yaml": binding,
	})
	merge := l.land("Sell by values\n\nTicket: SHOP-60", files)
	l.until("the source takes values from Git", func(context.Context) error {
		return l.apply("deployer", "deployer", l.stamped(binding, merge, "fleet"))
	})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.steer(merge, source, givenValues(2), withFiles("  test: {enable: true}\n"))
	l.noted("fleet", "1,2", "1e+06")
	l.replicas(2)
	l.until("the test has run", func(ctx context.Context) error {
		live, err := l.release(ctx)
		if err != nil {
			return err
		}
		return conditionIs(live, "TestSuccess", "True")
	})
	// The same chart at its next version, with another value in the ConfigMap.
	files = settledChart("1.1.0")
	files[releaseValuesPath], files[releasePath] = givenValues(3), settledRelease("")
	merge = l.land("Sell more\n\nTicket: SHOP-61", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.steer(merge, givenValues(3), settledRelease(""))
	l.noted("1.1.0", "1,2", "7")
	l.replicas(3)
}

// noted awaits what the chart notes of its version and values.
func (l *releaseLab) noted(version, note, big string) {
	l.t.Helper()
	l.until("the chart is delivered at version "+version, func(ctx context.Context) error {
		m, err := l.typed.CoreV1().ConfigMaps("shop").Get(ctx, "note", metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && m.Labels["chart"] != version {
			live, problem := l.release(ctx)
			if problem != nil {
				return problem
			}
			return fmt.Errorf("it is not: %w", conditionIs(live, "Ready", "True"))
		}
		if err == nil && (m.Data["note"] != note || m.Data["big"] != big) {
			l.t.Errorf("the chart notes %v", m.Data)
		}
		return err
	})
}

// replicas awaits those that the Deployment asks for.
func (l *releaseLab) replicas(want int32) {
	l.t.Helper()
	l.until(fmt.Sprint(want, " replicas"), func(ctx context.Context) error {
		d, err := l.typed.AppsV1().Deployments("shop").Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if *d.Spec.Replicas != want {
			live, problem := l.release(ctx)
			return errors.Join(fmt.Errorf("they are %d", *d.Spec.Replicas), problem, conditionIs(live, "Ready", "True"))
		}
		return nil
	})
}

// asks tells helm-controller to look at the release again, as `flux reconcile helmrelease` does, or to upgrade whatever
// it thinks, as with --force.
func (l *releaseLab) asks(keys ...string) {
	l.t.Helper()
	at := metav1.Now().Format("2006-01-02T15:04:05.000000000Z07:00")
	var pairs []string
	for _, key := range append(keys, "requestedAt") {
		pairs = append(pairs, fmt.Sprintf(`"reconcile.fluxcd.io/%s":%q`, key, at))
	}
	release := manifest(l.t, reference("helm.toolkit.fluxcd.io/v2", "HelmRelease", "shop", "shop"))
	_, err := l.on("sara", release).Patch(l.t.Context(), "shop", types.MergePatchType, []byte(`{"metadata":{"annotations":{`+strings.Join(pairs, ",")+`}}}`), metav1.PatchOptions{FieldManager: "flux"})
	l.admitted(err)
}

// away does something while nobody guards the cluster.
func (l *releaseLab) away(do func() error) {
	l.t.Helper()
	l.unguard()
	if err := do(); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
}

// condition awaits a condition of the release with some words in it.
func (l *releaseLab) condition(kind string, words ...string) {
	l.t.Helper()
	l.until(kind+" says "+strings.Join(words, " "), func(ctx context.Context) error {
		live, err := l.release(ctx)
		if err != nil {
			return err
		}
		said, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
		for _, c := range said {
			m, _ := c.(map[string]any)
			text := fmt.Sprint(m)
			missing := m["type"] != kind
			for _, w := range words {
				missing = missing || !strings.Contains(text, w)
			}
			if !missing {
				return nil
			}
		}
		return fmt.Errorf("the conditions are %v", said)
	})
}

// refusesOtherValues: the ConfigMap was changed past everybody. What helm-controller makes of it is no render of any
// commit; it goes on once the ConfigMap is as Git says.
func (l *releaseLab) refusesOtherValues() {
	given := reference("v1", "ConfigMap", "shop", "values")
	patch := func(text string) error {
		_, err := l.on("sara", manifest(l.t, given)).Patch(l.t.Context(), "values", types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		return err
	}
	l.refused(patch(`{"data":{"values.yaml":"replicas: 9\n"}}`), "[FW2")
	l.away(func() error { return patch(`{"data":{"values.yaml":"replicas: 9\n"}}`) })
	l.asks()
	l.condition("Ready", "spec.replicas")
	l.replicas(3)
	l.steer(l.tip(), givenValues(3))
	l.asks("forceAt")
	l.until("the release is as Git says", func(ctx context.Context) error {
		live, err := l.release(ctx)
		if err != nil {
			return err
		}
		return conditionIs(live, "Ready", "True")
	})
}

// tellsDrift: what somebody changed past everybody is found, and told. Its correction is a patch, which is refused
// where content is held against Git.
func (l *releaseLab) tellsDrift() {
	drift := func() error {
		_, err := l.typedAs("sara").AppsV1().Deployments("shop").Patch(l.t.Context(), "shop", types.MergePatchType, []byte(`{"spec":{"replicas":9}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		return err
	}
	mode := func(mode string) {
		release := settledRelease("  driftDetection: {mode: " + mode + "}\n")
		merge := l.land("Look for drift\n\nTicket: SHOP-62", map[string]string{releasePath: release})
		l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
		l.steer(merge, release)
	}
	mode("warn")
	l.away(drift)
	l.asks()
	l.condition("Drifted", "True", "Deployment/shop/shop")
	l.replicas(9)
	mode("enabled")
	l.until("the correction is refused", func(context.Context) error {
		if len(l.asked(`"user":"`+releaseAccount+`"`, `"admitted":false`, `"resource":"deployments.apps"`)) == 0 {
			return errors.New("nothing was asked")
		}
		return nil
	})
	l.replicas(9)
}
