package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// TestServe tells one story on a real cluster; its chapters build on each other.
func TestServe(t *testing.T) {
	l := newServeLab(t)
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"a sandbox is free", sandboxIsFree},
		{"production admits what is proven", productionAdmitsWhatIsProven},
		{"the cluster's own controllers work", controllersWork},
		{"hands are refused", handsAreRefused},
		{"sub-resources have rows", subresourcesHaveRows},
		{"the audit sees what admission could not", auditSees},
		{"a namespace keeps its tier", namespaceKeepsItsTier},
		{"records are Fairway's alone", recordsAreReserved},
		{"what Git dropped may go", pruned},
		{"break-glass opens and is recorded", glassBreaks},
		{"sealed is sealed", sealed},
		{"a restart forgets nothing", restarted},
		{"without Fairway nothing is admitted", failsClosed},
	} {
		if !l.chapter(t, chapter.name, chapter.tell) {
			return // what follows would fail for that alone
		}
	}
}

func sandboxIsFree(l *serveLab) {
	note := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: play}\ndata: {a: b}\n")
	if _, err := l.on("sara", note).Create(l.t.Context(), note, metav1.CreateOptions{}); err != nil {
		l.t.Fatalf("creating in the sandbox: %v", err)
	}
	l.admitted(l.on("sam", note).Delete(l.t.Context(), "note", metav1.DeleteOptions{}))
}

func productionAdmitsWhatIsProven(l *serveLab) {
	first, err := l.shop.Tip(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.admitted(l.deliver(story.Web(2, "", "1.0"), first))

	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Sell more\n\nTicket: SHOP-2", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	if err != nil {
		l.t.Fatal(err)
	}
	// Nobody has looked at it: first the pipeline is told to wait for the proof (ruling 26), which it
	// does by itself, and then that approvals are missing, and whose.
	l.refused(l.deliver(story.Web(2, "", "1.1"), merge), "sam")
	l.judged("shop", "tier", merge, v1alpha1.VerdictPending)

	l.approve(head, "sam", "paula")
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Web(2, "", "1.1"), merge))

	// Applied the moment it is approved and pushed: the wait for the proof is all that happens.
	next := l.land("Sell again\n\nTicket: SHOP-3", map[string]string{story.WebPath: story.Web(2, "", "1.2")})
	l.admitted(l.deliver(story.Web(2, "", "1.2"), next))
	// The commit before is older now, and nobody signed for going back.
	l.refused(l.deliver(story.Web(2, "", "1.1"), merge), "going back")
}

// controllersWork: pods of an admitted Deployment are made by the real controllers; one that only says
// that it is theirs is not (T-12).
func controllersWork(l *serveLab) {
	var made corev1.Pod
	l.until("a pod of the newest Deployment is made", func(ctx context.Context) error {
		pods, err := l.pods(ctx)
		if err != nil {
			return err
		}
		for _, p := range pods {
			if p.Spec.Containers[0].Image == "registry.example.com/web:1.2" {
				made = p
				return nil
			}
		}
		return fmt.Errorf("of %d pods none", len(pods))
	})
	forged := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "forged", Namespace: "shop", Labels: made.Labels, OwnerReferences: made.OwnerReferences},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "evil"}}},
	}
	l.refused(l.createPod("sara", forged), "no proof speaks of")
	// Nor one by the controller itself that its owner's template does not ask for, or by somebody in its
	// name.
	l.refused(l.createPod("system:serviceaccount:kube-system:replicaset-controller", forged), "template")
	forged.Name, forged.Spec = "copied", corev1.PodSpec{Containers: []corev1.Container{made.Spec.Containers[0]}}
	forged.Spec.Containers[0].VolumeMounts = nil
	l.refused(l.createPod("sara", forged), "no proof speaks of")
}

