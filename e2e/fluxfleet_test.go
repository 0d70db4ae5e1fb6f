package e2e

import "fmt"

// The paths of what the fleet's root delivers into flux-system.
const (
	rootPath = "clusters/main/root.yaml"
	shopPath = "clusters/main/shop.yaml"
	playPath = "clusters/main/play.yaml"
	spotPath = "clusters/main/spot.yaml"
)

// fleet are the files that make Flux deliver shop and play. Intervals are long, so that what happens
// soon happens because something asked for it; only the source is looked at every second.
func (l *fluxLab) fleet() map[string]string {
	return map[string]string{
		rootPath: fmt.Sprintf(`apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1s
  url: %s/apps.git
  ref: {branch: main}
---
`, l.git.URL) + kustomization("flux-system", "clusters/main", ""),
		shopPath:                               kustomization("shop", "shop/production", shaped),
		spotPath:                               kustomization("spot", "shop/spot", ""),
		"shop/spot/lamp.yaml":                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lamp, namespace: shop}\ndata: {on: \"yes\"}\n",
		playPath:                               kustomization("play", "shop/sandbox", "  targetNamespace: play\n"),
		"shop/production/kustomization.yaml":   "resources: [web.yaml, banner.yaml, service.yaml, settings.yaml]\n",
		"shop/production/service.yaml":         "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n  selector: {app: web}\n  ports: [{port: 80}]\n",
		"shop/production/settings.yaml":        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {region: \"${region}\"}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: shop}\nstringData: {token: hunter2}\n",
		"shop/components/k/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [limits.yaml]\n",
		"shop/components/k/limits.yaml":        "apiVersion: v1\nkind: LimitRange\nmetadata: {name: limits, namespace: shop}\nspec:\n  limits: [{type: Container, default: {cpu: \"1\"}}]\n",
		"shop/sandbox/note.yaml":               note("first"),
		"platform/sandbox.yaml":                fmt.Sprintf(sandboxTier, 0),
	}
}

// shaped is a spec that uses every transformation.
const shaped = `  targetNamespace: shop
  nameSuffix: -eu
  commonMetadata: {labels: {team: shop}, annotations: {example.com/contact: "#shop"}}
  components: [../components/k]
  images: [{name: registry.example.com/web, newName: registry.example.com/eu/web}]
  patches:
  - target: {kind: Deployment}
    patch: |
      - {op: add, path: /spec/template/spec/terminationGracePeriodSeconds, value: 5}
  - patch: |
      apiVersion: v1
      kind: Service
      metadata: {name: web, namespace: shop}
      spec: {sessionAffinity: ClientIP}
  postBuild: {substitute: {region: eu-west-1}}
`

// kustomization is a Kustomization of flux-system as docs/engines/flux.md recommends it.
func kustomization(name, path, more string) string {
	return fmt.Sprintf(`apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec:
  interval: 1h
  retryInterval: 1h
  timeout: 1m
  prune: true
  sourceRef: {kind: GitRepository, name: apps}
  path: ./%s
%s`, name, path, more)
}

// note is what the sandbox holds.
func note(text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: " + text + "}\n"
}
