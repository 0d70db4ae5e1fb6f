package chart

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// kubelet stands in for one: it runs the program of each pod of a namespace as a process on this machine,
// with the arguments, environment, Secrets and service account's token of the pod, and writes the status
// that a kubelet would. What it cannot do is what needs a kernel's isolation: images, security contexts,
// the network of pods. Addresses of pods are ports on loopback.
type kubelet struct {
	t         *testing.T
	cluster   *controlplane.Cluster
	typed     kubernetes.Interface // administrator's
	namespace string
	dir       string
	program   string
	older     string // the program of images of the version before; empty: the same
	probe     *http.Client
	lost      atomic.Bool // the machines of the gates

	mu   sync.Mutex
	pods map[string]*pod // by UID
}

// pod is one that runs.
type pod struct {
	object  *corev1.Pod
	dir     string
	program *controlplane.Program
	listen  string // where reviews are answered
	probes  string
	ended   chan error
}

// startKubelet runs pods until the test ends.
func startKubelet(t *testing.T, cluster *controlplane.Cluster, typed kubernetes.Interface, namespace, program string) *kubelet {
	t.Helper()
	k := &kubelet{
		t: t, cluster: cluster, typed: typed, namespace: namespace, dir: t.TempDir(), program: program, pods: map[string]*pod{},
		probe: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // kubelets do not verify probes either
		}},
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() { k.run(ctx) })
	t.Cleanup(func() {
		stop()
		done.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, p := range k.pods {
			if t.Failed() {
				t.Logf("%s said:\n%s", p.object.Name, p.program.Log())
			}
			_ = p.program.Stop() // the cluster ends what is left
		}
	})
	return k
}