func handsAreRefused(l *serveLab) {
	ctx := l.t.Context()
	banner := manifest(l.t, story.Banner)
	live, err := l.on("sara", banner).Get(ctx, "banner", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	set := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		if err := unstructured.SetNestedField(o.Object, "summer sale", "data", "text"); err != nil {
			l.t.Fatal(err)
		}
		return o
	}
	edited := set(live.DeepCopy())
	_, err = l.on("sara", banner).Update(ctx, edited, metav1.UpdateOptions{})
	l.refused(err, "ContentDiffers")
	_, err = l.on("sara", banner).Patch(ctx, "banner", types.MergePatchType, []byte(`{"data":{"text":"summer sale"}}`), metav1.PatchOptions{})
	l.refused(err, "ContentDiffers")
	// The same with the deployer's name, by an update and by an apply.
	_, err = l.on("deployer", banner).Update(ctx, edited, metav1.UpdateOptions{FieldManager: "deployer"})
	l.refused(err, "ContentDiffers")
	l.refused(l.apply("deployer", "deployer", set(l.stamped(story.Banner, l.tip(), "shop"))), "ContentDiffers")
	// managedFields that say that the deployer applied it.
	forged := set(live.DeepCopy())
	forged.SetManagedFields(live.GetManagedFields())
	_, err = l.on("sara", banner).Update(ctx, forged, metav1.UpdateOptions{FieldManager: "deployer"})
	l.refused(err, "ContentDiffers")
	// And nobody takes managedFields away.
	_, err = l.on("sara", banner).Patch(ctx, "banner", types.MergePatchType, []byte(`{"metadata":{"managedFields":[{}]}}`), metav1.PatchOptions{})
	l.refused(err, "UseServerSideApply")

	l.refused(l.on("sara", banner).Delete(ctx, "banner", metav1.DeleteOptions{}), "StillInGit")
	l.refused(l.on("deployer", banner).Delete(ctx, "banner", metav1.DeleteOptions{}), "renders it")
	// T-07: each item of a collection is judged by its own identity.
	l.refused(l.on("sara", banner).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "!nobody"}), "StillInGit")
	if _, err := l.on("sara", banner).Get(ctx, "banner", metav1.GetOptions{}); err != nil {
		l.t.Errorf("after all of that: %v", err)
	}
}

func subresourcesHaveRows(l *serveLab) {
	ctx := l.t.Context()
	web := manifest(l.t, story.Web(1, "", "x"))
	patch := func(user, body string, sub ...string) error {
		_, err := l.on(user, web).Patch(ctx, "web", types.MergePatchType, []byte(body), metav1.PatchOptions{}, sub...)
		return err
	}
	l.refused(patch("sara", `{"spec":{"replicas":9}}`, "scale"), "scaling")
	l.admitted(patch("sara", `{"status":{"observedGeneration":1}}`, "status"))
	l.refused(patch("sara", `{"metadata":{"annotations":{"a":"b"}}}`, "status"), "StatusChangesMore")
	// T-13: an owner given by way of /status would be the garbage collector's leave to delete.
	l.refused(patch("sara", `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"1"}]}}`, "status"), "StatusChangesMore")
	pods, err := l.pods(ctx)
	if err != nil || len(pods) == 0 {
		l.t.Fatalf("%d pods, %v", len(pods), err)
	}
	err = request(l.t, l.config("sara"), "POST", "/api/v1/namespaces/shop/pods/"+pods[0].Name+"/exec?command=sh", "")
	l.refused(err, "exec")
	// An owner of the namespace restarts it, as kubectl rollout restart does; a stranger does not.
	restart := `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`
	l.refused(patch("paula", restart), "no owner")
	l.admitted(patch("sara", restart))
	// A pod whose controller lives may be deleted: it comes back.
	l.admitted(l.typedAs("sara").CoreV1().Pods("shop").Delete(ctx, pods[0].Name, metav1.DeleteOptions{}))
}

