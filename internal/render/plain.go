package render

import (
	"errors"
	"path"
	"strings"
	"unicode/utf8"
)

// plain collects the manifests of a directory and of everything below it: files named *.yaml,
// *.yml and *.json, as `kubectl apply --recursive` would. Names that begin with a dot are left
// out, since engines leave them out.
func plain(v *view, c *collector, root string) error {
	return plainDir(v, c, root, 0)
}

func plainDir(v *view, c *collector, dir string, level int) error {
	if level > v.limits.Depth {
		return refuse(TooLarge, dir, "is more than %d directories deep", v.limits.Depth)
	}
	entries, err := v.list(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !utf8.ValidString(entry.Name()) {
			return refuse(Ambiguous, dir, "holds a file whose name is not UTF-8 text")
		}
		name := path.Join(dir, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		mode, err := v.kind(name)
		if errors.Is(err, errMissing) {
			err = errors.New("the tree lists a name and does not hold it")
		}
		if err != nil {
			return err
		}
		if mode.IsDir() {
			err = plainDir(v, c, name, level+1)
		} else {
			err = plainFile(v, c, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func plainFile(v *view, c *collector, name string) error {
	if isKustomization(path.Base(name)) {
		return refuse(Ambiguous, name, "is a kustomization, which a plain source does not read; use render: Kustomize, or keep it out of the path")
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
	default:
		return nil
	}
	data, err := v.read(name)
	if err != nil {
		return err
	}
	r := reader{limits: v.limits, file: name, strict: true}
	values, err := r.values(data)
	if err != nil {
		return err
	}
	for _, value := range values {
		if err := c.add(r, value, 0); err != nil {
			return err
		}
	}
	return nil
}
