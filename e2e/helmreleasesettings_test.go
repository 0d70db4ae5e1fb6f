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

// TestHelmReleaseSettings tries settings of a HelmRelease that docs/engines/helm.md speaks of.
func TestHelmReleaseSettings(t *testing.T) {
	newReleaseLab(t).takesValues()
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

// away does something while nobody guards the cluster.
func (l *releaseLab) away(do func() error) {
	l.t.Helper()
	l.unguard()
	if err := do(); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
}
