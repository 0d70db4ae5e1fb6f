package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/e2e/story"
)

// recovers is how long the way out of a deadlock of two webhooks may take (T-51).
const recovers = 180 * time.Second

// TestT51TwoWebhooksWaitForEachOther: somebody's webhook is asked about Fairway's Pods, and gates about its own. It
// is told while both live. Once both are down neither starts, and what the page of operations says gets them out.
func TestT51TwoWebhooksWaitForEachOther(t *testing.T) {
	l := newServeLab(t)
	l.seal()
	l.condition("TierBinding", "fairway-system", v1alpha1.ClusterBindingName, v1alpha1.ConditionWebhookLoop, metav1.ConditionFalse, v1alpha1.ReasonStartsAlone)
	stand := standIn()
	if _, err := l.typedAs("admin").AppsV1().Deployments("fairway-system").Create(t.Context(), stand, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("Fairway's Pod is there", func(ctx context.Context) error { return l.started(ctx, 1) })

	hooks := l.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	// No Service of that name is there, so that it is down from the beginning.
	if _, err := hooks.Create(t.Context(), otherWebhook("shop"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.condition("TierBinding", "fairway-system", v1alpha1.ClusterBindingName, v1alpha1.ConditionWebhookLoop, metav1.ConditionTrue, v1alpha1.ReasonWaitsInCircle)
	l.event(v1alpha1.ReasonWaitsInCircle, "TierBinding", v1alpha1.ClusterBindingName, "fairway-system",
		"other/pods.other.example is asked about the Pods of fairway-system, and runs in shop")
	l.until("it is counted", func(ctx context.Context) error {
		if got, err := l.metric(ctx, "fairway_webhook_loops", ""); err != nil || got != 1 {
			return fmt.Errorf("%v, %w", got, err)
		}
		return nil
	})

	if err := l.program.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := l.typedAs("admin").CoreV1().Pods("fairway-system").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until("Fairway's Pod does not start", func(ctx context.Context) error {
		sets, err := l.typed.AppsV1().ReplicaSets("fairway-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, set := range sets.Items {
			for _, c := range set.Status.Conditions {
				if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
					return nil
				}
			}
		}
		return errors.New("it does, or nobody has tried")
	})
	l.says(l.deliver(story.Banner, l.baseline), "failed calling webhook", "fairway.dev")

	began := time.Now()
	leaveOut := `[{"op": "add", "path": "/webhooks/0/namespaceSelector",
  "value": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["fairway-system"]}]}}]`
	if _, err := hooks.Patch(t.Context(), "other", types.JSONPatchType, []byte(leaveOut), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), recovers)
	defer cancel()
	for l.started(ctx, 1) != nil { // the controller that makes Pods tries ever more rarely
		select {
		case <-ctx.Done():
			t.Fatalf("Fairway's Pod did not come back within %s", recovers)
		case <-time.After(100 * time.Millisecond):
		}
	}
	l.serve() // as its kubelet would
	l.until("what is proven is admitted", func(context.Context) error { return l.deliver(story.Banner, l.baseline) })
	took := time.Since(began)
	t.Logf("out of the deadlock %s after the other webhook left Fairway out", took.Round(time.Millisecond))
	if took > recovers {
		t.Errorf("it took %s, want %s", took, recovers)
	}
	l.condition("TierBinding", "fairway-system", v1alpha1.ClusterBindingName, v1alpha1.ConditionWebhookLoop, metav1.ConditionFalse, v1alpha1.ReasonStartsAlone)
}

// started reports whether so many Pods of Fairway were made.
func (l *serveLab) started(ctx context.Context, want int) error {
	list, err := l.typed.CoreV1().Pods("fairway-system").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) != want {
		return fmt.Errorf("%d Pods, want %d", len(list.Items), want)
	}
	return nil
}

// standIn is a Deployment where Fairway's own would be: the gate of this lab is a process.
func standIn() *appsv1.Deployment {
	name := map[string]string{"app.kubernetes.io/name": "fairway"}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "fairway-gate"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: name},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: name}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "gate", Image: "fairway-gate"}}, TerminationGracePeriodSeconds: new(int64(0)),
		}},
	}}
}

// otherWebhook is asked about every Pod but those of its own namespace.
func otherWebhook(namespace string) *admissionv1.ValidatingWebhookConfiguration {
	none := admissionv1.SideEffectClassNone
	return &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Webhooks: []admissionv1.ValidatingWebhook{{
		Name: "pods.other.example", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none,
		ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: namespace, Name: "other"}},
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{namespace}},
		}},
		Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{
			APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
		}}},
	}}}
}
