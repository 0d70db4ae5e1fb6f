package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mostPacks is how many packs may gather before they are made fewer. Each fetch brings one.
const mostPacks = 32

// Moved is what a fetch did to one ref.
type Moved struct {
	Ref           string
	Before, After string // empty: the ref was not there, or is gone
	// Rewound: the ref was there, and Before is not on the first-parent chain of After. What Before
	// holds stays readable by its id.
	Rewound bool
}

// Fetch brings the protected branches and the approvals up to date and returns what moved, sorted by
// ref. Refs follow the remote wherever it put them; it is for the caller to make something of a
// rewound one. A branch that the remote does not have is no error, it is just not there. Where the
// error is about what comes after moving refs, the moves are returned with it. LimitError.
func (m *Mirror) Fetch(ctx context.Context) ([]Moved, error) {
	m.fetching.Lock()
	defer m.fetching.Unlock()
	m.tips.forget()
	defer m.tips.forget()
	moved, err := m.fetch(ctx)
	if err != nil {
		return moved, fmt.Errorf("fetching %q: %w", m.remote.given, err)
	}
	return moved, nil
}

func (m *Mirror) fetch(ctx context.Context) ([]Moved, error) {
	before, err := m.listRefs(ctx, "refs/")
	if err != nil {
		return nil, err
	}
	t, err := m.reach(ctx, "")
	if err != nil {
		return nil, err
	}
	if err := m.pull(ctx, t, len(before) == 0); err != nil {
		return nil, errors.Join(err, m.sweep())
	}
	// From here on refs have moved, and a caller who gives up must not be the reason that nobody is
	// told.
	told := context.WithoutCancel(ctx)
	after, err := m.listRefs(told, "refs/")
	if err != nil {
		return nil, err
	}
	moved, err := m.compare(told, before, after)
	if err != nil || len(moved) == 0 {
		return moved, cmp.Or(err, m.tooManyRefs(after, "refs/"))
	}
	if _, err := os.Stat(filepath.Join(m.git.dir, "shallow")); !errors.Is(err, fs.ErrNotExist) {
		return moved, errors.New("remote has only a part of its history")
	}
	return moved, cmp.Or(m.tooManyRefs(after, "refs/"), m.tidy(ctx))
}

// pull runs git fetch until it has everything that the remote does have.
func (m *Mirror) pull(ctx context.Context, t transport, empty bool) error {
	branches := slices.Clone(m.opts.Branches)
	for {
		err := m.pullOnce(ctx, t, branches)
		var said *gitError
		if !errors.As(err, &said) {
			return err
		}
		missing := slices.IndexFunc(branches, func(b string) bool {
			return strings.HasSuffix(said.said, "couldn't find remote ref refs/heads/"+b)
		})
		switch {
		case missing >= 0:
			if _, err := m.run(ctx, "update-ref", "-d", "--end-of-options", "refs/heads/"+branches[missing]); err != nil {
				return err
			}
			branches = slices.Delete(branches, missing, missing+1)
		case empty && strings.Contains(said.said, "mismatched algorithms: client sha1; server sha256"):
			empty = false
			if err := m.begin(ctx, "sha256"); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// pullOnce runs one git fetch, in one transaction, and ends it when it brings too much.
func (m *Mirror) pullOnce(ctx context.Context, t transport, branches []string) error {
	var specs strings.Builder
	for _, b := range branches {
		fmt.Fprintf(&specs, "+refs/heads/%s:refs/heads/%s\n", b, b)
	}
	fmt.Fprintf(&specs, "+%s*:%s*\n", ApprovalRefs, ApprovalRefs)
	return m.fetchSpecs(ctx, t, specs.String(), "--atomic", "--prune")
}

// fetchSpecs runs one git fetch of some refspecs and ends it when it brings too much.
func (m *Mirror) fetchSpecs(ctx context.Context, t transport, specs string, flags ...string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		m.watch(ctx, cancel)
	}()
	args := append([]string{"fetch", "--quiet", "--stdin"}, flags...)
	_, err := m.output(ctx, command{
		args: append(args, "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance",
			"--no-show-forced-updates", "--end-of-options", t.url),
		stdin:    []byte(specs),
		settings: append(t.settings, setting{"advice.fetchShowForcedUpdates", "false"}),
		env:      t.env,
		maxFile:  m.limits.FetchBytes,
	})
	over := m.tooMuch()
	cancel(nil)
	<-watched
	if err != nil && over != nil {
		return over
	}
	return err
}

// watch ends a fetch that writes too much.
func (m *Mirror) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := m.tooMuch(); err != nil {
				cancel(err)
				return
			}
		}
	}
}

// tooMuch is a LimitError where a pack that is being received has reached the limit.
func (m *Mirror) tooMuch() error {
	files, err := filepath.Glob(filepath.Join(m.objects, "pack", "tmp_*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() >= m.limits.FetchBytes {
			return &LimitError{What: "fetched bytes", Limit: m.limits.FetchBytes}
		}
	}
	return nil
}

// compare says what is different between two listings of refs.
func (m *Mirror) compare(ctx context.Context, before, after []Ref) ([]Moved, error) {
	byRef := map[string]Moved{}
	for _, r := range before {
		byRef[r.Name] = Moved{Ref: r.Name, Before: r.ID}
	}
	for _, r := range after {
		move := byRef[r.Name]
		move.Ref, move.After = r.Name, r.ID
		byRef[r.Name] = move
	}
	var moved []Moved
	for _, move := range byRef {
		if move.Before == move.After {
			continue
		}
		if move.Before != "" {
			on := false
			if move.After != "" {
				var err error
				if on, err = m.continues(ctx, move.Before, move.After); err != nil && !passable(err) {
					return nil, err // else it is too far to tell, which is told as rewound
				}
			}
			move.Rewound = !on
		}
		moved = append(moved, move)
	}
	slices.SortFunc(moved, func(a, b Moved) int { return strings.Compare(a.Ref, b.Ref) })
	return moved, nil
}

// tidy writes the commit graph, with which questions about history cost milliseconds, and makes
// packs fewer when they have become many. Nothing is thrown away, reachable or not: a rewound ref's
// commits stay readable.
func (m *Mirror) tidy(ctx context.Context) error {
	packs, err := filepath.Glob(filepath.Join(m.objects, "pack", "*.pack"))
	if err != nil {
		return err
	}
	if len(packs) > mostPacks {
		if err := m.repack(ctx); err != nil {
			return err
		}
	}
	write := []string{"commit-graph", "write", "--reachable", "--changed-paths", "--split", "--no-progress"}
	if _, err := m.run(ctx, write...); err == nil || ctx.Err() != nil {
		return err
	}
	// A graph that was cut short is in the way of a new one, and is only ever a copy.
	info := filepath.Join(m.objects, "info")
	if err := errors.Join(os.RemoveAll(filepath.Join(info, "commit-graphs")), os.RemoveAll(filepath.Join(info, "commit-graph"))); err != nil {
		return err
	}
	_, err = m.run(ctx, write...)
	return err
}

// repack waits for the running questions and keeps new ones waiting.
func (m *Mirror) repack(ctx context.Context) error {
	m.busy.Lock()
	defer m.busy.Unlock()
	m.cat.drain(false)
	_, err := m.git.output(ctx, command{args: []string{"repack", "--quiet", "-d", "--geometric=2", "--no-write-bitmap-index"}})
	return err
}
