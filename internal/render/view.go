package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// view reads a tree for one render: within limits, without following anything, and remembering
// every question it asked and got an answer to (ruling 21). It belongs to one goroutine.
type view struct {
	ctx    context.Context
	tree   fs.FS
	limits Limits

	kinds map[string]fs.FileMode // what is known to be where
	cache map[string][]byte

	files, dirs, missing map[string]bool
	entries, bytes       int
}

func newView(ctx context.Context, tree fs.FS, limits Limits) *view {
	return &view{
		ctx: ctx, tree: tree, limits: limits,
		kinds: map[string]fs.FileMode{".": fs.ModeDir}, cache: map[string][]byte{},
		files: map[string]bool{}, dirs: map[string]bool{}, missing: map[string]bool{},
	}
}

// closure is what the render depended on so far.
func (v *view) closure(prefix string) change.Closure {
	return change.Closure{
		Prefix:  prefix,
		Files:   slices.Sorted(maps.Keys(v.files)),
		Dirs:    slices.Sorted(maps.Keys(v.dirs)),
		Missing: slices.Sorted(maps.Keys(v.missing)),
	}
}

// errMissing says that a look-up found nothing. It is no refusal yet: some look-ups are questions.
var errMissing = errors.New("not in the tree")

// kind says what is at a clean path: a file, a directory, or errMissing. Each step of the way is
// looked at, so that nothing behind a link or in another repository is ever reached.
func (v *view) kind(name string) (fs.FileMode, error) {
	if mode, known := v.kinds[name]; known {
		return mode, nil
	}
	if err := v.ctx.Err(); err != nil {
		return 0, fmt.Errorf("looking up %q: %w", name, err)
	}
	parent, err := v.kind(path.Dir(name))
	if errors.Is(err, errMissing) {
		v.missing[name] = true
	}
	if err != nil {
		return 0, err
	}
	if !parent.IsDir() {
		v.missing[name] = true
		v.files[path.Dir(name)] = true
		return 0, errMissing
	}
	info, err := fs.Lstat(v.tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		v.missing[name] = true
		return 0, errMissing
	}
	if err != nil {
		return 0, fmt.Errorf("looking up %q: %w", name, err)
	}
	return v.learn(name, info.Mode().Type())
}

// learn keeps what is at a path, and refuses what no render may touch.
func (v *view) learn(name string, mode fs.FileMode) (fs.FileMode, error) {
	switch {
	case mode&fs.ModeSymlink != 0:
		v.files[name] = true
		return 0, refuse(Link, name, "is a symbolic link; put the content itself here")
	case mode&fs.ModeIrregular != 0:
		v.files[name] = true
		return 0, refuse(Submodule, name, "is a submodule, and what it holds is not in this repository")
	case !mode.IsDir() && !mode.IsRegular():
		v.files[name] = true
		return 0, refuse(NotAFile, name, "is neither a file nor a directory")
	}
	v.kinds[name] = mode
	return mode, nil
}

// list is the directory's names in order, and that it was listed.
func (v *view) list(dir string) ([]fs.DirEntry, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, fmt.Errorf("listing %q: %w", dir, err)
	}
	v.dirs[dir] = true
	entries, err := fs.ReadDir(v.tree, dir)
	if err != nil {
		return nil, fmt.Errorf("listing %q: %w", dir, err)
	}
	if v.entries += len(entries); v.entries > v.limits.Entries {
		return nil, refuse(TooLarge, dir, "more than %d names in the directories of this source", v.limits.Entries)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// read is the content of a file. The caller must not change it.
func (v *view) read(name string) ([]byte, error) {
	mode, err := v.kind(name)
	if err != nil {
		return nil, err
	}
	if !mode.IsRegular() {
		v.files[name] = true
		return nil, refuse(NotAFile, name, "is a directory; a file is needed here")
	}
	data, known := v.cache[name]
	if !known {
		if data, err = v.fetch(name); err != nil {
			return nil, err
		}
	}
	if v.bytes += len(data); v.bytes > v.limits.Bytes {
		return nil, refuse(TooLarge, name, "more than %d bytes read for this source", v.limits.Bytes)
	}
	return data, nil
}

// fetch reads a file from the tree once, never more of it than the limit.
func (v *view) fetch(name string) (data []byte, err error) {
	v.files[name] = true
	if len(v.files) > v.limits.Files {
		return nil, refuse(TooLarge, name, "more than %d files in this source", v.limits.Files)
	}
	f, err := v.tree.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, int64(v.limits.FileBytes)+1))
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	if len(data) > v.limits.FileBytes {
		return nil, refuse(TooLarge, name, "is larger than %d bytes", v.limits.FileBytes)
	}
	if isLFSPointer(data) {
		return nil, refuse(LargeFile, name, "is a pointer to Git LFS, and what it points at is not in Git")
	}
	v.cache[name] = data
	return data, nil
}

// isLFSPointer knows a pointer by its first line; the specification keeps one below 1024 bytes.
func isLFSPointer(data []byte) bool {
	return len(data) < 1024 && (bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")) ||
		bytes.HasPrefix(data, []byte("version https://hawser.github.com/spec/")))
}
