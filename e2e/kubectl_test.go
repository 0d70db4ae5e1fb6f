package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestKubectl tells the story of the demo and its threats by the real kubectl, whose every way of writing
// is another: server-side and client-side apply, create, replace, edit, patch, scale, label, delete, whole
// collections, sub-resources and raw paths. Chapters build on each other; threats are named by their ids.
func TestKubectl(t *testing.T) {
	l := newServeLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"a sandbox is free", kubectlSandbox},
		{"a pipeline delivers", kubectlDelivers},
		{"client-side apply is told what to do", kubectlClientSide},
		{"T-01 copied provenance", kubectlT01},
		{"T-02 a namespace keeps its tier", kubectlT02},
		{"T-03 sub-resources", kubectlT03},
		{"T-05 padding", kubectlT05},
		{"T-07 whole collections", kubectlT07},
		{"T-10 replay", kubectlT10},
		{"T-11 a commit of two minds", kubectlT11},
		{"T-12 laundered owners", kubectlT12},
		{"T-13 the garbage collector as hit-man", kubectlT13},
		{"T-16 tiers are tampered with", kubectlT16},
		{"T-19 a namespace that nobody has seen", kubectlT19},
		{"T-20 a crash is no yes", kubectlT20},
		{"T-45 no condition ever failed", kubectlT45},
	} {
		l.chapter(t, chapter.name, chapter.tell)
	}
}

func kubectlSandbox(l *serveLab) {
	l.printed(l.kubectl("sara", "", "create", "configmap", "note", "-n", "play", "--from-literal=a=b"))
	l.editor("a: b", "a: c")
	l.printed(l.kubectl("sam", "", "edit", "configmap", "note", "-n", "play"))
	l.printed(l.kubectl("sam", "", "delete", "configmap", "note", "-n", "play"))
}

func kubectlDelivers(l *serveLab) {
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.told("UseServerSideApply")(l.kubectl("sara", story.Banner, "create", "-f", "-"))
	l.told("no proof speaks of")(l.kubectl("sara", strings.ReplaceAll(story.Banner, "banner", "flag"), "create", "-f", "-"))
	l.printed(l.ship(l.stampedBy(story.Banner, first, "shop")))
	l.printed(l.ship(l.stampedBy(story.Web(2, "", "1.0"), first, "shop")))

	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Sell more\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	next := l.stampedBy(story.Web(2, "", "1.1"), merge, "shop")
	l.told("sam")(l.ship(next)) // who can supply what is missing
	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.printed(l.ship(next))
	if got := l.printed(l.kubectl("sara", "", "get", "deployment", "web", "-n", "shop", "-o", "jsonpath={.spec.template.spec.containers[0].image}")); got != "registry.example.com/web:1.1" {
		l.t.Errorf("the image is %q", got)
	}
}

// kubectlClientSide: ruling 25.
func kubectlClientSide(l *serveLab) {
	l.told("kubectl apply --server-side")(l.kubectl("deployer", l.stampedBy(story.Web(2, "", "1.1"), l.tip(), "shop"), "apply", "-f", "-"))
	l.told("kubectl apply --server-side")(l.kubectl("deployer", l.stampedBy(story.Banner, l.tip(), "shop"), "apply", "-f", "-"))
}

func kubectlT01(l *serveLab) {
	l.editor("winter sale", "summer sale")
	l.told("ContentDiffers")(l.kubectl("sara", "", "edit", "configmap", "banner", "-n", "shop"))
	l.told("ContentDiffers")(l.kubectl("sara", "", "patch", "configmap", "banner", "-n", "shop", "--type=merge", "-p", `{"data":{"text":"summer sale"}}`))
	l.told("ContentDiffers")(l.kubectl("sara", "", "patch", "configmap", "banner", "-n", "shop", "--type=json", "-p", `[{"op":"replace","path":"/data/text","value":"summer sale"}]`))
	l.told("ContentDiffers")(l.kubectl("sara", "", "set", "image", "deployment/web", "-n", "shop", "web=evil"))
	live := l.printed(l.kubectl("sara", "", "get", "configmap", "banner", "-n", "shop", "-o", "yaml", "--show-managed-fields"))
	forged := strings.ReplaceAll(live, "winter sale", "summer sale")
	l.told("ContentDiffers")(l.kubectl("deployer", forged, "replace", "--field-manager=deployer", "-f", "-"))
	// Another object with the same annotations, labels and managedFields.
	copied := strings.ReplaceAll(strings.ReplaceAll(forged, "name: banner", "name: copied"), "resourceVersion:", "generateName:")
	l.told("no proof speaks of")(l.kubectl("deployer", copied, "create", "--field-manager=deployer", "-f", "-"))
	// The pipeline's own way, manager and force, with content that no commit renders.
	altered := l.stampedBy(strings.ReplaceAll(story.Banner, "winter sale", "summer sale"), l.tip(), "shop")
	l.told("ContentDiffers")(l.takeOver(altered))
	// A field beside what Git sets, by a manager of its own.
	l.told("ContentDiffers")(l.kubectl("sara", "", "patch", "deployment", "web", "-n", "shop", "--field-manager=slip", "--type=merge", "-p", `{"spec":{"template":{"spec":{"hostNetwork":true}}}}`))
}