// auditSees: what changed while the webhook was away, and what nobody proved (ruling 10).
func auditSees(l *serveLab) {
	ctx := l.t.Context()
	l.enforcing(metav1.ConditionTrue, v1alpha1.ReasonSwept, "delivered")
	l.unguard()
	banner := manifest(l.t, story.Banner)
	if _, err := l.on("sara", banner).Patch(ctx, "banner", types.MergePatchType, []byte(`{"data":{"text":"free"}}`), metav1.PatchOptions{}); err != nil {
		l.t.Fatal(err)
	}
	web := manifest(l.t, story.Web(1, "", "x"))
	if _, err := l.on("sara", web).Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"template":{"spec":{"hostNetwork":true}}}}`), metav1.PatchOptions{FieldManager: "slip"}); err != nil {
		l.t.Fatal(err)
	}
	old := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old, namespace: shop}\ndata: {a: b}\n")
	if _, err := l.on("sara", old).Create(ctx, old, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
	l.enforcing(metav1.ConditionFalse, v1alpha1.ReasonUnproven, "ConfigMap shop/banner")
	l.enforcing(metav1.ConditionFalse, v1alpha1.ReasonUnproven, "spec.template.spec.hostNetwork (slip)")
	b, err := l.binding(ctx, "shop", "tier")
	if err != nil {
		l.t.Fatal(err)
	}
	want := &v1alpha1.InheritedObjects{Count: 1, Objects: []v1alpha1.ObjectReference{{Kind: "ConfigMap", Namespace: "shop", Name: "old"}}}
	if d := cmp.Diff(want, b.Status.Inherited); d != "" {
		l.t.Errorf("inherited (-want +got):\n%s", d)
	}
	// The pipeline puts right what Git sets; what it does not set goes the way it came.
	l.admitted(l.deliver(story.Banner, l.tip()))
	l.enforcing(metav1.ConditionFalse, v1alpha1.ReasonUnproven, "1 live objects")
	l.unguard()
	if _, err := l.on("sara", web).Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"template":{"spec":{"hostNetwork":null}}}}`), metav1.PatchOptions{FieldManager: "slip"}); err != nil {
		l.t.Fatal(err)
	}
	l.guard()
	l.enforcing(metav1.ConditionTrue, v1alpha1.ReasonSwept, "1 inherited")
}

// namespaceKeepsItsTier: T-02, on every way that labels can be written.
func namespaceKeepsItsTier(l *serveLab) {
	ctx := l.t.Context()
	ns := manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
	const relabel = `{"metadata":{"labels":{"example.com/environment":"sandbox"}}}`
	why := map[string]string{"": "no proof speaks of", "status": "StatusChangesMore", "finalize": "SubresourceRefused"}
	for _, sub := range []string{"", "status"} {
		_, err := l.on("sara", ns).Patch(ctx, "shop", types.MergePatchType, []byte(relabel), metav1.PatchOptions{}, path(sub)...)
		l.refused(err, why[sub])
	}
	live, err := l.on("sara", ns).Get(ctx, "shop", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	live.SetLabels(map[string]string{"example.com/environment": "sandbox", corev1.LabelMetadataName: "shop"})
	for sub, reason := range why {
		_, err := l.on("sara", ns).Update(ctx, live, metav1.UpdateOptions{}, path(sub)...)
		l.refused(err, reason)
	}
	ns.SetLabels(map[string]string{"example.com/environment": "sandbox"})
	l.refused(l.apply("sara", "sara", ns), "no proof speaks of")
	l.refused(l.on("sara", ns).Delete(ctx, "shop", metav1.DeleteOptions{}), "StillInGit")
}

// path is a sub-resource, or none, as clients take it.
func path(sub string) []string {
	if sub == "" {
		return nil
	}
	return []string{sub}
}

func recordsAreReserved(l *serveLab) {
	ctx := l.t.Context()
	proofs := l.as("sara").Resource(fairwayResource("ProvenCommit")).Namespace("shop")
	list, err := proofs.List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		l.t.Fatalf("%d proofs, %v", len(list.Items), err)
	}
	one := &list.Items[0]
	_, err = proofs.Patch(ctx, one.GetName(), types.MergePatchType, []byte(`{"status":{"revoked":"OffBranch"}}`), metav1.PatchOptions{}, "status")
	l.refused(err, "Fairway alone")
	l.refused(proofs.Delete(ctx, one.GetName(), metav1.DeleteOptions{}), "Fairway alone")
	forged := base(l.t, "ProvenCommit", "shop", "", "")
	_, err = proofs.Create(ctx, forged, metav1.CreateOptions{})
	l.refused(err, "Fairway alone")
	// Fairway's own name is not enough for evidence: it needs the signature (ruling 14).
	_, err = l.as(fairwayUser).Resource(fairwayResource("ProvenCommit")).Namespace("shop").Create(ctx, forged, metav1.CreateOptions{})
	l.refused(err, "signature")

	marks := l.as("sara").Resource(fairwayResource("Delivery")).Namespace("shop")
	name := v1alpha1.DeliveryName("apps", "main", "shop/production")
	forgery := `{"status":{"deliveredHead":"` + strings.Repeat("f", 40) + `"}}`
	_, err = marks.Patch(ctx, name, types.MergePatchType, []byte(forgery), metav1.PatchOptions{}, "status")
	l.refused(err, "Fairway alone")
	l.refused(marks.Delete(ctx, name, metav1.DeleteOptions{}), "Fairway alone")
	tiers := l.as("sara").Resource(fairwayResource("TierBinding")).Namespace("shop")
	_, err = tiers.Patch(ctx, "tier", types.MergePatchType, []byte(`{"status":{"digest":"x"}}`), metav1.PatchOptions{}, "status")
	l.refused(err, "Fairway alone")
}

