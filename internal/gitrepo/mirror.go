package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// lockName is the file in a mirror's directory that says that it is in use.
const lockName = "fairway.lock"

// Mirror is a bare copy of the protected branches and approvals of a remote repository, with their
// whole history. It is safe for use by several goroutines; one directory serves one Mirror.
type Mirror struct {
	*Repo
	remote   remoteURL
	opts     Options
	fetching sync.Mutex
	lock     *os.File
}

// Open prepares a mirror in dir, which is made where needed. Nothing is fetched yet, and a directory
// that mirrors another URL is refused (threat T-43). ErrURL.
func Open(dir, url string, opts Options) (*Mirror, error) {
	m, err := open(dir, url, opts)
	if err != nil {
		return nil, fmt.Errorf("opening the mirror of %q: %w", withoutUserinfo(url), err)
	}
	return m, nil
}

func open(dir, url string, opts Options) (*Mirror, error) {
	remote, err := parseURL(url, opts.AllowLoopback)
	if err != nil {
		return nil, err
	}
	if err := checkOptions(remote, opts); err != nil {
		return nil, err
	}
	opts.Limits = opts.Limits.withDefaults()
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	m := newMirror(dir, remote, opts, lock)
	if err := m.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func newMirror(dir string, remote remoteURL, opts Options, lock *os.File) *Mirror {
	bin := opts.Git
	if bin == "" {
		bin = "git"
	}
	g := &git{bin: bin, dir: dir, cwd: dir, env: mirrorEnv(), limits: opts.Limits, secrets: secrets(opts)}
	m := &Mirror{Repo: newRepo(g, filepath.Join(dir, "objects"), dir), remote: remote, opts: opts, lock: lock}
	m.tips = &tips{known: map[string]string{}}
	m.reach = func(ctx context.Context, name string) (transport, error) {
		if name != "" {
			return transport{}, fmt.Errorf("remote %q: a mirror reaches its own only", withoutUserinfo(name))
		}
		return remote.reach(ctx, opts)
	}
	return m
}

// prepare checks git and the directory, and makes the repository where there is none.
func (m *Mirror) prepare(ctx context.Context) error {
	if err := m.checkGit(ctx); err != nil {
		return err
	}
	is, err := m.claimed()
	if err != nil {
		return err
	}
	if err := m.sweep(); err != nil {
		return err
	}
	head, err := os.ReadFile(filepath.Join(m.git.dir, "HEAD"))
	if !is || errors.Is(err, fs.ErrNotExist) || err == nil && string(head) != noBranch {
		return m.begin(ctx, "sha1") // power that failed may have left a claim and no head
	}
	return err
}

// checkGit refuses a git that cannot merge without a work tree.
func (m *Mirror) checkGit(ctx context.Context) error {
	out, err := m.run(ctx, "version")
	if err != nil {
		return err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		return fmt.Errorf("reading the version of git from %q: %w", out, err)
	}
	if major < 2 || major == 2 && minor < 38 {
		return fmt.Errorf("git %d.%d is too old: 2.38 or newer is needed", major, minor)
	}
	return nil
}

// noBranch is what HEAD says. No branch is the current one: nothing shall follow HEAD.
const noBranch = "ref: refs/fairway/none\n"

// claimName is the file that says which URL the directory mirrors. It is written when the repository is whole.
const claimName = "fairway.url"

// claimed reports whether the directory holds a whole repository of this URL. An empty claim, which a full disk
// leaves, is none.
func (m *Mirror) claimed() (bool, error) {
	was, err := os.ReadFile(filepath.Join(m.git.dir, claimName))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(was) == 0:
		return false, nil
	case err != nil:
		return false, err
	case string(was) != m.remote.given:
		return false, errors.New("directory mirrors another repository")
	}
	return true, nil
}

// begin makes the empty repository, in place of one that was not finished or has another hash, and claims the
// directory.
func (m *Mirror) begin(ctx context.Context, format string) error {
	m.cat.drain(false)
	for _, name := range []string{claimName, "HEAD", "config", "packed-refs", "objects", "refs"} {
		if err := os.RemoveAll(filepath.Join(m.git.dir, name)); err != nil {
			return err
		}
	}
	if err := m.init(ctx, format); err != nil {
		return err
	}
	next := filepath.Join(m.git.dir, "tmp_"+claimName) // swept where it stays behind
	if err := os.WriteFile(next, []byte(m.remote.given), 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(m.git.dir, claimName))
}

// sweep removes what processes that were killed left behind. It waits until nobody is at work; the
// lock on the directory keeps other processes out.
func (m *Mirror) sweep() error {
	m.busy.Lock()
	defer m.busy.Unlock()
	refs := filepath.Join(m.git.dir, "refs") + string(filepath.Separator)
	return filepath.WalkDir(m.git.dir, func(name string, d fs.DirEntry, err error) error {
		base, ref := filepath.Base(name), strings.HasPrefix(name, refs) // whose name is the remote's to choose
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && !ref && strings.HasPrefix(base, scratchPrefix):
			return cmp.Or(os.RemoveAll(name), fs.SkipDir) //nolint:gosec // nobody else writes in the mirror's folder
		case d.IsDir() && len(base) == 2 && filepath.Dir(name) == m.objects:
			return fs.SkipDir // loose objects
		case !d.IsDir() && (!ref && leftover(base) || locks(base)):
			return os.Remove(name) //nolint:gosec // as above
		}
		return nil
	})
}

// leftover reports whether a file that is no ref was not finished, or keeps a pack.
func leftover(base string) bool {
	return strings.HasSuffix(base, ".keep") || strings.HasPrefix(base, "tmp_")
}

// locks reports whether a file is a lock of git's, which no ref can be called like.
func locks(base string) bool { return base != lockName && strings.HasSuffix(base, ".lock") }

// init makes an empty repository, without hooks or anything else that a template could bring.
func (m *Mirror) init(ctx context.Context, format string) error {
	if _, err := m.run(ctx, "init", "--quiet", "--bare", "--template=", "--object-format="+format); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.git.dir, "HEAD"), []byte(noBranch), 0o600)
}

// Close ends the processes of the mirror and lets go of its directory.
func (m *Mirror) Close() error {
	return errors.Join(m.Repo.Close(), m.lock.Close())
}