// kubectlT02: six routes.
func kubectlT02(l *serveLab) {
	const relabel = `{"metadata":{"labels":{"example.com/environment":"sandbox"}}}`
	l.told("no proof speaks of")(l.kubectl("sara", "", "label", "namespace", "shop", "example.com/environment=sandbox"))
	l.told("no proof speaks of")(l.kubectl("sara", "", "patch", "namespace", "shop", "--type=merge", "-p", relabel))
	l.told("StatusChangesMore")(l.kubectl("sara", "", "patch", "namespace", "shop", "--subresource=status", "--type=merge", "-p", relabel))
	ns := "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {example.com/environment: sandbox, kubernetes.io/metadata.name: shop}}\nspec: {finalizers: [kubernetes]}\n"
	l.told("no proof speaks of")(l.kubectl("sara", ns, "apply", "--server-side", "-f", "-"))
	l.told("no proof speaks of")(l.kubectl("sara", ns, "replace", "-f", "-"))
	raw := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"example.com/environment":"sandbox"}},"spec":{"finalizers":[]}}`
	l.told("SubresourceRefused")(l.kubectl("sara", raw, "replace", "--raw", "/api/v1/namespaces/shop/finalize", "-f", "-"))
	l.told("StillInGit")(l.kubectl("sara", "", "delete", "namespace", "shop"))
}

func kubectlT03(l *serveLab) {
	l.told("scaling")(l.kubectl("sara", "", "scale", "deployment", "web", "-n", "shop", "--replicas=9"))
	l.told("scaling")(l.kubectl("sara", "", "patch", "deployment", "web", "-n", "shop", "--subresource=scale", "--type=merge", "-p", `{"spec":{"replicas":9}}`))
	l.told("StatusChangesMore")(l.kubectl("sara", "", "patch", "deployment", "web", "-n", "shop", "--subresource=status", "--type=merge", "-p", `{"metadata":{"annotations":{"a":"b"}}}`))
	l.editor("^  labels:", "  labels:\\n    slipped: in")
	l.told("StatusChangesMore")(l.kubectl("sara", "", "edit", "namespace", "shop", "--subresource=status"))
	pod := l.pod()
	l.told("ephemeralcontainers")(l.kubectl("sara", "", "debug", "-n", "shop", pod, "--image=evil", "--attach=false"))
	l.told("exec")(l.kubectl("sara", "", "exec", "-n", "shop", pod, "--", "sh"))
	l.told("token")(l.kubectl("sara", "", "create", "token", "default", "-n", "shop"))
	// A row that admits: a Pod whose controller lives may be evicted, by which nodes are drained.
	eviction := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":"shop"}}`, pod)
	l.printed(l.kubectl("sara", eviction, "create", "--raw", "/api/v1/namespaces/shop/pods/"+pod+"/eviction", "-f", "-"))
}

// pod is one of the Deployment's, that the real controllers made.
func (l *serveLab) pod() string {
	l.t.Helper()
	var name string
	l.until("a pod of the shop", func(context.Context) error {
		out, err := l.kubectl("sara", "", "get", "pods", "-n", "shop", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}")
		if err != nil {
			return err
		}
		if name, _, _ = strings.Cut(out, " "); name == "" {
			return errors.New("there is none yet")
		}
		return nil
	})
	return name
}

// kubectlT05: what grows to many times its size on the way is refused in so many words, not lost.
func kubectlT05(l *serveLab) {
	padding := strings.Repeat("<", 1300<<10)
	deployment := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"padded","namespace":"shop"},"spec":{"selector":{"matchLabels":{"a":"b"}},
"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"evil","env":[{"name":"PAD","value":%q}]}]}}}}`, padding)
	l.told("no proof speaks of")(l.kubectl("sara", deployment, "create", "--raw", "/apis/apps/v1/namespaces/shop/deployments", "-f", "-"))
}

