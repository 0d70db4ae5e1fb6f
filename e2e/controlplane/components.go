package controlplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// startEtcd starts etcd behind a Unix socket: nobody else on the machine can reach the data, and there is
// no port to collide with. It does not flush to disk; the data is for one test run.
func (c *Cluster) startEtcd(binaries string) (*process, error) {
	client, peer := "unix://"+c.etcdSocket(), "unix://"+filepath.Join(c.etcdSockets, "peer")
	return c.spawn(filepath.Join(binaries, "etcd"),
		"--data-dir="+c.path("etcd"),
		"--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
	)
}

func (c *Cluster) etcdSocket() string { return filepath.Join(c.etcdSockets, "client") }

// startAPIServer starts kube-apiserver on a free port and makes the administrator's configuration for it.
func (c *Cluster) startAPIServer(binaries string, opts Options) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("choosing a port: %w", err)
	}
	c.address = address
	if c.Config, err = c.ConfigFor("admin", "system:masters"); err != nil {
		return nil, err
	}
	args := []string{
		"--etcd-servers=unix://" + c.etcdSocket(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port,
		"--tls-cert-file=" + c.path("apiserver.crt"), "--tls-private-key-file=" + c.path("apiserver.key"),
		"--cert-dir=" + c.Dir,
		"--client-ca-file=" + c.path("client-ca.crt"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.path("sa.key"),
		"--service-account-signing-key-file=" + c.path("sa.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		// The address is loopback, which no Endpoints object may hold.
		"--endpoint-reconciler-type=none",
	}
	if !opts.ControllerManager {
		// Nobody makes the service accounts that this plug-in asks of each pod.
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	binary := filepath.Join(binaries, "kube-apiserver")
	args = append(args, opts.ExtraAPIServerArgs...)
	c.again = func() (*process, error) { return c.spawn(binary, args...) }
	return c.again()
}

// StopAPIServer ends the API server, and leaves etcd and what it holds. The others go on, as they do
// while a real one is replaced.
func (c *Cluster) StopAPIServer() error { return c.apiServer().stop() }

// KillAPIServer ends it as a crash does.
func (c *Cluster) KillAPIServer() error { return (&Program{c.apiServer()}).Kill() }

// StartAPIServer starts it again after its end, on the same port, with the same keys and flags and over
// the same etcd, and returns when it is ready. The log of the one before gets ".before" to its name.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	before := c.apiServer()
	if err := os.Rename(before.log, before.log+".before"); err != nil {
		return fmt.Errorf("keeping the log of the API server before: %w", err)
	}
	p, err := c.again()
	if err != nil {
		return err
	}
	c.processes = c.processes[:len(c.processes)-1] // spawn put it last; Stop ends it before etcd, and after the others
	c.processes[slices.Index(c.processes, before)] = p
	return p.await(ctx, c.ready)
}

// apiServer is the API server's process: of several that were tried at the start, the last.
func (c *Cluster) apiServer() *process {
	for _, p := range slices.Backward(c.processes) {
		if p.name == "kube-apiserver" {
			return p
		}
	}
	return nil
}

// startControllerManager starts kube-controller-manager, without a port and without leader election.
func (c *Cluster) startControllerManager(binaries string) (*process, error) {
	config, err := c.ConfigFor("system:kube-controller-manager")
	if err != nil {
		return nil, err
	}
	kubeconfig := c.path("kube-controller-manager.kubeconfig")
	if err := WriteKubeconfig(kubeconfig, config); err != nil {
		return nil, err
	}
	return c.spawn(filepath.Join(binaries, "kube-controller-manager"),
		"--kubeconfig="+kubeconfig,
		"--secure-port=0", "--bind-address=127.0.0.1",
		"--leader-elect=false",
		// Each controller is its own user, as in a real cluster: Fairway tells them apart.
		"--use-service-account-credentials",
		"--service-account-private-key-file="+c.path("sa.key"),
		"--root-ca-file="+c.path("serving-ca.crt"),
	)
}

// etcdListens reports whether etcd accepts connections.
func (c *Cluster) etcdListens(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.etcdSocket())
	if err != nil {
		return err
	}
	return conn.Close()
}

// ready reports whether the API server says that it is ready and has made the default namespace, which
// it does in the background.
func (c *Cluster) ready(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	if err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	_, err = client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// controllersRun reports whether the controllers have reached the default namespace: its service account
// and its copy of the root certificate are what pods need.
func (c *Cluster) controllersRun(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	core := client.CoreV1()
	if _, err := core.ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err = core.ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	address := listener.Addr().String()
	return address, listener.Close()
}