// pruned: an object goes when Git has dropped it, and no sooner (ruling 17).
func pruned(l *serveLab) {
	banner := manifest(l.t, story.Banner)
	merge := l.land("Drop the banner\n\nTicket: SHOP-4", map[string]string{story.BannerPath: ""})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.on("deployer", banner).Delete(l.t.Context(), "banner", metav1.DeleteOptions{}))
}

func glassBreaks(l *serveLab) {
	ctx := l.t.Context()
	request := l.fairway("breakglass", "request", "-n", "shop", "--namespace-uid", l.uid("shop"), "--name", "incident", "--user", "sara",
		"--reason", "the shop is down", "--ticket", "INC-1", "--key", l.shop.Key("sara"))
	hand := manifest(l.t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hotfix, namespace: shop}\ndata: {a: b}\n")
	create := func() error {
		_, err := l.on("sara", hand).Create(ctx, hand, metav1.CreateOptions{})
		return err
	}
	l.admitted(l.apply("sara", "sara", manifest(l.t, request)))
	l.refused(create(), "no proof speaks of")
	file := filepath.Join(l.dir, "glass.yaml")
	if err := os.WriteFile(file, []byte(request), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.admitted(l.apply("sam", "sara", manifest(l.t, l.fairway("breakglass", "approve", file, "--key", l.shop.Key("paula")))))
	l.until("the glass is broken", func(context.Context) error { return create() })
	glasses := l.as("admin").Resource(fairwayResource("BreakGlass")).Namespace("shop")
	l.until("the use is recorded", func(ctx context.Context) error {
		object, err := glasses.Get(ctx, "incident", metav1.GetOptions{})
		if err != nil {
			return err
		}
		var b v1alpha1.BreakGlass
		convert(l.t, object, &b)
		if b.Status.Uses != 1 || len(b.Status.Used) != 1 || b.Status.Used[0].Object.Name != "hotfix" || b.Status.Requester != "sara" || len(b.Status.Debt) != 1 {
			return fmt.Errorf("the status is %+v", b.Status)
		}
		return nil
	})
	l.until("an Event tells of it", func(ctx context.Context) error {
		events, err := l.typed.EventsV1().Events("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == "BreakGlassUsed" && e.Regarding.Name == "tier" {
				return nil
			}
		}
		return fmt.Errorf("of %d Events none", len(events.Items))
	})
	// It is sara's, and nobody else's.
	_, err := l.on("sam", hand).Patch(ctx, "hotfix", types.MergePatchType, []byte(`{"data":{"a":"c"}}`), metav1.PatchOptions{})
	l.refused(err, "no proof speaks of")
}

// sandboxTier is what the cluster binding of the story renders.
const sandboxTier = `apiVersion: fairway.dev/v1alpha1
kind: EnvironmentTier
metadata: {name: sandbox}
spec: {rank: %d, lane: Open}
`

