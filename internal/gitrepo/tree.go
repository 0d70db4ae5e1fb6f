package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// Kind is what a tree holds at a path.
type Kind string

// The kinds. Only files and executables are ever read (threat T-36).
const (
	File       Kind = "file"
	Executable Kind = "executable file"
	Directory  Kind = "directory"
	Symlink    Kind = "symbolic link"
	Submodule  Kind = "submodule"
	LFSPointer Kind = "LFS pointer" // reported by ReadFile only: nothing but its content tells
)

// Entry is one name in a tree.
type Entry struct {
	Name string // last component of the path
	Kind Kind
	ID   string // object id
}

// Tree is the content of one commit, read only. Paths are clean, relative and with slashes; "." is
// the root. Nothing is ever written to disk, and no link is followed. A Tree is for one render and
// one goroutine: it keeps what it has read, and counts it against the limits.
type Tree struct {
	repo    *Repo
	ctx     context.Context // of the one render that this Tree is for
	root    string
	digits  int
	entries int                // read so far
	dirs    map[string]listing // by id
}

// Tree opens the content of a commit. ctx bounds all later reads of the Tree.
func (r *Repo) Tree(ctx context.Context, commit string) (*Tree, error) {
	o, err := r.Object(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("opening the tree of %s: %w", commit, err)
	}
	return &Tree{repo: r, ctx: ctx, root: o.Tree, digits: len(commit), dirs: map[string]listing{}}, nil
}

// ReadFile is the content of a file. ErrNotFound; UnreadableError for what is not a file; LimitError.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	e, err := t.Lstat(name)
	if err != nil {
		return nil, err
	}
	if e.Kind != File && e.Kind != Executable {
		return nil, &UnreadableError{Path: name, Kind: e.Kind}
	}
	raw, err := t.repo.read(t.ctx, e.ID, "blob", t.repo.limits.FileBytes)
	if err != nil {
		return nil, located(err, name)
	}
	if lfsPointer(raw) {
		return nil, &UnreadableError{Path: name, Kind: LFSPointer}
	}
	return raw, nil
}

// ReadDir is the content of a directory, sorted by name. The caller must not change it.
// ErrNotFound; UnreadableError for what is not a directory; LimitError.
func (t *Tree) ReadDir(name string) ([]Entry, error) {
	e, err := t.Lstat(name)
	if err != nil {
		return nil, err
	}
	if e.Kind != Directory {
		return nil, &UnreadableError{Path: name, Kind: e.Kind}
	}
	l, err := t.list(e.ID, name)
	return l.entries, err
}

// Lstat says what is at a path. Links are not followed, on the way there neither: where something
// on the way is a link or a submodule, the error is an UnreadableError for that. ErrNotFound.
func (t *Tree) Lstat(name string) (Entry, error) {
	at := Entry{Name: ".", Kind: Directory, ID: t.root}
	if name == "." {
		return at, nil
	}
	if name == "" || path.Clean(name) != name || name[0] == '/' || strings.HasPrefix(name, "..") {
		return Entry{}, fmt.Errorf("path %q: not clean and relative: %w", name, ErrNotFound)
	}
	parts := strings.Split(name, "/")
	if len(parts) > t.repo.limits.Depth {
		return Entry{}, &LimitError{What: "components of a path", Limit: int64(t.repo.limits.Depth), Where: name}
	}
	for i, part := range parts {
		dir := path.Join(parts[:i]...)
		switch at.Kind {
		case Directory:
		case File, Executable:
			return Entry{}, fmt.Errorf("path %q: %q is a file: %w", name, dir, ErrNotFound)
		default:
			return Entry{}, &UnreadableError{Path: dir, Kind: at.Kind}
		}
		l, err := t.list(at.ID, dir)
		if err != nil {
			return Entry{}, err
		}
		next, ok := l.byName[part]
		if !ok {
			return Entry{}, fmt.Errorf("path %q: %w", name, ErrNotFound)
		}
		at = next
	}
	return at, nil
}

// list is the entries of a tree object.
func (t *Tree) list(id, name string) (listing, error) {
	if l, ok := t.dirs[id]; ok {
		return l, nil
	}
	raw, err := t.repo.read(t.ctx, id, "tree", t.repo.limits.FileBytes)
	if err != nil {
		return listing{}, located(err, name)
	}
	l, refused := parseTree(raw, t.digits/2)
	if refused != "" {
		return listing{}, &MalformedError{ID: id, Reason: fmt.Sprintf("tree at %q %s", name, refused)}
	}
	if t.entries += len(l.entries); t.entries > t.repo.limits.Entries {
		return listing{}, &LimitError{What: "tree entries", Limit: int64(t.repo.limits.Entries), Where: name}
	}
	t.dirs[id] = l
	return l, nil
}

// located says at which path a limit was met, instead of at which object.
func located(err error, name string) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		return &LimitError{What: limit.What, Limit: limit.Limit, Where: name}
	}
	return fmt.Errorf("reading path %q: %w", name, err)
}

// lfsPointer reports whether a file's content stands for other content that is not in the repository.
func lfsPointer(content []byte) bool {
	return len(content) < 1024 && (bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/")) ||
		bytes.HasPrefix(content, []byte("version https://hawser.github.com/spec/")))
}
