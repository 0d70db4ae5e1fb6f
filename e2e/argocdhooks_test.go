package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// hookedSources are sources of the shop with waves and hooks, Argo CD's own and Helm's.
const hookedSources = `  - {name: hooks, repository: apps, branch: main, path: shop/hooks, render: Plain, via: {argoCD: {application: argocd/hooks, tracking: %[1]s}}}
  - {name: charthooks, repository: apps, branch: main, path: shop/charthooks, render: Helm, helm: {release: charthooks}, via: {argoCD: {application: argocd/charthooks, tracking: %[1]s}}}
`

// hookJob is a Job that Argo CD runs; filled in are its name, the moment and what becomes of it.
const hookJob = `apiVersion: batch/v1
kind: Job
metadata: {name: %s, namespace: shop, annotations: {argocd.argoproj.io/hook: %s, argocd.argoproj.io/hook-delete-policy: %s}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: registry.example.com/web:1.0}]}}}
`

// hookNote is a ConfigMap of a hook or a wave; filled in are its name, the annotations and a value.
const hookNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: %s, namespace: shop, annotations: {%s}}
data: {at: %q}
`

// hookRoles are objects of RBAC, which Argo CD has "kubectl auth reconcile" create before it applies them; filled in
// is a verb of the Role.
const hookRoles = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: hooks, namespace: shop, annotations: {rbac.authorization.kubernetes.io/autoupdate: "false"}}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, %s]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hooks, namespace: shop, annotations: {rbac.authorization.kubernetes.io/autoupdate: "false"}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hooks}
subjects: [{kind: ServiceAccount, name: default, namespace: shop}, {kind: User, name: sara}]
`

