package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// grace is how long a process may take to end after SIGTERM before it is killed.
	grace = 10 * time.Second
	// readyWithin bounds each wait for a process to answer. A machine with two busy cores needs a good
	// part of it.
	readyWithin = 2 * time.Minute
	// tailBytes of a log are shown with an error.
	tailBytes = 8 << 10
)

// process is one program that we started, leader of a process group of its own.
type process struct {
	name string
	log  string // path
	pid  int
	done chan struct{} // closed when the process has ended and was waited for
	err  error         // how it ended; read after done
}

// spawn starts a program with its output in <name>.log and counts it among the cluster's processes.
func (c *Cluster) spawn(binary string, args ...string) (*process, error) {
	return c.spawnWith(nil, binary, args...)
}

// spawnWith adds to the environment that the program starts with.
func (c *Cluster) spawnWith(environment []string, binary string, args ...string) (*process, error) {
	name := filepath.Base(binary)
	log, err := os.OpenFile(c.path(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr, cmd.Env = ownGroup(), append(os.Environ(), environment...)
	p := &process{name: name, log: log.Name(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal that ends a child with its parent is sent when the parent's *thread* ends, so the
		// thread that starts the process must live as long as it does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.pid = cmd.Process.Pid
	c.processes = append(c.processes, p)
	return p, nil
}

// await asks the question with growing pauses until it is answered without an error. It gives up when
// the process ends, when the context is done, or after readyWithin.
func (p *process) await(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	var last error
	backoff := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 1.5, Cap: time.Second, Steps: 1 << 20}
	err := backoff.DelayFunc().Until(ctx, true, false, func(ctx context.Context) (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("it ended by itself (%v)", p.err)
		default:
		}
		last = question(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w (last answer: %v); end of its log:\n%s", p.name, err, last, p.tail())
	}
	return nil
}

// stop asks the process's group to end, kills it after the grace, and returns when it has been waited
// for. Only the group that we started is signalled; its number cannot belong to anybody else before the
// leader has been waited for.
func (p *process) stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := signalGroup(p.pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending %s: %w", p.name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := signalGroup(p.pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// signalGroup signals the group; one that has gone already is no error.
func signalGroup(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(-pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// logged reports whether the log holds the text.
func (p *process) logged(text string) bool {
	content, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(content), text)
}

// tail returns the end of the log, from the start of a line.
func (p *process) tail() string {
	file, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		if _, err := file.Seek(max(0, size-tailBytes), io.SeekStart); err != nil {
			return err.Error()
		}
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	text := string(content)
	if _, rest, cut := strings.Cut(text, "\n"); cut && len(text) == tailBytes {
		text = rest
	}
	return text
}
