package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// What the node is called, and where it and its pods are.
const (
	name   = "node"
	bridge = "fairway0"
	host   = "10.244.0.1" // the machine, as pods see it
	pods   = "10.244.0.0/24"
	// services is what the API server gives addresses of Services from.
	services = "10.0.0.0/24"
	door     = host + ":6443" // of the API server, which itself listens on loopback alone
)

// node is a machine of a cluster, with the cluster.
type node struct {
	dir        string
	programs   string // folder
	cluster    *controlplane.Cluster
	typed      kubernetes.Interface
	kubeconfig string // administrator's
	balancer   *controlplane.Balancer
	names      net.PacketConn // where names are answered
	socket     string         // containerd's
	bridged    bool
	ruled      bool // there may be rules of the node's programs
}

// start returns when pods can be scheduled.
func (n *node) start(ctx context.Context, archives images) error {
	var err error
	if n.dir, err = os.MkdirTemp("", "fairway-node-"); err != nil {
		return fmt.Errorf("making the node's folder: %w", err)
	}
	if n.programs, err = controlplane.Built(ctx, "kubelet"); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{n.network, n.controlPlane, n.publish, n.serveNames, n.containerd} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, archive := range archives {
		if err := say(ctx, "ctr", "--address", n.socket, "--namespace", "k8s.io", "images", "import", archive); err != nil {
			return err
		}
	}
	return n.components(ctx)
}

// network makes the bridge that the plug-in hangs pods on; the machine has an address on it from the first
// moment, so that the API server can be reached there.
func (n *node) network(ctx context.Context) error {
	if err := say(ctx, "ip", "link", "add", bridge, "type", "bridge"); err != nil {
		return err
	}
	n.bridged = true
	errs := []error{say(ctx, "ip", "address", "add", host+"/24", "dev", bridge), say(ctx, "ip", "link", "set", bridge, "up")}
	for _, rule := range forwarding {
		errs = append(errs, say(ctx, "iptables", append([]string{"-I", "FORWARD"}, rule...)...))
	}
	return errors.Join(errs...)
}

// forwarding lets pods reach each other where the machine forwards nothing by itself, as Docker leaves it.
var forwarding = [][]string{{"-i", bridge, "-j", "ACCEPT"}, {"-o", bridge, "-j", "ACCEPT"}}

func (n *node) controlPlane(ctx context.Context) error {
	var err error
	// The node's authorizer is asked after RBAC.
	n.cluster, err = controlplane.Start(ctx, controlplane.Options{
		Dir: filepath.Join(n.dir, "control-plane"), ControllerManager: true,
		ExtraAPIServerArgs: []string{"--authorization-mode=Node", "--enable-admission-plugins=NodeRestriction"},
	})
	if err != nil {
		return err
	}
	n.kubeconfig = filepath.Join(n.dir, "kubeconfig")
	if err := n.cluster.Kubeconfig(n.kubeconfig); err != nil {
		return err
	}
	n.typed, err = kubernetes.NewForConfig(n.cluster.Config)
	return err
}

// publish lets pods reach the API server by its Service.
func (n *node) publish(ctx context.Context) error {
	always := func(context.Context, string) bool { return true }
	var err error
	if n.balancer, err = controlplane.NewBalancer(door, always, strings.TrimPrefix(n.cluster.Config.Host, "https://")); err != nil {
		return err
	}
	port, tcp, ready := int32(6443), corev1.ProtocolTCP, true
	_, err = n.typed.DiscoveryV1().EndpointSlices("default").Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: &port, Protocol: &tcp}},
	}, metav1.CreateOptions{})
	return err
}

// containerd starts one of the node's own. A sandbox gets an oom_score_adj that not every machine may give.
func (n *node) containerd(ctx context.Context) error {
	network := filepath.Join(n.dir, "net.d")
	n.socket = filepath.Join(n.dir, "containerd.sock")
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:offline"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, filepath.Join(n.dir, "containerd"), filepath.Join(n.dir, "containerd-state"), n.socket, filepath.Join(n.programs, "cni"), network)
	plugins := fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": %q, "isGateway": true,
 "ipMasq": true, "hairpinMode": true, "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, bridge, filepath.Join(n.dir, "addresses"), pods)
	if err := os.Mkdir(network, 0o700); err != nil {
		return fmt.Errorf("configuring the network of pods: %w", err)
	}
	for file, content := range map[string]string{filepath.Join(n.dir, "containerd.toml"): config, filepath.Join(network, "10-pods.conflist"): plugins} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return fmt.Errorf("configuring the node: %w", err)
		}
	}
	runtime, err := n.cluster.Run("containerd", "--config", filepath.Join(n.dir, "containerd.toml"))
	if err != nil {
		return err
	}
	return runtime.Await(ctx, func(ctx context.Context) error { return say(ctx, "ctr", "--address", n.socket, "version") })
}

