package render

import (
	"bytes"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomizeFS is all that kustomize sees of the world: the files and directories that were vetted,
// below "/". Nothing else exists. It can be read only, and the first thing that it refuses ends the
// render, whatever kustomize makes of the error.
type kustomizeFS struct {
	v     *view
	files map[string]bool
	dirs  map[string]int // the keys
	err   error
}

var _ filesys.FileSystem = (*kustomizeFS)(nil)

func (k *kustomizeFS) fail(err error) error {
	if k.err == nil {
		k.err = err
	}
	return err
}

func (k *kustomizeFS) unexpected(what string) error {
	return k.fail(refuse(Unsupported, "", "kustomize wants to %s, which nothing needs that is supported", what))
}

// inTree is the path in the tree for an absolute path.
func inTree(at string) string {
	if rel := strings.TrimPrefix(path.Clean(at), "/"); rel != "" {
		return rel
	}
	return "."
}

// ReadFile is the content of a vetted file.
func (k *kustomizeFS) ReadFile(at string) ([]byte, error) {
	switch {
	case k.err != nil:
		return nil, k.err
	case !k.files[inTree(at)]:
		return nil, fs.ErrNotExist
	}
	data, err := k.v.read(inTree(at))
	if err != nil {
		return nil, k.fail(err)
	}
	return bytes.Clone(data), nil // it is the view's
}

// IsDir reports whether there is a vetted directory.
func (k *kustomizeFS) IsDir(at string) bool {
	_, vetted := k.dirs[inTree(at)]
	return vetted
}

// Exists reports whether there is anything vetted.
func (k *kustomizeFS) Exists(at string) bool { return k.IsDir(at) || k.files[inTree(at)] }

// CleanedAbs is the directory, and the name in it where the path is a file.
func (k *kustomizeFS) CleanedAbs(at string) (filesys.ConfirmedDir, string, error) {
	clean := path.Join("/", at)
	switch {
	case k.IsDir(clean):
		return filesys.ConfirmedDir(clean), "", nil
	case k.Exists(clean):
		return filesys.ConfirmedDir(path.Dir(clean)), path.Base(clean), nil
	}
	return "", "", fs.ErrNotExist
}

// Open is refused: kustomize reads whole files.
func (k *kustomizeFS) Open(string) (filesys.File, error) { return nil, k.unexpected("open a file") }

// ReadDir is refused: a kustomization names what it reads.
func (k *kustomizeFS) ReadDir(string) ([]string, error) {
	return nil, k.unexpected("list a directory")
}

// Glob is refused like ReadDir.
func (k *kustomizeFS) Glob(string) ([]string, error) { return nil, k.unexpected("look for files") }

// Walk is refused like ReadDir.
func (k *kustomizeFS) Walk(string, filepath.WalkFunc) error { return k.unexpected("walk a directory") }

// Create is refused, as is all writing.
func (k *kustomizeFS) Create(string) (filesys.File, error) { return nil, k.unexpected("write a file") }

// WriteFile is refused.
func (k *kustomizeFS) WriteFile(string, []byte) error { return k.unexpected("write a file") }

// Mkdir is refused.
func (k *kustomizeFS) Mkdir(string) error { return k.unexpected("make a directory") }

// MkdirAll is refused.
func (k *kustomizeFS) MkdirAll(string) error { return k.unexpected("make a directory") }

// RemoveAll is refused.
func (k *kustomizeFS) RemoveAll(string) error { return k.unexpected("remove a file") }
