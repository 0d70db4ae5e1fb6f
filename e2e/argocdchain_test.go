package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// setController makes Applications of sets.
const setController = "system:serviceaccount:argocd:argocd-applicationset-controller"

// sealedForArgo is the cluster binding of docs/engines/argocd.md, with what Argo CD and Fairway write on
// Applications.
const sealedForArgo = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [platform]
  sources:
  - {name: fleet, repository: apps, branch: main, path: clusters/main, render: Plain, fieldManager: deployer}
  controllers:
  - name: argocd
    users: [system:serviceaccount:argocd:argocd-application-controller, "%[1]s"]
    groups: [argoproj.io]
    kinds: [Application]
    operations: [UPDATE]
    fields: [status, operation, 'metadata.annotations["argocd.argoproj.io/refresh"]', 'metadata.annotations["notice.argocd.argoproj.io/*"]']
    why: Argo CD keeps what it does on the Application
  - name: argocd-server
    users: [system:serviceaccount:argocd:argocd-server]
    groups: [argoproj.io]
    kinds: [Application]
    operations: [UPDATE]
    fields: [operation.initiatedBy, operation.info, operation.retry, operation.sync.revision, operation.sync.revisions, operation.sync.prune, operation.sync.syncOptions, operation.sync.syncStrategy, status.operationState, 'metadata.annotations["argocd.argoproj.io/refresh"]']
    why: people press Sync and Refresh
  - name: argocd-applicationset
    users: [system:serviceaccount:argocd:argocd-applicationset-controller]
    groups: [argoproj.io]
    kinds: [Application]
    ownerKinds: [ApplicationSet]
    why: a set makes its Applications
  install: {defaultTier: sandbox, proverUsers: ["%[1]s"], engines: [system:serviceaccount:argocd:argocd-application-controller]}