// components starts what makes a node of the machine, and returns when it is ready.
func (n *node) components(ctx context.Context) error {
	config := filepath.Join(n.dir, "kubelet.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(kubelet, n.socket, filepath.Join(n.cluster.Dir, "client-ca.crt"), filepath.Join(n.dir, "logs"), n.dir)), 0o600); err != nil {
		return fmt.Errorf("configuring the kubelet: %w", err)
	}
	n.ruled = true
	if _, err := n.run(n.program("kubelet"), "system:node:"+name, []string{"system:nodes"}, "--config", config, "--hostname-override", name,
		"--node-ip", host, "--root-dir", filepath.Join(n.dir, "kubelet")); err != nil {
		return err
	}
	if _, err := n.run(n.program("kube-scheduler"), "system:kube-scheduler", nil, "--leader-elect=false", "--secure-port=0"); err != nil {
		return err
	}
	if _, err := n.run(n.program("kube-proxy"), "system:kube-proxy", nil, "--hostname-override", name, "--cluster-cidr", pods, "--proxy-mode", "iptables",
		"--conntrack-max-per-core=0", "--healthz-bind-address=", "--metrics-bind-address=127.0.0.1:10249"); err != nil {
		return err
	}
	if err := until(ctx, 2*time.Minute, "the node is ready", n.ready); err != nil {
		return err
	}
	return n.enforcePolicies(ctx)
}

// kubelet is its configuration: containerd's socket, the authority of clients, the folder of logs, and its own.
const kubelet = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://%s
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: %s}}
authorization: {mode: AlwaysAllow}
address: 127.0.0.1
healthzPort: 0
clusterDNS: [10.244.0.1]
clusterDomain: cluster.local
podLogsDir: %s
volumePluginDir: %s/volume-plugins
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
evictionHard: {memory.available: 1Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%, imagefs.inodesFree: 1%%}
imageGCHighThresholdPercent: 100
`

// program is where one of the node's own is.
func (n *node) program(name string) string { return filepath.Join(n.programs, name) }

// run starts a component as somebody.
func (n *node) run(program, user string, groups []string, args ...string) (*controlplane.Program, error) {
	config, err := n.cluster.ConfigFor(user, groups...)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(n.dir, filepath.Base(program)+".kubeconfig")
	if err := controlplane.WriteKubeconfig(file, config); err != nil {
		return nil, err
	}
	return n.cluster.Run(program, append(args, "--kubeconfig", file)...)
}

func (n *node) ready(ctx context.Context) error {
	found, err := n.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range found.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return nil
		} else if c.Type == corev1.NodeReady {
			return errors.New(c.Message)
		}
	}
	return errors.New("it has not said whether it is")
}

// until awaits that a question is answered without an error.
func until(ctx context.Context, patience time.Duration, what string, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := question(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("until %s: %w", what, err)
		case <-ticker.C:
		}
	}
}

// complain prints what the pods and the node's programs said.
func (n *node) complain(ctx context.Context) {
	if n.typed == nil {
		return
	}
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(n.dir, "logs", "*", "*", "*.log")) // the pattern is well formed
	for _, file := range append(files, filepath.Join(n.cluster.Dir, "kubelet.log"), filepath.Join(n.cluster.Dir, "kube-proxy.log"), filepath.Join(n.cluster.Dir, "kube-scheduler.log"),
		filepath.Join(n.cluster.Dir, router+".log")) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it was not started
		}
		fmt.Fprintf(&all, "\n%s ends with:\n%s\n", file, text[max(0, len(text)-4000):])
	}
	if events, err := n.typed.CoreV1().Events("").List(ctx, metav1.ListOptions{}); err == nil {
		for i := range events.Items {
			e := &events.Items[i]
			fmt.Fprintf(&all, "%s/%s: %s: %s\n", e.InvolvedObject.Namespace, e.InvolvedObject.Name, e.Reason, e.Message)
		}
	}
	fmt.Fprint(os.Stderr, all.String())
}
