package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
)

// Repo is a git repository on disk: a mirror, or the clone that somebody works in. Its methods may
// be called from several goroutines.
type Repo struct {
	git     *git
	objects string // folder of its objects
	scratch string // folder for objects that are thrown away; empty: the system's
	limits  Limits
	cat     *catPool
	// reach makes ready to reach a remote, or refuses to.
	reach func(ctx context.Context, remote string) (transport, error)
	known *memo
	tips  *tips // nil: others may move the branches at any time
	// busy is held for reading by whatever runs git, and for writing while packs are replaced.
	busy sync.RWMutex
}

func newRepo(g *git, objects, scratch string) *Repo {
	return &Repo{git: g, objects: objects, scratch: scratch, limits: g.limits, cat: newCatPool(g), known: newMemo()}
}

// OpenClone opens the repository that dir is in, with its user's own configuration but for what is
// pinned. A shallow clone is refused: it would answer wrongly what happened on a branch.
func OpenClone(ctx context.Context, dir string, limits Limits) (*Repo, error) {
	g := &git{bin: "git", cwd: dir, env: cloneEnv(), limits: limits.withDefaults(), shared: true}
	out, err := g.output(ctx, command{args: []string{
		"rev-parse", "--is-shallow-repository", "--absolute-git-dir", "--git-path", "objects"}})
	if err != nil {
		return nil, fmt.Errorf("opening the repository at %q: %w", dir, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 3 {
		return nil, fmt.Errorf("opening the repository at %q: unexpected answer %q", dir, lines)
	}
	if lines[0] != "false" {
		return nil, fmt.Errorf("repository at %q is shallow: fetch its whole history with git fetch --unshallow", dir)
	}
	objects := lines[2]
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(dir, objects)
	}
	if objects, err = filepath.Abs(objects); err != nil {
		return nil, fmt.Errorf("opening the repository at %q: %w", dir, err)
	}
	g.dir = lines[1]
	r := newRepo(g, objects, "")
	r.reach = reachRemote
	return r, nil
}

// Close ends the processes that the repository holds.
func (r *Repo) Close() error {
	r.cat.close()
	return nil
}

// run is one git process that prints little.
func (r *Repo) run(ctx context.Context, args ...string) ([]byte, error) {
	return r.output(ctx, command{args: args})
}

func (r *Repo) output(ctx context.Context, c command) ([]byte, error) {
	r.busy.RLock()
	defer r.busy.RUnlock()
	return r.git.output(ctx, c)
}

// read is the bytes of an object of the kind that is expected, with its id recomputed.
func (r *Repo) read(ctx context.Context, id, kind string, max int64) ([]byte, error) {
	raw, err := r.readUnchecked(ctx, id, kind, max)
	if err != nil {
		return nil, err
	}
	return raw, checkID(id, kind, raw)
}

// readUnchecked is for callers that recompute the id themselves.
func (r *Repo) readUnchecked(ctx context.Context, id, kind string, max int64) ([]byte, error) {
	if !fullID(id) {
		return nil, &MalformedError{ID: id, Reason: "not a full object id"}
	}
	r.busy.RLock()
	defer r.busy.RUnlock()
	is, raw, err := r.cat.read(ctx, id, max)
	if err == nil && is != kind {
		err = &MalformedError{ID: id, Reason: fmt.Sprintf("is a %s where a %s is expected", is, kind)}
	}
	return raw, err
}

// holds is nil where the repository holds a commit of this id, whether or not it can be parsed.
func (r *Repo) holds(ctx context.Context, id string) error {
	_, err := r.Object(ctx, id)
	if errors.Is(err, ErrMalformed) {
		_, err = r.read(ctx, id, "commit", maxCommit)
	}
	return err
}

// Object is the commit with this full id, parsed strictly. The caller must not change it.
// ErrNotFound, ErrMalformed.
func (r *Repo) Object(ctx context.Context, id string) (Object, error) {
	if o, ok := recall(r.known, r.known.objects, id); ok {
		return o, nil
	}
	raw, err := r.readUnchecked(ctx, id, "commit", maxCommit)
	var limit *LimitError
	if errors.As(err, &limit) && limit.What == objectBytes {
		err = &MalformedError{ID: id, Reason: tooLarge}
	}
	if err != nil {
		return Object{}, err
	}
	o, err := ParseCommit(id, raw)
	if err == nil && len(raw) <= mostKept {
		remember(r.known, r.known.objects, id, o)
	}
	return o, err
}

// Ref is a name and the object that it points at.
type Ref struct{ Name, ID string }

// Refs are the refs whose full name begins with prefix, sorted by name. LimitError.
func (r *Repo) Refs(ctx context.Context, prefix string) ([]Ref, error) {
	refs, err := r.listRefs(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return refs, r.tooManyRefs(refs, prefix)
}

func (r *Repo) tooManyRefs(refs []Ref, prefix string) error {
	if len(refs) > r.limits.Refs {
		return &LimitError{What: "refs", Limit: int64(r.limits.Refs), Where: prefix}
	}
	return nil
}

// listRefs is Refs without their limit.
func (r *Repo) listRefs(ctx context.Context, prefix string) ([]Ref, error) {
	c := command{args: []string{"for-each-ref", "--format=%(objectname) %(refname)"}, maxOut: 256 << 20}
	if folder, ok := strings.CutSuffix(prefix, "/"); ok && refName(folder) {
		c.args = append(c.args, "--end-of-options", prefix) // and not what else there is
	}
	out, err := r.output(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("listing refs %q: %w", prefix, err)
	}
	var refs []Ref
	for line := range bytes.Lines(out) {
		id, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if ok && fullID(id) && strings.HasPrefix(name, prefix) {
			refs = append(refs, Ref{Name: name, ID: id})
		}
	}
	return refs, nil
}

// ref is the id that a ref points at. ErrNotFound.
func (r *Repo) ref(ctx context.Context, name string) (string, error) {
	if !refName(name) {
		return "", fmt.Errorf("ref %q: not a ref's name: %w", name, ErrNotFound)
	}
	out, err := r.run(ctx, "for-each-ref", "--format=%(objectname) %(refname)", "--end-of-options", name)
	if err != nil {
		return "", fmt.Errorf("reading ref %q: %w", name, err)
	}
	for line := range strings.Lines(string(out)) {
		if id, is, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); is == name && fullID(id) {
			return id, nil
		}
	}
	return "", fmt.Errorf("ref %q: %w", name, ErrNotFound)
}

// Tip is the commit that the branch points at. ErrNotFound.
func (r *Repo) Tip(ctx context.Context, branch string) (string, error) {
	return r.tips.of(branch, func() (string, error) { return r.ref(ctx, "refs/heads/"+branch) })
}

// Resolve is the full id of the commit that a name means to the user of a clone: HEAD, a branch, a
// short id. Nothing is ever decided on such a name, only on the id that comes back. ErrNotFound.
func (r *Repo) Resolve(ctx context.Context, name string) (string, error) {
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, control) {
		return "", fmt.Errorf("name %q: %w", name, ErrNotFound)
	}
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	if code := exitCode(err); code == 1 || code == 128 {
		return "", fmt.Errorf("name %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("resolving %q: %w", name, err)
	}
	id := strings.TrimSuffix(string(out), "\n")
	if !fullID(id) {
		return "", fmt.Errorf("resolving %q: unexpected answer %q", name, id)
	}
	return id, nil
}

// refName reports whether s is a full ref name that git would accept (git-check-ref-format), less
// what it accepts for patterns.
func refName(s string) bool {
	if !strings.HasPrefix(s, "refs/") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") ||
		strings.Contains(s, "@{") || strings.ContainsAny(s, " ~^:?*[\\") || strings.ContainsFunc(s, control) {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || part[0] == '-' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

func control(c rune) bool { return c < ' ' || c == 0x7f }
