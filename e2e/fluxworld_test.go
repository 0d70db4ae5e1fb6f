package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/fairway-dev/fairway/e2e/story"
)

// deployer is a service account in whose name Flux delivers; the install lists it. porter is another, which
// it does not list. hubFlux is who Flux of another cluster is to this one.
const (
	hubFlux  = "hub-flux"
	deployer = "system:serviceaccount:flux-system:deployer"
	porter   = "system:serviceaccount:flux-system:porter"
)

// The paths of what the fleet of a settledWorld delivers.
const (
	latePath     = "clusters/main/late.yaml"
	artifactPath = "clusters/main/artifact.yaml"
	valuesPath   = "clusters/system/values.yaml"
	hubPath      = "clusters/hub/spoke.yaml"
)

// settledWorld is one in which Flux is set up as docs/engines/flux.md recommends: its own namespace is gated, what
// it delivers is delivered in the name of service accounts, and variables come from a ConfigMap. In it stands beside
// what is delivered what the page says is refused.
func settledWorld() fluxWorld {
	return fluxWorld{
		prepare: (*fluxLab).prepareSettled, fleet: (*fluxLab).settledFleet, bind: (*fluxLab).bindSettled,
		ready: []string{"flux-system", "system", "shop", "late", "bare"},
	}
}

// prepareSettled makes the accounts, as an administrator does, and a registry.
func (l *fluxLab) prepareSettled() {
	l.t.Helper()
	for _, text := range strings.Split(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: cluster-reconciler}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deliverers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {kind: ServiceAccount, name: deployer, namespace: flux-system}
- {kind: ServiceAccount, name: porter, namespace: flux-system}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden, namespace: flux-system}
stringData: {region: eu-west-1}
---
apiVersion: v1
kind: Namespace
metadata: {name: park}
`, "---\n") {
		l.until("the shop is free", func(context.Context) error { return l.apply("admin", "admin", manifest(l.t, text)) })
	}
	l.flags = []string{"--requeue-dependency", "1s", "--feature-gates", "ExternalArtifact=true"}
	l.startRegistry()
	l.bucket = &bucket{files: map[string]string{"lamp.yaml": named("bucket", "first")}}
	l.store = httptest.NewServer(l.bucket)
	l.t.Cleanup(l.store.Close)
}

// settled is a Kustomization in the name of an account, with more under its spec.
func settled(name, path, account, more string) string {
	return strings.ReplaceAll(kustomization(name, path, "  serviceAccountName: "+account+"\n"+more), "timeout: 1m", "timeout: 10s")
}

// fromSecret is the way into a refusal: no commit holds what a Secret does.
const fromSecret = "  postBuild: {substituteFrom: [{kind: Secret, name: hidden}]}\n"

// settledShop is the spec of the shop's Kustomization.
const settledShop = `  targetNamespace: shop
  namePrefix: eu-
  wait: true
  postBuild:
    substituteFrom:
    - {kind: ConfigMap, name: values}
    - {kind: ConfigMap, name: more, optional: true}