// hookedFiles are what lies in the paths of hookedSources.
func hookedFiles() map[string]string {
	return map[string]string{
		"shop/hooks/migrate.yaml":    fmt.Sprintf(hookJob, "migrate", "PreSync", "BeforeHookCreation"),
		"shop/hooks/announce.yaml":   fmt.Sprintf(hookJob, "announce", "PostSync", "HookSucceeded"),
		"shop/hooks/pause.yaml":      fmt.Sprintf(hookNote, "pause", `argocd.argoproj.io/hook: Sync`, "1"),
		"shop/hooks/alarm.yaml":      fmt.Sprintf(hookNote, "alarm", `argocd.argoproj.io/hook: SyncFail`, "1"),
		"shop/hooks/first.yaml":      fmt.Sprintf(hookNote, "first", "", "1"),
		"shop/hooks/second.yaml":     fmt.Sprintf(hookNote, "second", `argocd.argoproj.io/sync-wave: "1"`, "1"),
		"shop/hooks/third.yaml":      fmt.Sprintf(hookNote, "third", `argocd.argoproj.io/sync-wave: "2"`, "1"),
		"shop/hooks/roles.yaml":      fmt.Sprintf(hookRoles, "list"),
		"shop/charthooks/Chart.yaml": "apiVersion: v2\nname: charthooks\nversion: 1.0.0\n",
		"shop/charthooks/templates/all.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: upgrade
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: hook-succeeded}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: registry.example.com/web:1.0}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text-of-chart}
data: {text: "1"}
`,
	}
}

// fromGit has Applications come from the cluster's repository, as in a sealed install. It returns the commit.
func (l *argoLab) fromGit(apps map[string]string) string {
	l.t.Helper()
	files := map[string]string{}
	for name, text := range apps {
		files["clusters/main/"+name+".yaml"] = text
	}
	merge := l.land("Deliver more\n\nTicket: SHOP-70", files)
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	for _, text := range apps {
		l.admitted(l.apply("deployer", "deployer", l.stamped(text, merge, "fleet")))
	}
	return merge
}

// named is an Application of another name than the shop's.
func (l *argoLab) named(name, options, path string) string {
	return strings.Replace(l.applicationText(options, path), "name: shop,", "name: "+name+",", 1)
}

// wants holds what a ConfigMap of the hooks or waves says.
func (l *argoLab) wants(name, at string) {
	l.t.Helper()
	live, err := l.typed.CoreV1().ConfigMaps("shop").Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil || live.Data["at"] != at {
		l.t.Errorf("ConfigMap %s says %v (%v), want %s", name, live.Data, err, at)
	}
}

// kubelets lets every Pod of a Job succeed while the chapter lasts.
func (l *argoLab) kubelets() {
	ctx, stop := context.WithCancel(l.t.Context())
	var nodes sync.WaitGroup
	nodes.Go(func() { l.runPods(ctx) })
	l.t.Cleanup(func() { stop(); nodes.Wait() })
}

// hooks: what Argo CD runs at moments of a sync is content like all else, which it runs anew in each sync and
// removes as the policy of each says; nobody else may. A refusal in one wave starts what runs when a sync fails, and
// keeps the next wave from starting. Approved late, all of it goes.
func (l *argoLab) hooks() {
	l.kubelets()
	ctx := l.t.Context()
	jobs := l.typed.BatchV1().Jobs("shop")
	merge := l.fromGit(map[string]string{
		"hooks":      l.named("hooks", "ServerSideApply=true", "shop/hooks"),
		"charthooks": l.named("charthooks", "ServerSideApply=true", "shop/charthooks"),
	})
	l.syncedOf("hooks", merge)
	l.syncedOf("charthooks", merge)
	before, err := jobs.Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.gone("announce")
	l.gone("upgrade")
	sara := l.typedAs("sara").BatchV1().Jobs("shop")
	l.refused(sara.Delete(ctx, "migrate", metav1.DeleteOptions{}), "renders it")
	_, err = sara.Patch(ctx, "migrate", types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/hold"]}}`), metav1.PatchOptions{})
	l.refused(err, "ContentDiffers")

	merge, head, err := l.shop.Land(ctx, "sara", "Go on in waves\n\nTicket: SHOP-71", map[string]string{
		"shop/hooks/second.yaml":             fmt.Sprintf(hookNote, "second", `argocd.argoproj.io/sync-wave: "1"`, "2"),
		"shop/hooks/third.yaml":              fmt.Sprintf(hookNote, "third", `argocd.argoproj.io/sync-wave: "2"`, "2"),
		"shop/hooks/roles.yaml":              fmt.Sprintf(hookRoles, "watch"),
		"shop/charthooks/templates/all.yaml": strings.Replace(hookedFiles()["shop/charthooks/templates/all.yaml"], `text: "1"`, `text: "2"`, 1),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	s := l.givenUpOf("hooks", merge)
	if !strings.Contains(s.said(), "NeedsApproval") {
		l.t.Errorf("it says %s", s.said())
	}
	for _, r := range s.Status.Operation.SyncResult.Resources {
		if r.Name == "third" {
			l.t.Errorf("the third wave was begun: %+v", r)
		}
	}
	l.wants("alarm", "1")
	l.wants("third", "1")
	l.approve(head, "sam", "paula")
	l.syncedOf("hooks", merge)
	l.syncedOf("charthooks", merge)
	l.wants("third", "2")
	role, err := l.typed.RbacV1().Roles("shop").Get(ctx, "hooks", metav1.GetOptions{})
	if err != nil || role.Rules[0].Verbs[1] != "watch" {
		l.t.Errorf("the Role is %+v (%v)", role.Rules, err)
	}
	after, err := jobs.Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if after.UID == before.UID {
		l.t.Error("the Job before the sync was not run again")
	}
}

// gone awaits that a Job is gone.
func (l *argoLab) gone(job string) {
	l.t.Helper()
	l.until("the Job "+job+" is gone", func(ctx context.Context) error {
		_, err := l.typed.BatchV1().Jobs("shop").Get(ctx, job, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
}
