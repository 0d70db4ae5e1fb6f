package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// The users of Argo CD: its controller, and its console, through which people write.
const (
	argoUser    = "system:serviceaccount:argocd:argocd-application-controller"
	argoManager = "argocd-controller"
	consoleUser = "system:serviceaccount:argocd:argocd-server"
)

// shopApplication delivers the shop.
const shopApplication = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.example.com/apps.git", path: shop/production, targetRevision: main}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [ServerSideApply=true]
    retry: {limit: 1}
`

// shopByArgo is the binding of production with its sources delivered by one Application.
const shopByArgo = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: shop}
spec:
  tier: production
  owners: [shop]
  sources:
  - {name: shop, repository: apps, branch: main, path: shop/production, render: Plain, via: {argoCD: {application: argocd/shop, tracking: %[1]s}}}
  - {name: extra, repository: apps, branch: main, path: shop/extra, render: Plain, via: {argoCD: {application: argocd/shop, tracking: %[1]s}}}
`

// TestArgoCD sends what Argo CD sends (docs/adr/0010) and holds what becomes of it; its chapters build on
// each other.
func TestArgoCD(t *testing.T) {
	l := newServeLab(t)
	l.admitted(l.apply("admin", "admin", manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n")))
	for _, kind := range []string{"applications", "appprojects", "applicationsets"} {
		l.admitted(l.apply("admin", "admin", yamlFile(t, "testdata/argocd/"+kind+".yaml")))
	}
	for _, object := range manifests(t, "../config/engines") {
		l.until("the namespace is known", func(context.Context) error { return l.apply("admin", "admin", &object) })
	}
	l.until("Applications are served", func(context.Context) error {
		return l.apply("admin", "admin", manifest(t, shopApplication))
	})
	l.land("Sell more beside\n\nTicket: SHOP-50", map[string]string{"shop/extra/note.yaml": argoNote})
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"each way of tracking binds", argoTracks},
		{"a client-side apply is told what to set", argoClientSide},
		{"a difference is shown, not stored", argoDiffs},
		{"an approval that comes late is enough", argoLate},
		{"what Git dropped is pruned", argoPrunes},
		{"the console is a person", argoConsole},
		{"T-15: what steers Argo CD comes from Git", argoChained},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			here := *l
			here.t = t
			chapter.tell(&here)
		}) {
			return
		}
	}
}

const argoNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: shop}
data: {a: b}
`

// tracked is a manifest as the repository server hands it to the controller.
func (l *serveLab) tracked(text, tracking string) *unstructured.Unstructured {
	object := manifest(l.t, text)
	if tracking != "Annotation" {
		object.SetLabels(merged(object.GetLabels(), "app.kubernetes.io/instance", "shop"))
	}
	if tracking != "Label" {
		gvk := object.GroupVersionKind()
		id := "shop:" + gvk.Group + "/" + gvk.Kind + ":" + object.GetNamespace() + "/" + object.GetName()
		object.SetAnnotations(merged(object.GetAnnotations(), "argocd.argoproj.io/tracking-id", id))
	}
	return object
}

// sync applies a manifest as a sync with ServerSideApply=true does.
func (l *serveLab) sync(text string) error {
	return l.apply(argoUser, argoManager, l.tracked(text, "Annotation"))
}

// argoTracks: what Argo CD adds is part of what is proven, in each of its ways, and no other is taken for
// it. Each source of an Application is proven by itself.
func argoTracks(l *serveLab) {
	web := story.Web(2, "", "1.0")
	for _, tracking := range []string{"Label", "AnnotationAndLabel", "Annotation"} {
		l.admitted(l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(shopByArgo, tracking))))
		for _, text := range []string{web, argoNote} {
			l.until("the marks of "+tracking+" bind", func(context.Context) error { return l.apply(argoUser, argoManager, l.tracked(text, tracking)) })
		}
		for _, other := range []string{"Label", "AnnotationAndLabel", "Annotation"} {
			if other != tracking {
				l.refused(l.apply(argoUser, argoManager, l.tracked(web, other)), "ContentDiffers")
			}
		}
	}
	l.until("the banner binds too", func(context.Context) error { return l.sync(story.Banner) })
	// Its name and its marks make nothing else Git's (T-01, T-14), nor does a tracking id of another object.
	l.refused(l.sync(strings.Replace(story.Banner, "winter", "summer", 1)), "ContentDiffers")
	stray := l.tracked(strings.Replace(story.Banner, "name: banner", "name: stray", 1), "Annotation")
	l.refused(l.apply(argoUser, argoManager, stray), "no proof speaks of")
}

// argoClientSide: ruling 25, with what Argo CD's client-side apply and its Replace send.
func argoClientSide(l *serveLab) {
	ctx := l.t.Context()
	banner := l.tracked(strings.Replace(story.Banner, "winter", "summer", 1), "Annotation")
	raw, err := json.Marshal(banner.Object)
	if err != nil {
		l.t.Fatal(err)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": string(raw)}},
		"data":     map[string]any{"text": "summer sale"},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	client := l.on(argoUser, banner)
	_, err = client.Patch(ctx, "banner", types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: argoManager})
	l.refused(err, "UseServerSideApply")
	live, err := client.Get(ctx, "banner", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := unstructured.SetNestedField(live.Object, "summer sale", "data", "text"); err != nil {
		l.t.Fatal(err)
	}
	_, err = client.Update(ctx, live, metav1.UpdateOptions{FieldManager: "argocd-application-controller"})
	l.refused(err, "ContentDiffers")
	// What is not there yet is created, with exactly what Git renders: it is no apply all the same.
	fresh := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh, namespace: shop}\ndata: {a: b}\n"
	merge := l.land("Add one\n\nTicket: SHOP-51", map[string]string{"shop/production/fresh.yaml": fresh})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	_, err = client.Create(ctx, l.tracked(fresh, "Annotation"), metav1.CreateOptions{FieldManager: argoManager})
	l.refused(err, "UseServerSideApply")
	l.refused(err, "ServerSideApply=true")
	l.admitted(l.sync(fresh))
}

// warnings are those of the API server.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

// argoDiffs: the server-side diff of a commit that nobody approved is let through with a warning, any
// number of times, and leaves nothing behind (T-52); the sync of it is refused.
func argoDiffs(l *serveLab) {
	next := story.Web(2, "", "1.1")
	heard := &warnings{}
	config := l.config(argoUser)
	config.WarningHandler = heard
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		l.t.Fatal(err)
	}
	web := l.tracked(next, "Annotation")
	mapping, err := l.mapper.RESTMapping(web.GroupVersionKind().GroupKind(), "v1")
	if err != nil {
		l.t.Fatal(err)
	}
	for range 3 {
		options := metav1.ApplyOptions{FieldManager: argoManager, Force: true, DryRun: []string{metav1.DryRunAll}}
		_, err := client.Resource(mapping.Resource).Namespace("shop").Apply(l.t.Context(), "web", web, options)
		l.admitted(err)
	}
	if len(heard.said) == 0 || !strings.Contains(heard.said[0], "would be refused") {
		l.t.Errorf("the warnings are %q", heard.said)
	}
	l.refused(l.sync(next), "ContentDiffers")
	// The same by another manager is no diff of Argo CD's.
	_, err = l.on("sara", web).Apply(l.t.Context(), "web", web, metav1.ApplyOptions{FieldManager: "kubectl", Force: true, DryRun: []string{metav1.DryRunAll}})
	l.refused(err, "ContentDiffers")
}

// argoLate: a refused sync is started again by Fairway once its commit is approved, and the verdict stands
// above the Application.
func argoLate(l *serveLab) {
	ctx := l.t.Context()
	next := story.Web(2, "", "1.1")
	merge, head, err := l.shop.Land(ctx, "sara", "Sell more\n\nTicket: SHOP-52", map[string]string{story.WebPath: next})
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)
	denial := l.sync(next)
	l.refused(denial, "NeedsApproval")
	app := manifest(l.t, shopApplication)
	failed, err := json.Marshal(map[string]any{"status": map[string]any{
		"sync": map[string]any{"status": "OutOfSync", "revision": merge},
		"operationState": map[string]any{
			"phase": "Failed", "message": "one or more objects failed to apply, reason: " + denial.Error(),
			"operation": map[string]any{"sync": map[string]any{"revision": merge}, "initiatedBy": map[string]any{"automated": true}},
		},
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = l.on(argoUser, app).Patch(ctx, "shop", types.MergePatchType, failed, metav1.PatchOptions{FieldManager: "argocd-application-controller"})
	l.admitted(err)
	shown := func(verdict string) {
		l.t.Helper()
		l.until("the verdict "+verdict+" stands above the Application", func(ctx context.Context) error {
			live, err := l.on("admin", app).Get(ctx, "shop", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if notice := live.GetAnnotations()["notice.argocd.argoproj.io/content"]; !strings.Contains(notice, verdict) {
				return fmt.Errorf("the notice is %q", notice)
			}
			return nil
		})
	}
	shown("Pending")
	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	shown("Allow")
	l.until("Fairway has started the sync again", func(ctx context.Context) error {
		live, err := l.on("admin", app).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			return err
		}
		revision, _, _ := unstructured.NestedString(live.Object, "operation", "sync", "revision")
		options, _, _ := unstructured.NestedStringSlice(live.Object, "operation", "sync", "syncOptions")
		if revision != merge || len(options) != 1 {
			return fmt.Errorf("the operation is %v", live.Object["operation"])
		}
		return nil
	})
	l.admitted(l.sync(next))
}

// argoPrunes: Argo CD prunes in the foreground (T-21).
func argoPrunes(l *serveLab) {
	ctx := l.t.Context()
	foreground := metav1.DeletePropagationForeground
	banner := manifest(l.t, story.Banner)
	remove := func() error {
		return l.on(argoUser, banner).Delete(ctx, "banner", metav1.DeleteOptions{PropagationPolicy: &foreground})
	}
	l.refused(remove(), "StillInGit")
	merge := l.land("Drop the banner\n\nTicket: SHOP-53", map[string]string{story.BannerPath: ""})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(remove())
}

// argoConsole: what people do in the console of Argo CD comes from no commit.
func argoConsole(l *serveLab) {
	ctx := l.t.Context()
	web := manifest(l.t, story.Web(2, "", "1.1"))
	_, err := l.on(consoleUser, web).Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"replicas":9}}`), metav1.PatchOptions{FieldManager: "argocd-server"})
	l.refused(err, "ContentDiffers")
	l.refused(l.on(consoleUser, web).Delete(ctx, "web", metav1.DeleteOptions{}), "StillInGit")
}

// yamlFile is the one object of a file.
func yamlFile(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	documents := yamlDocuments(t, path)
	if len(documents) != 1 {
		t.Fatalf("%s has %d objects", path, len(documents))
	}
	return &unstructured.Unstructured{Object: documents[0]}
}
