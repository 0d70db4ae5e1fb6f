package e2e

import (
	"context"
	"errors"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// chained are objects that tell Flux and Argo CD what to deliver into production, in an open namespace.
const chained = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, url: "https://git.example.com/apps.git", ref: {branch: main}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, url: "oci://registry.example.com/apps", ref: {tag: main}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, endpoint: store.example.com, bucketName: apps}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, url: "https://charts.example.com"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, chart: shop, version: 1.0.0, sourceRef: {kind: HelmRepository, name: shop}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: ExternalArtifact
metadata: {name: shop, namespace: engines}
spec: {sourceRef: {apiVersion: example.com/v1, kind: Maker, name: shop, namespace: engines}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop, namespace: engines}
spec: {interval: 1m, path: ./shop/production, prune: true, targetNamespace: shop, sourceRef: {kind: GitRepository, name: shop}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: engines}
spec:
  interval: 1m
  targetNamespace: shop
  chart: {spec: {chart: shop, version: 1.0.0, sourceRef: {kind: HelmRepository, name: shop}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: engines}
spec:
  project: default
  source: {repoURL: "https://git.example.com/apps.git", path: shop/production, targetRevision: main}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: engines}
spec: {sourceRepos: ["https://git.example.com/apps.git"], destinations: [{server: "https://kubernetes.default.svc", namespace: shop}]}
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shop, namespace: engines}
spec:
  generators: [{list: {elements: [{n: a}]}}]
  template:
    metadata: {name: "shop-{{n}}"}
    spec:
      project: default
      source: {repoURL: "https://git.example.com/apps.git", path: shop/production, targetRevision: main}
      destination: {server: "https://kubernetes.default.svc", namespace: shop}
`

// fedByEngines is the binding of production whose source a Kustomization of the open namespace delivers: what feeds that one
// reaches production, too.
const fedByEngines = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
  - {name: shop, repository: apps, branch: main, path: shop/production, render: Plain, via: {flux: {kustomization: engines/shop}}}
`

// TestT15EveryFieldOfEachKind changes each field that the definitions of Flux and Argo CD know, one at a time, of an object
// that reaches production from an open namespace, as an administrator. What the API server itself finds valid is refused.
func TestT15EveryFieldOfEachKind(t *testing.T) {
	l := newServeLab(t)
	l.admitted(l.apply("admin", "admin", manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: engines}\n")))
	kinds := map[string]*apiextensionsv1.JSONSchemaProps{}
	for _, tool := range []string{"flux", "argocd"} {
		folder, err := controlplane.Built(t.Context(), tool)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range manifests(t, folder) {
			l.define(&object)
			var definition apiextensionsv1.CustomResourceDefinition
			convert(t, &object, &definition)
			for _, version := range definition.Spec.Versions {
				if version.Storage {
					kinds[definition.Spec.Names.Kind] = version.Schema.OpenAPIV3Schema
				}
			}
		}
	}
	objects := documents(t, []byte(chained))
	for i := range objects {
		l.admitted(l.apply("admin", "admin", &objects[i]))
	}
	l.admitted(l.apply("admin", "admin", manifest(t, fedByEngines)))
	l.seal()
	l.until("what reaches production is judged", func(ctx context.Context) error {
		live := l.live(ctx, &objects[0])
		live.SetLabels(map[string]string{"probe": "x"})
		if _, err := l.on("admin", live).Update(ctx, live, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
			return errors.New("it can still be changed")
		}
		return nil
	})
	for i := range objects {
		schema := kinds[objects[i].GetKind()]
		if schema == nil {
			t.Fatalf("nobody defines %s", objects[i].GetKind())
		}
		t.Run(objects[i].GetKind(), func(t *testing.T) {
			here := *l
			here.t = t
			f := fieldChanges{lab: &here, schema: schema, live: here.live(t.Context(), &objects[i])}
			for _, root := range []string{"spec", "operation"} {
				if of, ok := schema.Properties[root]; ok {
					f.each(&of, []string{root})
				}
			}
			f.metadata()
			t.Logf("%d changes refused, %d not valid to the API server, %d that it took back", f.refused, len(f.invalid), f.same)
			if len(f.invalid) > (f.refused+len(f.invalid))/5 {
				t.Errorf("too many were never judged: %q", f.invalid)
			}
		})
	}
}

// define installs a definition and awaits that its kind is served.
func (l *serveLab) define(crd *unstructured.Unstructured) {
	l.t.Helper()
	l.admitted(l.apply("admin", "admin", crd))
	l.until(crd.GetName()+" is served", func(ctx context.Context) error {
		live, err := l.on("admin", crd).Get(ctx, crd.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		return conditionIs(live, "Established", "True")
	})
}

func (l *serveLab) live(ctx context.Context, object *unstructured.Unstructured) *unstructured.Unstructured {
	l.t.Helper()
	live, err := l.on("admin", object).Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return live
}