// sealed: rulings 6 and 9, T-16.
func sealed(l *serveLab) {
	ctx := l.t.Context()
	binding := func(repository, owner string) *unstructured.Unstructured {
		return manifest(l.t, fmt.Sprintf(`apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: cluster, namespace: fairway-system}
spec:
  tier: production
  owners: [%s]
  sources:
  - {name: fleet, repository: %s, branch: main, path: clusters/main, render: Plain, fieldManager: deployer}
  install: {defaultTier: sandbox, proverUsers: ["%s"]}
`, owner, repository, fairwayUser))
	}
	// Who may create it and names what the install was not told to expect seals nothing.
	l.refused(l.apply("sara", "sara", binding("elsewhere", "shop")), "seal")
	l.refused(l.apply("sara", "sara", binding("apps", "shop")), "seal")
	l.admitted(l.apply("admin", "admin", binding("apps", "platform")))
	tier := manifest(l.t, fmt.Sprintf(sandboxTier, 1))
	l.until("the install is sealed", func(context.Context) error {
		_, err := l.on("admin", tier).Patch(ctx, "sandbox", types.MergePatchType, []byte(`{"spec":{"rank":1}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("a tier can still be changed")
		}
		return nil
	})
	l.refused(l.apply("admin", "admin", tier), "no proof speaks of")
	for _, edit := range []struct{ kind, namespace, name, body string }{
		{"EnvironmentTier", "", "production", `{"spec":{"enforcement":"Audit"}}`},
		{"TierBinding", "shop", "tier", `{"spec":{"tier":"sandbox"}}`},
		{"TierBinding", "fairway-system", "cluster", `{"spec":{"tier":"sandbox"}}`},
		{"Team", "", "shop", `{"spec":{"principals":[]}}`},
		{"Repository", "", "apps", `{"spec":{"url":"file:///tmp/other.git"}}`},
	} {
		_, err := resource(l.as("admin"), edit.kind, edit.namespace).Patch(ctx, edit.name, types.MergePatchType, []byte(edit.body), metav1.PatchOptions{})
		l.refused(err, "no proof speaks of")
	}
	l.refused(resource(l.as("admin"), "TierBinding", "shop").Delete(ctx, "tier", metav1.DeleteOptions{}), "tier")
	// A new sandbox stays free (ruling 7).
	l.admitted(l.apply("sara", "sara", manifest(l.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: another}\n")))

	merge := l.land("Rank the sandbox\n\nTicket: SHOP-5", map[string]string{"clusters/main/sandbox.yaml": fmt.Sprintf(sandboxTier, 1)})
	l.judged("fairway-system", "cluster", merge, v1alpha1.VerdictAllow)
	l.admitted(l.apply("deployer", "deployer", l.stamped(fmt.Sprintf(sandboxTier, 1), merge, "fleet")))
	config, err := l.typed.CoreV1().ConfigMaps("fairway-system").Get(ctx, "fairway-seal", metav1.GetOptions{})
	if err != nil || config.Data["sealed"] != "true" {
		l.t.Errorf("the seal is %v, %v", config.Data, err)
	}
}

func restarted(l *serveLab) {
	ctx := l.t.Context()
	if err := l.program.Stop(); err != nil {
		l.t.Fatal(err)
	}
	// A seal that is put back is not believed.
	config, err := l.typed.CoreV1().ConfigMaps("fairway-system").Get(ctx, "fairway-seal", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	config.Data["sealed"] = "false"
	if _, err := l.typed.CoreV1().ConfigMaps("fairway-system").Update(ctx, config, metav1.UpdateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(l.dir, "state")); err != nil {
		l.t.Fatal(err)
	}
	l.serve()
	tip := l.tip()
	// The mark of what was delivered outlives the process: what is older stays old.
	l.refused(l.deliver(story.Web(2, "", "1.0"), l.baseline), "going back")
	_, err = resource(l.as("admin"), "EnvironmentTier", "").Patch(ctx, "production", types.MergePatchType, []byte(`{"spec":{"enforcement":"Audit"}}`), metav1.PatchOptions{})
	l.refused(err, "no proof speaks of")
	l.admitted(l.deliver(story.Web(2, "", "1.2"), tip))
}

// failsClosed: T-04.
func failsClosed(l *serveLab) {
	if err := l.program.Kill(); err != nil {
		l.t.Fatal(err)
	}
	err := l.deliver(story.Web(2, "", "1.2"), l.tip())
	if err == nil || !apierrors.IsInternalError(err) {
		l.t.Errorf("got %v, want that the webhook cannot be called", err)
	}
	sandboxIsFree(l)

	// Without its keys it does not start, and does not begin anew in silence.
	if err := l.typed.CoreV1().Secrets("fairway-system").Delete(l.t.Context(), "fairway-keys", metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := exec.CommandContext(l.t.Context(), path, l.args()...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the Secret is gone") {
		l.t.Errorf("it said %q and ended with %v, want that the keys are lost", out, err)
	}
}
