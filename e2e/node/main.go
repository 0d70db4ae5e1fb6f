// Command node runs a command against a real cluster of one node on this machine: the control plane that the
// tests use, with kube-scheduler, kubelet, kube-proxy, containerd, a bridge for the network of pods, and kube-router,
// which enforces network policies. Nothing is pulled; the images that pods name are imported before. The command
// finds the cluster in KUBECONFIG.
//
//	node -image FILE... -- COMMAND...
//
// It needs root, Linux, containerd, runc, iptables, ipset and ip, and takes back what it made of the machine's network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// images are archives to import; the first is the sandbox's.
type images []string

func (i *images) String() string { return strings.Join(*i, " ") }

// Set adds one.
func (i *images) Set(file string) error {
	*i = append(*i, file)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	var archives images
	flag.Var(&archives, "image", "archive of an image (repeat)")
	flag.Parse()
	if flag.NArg() == 0 || os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "node: as root: node -image FILE... -- COMMAND...")
		os.Exit(2) //nolint:gocritic // nothing is left to be undone
	}
	if err := run(ctx, archives, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "node: "+err.Error())
		os.Exit(1)
	}
}

// run makes the node, runs the command, and takes everything away again.
func run(ctx context.Context, archives images, command []string) (err error) {
	n := &node{}
	defer func() { err = errors.Join(err, n.stop(context.WithoutCancel(ctx))) }()
	begin := time.Now()
	if err := n.start(ctx, archives); err != nil {
		n.complain(ctx)
		return err
	}
	fmt.Fprintf(os.Stderr, "node: ready after %.0f s\n", time.Since(begin).Seconds())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+n.kubeconfig)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// What it has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		n.complain(ctx)
		return fmt.Errorf("running %s: %w", command[0], err)
	}
	return nil
}

// say runs a program of the machine, and puts what it printed into the error.
func say(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