`

// The specs of what steers Argo CD, with a namespace to fill in.
const (
	argoDestined    = `{project: default, source: {repoURL: "https://git.example.com/apps.git", path: shop/production, targetRevision: main}, destination: {server: "https://kubernetes.default.svc", namespace: "%s"}}`
	argoProjectSpec = `{sourceRepos: ["*"], destinations: [{server: "https://kubernetes.default.svc", namespace: "%s"}]}`
	argoSetSpec     = `{generators: [{list: {elements: [{n: a}]}}], template: {metadata: {name: "made-{{n}}"}, spec: ` + argoDestined + `}}`
)

// argoObject is an object that steers Argo CD.
func (l *serveLab) argoObject(kind, name, spec string) *unstructured.Unstructured {
	l.t.Helper()
	return manifest(l.t, "apiVersion: argoproj.io/v1alpha1\nkind: "+kind+"\nmetadata: {name: "+name+", namespace: argocd}\nspec: "+spec+"\n")
}

// argoChained: T-15, in a sealed install: what tells Argo CD what to deliver, and where, is judged by the
// tier of the place that it reaches.
func argoChained(l *serveLab) {
	l.until("the install is sealed", func(context.Context) error {
		return l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(sealedForArgo, fairwayUser)))
	})
	tries := 0
	l.until("Applications that reach production are judged", func(context.Context) error {
		tries++ // the same patch again would change nothing, which nobody is refused
		if l.patchShop("sara", fmt.Sprintf(`{"metadata":{"labels":{"probe":"x%d"}}}`, tries)) == nil {
			return errors.New("an Application can still be changed")
		}
		return nil
	})
	argoByHand(l)
	argoByConsole(l)
	argoReaches(l)
	argoSets(l)
	// From Git it changes, by the cluster's source.
	text := strings.Replace(shopApplication, "ServerSideApply=true", "ServerSideApply=true, PruneLast=true", 1)
	merge := l.land("Prune last\n\nTicket: SHOP-54", map[string]string{"clusters/main/shop.yaml": text})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.admitted(l.apply("deployer", "deployer", l.stamped(text, merge, "fleet")))
}

// patchShop patches the Application that delivers the shop.
func (l *serveLab) patchShop(user, body string) error {
	_, err := l.on(user, manifest(l.t, shopApplication)).Patch(l.t.Context(), "shop", types.MergePatchType, []byte(body), metav1.PatchOptions{})
	return err
}

// argoByHand: nobody changes the Application by hand, whatever of it and whatever rights in RBAC.
func argoByHand(l *serveLab) {
	tip := l.tip()
	for what, body := range map[string]string{
		"another path":                `{"spec":{"source":{"path":"shop/twin"}}}`,
		"another repository":          `{"spec":{"source":{"repoURL":"https://elsewhere.example.com/x.git"}}}`,
		"another branch":              `{"spec":{"source":{"targetRevision":"feature"}}}`,
		"several sources":             `{"spec":{"sources":[{"repoURL":"https://elsewhere.example.com/x.git","path":"x"}]}}`,
		"another place":               `{"spec":{"destination":{"namespace":"play"}}}`,
		"another cluster":             `{"spec":{"destination":{"server":"https://elsewhere.example.com"}}}`,
		"another project":             `{"spec":{"project":"free"}}`,
		"forced":                      `{"spec":{"syncPolicy":{"syncOptions":["Force=true","Replace=true"]}}}`,
		"a sync of an older commit":   `{"operation":{"sync":{"revision":"` + l.baseline + `"}}}`,
		"local manifests":             `{"operation":{"sync":{"revision":"` + tip + `","manifests":["{}"]}}}`,
		"a forged status":             `{"status":{"sync":{"status":"Synced","revision":"` + strings.Repeat("f", 40) + `"}}}`,
		"a finalizer":                 `{"metadata":{"finalizers":["resources-finalizer.argocd.argoproj.io"]}}`,
		"without its own reconciling": `{"metadata":{"annotations":{"argocd.argoproj.io/skip-reconcile":"true"}}}`,
	} {
		err := l.patchShop("sara", body)
		if err == nil {
			l.t.Errorf("%s: admitted", what)
		}
		l.refused(err, "")
	}
	app := manifest(l.t, shopApplication)
	l.refused(l.on("sara", app).Delete(l.t.Context(), "shop", metav1.DeleteOptions{}), "FW")
	// Argo CD may no more of it than its entry says.
	l.refused(l.patchShop(argoUser, `{"spec":{"project":"free"}}`), "FW")
}

// argoByConsole: the console starts a sync of what Git says and of nothing else.
func argoByConsole(l *serveLab) {
	tip := l.tip()
	for what, body := range map[string]string{
		"local manifests":    `{"operation":{"sync":{"revision":"` + tip + `","manifests":["{}"]}}}`,
		"another repository": `{"operation":{"sync":{"revision":"` + tip + `","source":{"repoURL":"https://elsewhere.example.com/x.git"}}}}`,
		"another place":      `{"spec":{"destination":{"namespace":"play"}}}`,
	} {
		err := l.patchShop(consoleUser, body)
		if err == nil {
			l.t.Errorf("the console syncs %s", what)
		}
		l.refused(err, "")
	}
	l.admitted(l.patchShop(consoleUser, `{"operation":{"sync":{"revision":"`+tip+`","prune":true},"initiatedBy":{"username":"sara"}}}`))
	l.admitted(l.patchShop(argoUser, `{"operation":null,"status":{"sync":{"status":"Synced"}}}`))
}

// argoReaches: an object that reaches production comes from nobody's hand, neither new nor by a change of
// one that does not; one that stays in the sandbox is free.
func argoReaches(l *serveLab) {
	for kind, spec := range map[string]string{"Application": argoDestined, "AppProject": argoProjectSpec, "ApplicationSet": argoSetSpec} {
		free := l.argoObject(kind, "free", fmt.Sprintf(spec, "play"))
		for _, place := range []string{"shop", "", "*", "team-*"} {
			taken := l.argoObject(kind, "taken", fmt.Sprintf(spec, place))
			l.refused(l.apply("sara", "sara", taken), "no proof speaks of")
		}
		l.admitted(l.apply("sara", "sara", free))
		l.refused(l.apply("sara", "sara", l.argoObject(kind, "free", fmt.Sprintf(spec, "shop"))), "no proof speaks of")
		if kind != "Application" { // its set is needed below
			continue
		}
		l.admitted(l.on("sara", free).Delete(l.t.Context(), "free", metav1.DeleteOptions{}))
	}
	for what, spec := range map[string]string{
		"a template of namespaces": fmt.Sprintf(argoSetSpec, "{{n}}"),
		"a patch":                  strings.Replace(fmt.Sprintf(argoSetSpec, "play"), "{generators", "{templatePatch: 'spec: {destination: {namespace: shop}}', generators", 1),
		"a generator's template":   strings.Replace(fmt.Sprintf(argoSetSpec, "play"), "[{n: a}]", "[{n: a}], template: {spec: {destination: {namespace: shop}}}", 1),
	} {
		if err := l.apply("sara", "sara", l.argoObject("ApplicationSet", "free", spec)); err == nil {
			l.t.Errorf("a set with %s: admitted", what)
		}
	}
}

// argoSets: a set makes its Applications by the hand of its controller, and only what it owns.
func argoSets(l *serveLab) {
	set, err := l.on("admin", l.argoObject("ApplicationSet", "free", "{}")).Get(l.t.Context(), "free", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	made := l.argoObject("Application", "made-a", fmt.Sprintf(argoDestined, "shop"))
	create := func(user string) error {
		_, err := l.on(user, made).Create(l.t.Context(), made, metav1.CreateOptions{})
		return err
	}
	l.refused(create(setController), "OwnerNotLive")
	controls := true
	made.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: "argoproj.io/v1alpha1", Kind: "ApplicationSet", Name: "free", UID: set.GetUID(), Controller: &controls,
	}})
	l.refused(create("sara"), "no proof speaks of")
	l.admitted(create(setController))
}
