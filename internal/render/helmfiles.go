package render

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"
)

// readChart reads everything that a chart renders from: its directory, as Helm loads one, and the
// files of values. The chart is what .helmignore leaves of the directory, archives in charts/ among it.
func readChart(v *view, c *collector, src Source) (*helmChart, error) {
	h := &helmChart{v: v, c: c, src: src}
	if err := chartutil.ValidateReleaseName(src.Helm.Release); err != nil {
		return nil, refuse(Unsupported, "", "a chart needs the name of its release: small letters, digits and dashes, 53 at most")
	}
	if _, err := v.read(path.Join(src.Path, "Chart.yaml")); err != nil {
		return nil, notFound(err, src.Path, "holds no Chart.yaml; add one, or use another renderer")
	}
	rules, err := h.ignored()
	if err != nil {
		return nil, err
	}
	if err := h.walk(rules, "", 0); err != nil {
		return nil, err
	}
	for _, name := range src.Helm.ValuesFiles {
		if !fs.ValidPath(name) {
			return nil, refuse(OutsideTree, "", "a file of values is not a clean path inside the repository")
		}
		text, err := v.read(name)
		if err != nil {
			return nil, notFound(err, name, "is not in the repository, and the source names it as a file of values")
		}
		if err := h.addValues(name, text); err != nil {
			return nil, err
		}
	}
	if src.Helm.Values != "" {
		if err := h.addValues("", []byte(src.Helm.Values)); err != nil {
			return nil, err
		}
	}
	return h, h.release()
}

// notFound refuses what a look-up did not find.
func notFound(err error, file, detail string) error {
	if err == errMissing { //nolint:errorlint // it is handed on as it is
		return refuse(PathMissing, file, "%s", detail)
	}
	return err
}

// addValues takes values in, once they can be read safely.
func (h *helmChart) addValues(name string, text []byte) error {
	if err := h.safeValues(name, text); err != nil {
		return err
	}
	h.values = append(h.values, text)
	return nil
}

// safeValues refuses values that cannot be read safely, or not at all.
func (h *helmChart) safeValues(name string, text []byte) error {
	if _, err := (reader{limits: h.v.limits, file: name}).scanAll(text); err != nil {
		return err
	}
	values, err := loader.LoadValues(bytes.NewReader(text))
	if err != nil {
		return refuse(Malformed, name, "holds values that are no map")
	}
	if _, encrypted := values["sops"].(map[string]any); encrypted {
		return refuse(Encrypted, name, "is encrypted with SOPS, which only its engine can read")
	}
	return nil
}

// ignored are the rules of .helmignore, and Helm's own.
func (h *helmChart) ignored() (*ignore.Rules, error) {
	rules := ignore.Empty()
	name := path.Join(h.src.Path, ignore.HelmIgnore)
	text, err := h.v.read(name)
	switch {
	case err == nil:
		if rules, err = ignore.Parse(bytes.NewReader(text)); err != nil {
			return nil, refuse(Malformed, name, "holds a rule that helm cannot read")
		}
	case err != errMissing: //nolint:errorlint // it is handed on as it is
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}

// walk reads the files of a directory of the chart and of everything below it.
func (h *helmChart) walk(rules *ignore.Rules, dir string, level int) error {
	at := path.Join(h.src.Path, dir)
	if level > h.v.limits.Depth {
		return refuse(TooLarge, at, "is more than %d directories deep", h.v.limits.Depth)
	}
	entries, err := h.v.list(at)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		mode, err := h.v.kind(path.Join(h.src.Path, name))
		if err != nil {
			return err
		}
		switch {
		case rules.Ignore(name, ofMode{entry.Name(), mode}):
		case mode.IsDir():
			err = h.walk(rules, name, level+1)
		default:
			err = h.take(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take reads one file of the chart. What Helm parses outside of templates is scanned first.
func (h *helmChart) take(name string) error {
	at := path.Join(h.src.Path, name)
	text, err := h.v.read(at)
	if err != nil {
		return err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch base := path.Base(name); {
	case strings.HasPrefix(name, "templates/") || strings.Contains(name, "/templates/"):
	case base == "Chart.yaml" || base == "values.yaml" || base == "requirements.yaml":
		if _, err := (reader{limits: h.v.limits, file: at}).scanAll(text); err != nil {
			return err
		}
	}
	h.files = append(h.files, &archive.BufferedFile{Name: name, Data: text})
	return nil
}

// ofMode is the little that the rules of .helmignore ask of a file.
type ofMode struct {
	name string
	mode fs.FileMode
}

// Name is the last element of the path.
func (m ofMode) Name() string { return m.name }

// Size is not told.
func (m ofMode) Size() int64 { return 0 }

// Mode is the type.
func (m ofMode) Mode() fs.FileMode { return m.mode }

// ModTime is not told.
func (m ofMode) ModTime() time.Time { return time.Time{} }

// IsDir reports whether it is a directory.
func (m ofMode) IsDir() bool { return m.mode.IsDir() }

// Sys is nothing.
func (m ofMode) Sys() any { return nil }
