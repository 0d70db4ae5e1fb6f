package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// aside is a second namespace of production, with sources that render it and what is in it.
const aside = `apiVersion: v1
kind: Namespace
metadata: {name: aside}
`

const asideBinding = `apiVersion: fairway.dev/v1alpha1
kind: TierBinding
metadata: {name: tier, namespace: aside}
spec:
  tier: production
  owners: [shop]
  sources:
  - {name: aside, repository: apps, branch: main, path: aside, render: Plain, fieldManager: deployer}
`

const asideNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: aside}
data: {a: b}
`

// pausing is a Deployment of a namespace that does nothing.
func pausing(namespace, name, image string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      containers: [{name: main, image: "registry.example.com/%[3]s", resources: {requests: {cpu: 10m}}}]
`, namespace, name, image)
}

// scaler keeps two replicas at least; it needs no metrics to see that one is too few.
const scaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  minReplicas: 2
  maxReplicas: 3
`

// TestT21DeletionGoesThroughGit tells on a real cluster with its controllers how things go: each kind of
// deletion is refused while Git renders the object, and works in all its ways once Git does not.
func TestT21DeletionGoesThroughGit(t *testing.T) {
	l := newServeLab(t)
	// Where controllers may scale, an autoscaler owns the replicas that Git does not set (T-24).
	_, err := resource(l.as("admin"), "EnvironmentTier", "").Patch(t.Context(), "production", types.MergePatchType, []byte(`{"spec":{"scale":"Owned"}}`), metav1.PatchOptions{})
	l.admitted(err)
	l.admitted(l.apply("admin", "admin", manifest(t, aside)))
	l.until("the namespace is known", func(context.Context) error { return l.apply("admin", "admin", manifest(t, asideBinding)) })
	_, err = resource(l.as("admin"), "TierBinding", "shop").Patch(t.Context(), "tier", types.MergePatchType, []byte(resizer), metav1.PatchOptions{})
	l.admitted(err)
	l.seal()
	files := map[string]string{"aside/README.md": "Beside the shop.\n", "clusters/main/README.md": "The cluster.\n", "aside/namespace.yaml": aside, "aside/note.yaml": asideNote, "aside/web.yaml": pausing("aside", "web", "web:1")}
	files["shop/production/scaler.yaml"], files["shop/production/scaled.yaml"] = scaler, pausing("shop", "scaled", "scaled:1")
	for _, name := range propagations {
		files["shop/production/"+name+".yaml"] = pausing("shop", strings.ToLower(name), "gone:1")
	}
	merge := l.land("Begin\n\nTicket: SHOP-40", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.judged("aside", "tier", merge, v1alpha1.VerdictAllow)
	for path, text := range files {
		if strings.HasSuffix(path, ".yaml") {
			source, _, _ := strings.Cut(path, "/")
			l.admitted(l.apply("deployer", "deployer", l.stamped(text, merge, source)))
		}
	}
	for _, chapter := range []struct {
		name string
		tell func(*serveLab)
	}{
		{"an autoscaler owns the replicas", autoscaled},
		{"T-24: an autoscaler sets resources, and nodes are drained", resizedAndDrained},
		{"dependants go with their owner", collected},
		{"a namespace goes with what is in it", namespaceGoes},
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

// propagations are the ways of deleting an owner.
var propagations = []string{"Background", "Foreground", "Orphan"}

// autoscaled: what the real autoscaler sets is left alone by the next commit.
func autoscaled(l *serveLab) {
	replicas := func(ctx context.Context) (int32, error) {
		d, err := l.typed.AppsV1().Deployments("shop").Get(ctx, "scaled", metav1.GetOptions{})
		if err != nil {
			return 0, err
		}
		return *d.Spec.Replicas, nil
	}
	l.until("the autoscaler has scaled", func(ctx context.Context) error {
		n, err := replicas(ctx)
		if err == nil && n != 2 {
			err = fmt.Errorf("%d replicas", n)
		}
		return err
	})
	next := pausing("shop", "scaled", "scaled:2")
	merge := l.land("Scale on\n\nTicket: SHOP-41", map[string]string{"shop/production/scaled.yaml": next})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(next, merge))
	if n, err := replicas(l.t.Context()); n != 2 || err != nil {
		l.t.Errorf("%d replicas after the next commit, %v; want the autoscaler's 2", n, err)
	}
	// By hand nobody scales, and the autoscaler's name is not enough where Git sets the number.
	web := manifest(l.t, next)
	_, err := l.on("sara", web).Patch(l.t.Context(), "scaled", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{}, "scale")
	l.refused(err, "scaling")
}

// collected: the garbage collector follows each way of deleting an owner that Git dropped, and may take
// nothing before.
func collected(l *serveLab) {
	ctx := l.t.Context()
	replicaSets := func(ctx context.Context, name string) ([]unstructured.Unstructured, error) {
		rs := manifest(l.t, "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: x, namespace: shop}\n")
		list, err := l.on("admin", rs).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	}
	for _, how := range propagations {
		name := strings.ToLower(how)
		l.until("a ReplicaSet of "+name, func(ctx context.Context) error {
			sets, err := replicaSets(ctx, name)
			if err == nil && len(sets) != 1 {
				err = fmt.Errorf("there are %d", len(sets))
			}
			return err
		})
	}
	remove := func(user, how string) error {
		d := manifest(l.t, pausing("shop", strings.ToLower(how), "gone:1"))
		policy := metav1.DeletionPropagation(how)
		return l.on(user, d).Delete(ctx, d.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy})
	}
	files := map[string]string{}
	for _, how := range propagations {
		for _, user := range []string{"sara", "deployer"} {
			l.refused(remove(user, how), "StillInGit")
		}
		files["shop/production/"+how+".yaml"] = ""
	}
	merge := l.land("Drop them\n\nTicket: SHOP-42", files)
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	for _, how := range propagations {
		l.admitted(remove("deployer", how))
		l.until("what depends on "+how, func(ctx context.Context) error {
			_, err := l.typed.AppsV1().Deployments("shop").Get(ctx, strings.ToLower(how), metav1.GetOptions{})
			if !apierrors.IsNotFound(err) {
				return fmt.Errorf("the owner is there: %v", err)
			}
			sets, err := replicaSets(ctx, strings.ToLower(how))
			switch {
			case err != nil:
				return err
			case how == "Orphan" && (len(sets) != 1 || len(sets[0].GetOwnerReferences()) > 0):
				return fmt.Errorf("of the orphans there are %d", len(sets))
			case how != "Orphan" && len(sets) > 0:
				return fmt.Errorf("%d are left", len(sets))
			}
			return nil
		})
	}
	// An orphan came from no commit: a person does not take it away, and adopts it with nothing.
	sets, err := replicaSets(ctx, "orphan")
	if err != nil {
		l.t.Fatal(err)
	}
	l.refused(l.on("sara", &sets[0]).Delete(ctx, sets[0].GetName(), metav1.DeleteOptions{}), "NeverDelivered")
	_, err = l.on("sara", &sets[0]).Patch(ctx, sets[0].GetName(), types.MergePatchType,
		[]byte(`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"gone","uid":"1","controller":true}]}}`), metav1.PatchOptions{})
	l.refused(err, "no proof speaks of")
	l.noControllerRefused()
}

// namespaceGoes: a Namespace of production goes when Git has dropped it and all that is in it, and then
// takes along whatever else is there, Fairway's own records too.
func namespaceGoes(l *serveLab) {
	ctx := l.t.Context()
	ns := manifest(l.t, aside)
	remove := func(user string) error { return l.on(user, ns).Delete(ctx, "aside", metav1.DeleteOptions{}) }
	for _, user := range []string{"sara", "deployer", "system:serviceaccount:kube-system:namespace-controller"} {
		l.refused(remove(user), "FW308")
	}
	merge := l.land("Drop the namespace alone\n\nTicket: SHOP-43", map[string]string{"aside/namespace.yaml": ""})
	l.judged("aside", "tier", merge, v1alpha1.VerdictAllow)
	l.refused(remove("deployer"), "renders what is in it")
	// Nothing in it goes either, whoever says that it ends or that its owner is gone.
	note := manifest(l.t, asideNote)
	for _, user := range []string{"namespace-controller", "generic-garbage-collector"} {
		l.refused(l.on("system:serviceaccount:kube-system:"+user, note).Delete(ctx, "note", metav1.DeleteOptions{}), "FW308")
	}

	merge = l.land("Drop what is in it\n\nTicket: SHOP-44", map[string]string{"aside/note.yaml": "", "aside/web.yaml": ""})
	l.judged("aside", "tier", merge, v1alpha1.VerdictAllow)
	l.admitted(remove("deployer"))
	l.until("the namespace is gone", func(ctx context.Context) error {
		live, err := l.typed.CoreV1().Namespaces().Get(ctx, "aside", metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil:
			return fmt.Errorf("it is still there: %s", conditionsOf(live))
		}
		return err
	})
	// Its name is free, and what is made under it stands in the default tier.
	l.until("its name is free", func(context.Context) error { return l.apply("sara", "sara", manifest(l.t, aside)) })
}

// conditionsOf says what keeps a namespace from ending.
func conditionsOf(ns *corev1.Namespace) string {
	var all []string
	for _, c := range ns.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			all = append(all, c.Message)
		}
	}
	return strings.Join(all, "; ")
}
