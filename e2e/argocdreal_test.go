package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/controlplane"
	"github.com/fairway-dev/fairway/e2e/story"
)

// argoInstall is what an install of Argo CD has beside its programs.
const argoInstall = `apiVersion: v1
kind: Namespace
metadata: {name: argocd}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
data: {application.resourceTrackingMethod: annotation}
---
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: not-a-secret}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{namespace: "*", server: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
`

// liveApplication delivers the shop with Argo CD itself; filled in are its sources and its sync options.
const liveApplication = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
%s  destination: {server: "https://kubernetes.default.svc", namespace: shop}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [%s]
    retry: {limit: 1, backoff: {duration: 1s, factor: 1, maxDuration: 1s}}
`

// liveShop is the binding of production with all sources that Argo CD delivers here; filled in is how it tracks them.
const liveShop = shopByArgo + moreSource + renderedSources + hookedSources + settledSources

// argoLab is the lab with the real application controller and repository server of Argo CD in it.
type argoLab struct {
	*serveLab
	argo *controlplane.Program
	git  *fluxLab // serves the repository

	redis, repositories string // where Argo CD's Redis and its repository server listen
}

func newArgoLab(t *testing.T) *argoLab {
	t.Helper()
	server := newServeLab(t)
	l := &argoLab{serveLab: server, git: &fluxLab{serveLab: server}}
	l.redis, l.repositories = l.git.freeAddress(), l.git.freeAddress()
	l.git.serveGit()
	folder, err := controlplane.Built(t.Context(), "argocd")
	if err != nil {
		t.Fatal(err)
	}
	for _, crd := range manifests(t, folder) {
		l.admitted(l.apply("admin", "admin", &crd))
		l.until(crd.GetName()+" is served", func(ctx context.Context) error {
			live, err := l.on("admin", &crd).Get(ctx, crd.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			return conditionIs(live, "Established", "True")
		})
	}
	for _, text := range strings.Split(argoInstall, "---\n") {
		l.until("Argo CD's settings", func(context.Context) error { return l.apply("admin", "admin", manifest(t, text)) })
	}
	for _, object := range documents(t, read(t, "../config/engines/argocd.yaml")) {
		l.admitted(l.apply("admin", "admin", &object))
	}
	l.start(filepath.Join(folder, "argocd"))
	return l
}

// start runs Argo CD, as its own user.
func (l *argoLab) start(program string) {
	l.t.Helper()
	kubeconfig := filepath.Join(l.dir, "argocd.kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, l.config(argoUser)); err != nil {
		l.t.Fatal(err)
	}
	var err error
	l.argo, err = l.cluster.RunWith([]string{"HOME=" + l.dir, "TMPDIR=" + l.dir, "ARGOCD_GPG_ENABLED=false", "ARGOCD_SYNC_WAVE_DELAY=0", "PATH=" + filepath.Join(filepath.Dir(program), "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")},
		program, "-kubeconfig", kubeconfig, "-resync", "3s", "-server-side-diff", "-application-namespaces", "teams", "-redis", l.redis, "-repo-server", l.repositories)
	if err != nil {
		l.t.Fatal(err)
	}
	argo := l.argo
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("argocd said:\n%s", argo.Log())
		}
	})
}

// application is the shop's, of one source or of several.
func (l *argoLab) application(options string, paths ...string) *unstructured.Unstructured {
	l.t.Helper()
	return manifest(l.t, l.applicationText(options, paths...))
}

func (l *argoLab) applicationText(options string, paths ...string) string {
	var sources []string
	for _, path := range paths {
		sources = append(sources, fmt.Sprintf("{repoURL: %q, path: %s, targetRevision: main}", l.git.git.URL+"/apps.git", path))
	}
	field := "  source: " + sources[0] + "\n"
	if len(sources) > 1 {
		field = "  sources: [" + strings.Join(sources, ", ") + "]\n"
	}
	return fmt.Sprintf(liveApplication, field, options)
}

// argoState is what an Application says of itself.
type argoState struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		Sync struct {
			Status    string   `json:"status"`
			Revision  string   `json:"revision"`
			Revisions []string `json:"revisions"`
		} `json:"sync"`
		Conditions []struct{ Type, Message string } `json:"conditions"`
		Operation  struct {
			Phase      string `json:"phase"`
			Message    string `json:"message"`
			SyncResult struct {
				Revision  string   `json:"revision"`
				Revisions []string `json:"revisions"`
				Resources []struct {
					Kind, Name, Status, Message string
				} `json:"resources"`
			} `json:"syncResult"`
			Operation struct {
				InitiatedBy struct{ Username string } `json:"initiatedBy"`
			} `json:"operation"`
		} `json:"operationState"`
	} `json:"status"`
}

// said is all that the last sync said.
func (s argoState) said() string {
	said := s.Status.Operation.Message
	for _, r := range s.Status.Operation.SyncResult.Resources {
		said += "\n" + r.Message
	}
	return said
}

// broken is why the Application cannot be compared with Git; nil where it can.
func (s argoState) broken() error {
	for _, c := range s.Status.Conditions {
		if c.Type == "ComparisonError" {
			return errors.New(c.Message)
		}
	}
	return nil
}

// awaits waits until the Application of the shop says what is asked for.
func (l *argoLab) awaits(what string, holds func(argoState) bool) argoState {
	l.t.Helper()
	return l.awaitsOf("shop", what, holds)
}

// awaitsOf does so for another Application.
func (l *argoLab) awaitsOf(app, what string, holds func(argoState) bool) argoState {
	l.t.Helper()
	namespace, name, qualified := strings.Cut(app, "/")
	if !qualified {
		namespace, name = "argocd", app
	}
	at := manifest(l.t, shopApplication)
	at.SetNamespace(namespace)
	var found argoState
	l.until(what, func(ctx context.Context) error {
		app, err := l.on("admin", at).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("%w; before it said %+v", err, found)
		}
		raw, err := json.Marshal(app.Object)
		if err != nil {
			return err
		}
		found = argoState{}
		if err := json.Unmarshal(raw, &found); err != nil {
			return err
		}
		if !holds(found) {
			return fmt.Errorf("it says %+v", found)
		}
		return nil
	})
	return found
}

// synced waits until Argo CD has delivered a commit.
func (l *argoLab) synced(commit string) argoState {
	l.t.Helper()
	return l.syncedOf("shop", commit)
}

func (l *argoLab) syncedOf(app, commit string) argoState {
	l.t.Helper()
	return l.awaitsOf(app, "Argo CD has delivered "+commit+" by "+app, func(s argoState) bool {
		result := s.Status.Operation.SyncResult
		at := append(slices.Clone(result.Revisions), result.Revision)
		return s.Status.Operation.Phase == "Succeeded" && slices.Contains(at, commit) && s.Status.Sync.Status == "Synced"
	})
}

// TestArgoCDItself tells how the real application controller and repository server of Argo CD live with a gated
// namespace; its chapters build on each other.
func TestArgoCDItself(t *testing.T) {
	l := newArgoLab(t)
	// The tier leaves scaling to the controllers that may scale.
	scale := []byte(`{"spec":{"scale":"Owned"}}`)
	_, err := resource(l.as("admin"), "EnvironmentTier", "").Patch(t.Context(), "production", types.MergePatchType, scale, metav1.PatchOptions{})
	l.admitted(err)
	l.admitted(l.apply("admin", "admin", manifest(t, fmt.Sprintf(liveShop, "Annotation"))))
	l.judged("shop", "tier", l.baseline, v1alpha1.VerdictAllow)
	files := renderedFiles()
	files["shop/extra/note.yaml"], files["shop/more/more.yaml"] = argoNote, moreNote
	for _, more := range []map[string]string{hookedFiles(), settledFiles(), atticFiles()} {
		maps.Copy(files, more)
	}
	l.land("Sell more beside\n\nTicket: SHOP-60", files)
	for _, chapter := range []struct {
		name string
		tell func(*argoLab)
	}{
		{"a client-side apply is refused with the setting that mends it", (*argoLab).clientSide},
		{"what is approved arrives", (*argoLab).arrives},
		{"each way of tracking arrives", (*argoLab).tracks},
		{"an approval that comes late is enough", (*argoLab).late},
		{"what it renders with kustomize and helm arrives", (*argoLab).renders},
		{"what else Applications set changes nothing, or is refused", (*argoLab).options},
		{"what an Application says over its files is refused", (*argoLab).overrides},
		{"an autoscaler scales what Git does not", (*argoLab).scales},
		{"whoever it acts as, content is judged", (*argoLab).accounts},
		{"an Application stands in another namespace", (*argoLab).elsewhere},
		{"an approval is taken back", (*argoLab).withdrawn},
		{"T-21: an Application that goes takes nothing along that Git has", (*argoLab).cascades},
		{"it delivers before there is a tier", (*argoLab).before},
		{"manifests that are in no repository are refused", (*argoLab).local},
		{"what Git dropped is pruned", (*argoLab).prunes},
		{"Argo CD tries again by itself", (*argoLab).retries},
		{"several sources are proven one by one", (*argoLab).several},
		{"T-15: where it delivers comes from Git", (*argoLab).sealed},
		{"a set from Git makes its Application", (*argoLab).sets},
		{"what it applied on the client side it takes over", (*argoLab).migrates},
		{"hooks run and go, and waves wait for each other", (*argoLab).hooks},
		{"the console syncs, and changes nothing", (*argoLab).pressed},
	} {
		if !t.Run(chapter.name, func(t *testing.T) {
			server := *l.serveLab
			server.t = t
			chapter.tell(&argoLab{&server, l.argo, l.git, l.redis, l.repositories})
		}) {
			return // what follows would fail for that alone
		}
	}
}

// clientSide: ruling 25.
func (l *argoLab) clientSide() {
	l.admitted(l.apply("admin", "admin", l.application("CreateNamespace=false", "shop/production")))
	s := l.awaits("the sync is refused", func(s argoState) bool { return s.Status.Operation.Phase == "Failed" })
	for _, word := range []string{"UseServerSideApply", "ServerSideApply=true"} {
		if !strings.Contains(s.said(), word) {
			l.t.Errorf("without %q: %s", word, s.said())
		}
	}
}

func (l *argoLab) arrives() {
	l.admitted(l.apply("admin", "admin", l.application("ServerSideApply=true", "shop/production")))
	l.synced(l.tip())
	live, err := l.on("admin", manifest(l.t, story.Banner)).Get(l.t.Context(), "banner", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if id := live.GetAnnotations()["argocd.argoproj.io/tracking-id"]; id != "shop:/ConfigMap:shop/banner" {
		l.t.Errorf("the tracking id is %q", id)
	}
}

// tracks: what Argo CD adds to manifests is what Fairway expects, for every way of tracking.
func (l *argoLab) tracks() {
	settings := manifest(l.t, strings.Split(argoInstall, "---\n")[1])
	for _, way := range []struct {
		method, tracking string
		named            bool // with a label and an installation of its own
	}{{"label", "Label", false}, {"annotation+label", "AnnotationAndLabel", true}, {"annotation", "Annotation", false}} {
		want, told := l.tracked(story.Web(2, "", "1.0"), way.tracking), way.tracking
		data := map[string]any{"application.resourceTrackingMethod": way.method}
		if way.named {
			told += ", instanceLabelKey: example.com/app, installationID: main"
			data["application.instanceLabelKey"], data["installationID"] = "example.com/app", "main"
			want.SetLabels(map[string]string{"app": "web", "example.com/app": "shop"})
			want.SetAnnotations(merged(want.GetAnnotations(), "argocd.argoproj.io/installation-id", "main"))
		}
		l.admitted(l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(liveShop, told))))
		settings.Object["data"] = data
		l.admitted(l.apply("admin", "admin", settings))
		l.presses("shop")
		l.until("Argo CD tracks by "+way.method, func(ctx context.Context) error {
			live, err := l.on("admin", want).Get(ctx, "web", metav1.GetOptions{})
			if err != nil {
				return err
			}
			notes := live.GetAnnotations()
			delete(notes, "deployment.kubernetes.io/revision")
			if len(notes) == 0 {
				notes = nil
			}
			if !maps.Equal(notes, want.GetAnnotations()) || !maps.Equal(live.GetLabels(), want.GetLabels()) {
				return fmt.Errorf("it has annotations %v and labels %v", live.GetAnnotations(), live.GetLabels())
			}
			return nil
		})
	}
	l.synced(l.tip())
}

// late: a commit is refused, shown, and synced once it is approved, without another commit. The server-side
// diff of what is not approved yet breaks nothing (T-52).
func (l *argoLab) late() {
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Sell more\n\nTicket: SHOP-61", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)
	s := l.givenUp(merge)
	if err := s.broken(); err != nil || !strings.Contains(s.said(), "NeedsApproval") {
		l.t.Errorf("it says %s, and that it is broken by %v", s.said(), err)
	}
	notice := func(verdict string) {
		l.t.Helper()
		l.awaits("the verdict "+verdict+" stands above the Application", func(s argoState) bool {
			return strings.Contains(s.Metadata.Annotations["notice.argocd.argoproj.io/content"], verdict)
		})
	}
	notice("Pending")
	l.approve(head, "sam", "paula")
	l.startedByUs(l.synced(merge))
	notice("Allow")
}

// givenUp waits until the sync of a commit was refused, and so was its one retry.
func (l *argoLab) givenUp(commit string) argoState {
	l.t.Helper()
	return l.givenUpOf("shop", commit)
}

func (l *argoLab) givenUpOf(app, commit string) argoState {
	l.t.Helper()
	return l.awaitsOf(app, "the sync of "+app+" is refused, and its one retry", func(s argoState) bool {
		result := s.Status.Operation.SyncResult
		return s.Status.Operation.Phase == "Failed" && slices.Contains(append(result.Revisions, result.Revision), commit) && strings.Contains(s.said(), "retried 1 times")
	})
}

// startedByUs: a sync was started by Fairway.
func (l *argoLab) startedByUs(s argoState) {
	l.t.Helper()
	if by := s.Status.Operation.Operation.InitiatedBy.Username; by != "fairway" {
		l.t.Errorf("the sync was started by %q, want that Fairway started it again", by)
	}
}

// several: each source of an Application is proven by its own source of the binding, and a late approval of
// one is enough.
func (l *argoLab) several() {
	l.admitted(l.apply("admin", "admin", l.application("ServerSideApply=true", "shop/production", "shop/extra")))
	l.until("the note of the second source is there", func(ctx context.Context) error {
		_, err := l.on("admin", manifest(l.t, argoNote)).Get(ctx, "note", metav1.GetOptions{})
		return err
	})
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Note more\n\nTicket: SHOP-62", map[string]string{"shop/extra/note.yaml": strings.Replace(argoNote, "a: b", "a: c", 1)})
	if err != nil {
		l.t.Fatal(err)
	}
	l.givenUp(merge)
	l.approve(head, "sam", "paula")
	l.startedByUs(l.synced(merge))
}

// local: a sync may bring manifests of its own. Whoever writes one into the Application has Argo CD ask for
// what no commit renders.
func (l *argoLab) local() {
	banner := l.tracked(strings.Replace(story.Banner, "winter", "summer", 1), "Annotation")
	raw, err := json.Marshal(banner.Object)
	if err != nil {
		l.t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"operation": map[string]any{
		"initiatedBy": map[string]any{"username": "mallory"},
		"sync":        map[string]any{"manifests": []string{string(raw)}, "syncOptions": []string{"ServerSideApply=true"}},
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.admitted(l.patchShop("mallory", string(body))) // not sealed yet
	s := l.awaits("the sync is refused", func(s argoState) bool {
		return s.Status.Operation.Operation.InitiatedBy.Username == "mallory" && s.Status.Operation.Phase == "Failed"
	})
	if !strings.Contains(s.said(), "ContentDiffers") {
		l.t.Errorf("it says %s", s.said())
	}
	live, err := l.on("admin", banner).Get(l.t.Context(), "banner", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if text, _, _ := unstructured.NestedString(live.Object, "data", "text"); text != "winter sale" {
		l.t.Errorf("the banner says %q", text)
	}
}

func (l *argoLab) prunes() {
	merge := l.land("Drop the banner\n\nTicket: SHOP-63", map[string]string{story.BannerPath: ""})
	l.synced(merge)
	l.until("the banner is gone", func(ctx context.Context) error {
		_, err := l.on("admin", manifest(l.t, story.Banner)).Get(ctx, "banner", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
}

// retries: where Fairway may not start a sync again, one without a limit to its retries finds the approval.
func (l *argoLab) retries() {
	ctx := l.t.Context()
	if err := l.typed.RbacV1().RoleBindings("argocd").Delete(ctx, "fairway", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	app := l.application("ServerSideApply=true", "shop/production")
	if err := unstructured.SetNestedField(app.Object, int64(-1), "spec", "syncPolicy", "retry", "limit"); err != nil {
		l.t.Fatal(err)
	}
	l.admitted(l.apply("admin", "admin", app))
	merge, head, err := l.shop.Land(ctx, "sara", "Sell most\n\nTicket: SHOP-67", map[string]string{story.WebPath: story.Web(4, "", "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)
	l.awaits("the sync is refused, and tried again", func(s argoState) bool {
		return s.Status.Operation.Phase == "Running" && s.Status.Operation.SyncResult.Revision == merge && strings.Contains(s.said(), "NeedsApproval")
	})
	l.approve(head, "sam", "paula")
	s := l.synced(merge)
	if by := s.Status.Operation.Operation.InitiatedBy.Username; by != "" {
		l.t.Errorf("the sync was started by %q, want by Argo CD itself: this shows nothing", by)
	}
	for _, object := range documents(l.t, read(l.t, "../config/engines/argocd.yaml")) {
		l.admitted(l.apply("admin", "admin", &object))
	}
}

// sealed: in a sealed install the Application comes from Git alone, and Argo CD goes on with it.
func (l *argoLab) sealed() {
	l.until("the install is sealed", func(context.Context) error {
		return l.apply("admin", "admin", manifest(l.t, fmt.Sprintf(sealedForArgo, fairwayUser)))
	})
	tries := 0
	l.until("the Application is judged", func(context.Context) error {
		tries++ // the same patch again would change nothing, which nobody is refused
		if l.patchShop("sara", fmt.Sprintf(`{"metadata":{"labels":{"probe":"x%d"}}}`, tries)) == nil {
			return errors.New("it can still be changed")
		}
		return nil
	})
	l.admitted(l.patchShop(consoleUser, `{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"hard"}}}`))
	l.awaits("Argo CD has refreshed", func(s argoState) bool { return s.Metadata.Annotations["argocd.argoproj.io/refresh"] == "" })
	merge := l.land("Sell again\n\nTicket: SHOP-64", map[string]string{story.WebPath: story.Web(3, "", "1.2")})
	l.synced(merge)
	web := manifest(l.t, story.Web(9, "", "1.2"))
	_, err := l.on(consoleUser, web).Patch(l.t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":9}}`), metav1.PatchOptions{FieldManager: "argocd-server"})
	l.refused(err, "ContentDiffers")

	text := l.applicationText("ServerSideApply=true, PruneLast=true", "shop/production", "shop/extra")
	merge = l.land("Prune last\n\nTicket: SHOP-65", map[string]string{"clusters/main/shop.yaml": text})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.admitted(l.apply("deployer", "deployer", l.stamped(text, merge, "fleet")))
	merge = l.land("Sell on\n\nTicket: SHOP-66", map[string]string{story.WebPath: story.Web(3, "", "1.3")})
	l.synced(merge)
}
