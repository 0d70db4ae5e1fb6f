package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// healsWithin is how long a cluster may take from a cold start to the first admitted delivery (T-17).
const healsWithin = 180 * time.Second

// TestT17ColdStart: every gate, the prover and the API server are down at once, and the API server comes back
// alone. What a cluster needs to bring pods up again, Fairway's own among them, goes through while no gate
// answers, and production stays shut. Then the processes come back, as a kubelet starts them, and with nobody's
// help what is proven is admitted.
func TestT17ColdStart(t *testing.T) {
	c := &crew{}
	l := newServeLabBy(t, c.start)
	first := l.tip()
	l.judged("shop", "tier", first, v1alpha1.VerdictAllow)
	l.admitted(l.deliver(story.Banner, first))
	l.admitted(l.deliver(story.Web(2, "", "1.0"), first))

	for address, gate := range c.gates {
		if err := gate.Kill(); err != nil {
			t.Fatal(err)
		}
		delete(c.gates, address)
	}
	if err := c.provers["prover-a"].Kill(); err != nil {
		t.Fatal(err)
	}
	c.spread()
	c.awaitReady(0)
	if err := l.cluster.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	if err := l.cluster.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	cold := time.Now()

	l.nodesStart()
	if err := l.deliver(story.Banner, first); err == nil {
		t.Error("production is open while nobody judges")
	}
	sandboxIsFree(l)

	c.addGate()
	c.addGate()
	c.addProver("prover-b")
	l.until("what is proven is admitted", func(ctx context.Context) error {
		f := &traffic{lab: l}
		return f.try(ctx, "deployer", l.stamped(story.Web(2, "", "1.0"), first, "shop"))
	})
	took := time.Since(cold)
	t.Logf("what is proven is admitted %s after the API server came back alone", took.Round(time.Millisecond))
	if took > healsWithin {
		t.Errorf("it took %s, want %s", took, healsWithin)
	}
	l.refused(l.apply("sara", "sara", scrap("shop")), "no proof speaks of")
	merge := l.land("Sell more\n\nTicket: SHOP-17", map[string]string{story.WebPath: story.Web(2, "", "1.1")})
	l.judged("shop", "tier", merge, v1alpha1.VerdictAllow)
	t.Logf("a new commit is proven %s after that", (time.Since(cold) - took).Round(time.Millisecond))
	l.admitted(l.deliver(story.Web(2, "", "1.1"), merge))
}

// nodesStart does, with no gate there, what kubelets and controllers do until pods run: nodes and their
// heartbeats, leases of leaders, and the pods of the cluster's own namespaces and Fairway's.
func (l *serveLab) nodesStart() {
	l.t.Helper()
	const node, manager = "system:node:cold", "system:kube-controller-manager"
	config, err := l.cluster.ConfigFor(node, "system:nodes", "system:masters")
	if err != nil {
		l.t.Fatal(err)
	}
	asNode, err := dynamic.NewForConfig(config)
	if err != nil {
		l.t.Fatal(err)
	}
	lease := "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: %s, namespace: %s}\nspec: {holderIdentity: cold}\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: cold, namespace: %s}\nspec: {serviceAccountName: default, containers: [{name: c, image: registry.example.com/c:1}]}\n"
	nodes, pods := asNode.Resource(corev1.SchemeGroupVersion.WithResource("nodes")), asNode.Resource(corev1.SchemeGroupVersion.WithResource("pods"))
	machine := manifest(l.t, "apiVersion: v1\nkind: Node\nmetadata: {name: cold}\n")
	type step struct {
		name string
		do   func(context.Context) error
	}
	steps := []step{
		{"a node joins", func(ctx context.Context) error {
			_, err := nodes.Create(ctx, machine, metav1.CreateOptions{})
			return err
		}},
		{"it says that it is ready", func(ctx context.Context) error {
			_, err := nodes.Patch(ctx, "cold", types.MergePatchType,
				[]byte(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","message":"cold"}]}}`), metav1.PatchOptions{}, "status")
			return err
		}},
	}
	for _, at := range []struct{ name, namespace string }{{"cold", "kube-node-lease"}, {"leader", "kube-system"}, {"leader", "fairway-system"}, {"leader", "shop"}} {
		steps = append(steps, step{"a lease in " + at.namespace, func(ctx context.Context) error {
			object := manifest(l.t, fmt.Sprintf(lease, at.name, at.namespace))
			_, err := l.on(manager, object).Create(ctx, object, metav1.CreateOptions{})
			return err
		}})
	}
	for _, namespace := range []string{"kube-system", "fairway-system"} {
		steps = append(steps, step{"a pod in " + namespace, func(ctx context.Context) error {
			object := manifest(l.t, fmt.Sprintf(pod, namespace))
			if _, err := l.on("system:serviceaccount:kube-system:replicaset-controller", object).Create(ctx, object, metav1.CreateOptions{}); err != nil {
				return err
			}
			_, err := pods.Namespace(namespace).Patch(ctx, "cold", types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status")
			return errors.Join(err, l.on(manager, object).Delete(ctx, "cold", metav1.DeleteOptions{}))
		}})
	}
	for _, s := range steps {
		if err := s.do(l.t.Context()); err != nil {
			l.t.Errorf("with no gate, %s: %v", s.name, err)
		}
	}
}
