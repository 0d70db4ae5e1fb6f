package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// settledSources are sources of the shop for the settings of Argo CD; the last is of an Application that stands in
// another namespace than Argo CD's.
const settledSources = `  - {name: options, repository: apps, branch: main, path: shop/options, render: Plain, via: {argoCD: {application: argocd/options, tracking: %[1]s}}}
  - {name: odd, repository: apps, branch: main, path: shop/odd, render: Plain, via: {argoCD: {application: argocd/odd, tracking: %[1]s}}}
  - {name: scaled, repository: apps, branch: main, path: shop/scaled, render: Plain, via: {argoCD: {application: argocd/scaled, tracking: %[1]s}}}
  - {name: team, repository: apps, branch: main, path: shop/team, render: Plain, via: {argoCD: {application: teams/team, tracking: %[1]s}}}
`

// scaledWeb is a Deployment that an autoscaler scales: Git says nothing of its replicas. Filled in is the tag.
const scaledWeb = `apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled, namespace: shop}
spec:
  selector: {matchLabels: {app: scaled}}
  template:
    metadata: {labels: {app: scaled}}
    spec: {containers: [{name: web, image: "registry.example.com/web:%s"}]}
`

// settledFiles are what lies in the paths of settledSources.
func settledFiles() map[string]string {
	return map[string]string{
		"shop/options/a.yaml":     fmt.Sprintf(hookNote, "option-a", "", "1"),
		"shop/options/b.yaml":     fmt.Sprintf(hookNote, "option-b", "", "1"),
		"shop/odd/all.yaml":       fmt.Sprintf(hookNote, "replaced", "argocd.argoproj.io/sync-options: Replace=true", "1") + "---\n" + fmt.Sprintf(hookNote, "forced", "argocd.argoproj.io/sync-options: Force=true", "1"),
		"shop/scaled/web.yaml":    fmt.Sprintf(scaledWeb, "1.0"),
		"shop/scaled/scaler.yaml": scaler,
		"shop/team/note.yaml":     fmt.Sprintf(hookNote, "of-team", "", "1"),
	}
}

// by has an administrator write an Application, which a later chapter forbids.
func (l *argoLab) by(admin, text string) {
	l.t.Helper()
	l.admitted(l.apply(admin, admin, manifest(l.t, text)))
}

// fails waits until a sync of an Application has failed, and said all these words.
func (l *argoLab) fails(app string, words ...string) argoState {
	l.t.Helper()
	return l.awaitsOf(app, "the sync of "+app+" fails", func(s argoState) bool {
		for _, word := range words {
			if !strings.Contains(s.said(), word) {
				return false
			}
		}
		return s.Status.Operation.Phase == "Failed" || s.Status.Operation.Phase == "Error"
	})
}

// options: what most Applications set beside ServerSideApply=true changes nothing.
func (l *argoLab) options() {
	l.by("admin", l.named("options", "ServerSideApply=true, ApplyOutOfSyncOnly=true, PruneLast=true, PrunePropagationPolicy=background, CreateNamespace=true, Validate=false, FailOnSharedResource=true, SkipDryRunOnMissingResource=true, RespectIgnoreDifferences=true", "shop/options"))
	l.syncedOf("options", l.tip())
	merge := l.land("Change one, drop one\n\nTicket: SHOP-80", map[string]string{
		"shop/options/a.yaml": fmt.Sprintf(hookNote, "option-a", "", "2"), "shop/options/b.yaml": "",
	})
	l.syncedOf("options", merge)
	l.wants("option-a", "2")
	if _, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), "option-b", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		l.t.Errorf("what Git dropped is there: %v", err)
	}
	text := l.named("options", "ServerSideApply=true, CreateNamespace=true", "shop/options")
	l.by("admin", strings.Replace(text, "  syncPolicy:\n", "  syncPolicy:\n    managedNamespaceMetadata: {labels: {mine: x}}\n", 1))
	l.presses("options")
	l.fails("options", "Namespace shop")
	l.by("admin", l.named("odd", "ServerSideApply=true", "shop/odd"))
	l.fails("odd", "--force cannot be used with --server-side", "ConfigMap shop/replaced", "UseServerSideApply")
	l.ends("options", "odd")
}

