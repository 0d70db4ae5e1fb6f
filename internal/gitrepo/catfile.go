package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// objectBytes is what the LimitError of a large object counts.
const objectBytes = "bytes of one object"

// catPool holds a few "git cat-file --batch" processes. A process that failed, or whose query was
// given up, is ended and replaced by the next query.
type catPool struct {
	git  *git
	slot chan struct{} // one for each process that may live

	mu     sync.Mutex
	idle   []*catProc
	closed bool
}

type catProc struct {
	cmd *exec.Cmd
	end context.CancelFunc
	in  io.WriteCloser
	out *bufio.Reader
}

func newCatPool(g *git) *catPool { return &catPool{git: g, slot: make(chan struct{}, 2)} }

// read is the type and the bytes of an object. More than max bytes are a LimitError.
func (p *catPool) read(ctx context.Context, id string, max int64) (kind string, raw []byte, err error) {
	err = p.with(ctx, id, func(proc *catProc) error {
		kind, raw, err = proc.query(id, max)
		return err
	})
	return kind, raw, err
}

// with lends a process to one use, which the limit of time ends. where is what a LimitError names.
func (p *catPool) with(ctx context.Context, where string, use func(*catProc) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.git.limits.Time,
		&LimitError{What: "seconds to read an object", Limit: int64(p.git.limits.Time.Seconds()), Where: where})
	defer cancel()
	select {
	case p.slot <- struct{}{}:
		defer func() { <-p.slot }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	proc, err := p.take()
	if err != nil {
		return err
	}
	unwatch := context.AfterFunc(ctx, proc.end)
	err = use(proc)
	healthy := unwatch() && (err == nil || errors.Is(err, ErrNotFound))
	if !healthy && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	p.give(proc, healthy)
	return err
}

func (p *catPool) take() (*catProc, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("repository is closed")
	}
	if n := len(p.idle); n > 0 {
		proc := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return proc, nil
	}
	return p.start()
}

// start begins a process of its own life: it outlasts the query that needed it.
func (p *catPool) start() (*catProc, error) {
	ctx, end := context.WithCancel(context.Background())
	cmd := p.git.prepare(ctx, command{args: []string{"cat-file", "--batch"}})
	in, err := cmd.StdinPipe()
	if err != nil {
		end()
		return nil, fmt.Errorf("preparing git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		end()
		return nil, fmt.Errorf("preparing git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		end()
		return nil, fmt.Errorf("starting git cat-file: %w", err)
	}
	confine(cmd.Process.Pid, p.git.limits.Memory, 0)
	return &catProc{cmd: cmd, end: end, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

func (p *catPool) give(proc *catProc, healthy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if healthy && !p.closed {
		p.idle = append(p.idle, proc)
		return
	}
	proc.stop()
}

// close ends every process; those in use end with their query.
func (p *catPool) close() {
	p.drain(true)
}

// drain ends the idle processes, so that the next query sees the repository anew.
func (p *catPool) drain(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = p.closed || closed
	for _, proc := range p.idle {
		proc.stop()
	}
	p.idle = nil
}

func (c *catProc) stop() {
	c.end()
	_ = c.in.Close()
	_ = c.cmd.Wait() // it was killed: how it ended says nothing
}

// query asks for one object.
func (c *catProc) query(id string, max int64) (string, []byte, error) {
	if err := c.ask(id); err != nil {
		return "", nil, err
	}
	is, kind, raw, err := c.answer(id, max)
	if err == nil && is != id {
		err = fmt.Errorf("reading %q from git cat-file: it answered with %q", id, is)
	}
	return kind, raw, err
}

// ask writes the names of objects. Each has one answer, in order.
func (c *catProc) ask(names ...string) error {
	if _, err := io.WriteString(c.in, strings.Join(names, "\n")+"\n"); err != nil {
		return fmt.Errorf("asking git cat-file for %q: %w", names[0], err)
	}
	return nil
}

// answer reads what git says to one name: a line "id type size", the bytes and a line feed. After an
// error other than ErrNotFound the process is of no more use.
func (c *catProc) answer(name string, max int64) (id, kind string, raw []byte, err error) {
	line, err := c.out.ReadString('\n')
	if err != nil {
		return "", "", nil, fmt.Errorf("reading %q from git cat-file: %w", name, err)
	}
	fields := strings.Fields(line)
	if len(fields) == 2 && fields[1] == "missing" {
		return "", "", nil, fmt.Errorf("object %q: %w", name, ErrNotFound)
	}
	if len(fields) != 3 || !fullID(fields[0]) {
		return "", "", nil, fmt.Errorf("reading %q from git cat-file: unexpected answer %q", name, line)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return "", "", nil, fmt.Errorf("reading %q from git cat-file: %w", name, err)
	}
	if size > max {
		return "", "", nil, &LimitError{What: objectBytes, Limit: max, Where: name}
	}
	raw = make([]byte, size+1)
	if _, err := io.ReadFull(c.out, raw); err != nil {
		return "", "", nil, fmt.Errorf("reading %q from git cat-file: %w", name, err)
	}
	return fields[0], fields[1], raw[:size:size], nil
}
