package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"time"

	"github.com/fairway-dev/fairway/internal/render"
)

// Options say how workers are run.
type Options struct {
	// Command starts a process that calls Serve on its standard input and output: this program with
	// a hidden argument.
	Command  []string
	Memory   uint64 // bytes that one worker may write to; 1 GiB is enough for what the limits allow
	Parallel int    // workers at a time
	// Processor is the processor time of one worker; 0 leaves it the whole time of the limits. It should be
	// well below that: what computes without end then ends itself, and is refused, rather than be killed,
	// of which nothing could be told.
	Processor time.Duration
}

// Pool renders in workers. It has the method of a render.Renderer and serves any number of
// goroutines.
type Pool struct {
	options Options
	limits  render.Limits
	scope   render.Scope
	turns   chan struct{}
}

// New makes a Pool. Limits and scope are those of render.New.
func New(options Options, limits render.Limits, scope render.Scope) *Pool {
	return &Pool{options: options, limits: limits, scope: scope, turns: make(chan struct{}, max(options.Parallel, 1))}
}

// Render is Render of a render.Renderer, in a process of its own. The tree is not touched after it
// has returned.
func (p *Pool) Render(ctx context.Context, tree fs.FS, src render.Source) (render.Result, *render.Refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Time)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return render.Result{}, nil, fmt.Errorf("waiting for a worker to render %q: %w", src.Path, ctx.Err())
	}
	result, refusal, err := p.run(ctx, tree, src)
	if err != nil {
		return render.Result{}, nil, fmt.Errorf("rendering %q in a worker: %w", src.Path, err)
	}
	return result, refusal, nil
}

// run starts a worker, answers its questions, and takes its outcome.
func (p *Pool) run(ctx context.Context, tree fs.FS, src render.Source) (render.Result, *render.Refusal, error) {
	cmd := exec.CommandContext(ctx, p.options.Command[0], p.options.Command[1:]...)
	cmd.Env, cmd.Dir = []string{}, "/"
	in, err := cmd.StdinPipe()
	if err != nil {
		return render.Result{}, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return render.Result{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return render.Result{}, nil, err
	}
	s := server{link: newLink(out, in), tree: tree, scope: p.scope, limits: p.limits}
	done, talkErr := s.talk(task{Source: src, Limits: p.limits, Memory: p.options.Memory, Processor: p.processor()})
	_ = in.Close() // the worker ends where it asks on; it may be gone already
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return render.Result{}, nil, ctx.Err()
	case s.err != nil:
		return render.Result{}, nil, s.err
	case waitErr != nil:
		if !s.asked {
			return render.Result{}, nil, waitErr // it never came to render
		}
		refusal, err := p.fault(src, waitErr)
		return render.Result{}, refusal, err
	case talkErr != nil:
		return render.Result{}, nil, talkErr
	case done.Error != "":
		return render.Result{}, nil, errors.New(done.Error)
	}
	objects, err := unpack(done.Objects)
	return render.Result{Objects: objects, Closure: done.Closure}, done.Refusal, err
}

func (p *Pool) processor() time.Duration { return cmp.Or(p.options.Processor, p.limits.Time) }

// exhausted is the status with which a worker ends that has used up what it may: the Go runtime's own for
// memory, stack and threads.
const exhausted = 2

// fault says what the end of a worker means. One that ended itself would most likely end itself again:
// the Go runtime does with status 2 where memory, stack or threads run out (panics do not come this
// far), which a machine that is short of them can cause too; the kustomize library with status 1. What it wrote may repeat the source, and is not read.
func (p *Pool) fault(src render.Source, waitErr error) (*render.Refusal, error) {
	var exit *exec.ExitError
	if !errors.As(waitErr, &exit) || exit.ExitCode() < 0 {
		return nil, waitErr
	}
	if exit.ExitCode() == exhausted {
		detail := fmt.Sprintf("needs more than %d MiB of memory or %v of computing to render, or does not end; a source of fewer objects needs less",
			p.options.Memory>>20, p.processor())
		return &render.Refusal{Reason: render.TooLarge, File: src.Path, Detail: detail, MayPass: true}, nil
	}
	detail := "ends the program that renders it; build it by hand to see why"
	return &render.Refusal{Reason: render.Unbuildable, File: src.Path, Detail: detail}, nil
}

// server answers a worker's questions.
type server struct {
	link
	tree   fs.FS
	scope  render.Scope
	limits render.Limits
	asked  bool  // the worker has begun to render
	err    error // why the tree could not be read
}

func (s *server) talk(t task) (outcome, error) {
	if err := s.send(t); err != nil {
		return outcome{}, err
	}
	for {
		var r report
		if err := s.receive(&r); err != nil {
			return outcome{}, err
		}
		if r.Done != nil {
			return *r.Done, nil
		}
		if r.Ask == nil {
			return outcome{}, errors.New("the worker says nothing")
		}
		s.asked = true
		if err := s.send(s.answer(*r.Ask)); err != nil {
			return outcome{}, err
		}
	}
}

func (s *server) answer(q question) answer {
	var a answer
	var err error
	switch q.Op {
	case "scope":
		if s.scope != nil {
			a.Namespaced, a.Known = s.scope.Namespaced(q.Group, q.Version, q.Kind)
		}
	case "stat":
		var info fs.FileInfo
		if info, err = fs.Lstat(s.tree, q.Name); err == nil {
			a.Mode = info.Mode().Type()
		}
	case "list":
		var entries []fs.DirEntry
		entries, err = fs.ReadDir(s.tree, q.Name)
		for _, e := range entries {
			a.Entries = append(a.Entries, entry{Name: []byte(e.Name()), Mode: e.Type()})
		}
	case "read":
		a.Data, err = s.read(q.Name)
	default:
		err = fmt.Errorf("the worker asks for %q", q.Op)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return answer{Missing: true}
	case err != nil:
		s.err = errors.Join(s.err, err)
		return answer{Failed: true}
	}
	return a
}

// read is the content of a file, cut off where it passes the limit: that is enough to refuse it.
func (s *server) read(name string) (data []byte, err error) {
	f, err := s.tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, int64(s.limits.FileBytes)+1))
}