// presses starts a sync of what Git says, as people do who press the button: the same commit again is nothing
// that Argo CD syncs by itself. While another is under way there is none to start.
func (l *argoLab) presses(app string) {
	l.t.Helper()
	at := manifest(l.t, shopApplication)
	l.until("a sync of "+app+" was started", func(ctx context.Context) error {
		live, err := l.on("admin", at).Get(ctx, app, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if live.Object["operation"] != nil {
			return errors.New("another is under way")
		}
		options, _, err := unstructured.NestedStringSlice(live.Object, "spec", "syncPolicy", "syncOptions")
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{"operation": map[string]any{"initiatedBy": map[string]any{"username": "sara"}, "sync": map[string]any{"revision": l.tip(), "syncOptions": options}}})
		if err != nil {
			return err
		}
		_, err = l.on("sara", at).Patch(ctx, app, types.MergePatchType, body, metav1.PatchOptions{})
		return err
	})
}

// ends takes Applications away, and leaves what they delivered.
func (l *argoLab) ends(apps ...string) {
	l.t.Helper()
	for _, app := range apps {
		l.admitted(l.on("admin", manifest(l.t, shopApplication)).Delete(l.t.Context(), app, metav1.DeleteOptions{}))
	}
}

// overrides: what an Application says over its files is in no commit.
func (l *argoLab) overrides() {
	for name, source := range map[string]string{
		"customised": "{repoURL: %q, path: shop/customised, targetRevision: main, kustomize: {images: [\"registry.example/web:3.0\"]}}",
		"charted":    "{repoURL: %q, path: shop/charted, targetRevision: main, helm: {releaseName: charted, valueFiles: [/shop/values.yaml], parameters: [{name: text, value: other}]}}",
	} {
		source = "  source: " + fmt.Sprintf(source, l.git.git.URL+"/apps.git") + "\n"
		text := fmt.Sprintf(liveApplication, source, "ServerSideApply=true")
		l.by("admin", strings.Replace(text, "name: shop,", "name: "+name+",", 1))
		l.fails(name, "ContentDiffers")
	}
	l.ends("customised", "charted")
}

// scales: where Git does not set replicas an autoscaler does, and no sync takes them back. Told to respect what it
// ignores, Argo CD applies the live value, which no commit has.
func (l *argoLab) scales() {
	l.by("admin", l.named("scaled", "ServerSideApply=true", "shop/scaled"))
	l.syncedOf("scaled", l.tip())
	deployments := l.typed.AppsV1().Deployments("shop")
	l.until("the autoscaler has scaled", func(ctx context.Context) error {
		web, err := deployments.Get(ctx, "scaled", metav1.GetOptions{})
		if err == nil && *web.Spec.Replicas != 2 {
			err = fmt.Errorf("it has %d replicas", *web.Spec.Replicas)
		}
		return err
	})
	merge := l.land("Sell on\n\nTicket: SHOP-82", map[string]string{"shop/scaled/web.yaml": fmt.Sprintf(scaledWeb, "1.1")})
	l.syncedOf("scaled", merge)
	l.by("admin", l.named("scaled", "ServerSideApply=true, RespectIgnoreDifferences=true", "shop/scaled")+"  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]\n")
	l.presses("scaled")
	l.fails("scaled", "ContentDiffers", "Deployment shop/scaled")
	web, err := deployments.Get(l.t.Context(), "scaled", metav1.GetOptions{})
	if err != nil || *web.Spec.Replicas != 2 || web.Spec.Template.Spec.Containers[0].Image != "registry.example.com/web:1.1" {
		l.t.Errorf("it is %+v (%v)", web.Spec, err)
	}
	l.ends("scaled")
}

