package render

import (
	"errors"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// manifests are the files of which kustomize-controller makes the kustomization of a path that has
// none: everything named *.yaml or *.yml, dot-files too, but what source-controller leaves out of
// its archives by default. The paths are relative to the root.
func manifests(v *view, root string) ([]string, error) {
	w := manifestWalk{v: v}
	for dir := root; ; dir = path.Dir(dir) {
		if err := w.ignores(path.Join(dir, sourceIgnore)); err != nil || dir == "." {
			return w.found, errors.Join(err, w.dir(root, "./", 0))
		}
	}
}

// sourceIgnore is the file by which a repository leaves files out of Flux's archives, in the
// language of .gitignore. A path without a kustomization means all files there are, so what they are
// must not depend on it.
const sourceIgnore = ".sourceignore"

type manifestWalk struct {
	v     *view
	found []string
}

// ignores refuses a file of that name.
func (w *manifestWalk) ignores(file string) error {
	_, err := w.v.kind(file)
	if errors.Is(err, errMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	return refuse(Unsupported, file, "says which manifests Flux leaves out; add a kustomization.yaml that names those it shall apply, and use render: Kustomize")
}

func (w *manifestWalk) dir(dir, at string, level int) error {
	if level > w.v.limits.Depth {
		return refuse(TooLarge, dir, "is more than %d directories deep", w.v.limits.Depth)
	}
	entries, err := w.v.list(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !utf8.ValidString(entry.Name()) {
			return refuse(Ambiguous, dir, "holds a file whose name is not UTF-8 text")
		}
		if archivedNever(entry.Name()) {
			continue
		}
		if err := w.entry(path.Join(dir, entry.Name()), at+entry.Name(), level); err != nil {
			return err
		}
	}
	return nil
}

func (w *manifestWalk) entry(name, at string, level int) error {
	mode, err := w.v.kind(name)
	if errors.Is(err, errMissing) {
		err = errors.New("the tree lists a name and does not hold it")
	}
	base := path.Base(name)
	switch ext := path.Ext(base); {
	case err != nil:
		return err
	case mode.IsDir():
		return w.dir(name, at+"/", level+1)
	case base == sourceIgnore:
		return w.ignores(name)
	case isKustomization(base):
		return refuse(Ambiguous, name, "is a kustomization, which a plain source does not read; use render: Kustomize, or keep it out of the path")
	case ext == ".yaml" || ext == ".yml":
		w.found = append(w.found, at)
	}
	return nil
}

// archivedNever are the names that source-controller leaves out of every archive unless a
// .sourceignore says otherwise. Images and archives, which it leaves out too, are no manifests.
func archivedNever(name string) bool {
	return slices.Contains([]string{
		".git", ".github", ".circleci", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml",
		"codeship-services.yml", "codeship-steps.yml", ".goreleaser.yml", ".sops.yaml", ".flux.yaml",
	}, strings.TrimSuffix(name, "/"))
}