func kubectlT07(l *serveLab) {
	l.told("StillInGit")(l.kubectl("sara", "", "delete", "configmap", "banner", "-n", "shop"))
	l.told("StillInGit")(l.kubectl("sara", "", "delete", "configmaps", "--all", "-n", "shop"))
	// deletecollection itself, which kubectl sends for no flag.
	l.told("denied the request")(l.kubectl("sara", "", "delete", "--raw", "/api/v1/namespaces/shop/configmaps?labelSelector=%21nobody"))
	l.told("StillInGit")(l.kubectl("sara", "", "delete", "--raw", "/apis/apps/v1/namespaces/shop/deployments"))
	l.printed(l.kubectl("sara", "", "get", "configmap/banner", "deployment/web", "-n", "shop"))
}

func kubectlT10(l *serveLab) {
	l.told("going back")(l.ship(l.stampedBy(story.Web(2, "", "1.0"), l.baseline, "shop")))
	// Nor without a stamp, or with the new commit's on the old content.
	l.told("ContentDiffers")(l.ship(l.stampedBy(story.Web(2, "", "1.0"), l.tip(), "shop")))
}

// kubectlT11: a commit with two trees, one of them signed for, is a commit of none.
func kubectlT11(l *serveLab) {
	ctx, before := l.t.Context(), l.tip()
	id, err := l.shop.Push(ctx, "sara", true, "Two minds\n\nTicket: SHOP-11", map[string]string{story.WebPath: story.Web(9, "", "6.6")})
	if err != nil {
		l.t.Fatal(err)
	}
	good, _, _ := strings.Cut(l.git("", "cat-file", "commit", before), "\n")
	raw := l.git("", "cat-file", "commit", id) + "\n"
	first, rest, _ := strings.Cut(raw, "\n")
	twice := l.git(good+"\n"+first+"\n"+rest, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
	if err := l.shop.Repo.SetBranch(ctx, "main", twice); err != nil {
		l.t.Fatal(err)
	}
	stamped := l.stampedText(story.Web(9, "", "6.6"), twice)
	l.until("the commit is looked at and refused", func(context.Context) error {
		_, err := l.ship(stamped)
		if err == nil {
			l.t.Fatal("content of a malformed commit was admitted")
		}
		if !strings.Contains(err.Error(), "denied the request") || strings.Contains(err.Error(), "is being made") {
			return err
		}
		return nil
	})
	if err := l.shop.Repo.SetBranch(ctx, "main", before); err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", before, v1alpha1.VerdictAllow)
	l.printed(l.ship(l.stampedBy(story.Web(2, "", "1.1"), before, "shop")))
}

// stampedText is a manifest stamped without asking a clone, which would fetch no such commit.
func (l *serveLab) stampedText(text, commit string) string {
	l.t.Helper()
	raw, err := l.stamped(text, commit, "shop").MarshalJSON()
	if err != nil {
		l.t.Fatal(err)
	}
	return string(raw)
}

// kubectlT12: what a Pod says of its owner gains nothing, whoever says it, and who makes the children of a workload makes
// them of its template.
func kubectlT12(l *serveLab) {
	owner := l.printed(l.kubectl("sara", "", "get", "replicaset", "-n", "shop", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid}"))
	name, uid, _ := strings.Cut(owner, " ")
	const sets, jobs = "system:serviceaccount:kube-system:replicaset-controller", "system:serviceaccount:kube-system:job-controller"
	ref := func(apiVersion, kind, name, uid, more string) string {
		return fmt.Sprintf("{apiVersion: %s, kind: %s, name: %s, uid: %s%s}", apiVersion, kind, name, uid, more)
	}
	const other, controls = "11111111-1111-4111-8111-111111111111", ", controller: true"
	own := ref("apps/v1", "ReplicaSet", name, uid, controls)
	forged := func(owner string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: forged\n  namespace: shop\n  labels: {app: web}\n  ownerReferences: [" + owner +
			"]\nspec: {containers: [{name: web, image: \"registry.example.com/web:1.1\"}]}\n"
	}
	for what, forgery := range map[string]struct{ user, owner, old, replacement string }{
		"a person, of the owner itself":         {"sara", own, "", ""},
		"a person, of another uid":              {"sara", ref("apps/v1", "ReplicaSet", name, other, controls), "", ""},
		"a person, of another kind":             {"sara", ref("apps/v1", "DaemonSet", name, uid, controls), "", ""},
		"a person, of an owner of no control":   {"sara", ref("apps/v1", "ReplicaSet", name, uid, ""), "", ""},
		"the controller of another kind":        {jobs, own, "", ""},
		"the controller, of another uid":        {sets, ref("apps/v1", "ReplicaSet", name, other, controls), "", ""},
		"the controller, of a name that is not": {sets, ref("apps/v1", "ReplicaSet", "gone", uid, controls), "", ""},
		"the controller, of another kind":       {sets, ref("apps/v1", "DaemonSet", name, uid, controls), "", ""},
		"the controller, of nobody":             {sets, "", "", ""},
		"another image":                         {sets, own, "web:1.1", "evil:1"},
		"on the network of the node":            {sets, own, "spec: {", "spec: {hostNetwork: true, "},
		"among the processes of the node":       {sets, own, "spec: {", "spec: {hostPID: true, "},
		"with another container":                {sets, own, "containers: [", "containers: [{name: evil, image: evil}, "},
		"with a folder of the node":             {sets, own, "spec: {", "spec: {volumes: [{name: host, hostPath: {path: /}}], "},
		"as another user":                       {sets, own, "{name: web,", "{name: web, securityContext: {runAsUser: 0},"},
	} {
		pod := forged(forgery.owner)
		if !strings.Contains(pod, forgery.old) {
			l.t.Fatalf("%s: there is no %q", what, forgery.old)
		}
		_, err := l.kubectl(forgery.user, strings.Replace(pod, forgery.old, forgery.replacement, 1), "create", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "denied the request") {
			l.t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	l.printed(l.kubectl(sets, forged(own), "create", "--dry-run=server", "-f", "-")) // so it was what each of them changed
}

func kubectlT13(l *serveLab) {
	const orphan = `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"11111111-1111-4111-8111-111111111111"}]}}`
	l.told("denied the request")(l.kubectl("sara", "", "patch", "deployment", "web", "-n", "shop", "--type=merge", "-p", orphan))
	l.told("denied the request")(l.kubectl("sara", "", "patch", "configmap", "banner", "-n", "shop", "--type=merge", "-p", orphan))
	l.told("StatusChangesMore")(l.kubectl("sara", "", "patch", "deployment", "web", "-n", "shop", "--subresource=status", "--type=merge", "-p", orphan))
}

// kubectlT16: sealed, a lowering needs both sides.
func kubectlT16(l *serveLab) {
	// What T-19 needs: a tier that takes namespaces in by their labels.
	l.printed(l.kubectl("admin", "", "patch", "environmenttier", "production", "--type=merge", "-p", `{"spec":{"namespaceSelector":{"matchLabels":{"example.com/environment":"production"}}}}`))
	l.printed(l.kubectl("admin", clusterBinding("sandbox"), "apply", "--server-side", "-f", "-"))
	l.until("the install is sealed", func(context.Context) error {
		_, err := l.kubectl("admin", "", "label", "environmenttier", "sandbox", "a=b", "--dry-run=server")
		if err == nil {
			return errors.New("a tier can still be changed")
		}
		return nil
	})
	l.told("no proof speaks of")(l.kubectl("admin", "", "patch", "environmenttier", "production", "--type=merge", "-p", `{"spec":{"enforcement":"Audit"}}`))
	l.editor("scale: Deny", "scale: Allow")
	l.told("no proof speaks of")(l.kubectl("admin", "", "edit", "environmenttier", "production"))
	l.told("denied the request")(l.kubectl("admin", "", "delete", "environmenttier", "production"))
	l.told("no proof speaks of")(l.kubectl("admin", "", "patch", "tierbinding", "tier", "-n", "shop", "--type=merge", "-p", `{"spec":{"tier":"sandbox"}}`))
	l.told("denied the request")(l.kubectl("admin", "", "delete", "tierbindings", "--all", "-n", "shop"))
	l.told("no proof speaks of")(l.kubectl("admin", "", "patch", "team", "platform", "--type=merge", "-p", `{"spec":{"principals":[{"name":"mallory"}]}}`))

	const lowered = "apiVersion: fairway.dev/v1alpha1\nkind: EnvironmentTier\nmetadata: {name: sandbox}\nspec: {rank: 1, lane: Open}\n"
	merge, head, err := l.shop.Land(l.t.Context(), "pete", "Rank the sandbox\n\nTicket: SHOP-16", map[string]string{"clusters/main/sandbox.yaml": lowered})
	if err != nil {
		l.t.Fatal(err)
	}
	l.approve(head, "paula")
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictPending)
	l.told("another team")(l.takeOver(l.stampedBy(lowered, merge, "fleet")))
	l.approve(head, "sam")
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.printed(l.takeOver(l.stampedBy(lowered, merge, "fleet")))
}

// kubectlT19: the moment before Fairway has seen a namespace is no gap. The namespaces are made past the
// webhook, since making one in a gated tier is judged itself.
func kubectlT19(l *serveLab) {
	blind := `[{"op":"add","path":"/webhooks/0/matchConditions/-","value":{"name":"blind","expression":"request.resource.resource != 'namespaces'"}},
{"op":"add","path":"/webhooks/1/matchConditions","value":[{"name":"blind","expression":"request.resource.resource != 'namespaces'"}]}]`
	l.printed(l.kubectl("admin", "", "patch", "validatingwebhookconfiguration", "fairway", "--type=json", "-p", blind))
	const fresh = "apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh-%d, labels: {example.com/environment: production}}\n---\n" +
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hasty, namespace: fresh-%d}\n"
	l.until("namespaces are made past the webhook", func(context.Context) error {
		_, err := l.kubectl("sara", "", "label", "namespace", "shop", "probe=a", "--dry-run=server")
		return err
	})
	for i := range 20 {
		out, err := l.kubectl("sara", fmt.Sprintf(fresh, i, i), "create", "-f", "-")
		if !strings.Contains(out, "namespace/fresh-") || strings.Contains(out, "configmap/hasty") {
			l.t.Fatalf("round %d: %s%v", i, out, err)
		}
		l.told("denied the request")(out, err)
	}
	l.printed(l.kubectl("admin", "", "patch", "validatingwebhookconfiguration", "fairway", "--type=json", "-p",
		`[{"op":"remove","path":"/webhooks/0/matchConditions/4"},{"op":"remove","path":"/webhooks/1/matchConditions"}]`))
	l.until("namespaces are judged again", func(context.Context) error {
		if _, err := l.kubectl("sara", "", "label", "namespace", "shop", "probe=a", "--dry-run=server"); err == nil {
			return errors.New("not yet")
		}
		return nil
	})
}

// kubectlT20: a gate that dies admits nothing, and after its return everything is as it was.
func kubectlT20(l *serveLab) {
	if err := l.program.Kill(); err != nil {
		l.t.Fatal(err)
	}
	_, err := l.kubectl("sara", "", "patch", "configmap", "banner", "-n", "shop", "--type=merge", "-p", `{"data":{"text":"summer sale"}}`)
	if err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		l.t.Errorf("got %v, want that the webhook cannot be called", err)
	}
	l.printed(l.kubectl("sara", "", "create", "configmap", "note", "-n", "play"))
	l.serve()
	if got := l.printed(l.kubectl("sara", "", "get", "configmap", "banner", "-n", "shop", "-o", "jsonpath={.data.text}")); got != "winter sale" {
		l.t.Errorf("the banner says %q", got)
	}
	l.told("ContentDiffers")(l.kubectl("sara", "", "patch", "configmap", "banner", "-n", "shop", "--type=merge", "-p", `{"data":{"text":"summer sale"}}`))
	raw, err := os.ReadFile(filepath.Join(l.cluster.Dir, "fairway.log"))
	if err != nil || strings.Contains(string(raw), `"msg":"panic`) {
		l.t.Errorf("something panicked, or the log cannot be read: %v", err)
	}
}

// kubectlT45: of all that was sent so far, by every verb and shape, no match condition failed.
func kubectlT45(l *serveLab) {
	metrics := l.printed(l.kubectl("admin", "", "get", "--raw", "/metrics"))
	calls := 0
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "apiserver_admission_match_condition_evaluation_errors_total") && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
			l.t.Errorf("a match condition failed: %s", line)
		}
		if strings.HasPrefix(line, "apiserver_admission_match_condition_evaluation_seconds_count") {
			calls++
		}
	}
	if calls == 0 {
		l.t.Error("no match condition was ever evaluated: the metrics say nothing")
	}
}
