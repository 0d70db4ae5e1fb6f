package e2e

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// resizer lists an autoscaler that sets what the Pods of the shop may use.
const resizer = `{"spec":{"controllers":[{"name":"vertical-autoscaler","users":["system:serviceaccount:vpa:updater"],"groups":[""],"kinds":["Pod"],
"operations":["UPDATE"],"fields":["spec.containers[name=main].resources"],"why":"it sets resources by what is used"}]}}`

// resizedAndDrained: what a listed autoscaler may do with a running Pod, and what people may who drain a node.
func resizedAndDrained(l *serveLab) {
	ctx := l.t.Context()
	var pod *corev1.Pod
	l.until("there is a Pod", func(ctx context.Context) error {
		pods, err := l.typed.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{LabelSelector: "app=scaled"})
		if err == nil && len(pods.Items) == 0 {
			err = errors.New("there is none")
		}
		if err == nil {
			pod = &pods.Items[0]
		}
		return err
	})
	patch := func(user, body string, sub ...string) error {
		_, err := l.typedAs(user).CoreV1().Pods("shop").Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, sub...)
		return err
	}
	const resized = `{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"20m"}}}]}}`
	const updater = "system:serviceaccount:vpa:updater"
	l.admitted(patch(updater, resized, "resize"))
	l.refused(patch("sara", resized, "resize"), "resources of a running Pod are content")
	l.refused(patch("system:serviceaccount:shop:updater", resized, "resize"), "resources of a running Pod are content")
	l.refused(patch(updater, `{"spec":{"containers":[{"name":"main","image":"registry.example.com/theirs:1"}]}}`), "")
	l.refused(patch(updater, `{"metadata":{"labels":{"app":"theirs"}}}`), "")

	evict := func(user, name string) error {
		return l.typedAs(user).PolicyV1().Evictions("shop").Evict(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
		})
	}
	l.admitted(evict("sara", pod.Name))
	l.admitted(evict(updater, pod.Name))
	scale := func(user string) error {
		d := manifest(l.t, pausing("shop", "scaled", "scaled:2"))
		_, err := l.on(user, d).Patch(ctx, "scaled", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
		return err
	}
	l.admitted(scale("system:serviceaccount:kube-system:horizontal-pod-autoscaler"))
	l.refused(scale("sara"), "scaling")
	l.refused(scale(updater), "scaling")
}
