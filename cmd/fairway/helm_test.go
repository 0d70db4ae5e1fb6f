package main

import (
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairway-dev/fairway/e2e/story"
)

// helmChart is a small chart with a hook.
func helmChart(text string) map[string]string {
	return map[string]string{
		"charts/shop/Chart.yaml":               "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"charts/shop/templates/text.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {text: {{ .Values.text }}}\n",
		"charts/shop/templates/migration.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: pre-upgrade}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: a, image: {{ .Values.text }}}]}}\n",
		"values/shop.yaml":                     "text: " + text + "\n",
	}
}

// What is applied, with places for labels and for the text.
const (
	releaseText = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text, namespace: shop, labels: {LABELSapp.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: shop}}\ndata: {text: TEXT}\n"
	releaseHook = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: shop, LABELSannotations: {helm.sh/hook: pre-upgrade}}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: a, image: TEXT}]}}\n"
	releaseKept = "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\nmetadata: {name: sh.helm.release.v1.shop.v1, namespace: shop, labels: {owner: helm, name: shop, status: deployed, version: '1'}}\ndata: {release: YW55dGhpbmc=}\n"
)

// TestHelmRelease delivers as helm-controller does, by the requests that its sources say it makes: a record
// first, then a hook, then what is kept, each with its two labels. As helm itself, it has none of them.
func TestHelmRelease(t *testing.T) {
	const labels = "helm.toolkit.fluxcd.io/name: shop, helm.toolkit.fluxcd.io/namespace: shop"
	for name, tt := range map[string]struct{ via, manager, onKept, onHook string }{
		"the controller": {"helmRelease: {name: shop/shop, users: [helm]}", "helm-controller", labels + ", ", "labels: {" + labels + "}, "},
		"helm itself":    {"helm: {users: [helm]}", "helm", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.edit("bindings.yaml", "path: shop/production, render: Plain, fieldManager: deployer}",
				"path: charts/shop, render: Helm, helm: {release: shop, valuesFiles: [values/shop.yaml]}, via: {"+tt.via+"}}")
			l.land("sara", helmChart("one"), "sam", "paula")
			l.look()
			write := func(manifest, labels, text string) story.Write {
				return story.Write{Object: strings.NewReplacer("LABELS", labels, "TEXT", text).Replace(manifest), User: "helm", Manager: tt.manager, Apply: true}
			}
			kept := story.Write{Object: releaseKept, User: "helm", Manager: tt.manager}
			for reason, w := range map[string]story.Write{"FW218": write(releaseText, tt.onKept, "one"), "FW306": kept} {
				w.User = "mallory"
				l.refuses(http.StatusForbidden, w, reason)
			}
			l.admits("release", kept)
			l.admits("proven", write(releaseHook, tt.onHook, "one"))
			l.admits("proven", write(releaseText, tt.onKept, "one"))
			l.refuses(http.StatusForbidden, write(releaseText, tt.onKept, "two"), "FW202")
			l.refuses(http.StatusForbidden, write(releaseText, "other: label, ", "one"), "FW202")

			// The next commit: the hook of the one before goes, though Git still has one, and what is no hook stays.
			l.land("sam", map[string]string{"values/shop.yaml": "text: two\n"}, "sara", "pete")
			l.look()
			l.removes("delete", schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, "migrate")
			l.admits("proven", write(releaseHook, tt.onHook, "two"))
			l.admits("proven", write(releaseText, tt.onKept, "two"))
			l.refuses(http.StatusForbidden, write(releaseText, tt.onKept, "one"), "FW211")
			l.keeps(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "text", "FW308")
			l.removes("release", schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, "sh.helm.release.v1.shop.v1")

			// A hook that somebody made up, or one that is not what was delivered, does not go as one.
			sneaked := story.Write{Object: strings.Replace(releaseText, "annotations: {", "annotations: {helm.sh/hook: test, ", 1), User: "helm", Manager: tt.manager, Apply: true}
			_, keep := l.try(sneaked)
			keep() // as if it had been there before Fairway was
			l.keeps(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "text", "FW308")
		})
	}
}

// removes sends a deletion by helm and fails the test unless it is admitted on the lane.
func (l *lab) removes(lane string, kind schema.GroupVersionKind, name string) {
	l.t.Helper()
	review, keep, err := l.server.Delete(kind, "shop", name, "helm")
	if err != nil {
		l.t.Fatal(err)
	}
	if answer := l.ask(review); !answer.Allowed || answer.AuditAnnotations["lane"] != lane {
		l.t.Fatalf("allowed %v on lane %q, want %q: %s", answer.Allowed, answer.AuditAnnotations["lane"], lane, said(answer))
	}
	keep()
}

// keeps sends a deletion by helm and fails the test unless it is refused for a reason.
func (l *lab) keeps(kind schema.GroupVersionKind, name, reason string) {
	l.t.Helper()
	review, _, err := l.server.Delete(kind, "shop", name, "helm")
	if err != nil {
		l.t.Fatal(err)
	}
	if answer := l.ask(review); answer.Allowed || !strings.Contains(said(answer), reason) {
		l.t.Errorf("allowed %v, want refused for %s: %s", answer.Allowed, reason, said(answer))
	}
}