// accounts: whoever Argo CD acts as, and however it names the cluster, content is judged where it arrives.
func (l *argoLab) accounts() {
	ctx := l.t.Context()
	for _, text := range []string{
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: argocd-manager, namespace: argocd}\n",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: deployer, namespace: argocd}\n",
		`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argocd-manager}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: argocd-manager, namespace: argocd}, {kind: ServiceAccount, name: deployer, namespace: argocd}]
`,
	} {
		l.by("admin", text)
	}
	token, err := l.typed.CoreV1().ServiceAccounts("argocd").CreateToken(ctx, "argocd-manager", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	config := l.config("admin")
	server := strings.Replace(config.Host, "127.0.0.1", "localhost", 1)
	l.by("admin", fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: alias, namespace: argocd, labels: {argocd.argoproj.io/secret-type: cluster}}
stringData:
  name: alias
  server: %q
  config: '{"bearerToken": %q, "tlsClientConfig": {"caData": %q}}'
`, server, token.Status.Token, base64.StdEncoding.EncodeToString(config.CAData)))
	at := func(destination string) {
		l.by("admin", strings.Replace(l.named("options", "ServerSideApply=true", "shop/options"), `server: "https://kubernetes.default.svc"`, destination, 1))
	}
	at("name: alias")
	merge := l.land("By an alias\n\nTicket: SHOP-84", map[string]string{"shop/options/a.yaml": fmt.Sprintf(hookNote, "option-a", "", "4")})
	l.syncedOf("options", merge)
	l.wrote("option-a", "system:serviceaccount:argocd:argocd-manager")
	l.ends("options")

	settings := manifest(l.t, strings.Split(argoInstall, "---\n")[1])
	settings.Object["data"] = map[string]any{"application.resourceTrackingMethod": "annotation", "application.sync.impersonation.enabled": "true"}
	l.admitted(l.apply("admin", "admin", settings))
	project := func(accounts string) {
		_, err := l.on("admin", l.argoObject("AppProject", "default", "{}")).Patch(ctx, "default", types.MergePatchType, []byte(`{"spec":{"destinationServiceAccounts":`+accounts+`}}`), metav1.PatchOptions{})
		l.admitted(err)
	}
	project(`[{"server":"*","namespace":"*","defaultServiceAccount":"argocd:deployer"}]`)
	at("name: in-cluster")
	merge = l.land("By an account of a project\n\nTicket: SHOP-86", map[string]string{"shop/options/a.yaml": fmt.Sprintf(hookNote, "option-a", "", "6")})
	l.syncedOf("options", merge)
	l.wrote("option-a", "system:serviceaccount:argocd:deployer")
	l.ends("options")
	settings.Object["data"] = map[string]any{"application.resourceTrackingMethod": "annotation"}
	l.admitted(l.apply("admin", "admin", settings))
	project("null")
}

// wrote holds that Fairway admitted a write of a ConfigMap by a user.
func (l *argoLab) wrote(name, user string) {
	l.t.Helper()
	l.until(user+" wrote "+name, func(context.Context) error {
		for line := range strings.Lines(l.program.Log()) {
			if strings.Contains(line, `"name":"`+name+`","user":"`+user+`"`) && strings.Contains(line, `"admitted":true`) {
				return nil
			}
		}
		return errors.New("the log does not say so")
	})
}

// elsewhere: an Application in another namespace than Argo CD's marks what it delivers with that namespace too.
func (l *argoLab) elsewhere() {
	ctx := l.t.Context()
	l.by("admin", "apiVersion: v1\nkind: Namespace\nmetadata: {name: teams}\n")
	for _, object := range documents(l.t, read(l.t, "../config/engines/argocd.yaml")) { // Fairway's rights, there too
		if object.GetNamespace() != "" {
			object.SetNamespace("teams")
			l.until("the namespace is known", func(context.Context) error { return l.apply("admin", "admin", &object) })
		}
	}
	_, err := l.on("admin", l.argoObject("AppProject", "default", "{}")).Patch(ctx, "default", types.MergePatchType, []byte(`{"spec":{"sourceNamespaces":["teams"]}}`), metav1.PatchOptions{})
	l.admitted(err)
	l.until("the Application of a team is there", func(context.Context) error {
		return l.apply("admin", "admin", manifest(l.t, strings.Replace(l.named("team", "ServerSideApply=true", "shop/team"), "namespace: argocd", "namespace: teams", 1)))
	})
	l.syncedOf("teams/team", l.tip())
	live, err := l.typed.CoreV1().ConfigMaps("shop").Get(ctx, "of-team", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if id := live.Annotations["argocd.argoproj.io/tracking-id"]; id != "teams_team:/ConfigMap:shop/of-team" {
		l.t.Errorf("the tracking id is %q", id)
	}
	merge, head, err := l.shop.Land(ctx, "sara", "Of a team\n\nTicket: SHOP-87", map[string]string{"shop/team/note.yaml": fmt.Sprintf(hookNote, "of-team", "", "2")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.givenUpOf("teams/team", merge)
	l.approve(head, "sam", "paula")
	l.startedByUs(l.syncedOf("teams/team", merge))
}
