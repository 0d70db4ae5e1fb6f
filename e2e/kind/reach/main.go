// Command reach holds T-31 on a cluster that enforces network policies, with the chart installed so that the API
// server alone may ask gates. Pods try whom they reach, each of them a way that is open beside those that are
// closed, so that a gate that is down does not pass for a gate that is guarded. It finds the cluster in KUBECONFIG,
// and the repository that the prover fetches from in FLEET.
//
// That the API server reaches gates is what the rest of docs/install.md shows.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	system    = "fairway-system"
	elsewhere = "elsewhere" // a namespace that has nothing to do with Fairway
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "reach: "+err.Error())
		os.Exit(1) //nolint:gocritic // nothing is left to be undone
	}
}

// asker is a pod and what it must find open and closed.
type asker struct {
	name, namespace string
	labels          map[string]string
	open, closed    []string
}

// try awaits that each of its arguments, open=HOST:PORT or closed=HOST:PORT, is so: rules follow a pod within moments.
const try = `for each; do
	way=${each#*=} want=${each%%=*} tries=30
	while have=closed; timeout 3 bash -c "exec 3<>/dev/tcp/${way%:*}/${way##*:}" 2>/dev/null && have=open; [ "$have" != "$want" ]; do
		[ $((tries -= 1)) -gt 0 ] || { echo "$way is $have" > /dev/termination-log; exit 1; }
		sleep 1
	done
done`

func run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("reading the cluster's configuration: %w", err)
	}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	image, askers, err := of(ctx, api)
	if err != nil {
		return err
	}
	if _, err := api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	for _, a := range askers {
		if err := a.start(ctx, api, image); err != nil {
			return err
		}
	}
	var errs []error
	for _, a := range askers {
		errs = append(errs, a.ended(ctx, api))
	}
	errs = append(errs, api.CoreV1().Namespaces().Delete(ctx, elsewhere, metav1.DeleteOptions{}))
	return errors.Join(errs...)
}

// of finds what there is to be reached, and says who reaches it. The image of the prover has a shell.
func of(ctx context.Context, api kubernetes.Interface) (image string, askers []asker, err error) {
	prover, err := api.AppsV1().Deployments(system).Get(ctx, "fairway-prover", metav1.GetOptions{})
	if err != nil {
		return "", nil, err
	}
	gate, err := api.AppsV1().Deployments(system).Get(ctx, "fairway-gate", metav1.GetOptions{})
	if err != nil {
		return "", nil, err
	}
	gates, err := api.CoreV1().Pods(system).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(gate.Spec.Selector)})
	if err != nil {
		return "", nil, err
	}
	service, err := api.CoreV1().Services(system).Get(ctx, "fairway", metav1.GetOptions{})
	if err != nil {
		return "", nil, err
	}
	server, err := api.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return "", nil, err
	}
	fleet, err := url.Parse(os.Getenv("FLEET"))
	if err != nil || len(gates.Items) == 0 {
		return "", nil, errors.Join(err, fmt.Errorf("there are %d gates", len(gates.Items)))
	}
	reviews, probes := []string{net.JoinHostPort(service.Spec.ClusterIP, "443")}, []string(nil)
	for i := range gates.Items {
		address := gates.Items[i].Status.PodIP
		reviews, probes = append(reviews, net.JoinHostPort(address, "9443")), append(probes, net.JoinHostPort(address, "9440"))
	}
	apiServer := net.JoinHostPort(server.Spec.ClusterIP, "443")
	return prover.Spec.Template.Spec.Containers[0].Image, []asker{
		{name: "stranger", namespace: elsewhere, open: probes, closed: reviews},
		{name: "neighbour", namespace: system, open: probes, closed: reviews},
		{name: "like-a-prover", namespace: system, labels: prover.Spec.Selector.MatchLabels, open: slices.Concat(reviews, []string{fleet.Host, apiServer}), closed: probes},
		{name: "like-a-gate", namespace: system, labels: gate.Spec.Selector.MatchLabels, open: []string{apiServer}, closed: slices.Concat(reviews, []string{fleet.Host})},
	}, nil
}

// pod is never ready, since nobody shall be sent to what merely looks like a gate.
func (a asker) pod(image string) *corev1.Pod {
	command := []string{"bash", "-c", try, "try"}
	for _, way := range a.closed {
		command = append(command, "closed="+way)
	}
	for _, way := range a.open {
		command = append(command, "open="+way)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: a.name, Namespace: a.namespace, Labels: a.labels},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: new(bool),
			ReadinessGates:               []corev1.PodReadinessGate{{ConditionType: "fairway.dev/never"}},
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "try", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: command,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(bool), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// start makes the pod. A gate judges a namespace by the strictest tier until it has heard of it.
func (a asker) start(ctx context.Context, api kubernetes.Interface, image string) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, last = api.CoreV1().Pods(a.namespace).Create(ctx, a.pod(image), metav1.CreateOptions{})
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", a.name, errors.Join(err, last))
	}
	return nil
}

// ended awaits the end of the pod, and tells what it found otherwise than it must be.
func (a asker) ended(ctx context.Context, api kubernetes.Interface) error {
	pods := api.CoreV1().Pods(a.namespace)
	var found *corev1.Pod
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var err error
		found, err = pods.Get(ctx, a.name, metav1.GetOptions{})
		return err == nil && (found.Status.Phase == corev1.PodSucceeded || found.Status.Phase == corev1.PodFailed), err
	})
	if err != nil {
		return fmt.Errorf("awaiting the end of %s: %w", a.name, err)
	}
	if found.Status.Phase == corev1.PodFailed {
		why := found.Status.Message
		for _, c := range found.Status.ContainerStatuses {
			if c.State.Terminated != nil {
				why += c.State.Terminated.Message
			}
		}
		return fmt.Errorf("T-31: %s/%s: %s", a.namespace, a.name, why)
	}
	fmt.Fprintf(os.Stderr, "T-31: %s/%s: open %v, closed %v\n", a.namespace, a.name, a.open, a.closed)
	return pods.Delete(ctx, a.name, metav1.DeleteOptions{})
}
