package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// The kinds of Flux whose status says what was fetched and what was applied.
var fluxKinds = []struct {
	resource schema.GroupVersionResource
	kind     string
	account  string // of the controller that writes its status
}{
	{schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}, "Kustomization", "kustomize-controller"},
	{schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}, "GitRepository", "source-controller"},
	{schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}, "HelmRelease", "helm-controller"},
}

// engineStep is one write of an object of an engine.
type engineStep struct {
	name             string
	config           *rest.Config
	verb, path, body string
	refused          bool
}

// engines: what an engine says of itself is said by nobody else, whatever rights they have, by way of a
// sub-resource or without one; and the policy is in no other controller's way.
func (g *guardedCluster) engines(t *testing.T) {
	client, err := dynamic.NewForConfig(g.cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	rollouts := schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}
	g.serves(t, client, rollouts, kindWithStatus(t, rollouts, "Rollout"))
	g.serves(t, client, rollouts.GroupVersion().WithResource("applications"), yamlFile(t, "testdata/argocd/applications.yaml"))
	steps := g.argoSteps()
	for _, k := range fluxKinds {
		g.serves(t, client, k.resource, kindWithStatus(t, k.resource, k.kind))
		steps = append(steps, g.fluxSteps(k.resource, k.kind, k.account)...)
	}
	for _, step := range steps {
		err := request(t, step.config, step.verb, step.path, step.body)
		if refused := err != nil && strings.Contains(err.Error(), "by the engine alone"); refused != step.refused || err != nil && !refused {
			t.Errorf("%s: got %v, want refused is %t", step.name, err, step.refused)
		}
	}
	g.enginesBeside(t)
	for _, k := range fluxKinds {
		live, err := client.Resource(k.resource).Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if at, _, _ := unstructured.NestedString(live.Object, "status", "lastAppliedRevision"); at != "main@sha1:0" {
			t.Errorf("the %s says %q, want what its engine wrote", k.kind, at)
		}
	}
}

// enginesBeside: what Flux delivers in the name of a service account beside it is made in a system namespace by
// administrators of the cluster alone; a right in the namespace (see systemNamespaces) is not enough.
func (g *guardedCluster) enginesBeside(t *testing.T) {
	tina, err := g.cluster.ConfigFor("tina")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range fluxKinds {
		gv := k.resource.GroupVersion().String()
		path := "/apis/" + gv + "/namespaces/kube-system/" + k.resource.Resource
		made := `{"apiVersion":"` + gv + `","kind":"` + k.kind + `","metadata":{"name":"a"},"spec":{"serviceAccountName":"namespace-controller"}}`
		err := request(t, tina, "POST", path, made)
		if refused := err != nil && strings.Contains(err.Error(), "no gate judges this namespace"); refused != (k.kind != "GitRepository") || err != nil && !refused {
			t.Errorf("a %s: got %v", k.kind, err)
		}
		if err := request(t, g.as("root"), "POST", path, strings.Replace(made, `"a"`, `"b"`, 1)); err != nil {
			t.Errorf("a %s by an administrator: %v", k.kind, err)
		}
	}
}

func (g *guardedCluster) argoSteps() []engineStep {
	const apps = "/apis/argoproj.io/v1alpha1/namespaces/default/applications"
	const outs = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts"
	const revision = `"status":{"sync":{"status":"Synced","revision":"0123456789012345678901234567890123456789"}}`
	root, argo := g.as("root"), g.as("system:serviceaccount:argocd:argocd-application-controller")
	app := func(name, status string) string {
		return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"` + name + `"},"spec":{"project":"default","destination":{}}` + status + `}`
	}
	return []engineStep{
		{"an Application", root, "POST", apps, app("a", ""), false},
		{"with an empty status", root, "POST", apps, app("b", `,"status":{"sync":{"status":"","revision":""}}`), false},
		{"with a revision", root, "POST", apps, app("c", ","+revision), true},
		{"with an operation that ran", root, "POST", apps, app("c", `,"status":{"operationState":{"phase":"Running","startedAt":"2026-01-01T00:00:00Z","operation":{}}}`), true},
		{"its revision", root, "PATCH", apps + "/a", "{" + revision + "}", true},
		{"its revision by the engine", argo, "PATCH", apps + "/a", "{" + revision + "}", false},
		{"another revision", root, "PATCH", apps + "/a", `{"status":{"sync":{"revision":"1"}}}`, true},
		{"no revision", root, "PATCH", apps + "/a", `{"status":null}`, true},
		{"its spec", root, "PATCH", apps + "/a", `{"spec":{"project":"other"}}`, false},
		{"its operation", root, "PATCH", apps + "/a", `{"operation":{"sync":{"revision":"main"}}}`, false},
		{"a Rollout", root, "POST", outs, `{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"a"},"spec":{}}`, false},
		{"its status by its controller", g.as("system:serviceaccount:argo-rollouts:argo-rollouts"), "PATCH", outs + "/a/status", `{"status":{"phase":"Healthy"}}`, false},
	}
}

func (g *guardedCluster) fluxSteps(resource schema.GroupVersionResource, kind, account string) []engineStep {
	root, flux := g.as("root"), g.as("system:serviceaccount:flux-system:"+account)
	path := "/apis/" + resource.GroupVersion().String() + "/namespaces/default/" + resource.Resource
	made := `{"apiVersion":"` + resource.GroupVersion().String() + `","kind":"` + kind + `","metadata":{"name":"a"},"spec":{}}`
	return []engineStep{
		{"a " + kind, root, "POST", path, made, false},
		{"the status of a " + kind, root, "PATCH", path + "/a/status", `{"status":{"lastAppliedRevision":"main@sha1:0"}}`, true},
		{"a label by way of it", root, "PATCH", path + "/a/status", `{"metadata":{"labels":{"a":"b"}}}`, true},
		{"it by a service account elsewhere", g.as("system:serviceaccount:flux-systems:" + account), "PATCH", path + "/a/status", `{"status":{"lastAppliedRevision":"main@sha1:0"}}`, true},
		{"it by the engine", flux, "PATCH", path + "/a/status", `{"status":{"lastAppliedRevision":"main@sha1:0"}}`, false},
		// It goes through, and the API server drops the status.
		{"it without the sub-resource", root, "PATCH", path + "/a", `{"status":{"lastAppliedRevision":"main@sha1:1"},"spec":{"path":"x"}}`, false},
	}
}

// serves makes a custom kind and returns when its objects are served.
func (g *guardedCluster) serves(t *testing.T, client dynamic.Interface, resource schema.GroupVersionResource, crd *unstructured.Unstructured) {
	t.Helper()
	crds := client.Resource(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"))
	if _, err := crds.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatalf("making %s: %v", crd.GetName(), err)
	}
	var problem error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, problem = client.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
		return problem == nil, nil
	})
	if err != nil {
		t.Fatalf("%s is not served: %v", crd.GetName(), problem)
	}
}

// kindWithStatus is a custom kind with a status sub-resource.
func kindWithStatus(t *testing.T, resource schema.GroupVersionResource, kind string) *unstructured.Unstructured {
	t.Helper()
	return manifest(t, `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: `+resource.GroupResource().String()+`}
spec:
  group: `+resource.Group+`
  scope: Namespaced
  names: {kind: `+kind+`, plural: `+resource.Resource+`}
  versions:
  - name: `+resource.Version+`
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`)
}
