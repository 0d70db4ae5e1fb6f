package controlplane

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Program is something that runs beside the control plane, and ends with it at the latest. Its output is
// in the cluster's folder.
type Program struct{ process *process }

// Run starts a program. Another one of the same name writes over its log.
func (c *Cluster) Run(binary string, args ...string) (*Program, error) {
	p, err := c.spawn(binary, args...)
	if err != nil {
		return nil, err
	}
	return &Program{p}, nil
}

// RunWith is Run with more in the environment: a controller takes its kubeconfig from there.
func (c *Cluster) RunWith(environment []string, binary string, args ...string) (*Program, error) {
	p, err := c.spawnWith(environment, binary, args...)
	if err != nil {
		return nil, err
	}
	return &Program{p}, nil
}

// Await asks the question until it is answered without an error. It gives up when the program ends.
func (p *Program) Await(ctx context.Context, question func(context.Context) error) error {
	return p.process.await(ctx, question)
}

// Stop asks the program to end, and returns when it has.
func (p *Program) Stop() error { return p.process.stop() }

// Kill ends the program without asking it, as a crash does, and returns when it has ended.
func (p *Program) Kill() error {
	select {
	case <-p.process.done:
		return fmt.Errorf("%s had ended by itself: %w", p.process.name, p.process.err)
	default:
	}
	if err := signalGroup(p.process.pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing %s: %w", p.process.name, err)
	}
	<-p.process.done
	return nil
}

// Log is the end of what the program wrote.
func (p *Program) Log() string { return p.process.tail() }

// Alone starts a program that needs no control plane, with its output in a folder. The caller stops it.
func Alone(dir, binary string, args ...string) (*Program, error) {
	return (&Cluster{Dir: dir}).Run(binary, args...)
}

// Memory is how much of memory is the program's own now, in bytes, without the files that it is made of, which
// the system can drop; 0 where the system does not tell.
func (p *Program) Memory() uint64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	var kib uint64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return 0
	}
	return kib << 10
}
