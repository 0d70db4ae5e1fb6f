package e2e

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// renderedSources are sources of the shop which Argo CD renders with programs of its own.
const renderedSources = `  - {name: customised, repository: apps, branch: main, path: shop/customised, render: Kustomize, via: {argoCD: {application: argocd/customised, tracking: %[1]s}}}
  - {name: charted, repository: apps, branch: main, path: shop/charted, render: Helm, helm: {release: charted, valuesFiles: [shop/values.yaml]}, via: {argoCD: {application: argocd/charted, tracking: %[1]s}}}
`

// renderedFiles are what lies in their paths.
func renderedFiles() map[string]string {
	return map[string]string{
		"shop/customised/kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop
namePrefix: my-
labels: [{pairs: {app.kubernetes.io/part-of: shop}}]
resources: [web.yaml]
images: [{name: registry.example/web, newTag: "2.0"}]
replicas: [{name: custom, count: 2}]
configMapGenerator: [{name: settings, literals: [mode=fast]}]
patches:
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/template/spec/containers/0/env, value: [{name: A, value: b}]}
`,
		"shop/customised/web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: custom}
spec:
  selector: {matchLabels: {app: custom}}
  template:
    metadata: {labels: {app: custom}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
        envFrom: [{configMapRef: {name: settings}}]
`,
		"shop/charted/Chart.yaml":  "apiVersion: v2\nname: charted\nversion: 1.0.0\n",
		"shop/charted/values.yaml": "replicas: 1\ntext: default\n",
		"shop/values.yaml":         "text: from the values of production\n",
		"shop/charted/templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-text
  namespace: {{ .Release.Namespace }}
  labels: {app.kubernetes.io/managed-by: {{ .Release.Service }}, helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"}
data: {text: {{ .Values.text | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec: {selector: {app: charted}, ports: [{port: 80, targetPort: 8080}]}
`,
	}
}

// renders: what Argo CD renders with its own kustomize and helm is what Fairway renders.
func (l *argoLab) renders() {
	for name, source := range map[string]string{
		"customised": "{repoURL: %q, path: shop/customised, targetRevision: main}",
		"charted":    "{repoURL: %q, path: shop/charted, targetRevision: main, helm: {releaseName: charted, valueFiles: [/shop/values.yaml]}}",
	} {
		source = "  source: " + fmt.Sprintf(source, l.git.git.URL+"/apps.git") + "\n"
		text := fmt.Sprintf(liveApplication, source, "ServerSideApply=true")
		l.admitted(l.apply("admin", "admin", manifest(l.t, strings.Replace(text, "name: shop,", "name: "+name+",", 1))))
	}
	for _, name := range []string{"customised", "charted"} {
		l.until("Argo CD has delivered "+name, func(ctx context.Context) error {
			app, err := l.on("admin", manifest(l.t, shopApplication)).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			status, _, _ := unstructured.NestedMap(app.Object, "status")
			phase, _, _ := unstructured.NestedString(status, "operationState", "phase")
			if is, _, _ := unstructured.NestedString(status, "sync", "status"); is != "Synced" || phase != "Succeeded" {
				return fmt.Errorf("it says %v", status)
			}
			return nil
		})
	}
	text := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: charted-text, namespace: shop}\n")
	live, err := l.on("admin", text).Get(l.t.Context(), "charted-text", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedString(live.Object, "data", "text"); got != "from the values of production" {
		l.t.Errorf("the chart's text is %q", got)
	}
}
