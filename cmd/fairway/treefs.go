package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/fairway-dev/fairway/internal/gitrepo"
)

// treeFS shows the tree of a commit as a file system for the renderer. Links have the mode
// fs.ModeSymlink and submodules fs.ModeIrregular; neither is ever followed.
type treeFS struct{ tree *gitrepo.Tree }

var (
	_ fs.ReadFileFS = treeFS{}
	_ fs.ReadDirFS  = treeFS{}
	_ fs.StatFS     = treeFS{}
	_ fs.ReadLinkFS = treeFS{}
)

func failed(op, name string, err error) error {
	if errors.Is(err, gitrepo.ErrNotFound) {
		err = fs.ErrNotExist
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Lstat says what is at a path.
func (t treeFS) Lstat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, failed("lstat", name, fs.ErrInvalid)
	}
	entry, err := t.tree.Lstat(name)
	if err != nil {
		return nil, failed("lstat", name, err)
	}
	return treeInfo{name: path.Base(name), kind: entry.Kind}, nil
}

// Stat is Lstat: nothing is followed.
func (t treeFS) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

// ReadLink refuses: what a link points at is never looked at.
func (t treeFS) ReadLink(name string) (string, error) {
	return "", failed("readlink", name, fs.ErrPermission)
}

// ReadFile is the content of a file.
func (t treeFS) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, failed("read", name, fs.ErrInvalid)
	}
	content, err := t.tree.ReadFile(name)
	if err != nil {
		return nil, failed("read", name, err)
	}
	return content, nil
}

// ReadDir is the content of a directory, sorted by name.
func (t treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, failed("readdir", name, fs.ErrInvalid)
	}
	entries, err := t.tree.ReadDir(name)
	if err != nil {
		return nil, failed("readdir", name, err)
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = fs.FileInfoToDirEntry(treeInfo{name: e.Name, kind: e.Kind})
	}
	return list, nil
}

// Open opens a file.
func (t treeFS) Open(name string) (fs.File, error) {
	info, err := t.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return treeFile{info: info, reader: bytes.NewReader(nil)}, nil
	}
	content, err := t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return treeFile{info: info, reader: bytes.NewReader(content)}, nil
}

type treeFile struct {
	info   fs.FileInfo
	reader io.Reader
}

func (f treeFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f treeFile) Read(b []byte) (int, error) { return f.reader.Read(b) }
func (f treeFile) Close() error               { return nil }

type treeInfo struct {
	name string
	kind gitrepo.Kind
}

func (i treeInfo) Name() string       { return i.name }
func (i treeInfo) Size() int64        { return 0 } // unknown without reading the object
func (i treeInfo) ModTime() time.Time { return time.Time{} }
func (i treeInfo) IsDir() bool        { return i.kind == gitrepo.Directory }
func (i treeInfo) Sys() any           { return nil }

func (i treeInfo) Mode() fs.FileMode {
	switch i.kind {
	case gitrepo.File:
		return 0o444
	case gitrepo.Executable:
		return 0o555
	case gitrepo.Directory:
		return fs.ModeDir | 0o555
	case gitrepo.Symlink:
		return fs.ModeSymlink
	}
	return fs.ModeIrregular
}
