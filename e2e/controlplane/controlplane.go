// Package controlplane runs a real Kubernetes control plane (etcd, kube-apiserver and, where asked,
// kube-controller-manager) on loopback, for tests and for the demo. A fake API server would agree with
// whatever we believe about admission; this one does not.
//
// It refuses to listen outside 127.0.0.1, to reuse what it did not start, and to skip: when the binaries
// are absent they are built by hack/controlplane/build.sh. It fails with an error that carries the last
// lines of the failing process's log; the whole logs stand in the cluster's folder. Webhooks are reached
// by clientConfig.url, because the API server accepts no loopback address behind a Service.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"k8s.io/client-go/rest"
)

// Options say what to start.
type Options struct {
	// Dir receives certificates, etcd's data and the logs; it is created if absent and left standing by
	// Stop. Empty means a temporary folder that Stop removes.
	Dir string
	// ControllerManager adds kube-controller-manager (garbage collection, namespaces, workloads), each
	// controller with its own service account, and with it the ServiceAccount admission plug-in.
	ControllerManager bool
	// ExtraAPIServerArgs are appended to kube-apiserver's command line, so they win over the defaults.
	ExtraAPIServerArgs []string
}

// Cluster is a running control plane. Its methods may be called from many goroutines.
type Cluster struct {
	// Config is the administrator's: a client certificate of the group system:masters. Copy it before
	// changing it (rest.CopyConfig).
	Config *rest.Config
	// Dir holds the logs (etcd.log, kube-apiserver.log, kube-controller-manager.log) and the certificates.
	Dir string

	address     string
	serving     *authority
	clients     *authority
	processes   []*process               // in the order of their start
	again       func() (*process, error) // starts the API server as it was started last
	ownsDir     bool
	etcdSockets string
}

// attempts bounds how often Start tries another port. A free port is found by listening on :0 and
// letting go of it, so another program may take it before the API server does.
const attempts = 3

// Start builds what is missing, starts the processes and returns when the API server is ready and has
// made the default namespace (and, with a controller manager, that namespace's service account). The
// processes end with Stop, and on Linux also when the calling process dies. The context bounds the start
// only.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	binaries, err := Binaries(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: opts.Dir}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if err := c.run(ctx, binaries, opts); err != nil {
		// The folder goes with Stop; the error has kept the end of the log.
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// run starts the processes one after the other, each when the one before it answers.
func (c *Cluster) run(ctx context.Context, binaries string, opts Options) error {
	etcd, err := c.startEtcd(binaries)
	if err != nil {
		return err
	}
	if err := etcd.await(ctx, c.etcdListens); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		api, err := c.startAPIServer(binaries, opts)
		if err != nil {
			return err
		}
		if err = api.await(ctx, c.ready); err == nil {
			break
		}
		if attempt == attempts || !api.logged("address already in use") {
			return err
		}
	}
	if !opts.ControllerManager {
		return nil
	}
	manager, err := c.startControllerManager(binaries)
	if err != nil {
		return err
	}
	return manager.await(ctx, c.controllersRun)
}

// prepare makes the folder, the two authorities and the keys that the processes read.
func (c *Cluster) prepare() error {
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "fairway-cluster-")
		if err != nil {
			return fmt.Errorf("making the cluster's folder: %w", err)
		}
		c.Dir, c.ownsDir = dir, true
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("making the cluster's folder: %w", err)
	}
	// A folder of its own, because the path of a socket may have some hundred characters and no more.
	sockets, err := os.MkdirTemp("", "fairway-etcd-")
	if err != nil {
		return fmt.Errorf("making the folder of etcd's sockets: %w", err)
	}
	c.etcdSockets = sockets
	if c.serving, err = newAuthority("fairway-test-serving-ca"); err != nil {
		return err
	}
	if c.clients, err = newAuthority("fairway-test-client-ca"); err != nil {
		return err
	}
	return c.writeKeys()
}

// Stop ends the processes, newest first, and removes the folder if Start made it. It may be called more
// than once. A process that does not end by itself within some seconds is killed; that is no error.
func (c *Cluster) Stop() error {
	var errs []error
	for i := len(c.processes) - 1; i >= 0; i-- {
		errs = append(errs, c.processes[i].stop())
	}
	c.processes = nil
	if c.etcdSockets != "" {
		errs = append(errs, os.RemoveAll(c.etcdSockets))
	}
	if c.ownsDir {
		errs = append(errs, os.RemoveAll(c.Dir))
	}
	return errors.Join(errs...)
}

// Complaints returns what the processes logged as errors, for a failing test; they log a great deal else.
func (c *Cluster) Complaints() string {
	var all strings.Builder
	for _, p := range c.processes {
		for line := range strings.Lines(p.tail()) {
			if complaint.MatchString(line) {
				all.WriteString(p.name + ": " + line)
			}
		}
	}
	return all.String()
}

// complaint matches an error in the log formats of Kubernetes and etcd.
var complaint = regexp.MustCompile(`^[EF]\d{4} |"level":"(error|panic|fatal)"`)

func (c *Cluster) path(name string) string { return filepath.Join(c.Dir, name) }