// run brings pods and processes together ten times a second.
func (k *kubelet) run(ctx context.Context) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	said := ""
	for {
		if err := k.sync(ctx); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			k.t.Logf("kubelet: %v", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (k *kubelet) sync(ctx context.Context) error {
	list, err := k.typed.CoreV1().Pods(k.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	var problems []error
	for i := range list.Items {
		object := &list.Items[i]
		if object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed {
			continue
		}
		if k.lost.Load() && strings.HasPrefix(object.Name, "fairway-gate-") {
			continue
		}
		alive[string(object.UID)] = true
		problems = append(problems, k.syncPod(ctx, object))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for uid, p := range k.pods {
		if !alive[uid] {
			delete(k.pods, uid)
			go func() { p.ended <- p.program.Stop() }() // draining takes its time
		}
	}
	return errors.Join(problems...)
}

func (k *kubelet) syncPod(ctx context.Context, object *corev1.Pod) error {
	k.mu.Lock()
	p := k.pods[string(object.UID)]
	k.mu.Unlock()
	if p == nil {
		started, err := k.start(ctx, object)
		if err != nil {
			return fmt.Errorf("starting pod %s: %w", object.Name, err)
		}
		k.mu.Lock()
		k.pods[string(object.UID)] = started
		k.mu.Unlock()
		return nil
	}
	if err := k.mount(ctx, object, p.dir); err != nil {
		return err
	}
	status := object.Status.DeepCopy()
	if code, over := p.program.Exited(); over && object.Spec.RestartPolicy == corev1.RestartPolicyNever {
		status.Phase = corev1.PodSucceeded
		if code != 0 {
			status.Phase = corev1.PodFailed
			k.t.Logf("%s ended with code %d:\n%s", object.Name, code, p.program.Log())
		}
	} else if over {
		k.t.Logf("%s ended with code %d and is started again:\n%s", object.Name, code, p.program.Log())
		k.mu.Lock()
		delete(k.pods, string(object.UID))
		k.mu.Unlock()
		return nil
	} else {
		status.Phase = corev1.PodRunning
		setReady(status, p.probes == "" || k.ready(ctx, p))
	}
	if status.Phase == object.Status.Phase && ready(status) == ready(&object.Status) && len(object.Status.Conditions) > 0 {
		return nil
	}
	changed := object.DeepCopy()
	changed.Status = *status
	_, err := k.typed.CoreV1().Pods(k.namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the next turn sees what it is now
	}
	return err
}

func ready(s *corev1.PodStatus) bool {
	return slices.ContainsFunc(s.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func setReady(s *corev1.PodStatus, is bool) {
	if len(s.Conditions) > 0 && ready(s) == is {
		return
	}
	value := corev1.ConditionFalse
	if is {
		value = corev1.ConditionTrue
	}
	s.Conditions = nil
	for _, kind := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: value, LastTransitionTime: metav1.Now()})
	}
}

// ready asks the readiness probe.
func (k *kubelet) ready(ctx context.Context, p *pod) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.probes+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := k.probe.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// mount writes the Secrets of a pod below its folder, as a kubelet keeps them fresh.
func (k *kubelet) mount(ctx context.Context, object *corev1.Pod, dir string) error {
	for _, v := range object.Spec.Volumes {
		at := filepath.Join(dir, v.Name)
		if v.PersistentVolumeClaim != nil {
			// What is on it outlives the pod.
			claim := filepath.Join(k.dir, "claim-"+v.PersistentVolumeClaim.ClaimName)
			if err := os.MkdirAll(claim, 0o700); err != nil {
				return err
			}
			if err := os.Symlink(claim, at); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
			continue
		}
		if err := os.MkdirAll(at, 0o700); err != nil {
			return err
		}
		if v.Secret == nil {
			continue
		}
		secret, err := k.typed.CoreV1().Secrets(k.namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) && v.Secret.Optional != nil && *v.Secret.Optional {
			continue
		} else if err != nil {
			return err
		}
		for name, content := range secret.Data {
			path := filepath.Join(at, name)
			if have, err := os.ReadFile(path); err == nil && string(have) == string(content) {
				continue
			}
			// In one go, as a kubelet's symbolic link turns to a new folder.
			if err := os.WriteFile(path+".new", content, 0o600); err != nil {
				return err
			}
			if err := os.Rename(path+".new", path); err != nil {
				return err
			}
		}
	}
	return nil
}

// start starts the program of a pod's one container.
func (k *kubelet) start(ctx context.Context, object *corev1.Pod) (*pod, error) {
	p := &pod{object: object, dir: filepath.Join(k.dir, string(object.UID)), ended: make(chan error, 1)}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	if err := k.mount(ctx, object, p.dir); err != nil {
		return nil, err
	}
	container := object.Spec.Containers[0]
	args := slices.Clone(container.Args)
	for i, arg := range args {
		for _, m := range container.VolumeMounts {
			if flag, path, ok := strings.Cut(arg, "="+m.MountPath); ok && !strings.Contains(flag, "=") {
				arg = flag + "=" + filepath.Join(p.dir, m.Name) + path
				break // and not what has just been put there
			}
		}
		for _, c := range container.Ports {
			if !strings.HasSuffix(arg, fmt.Sprintf("=:%d", c.ContainerPort)) {
				continue
			}
			address, err := freeAddress()
			if err != nil {
				return nil, err
			}
			if flag, _, _ := strings.Cut(arg, "="); c.Name == "probes" {
				p.probes, arg = address, flag+"="+address
			} else {
				p.listen, arg = address, flag+"="+address
			}
		}
		args[i] = arg
	}
	config, err := k.identity(ctx, object, p.dir)
	if err != nil {
		return nil, err
	}
	var script strings.Builder
	script.WriteString("#!/bin/sh\n")
	for _, e := range container.Env {
		fmt.Fprintf(&script, "export %s='%s'\n", e.Name, e.Value)
	}
	program := k.program
	if k.older != "" && strings.HasSuffix(container.Image, ":"+versionBefore) {
		program = k.older
	}
	fmt.Fprintf(&script, "exec %q \"$@\"\n", program)
	run := filepath.Join(p.dir, object.Name)
	if err := os.WriteFile(run, []byte(script.String()), 0o700); err != nil { //nolint:gosec // it is run
		return nil, err
	}
	p.program, err = k.cluster.Run(run, append(args, "--kubeconfig="+config)...)
	return p, err
}

// identity writes a kubeconfig with a token of the pod's service account, bound to the pod.
func (k *kubelet) identity(ctx context.Context, object *corev1.Pod, dir string) (string, error) {
	seconds := int64(3600)
	token, err := k.typed.CoreV1().ServiceAccounts(k.namespace).CreateToken(ctx, object.Spec.ServiceAccountName, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds, BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: object.Name, UID: object.UID,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	file := clientcmdapi.NewConfig()
	file.Clusters["in"] = &clientcmdapi.Cluster{Server: k.cluster.Config.Host, CertificateAuthorityData: k.cluster.Config.CAData}
	file.AuthInfos["in"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	file.Contexts["in"] = &clientcmdapi.Context{Cluster: "in", AuthInfo: "in"}
	file.CurrentContext = "in"
	path := filepath.Join(dir, "kubeconfig")
	return path, clientcmd.WriteToFile(*file, path)
}

// gates are the addresses of the pods that answer reviews.
func (k *kubelet) gates() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	for _, p := range k.pods {
		if p.listen != "" {
			all = append(all, p.listen)
		}
	}
	slices.Sort(all)
	return all
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// answers asks the readiness probe of the gate that listens at an address.
func (k *kubelet) answers(ctx context.Context, listen string) bool {
	k.mu.Lock()
	var found *pod
	for _, p := range k.pods {
		if p.listen == listen {
			found = p
		}
	}
	k.mu.Unlock()
	return found != nil && k.ready(ctx, found)
}