`

// settledValues are the variables of the cluster.
func settledValues(region string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: values\n  namespace: flux-system\n  labels: {reconcile.fluxcd.io/watch: Enabled}\n" +
		"data: {region: " + region + "}\n"
}

// lamp is what the artifact holds, and every source that is to be refused.
func lampOf(on string) string { return named("lamp", on) }

func named(name, on string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: shop}\ndata: {lit: \"" + on + "\"}\n"
}

// settings are manifests with a variable.
func settings(more string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {region: \"${region}\", zone: \"${zone:=none}\"" + more + "}\n"
}

func (l *fluxLab) settledFleet() map[string]string {
	apps := fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: flux-system}\n"+
		"spec: {interval: 1s, url: %q, ref: {branch: main}}\n", l.git.URL+"/apps.git")
	files := map[string]string{
		rootPath: apps + "---\n" + settled("flux-system", "clusters/main", "kustomize-controller", ""),
		"clusters/main/oci.yaml": fmt.Sprintf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: artifact, namespace: flux-system}\n"+
			"spec: {interval: 1s, url: %q, insecure: true, ref: {tag: latest}}\n---\n"+
			"apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\nmetadata: {name: files, namespace: flux-system}\n"+
			"spec: {interval: 1s, bucketName: shop, endpoint: %q, insecure: true}\n---\n"+
			"apiVersion: source.toolkit.fluxcd.io/v1\nkind: ExternalArtifact\nmetadata: {name: made, namespace: flux-system}\n"+
			"spec: {sourceRef: {kind: ArtifactGenerator, name: made}}\n", "oci://"+l.registry+"/shop", strings.TrimPrefix(l.store.URL, "http://")),
		"clusters/main/bucket.yaml":   strings.ReplaceAll(settled("bucket", "", "deployer", ""), "GitRepository, name: apps", "Bucket, name: files"),
		"clusters/main/external.yaml": strings.ReplaceAll(settled("external", "", "deployer", ""), "GitRepository, name: apps", "ExternalArtifact, name: made"),
		"clusters/main/system.yaml":   settled("system", "clusters/system", "kustomize-controller", ""),
		shopPath:                      settled("shop", "shop/production", "deployer", settledShop),
		latePath:                      settled("late", "shop/late", "porter", "  dependsOn: [{name: shop}]\n"),
		artifactPath: strings.ReplaceAll(settled("artifact", "", "deployer", "  namePrefix: oci-\n"),
			"GitRepository, name: apps", "OCIRepository, name: artifact"),
		hubPath: strings.ReplaceAll(kustomization("spoke", "shop/spoke", "  namePrefix: far-\n  kubeConfig: {secretRef: {name: spoke}}\n"), "retryInterval: 1h", "retryInterval: 2s"),

		"clusters/main/secret.yaml":          settled("secret", "shop/secret", "deployer", fromSecret),
		"clusters/main/decrypted.yaml":       settled("decrypted", "shop/decrypted", "deployer", "  decryption: {provider: sops}\n"),
		"clusters/main/ignoring.yaml":        settled("ignoring", "shop/ignoring", "deployer", "  ignore: [{paths: [/data/lit]}]\n"),
		"clusters/main/bare.yaml":            settled("bare", "shop/bare", "deployer", "  ignore: [{paths: [/data/lit]}]\n"),
		"clusters/main/remote.yaml":          settled("remote", "shop/remote", "deployer", ""),
		"shop/remote/kustomization.yaml":     fmt.Sprintf("resources: [lamp.yaml, %q]\n", l.git.URL+"/apps.git//shop/extra"),
		valuesPath:                           settledValues("eu-west-1"),
		"clusters/system/controllers.yaml":   fluxDeployments("1"),
		"shop/production/kustomization.yaml": "resources: [web.yaml, banner.yaml, settings.yaml]\n",
		"shop/production/settings.yaml":      settings(""),
		story.WebPath:                        story.Web(0, "", "1.0"),
		"shop/late/late.yaml":                named("late", "first"),
		"shop/extra/extra.yaml":              named("extra", "first"),
		"shop/sandbox/note.yaml":             note("first"),
	}
	for _, name := range []string{"artifact", "spoke", "secret", "decrypted", "ignoring", "bare", "remote", "bucket", "external"} {
		files["shop/"+name+"/lamp.yaml"] = named(name, "first")
	}
	files["shop/artifact/lamp.yaml"] = lampOf("dark")
	return files
}

// fluxDeployments are the controllers of Flux as they are installed, as far as matters here.
func fluxDeployments(version string) string {
	var all []string
	for _, name := range []string{"source-controller", "kustomize-controller"} {
		all = append(all, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: "+name+", namespace: flux-system}\n---\n"+
			strings.NewReplacer("web", name, "namespace: shop", "namespace: flux-system").Replace(story.Web(1, "\n      serviceAccountName: web", version)))
	}
	return strings.Join(all, "---\n")
}

// bindSettled guards shop and flux-system, and seals the install.
func (l *fluxLab) bindSettled() {
	l.t.Helper()
	source := func(name, render, flux string) string {
		return "  - {name: " + name + ", repository: apps, branch: main, path: shop/" + name + ", render: " + render + ", via: {flux: {kustomization: flux-system/" + flux + "}}}\n"
	}
	withFile := func(name, file string) string { return name + ", file: " + file }
	sources := strings.ReplaceAll(source("shop", "Kustomize", withFile("shop", shopPath)+", substituteFrom: ["+valuesPath+"]"), "path: shop/shop", "path: shop/production") +
		source("late", "Plain", "late") + source("artifact", "Plain", withFile("artifact", artifactPath)) + source("spoke", "Plain", withFile("spoke", hubPath)) +
		source("bare", "Plain", "bare") + source("remote", "Kustomize", "remote")
	for _, name := range []string{"secret", "decrypted", "ignoring", "bucket", "external"} {
		sources += source(name, "Plain", withFile(name, "clusters/main/"+name+".yaml"))
	}
	l.admitted(l.apply("admin", "admin", l.bindingOf("shop", "  tier: production\n  owners: [shop]\n  sources:\n"+sources)))
	l.admitted(l.apply("admin", "admin", l.bindingOf("flux-system", "  tier: production\n  owners: [platform]\n  sources:\n"+
		strings.ReplaceAll(source("system", "Plain", "system"), "path: shop/", "path: clusters/"))))
	l.seal(sourceController, kustomizeController, deployer, hubFlux)
	l.judged("shop", "tier", l.tip(), "Allow")
	l.judged("flux-system", "tier", l.tip(), "Allow")
	l.judged("fairway-system", "cluster", l.tip(), "Allow")
}

// told awaits that the condition Ready of a Kustomization is not True, and says something.
func (l *fluxLab) told(name string, words ...string) {
	l.t.Helper()
	l.until(name+" says "+strings.Join(words, ", "), func(ctx context.Context) error {
		k, err := l.kustomizationNow(ctx, name)
		if err != nil {
			return err
		}
		told := conditionIs(k, "Ready", "True")
		for _, word := range words {
			if told == nil || !strings.Contains(told.Error(), word) {
				return fmt.Errorf("its condition says %w", told)
			}
		}
		return nil
	})
}
