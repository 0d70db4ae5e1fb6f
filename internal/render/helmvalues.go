package render

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/strvals"
)

// releaseValues is one entry of valuesFrom of a HelmRelease, with the text that it stands for.
type releaseValues struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	ValuesKey  string `json:"valuesKey"`
	TargetPath string `json:"targetPath"`
	Optional   bool   `json:"optional"`
	Literal    bool   `json:"literal"`

	text string
}

// resolve finds what the entries stand for, in the manifests that the source names. An optional one that is not
// there is left out, as the controller leaves it out.
func (h *helmChart) resolve(r reader, line int, entries []releaseValues) error {
	if len(entries) == 0 {
		return nil
	}
	held, err := configMaps(h.v, h.src.Helm.HelmRelease)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Kind != "ConfigMap" {
			return r.refuse(Unsupported, line, "holds a HelmRelease with valuesFrom a Secret: no commit that people can read holds what it says; write it under values, or let the workload read the Secret itself")
		}
		if e.ValuesKey == "" {
			e.ValuesKey = chartutil.ValuesfileName
		}
		var found bool
		if e.text, found = held[e.Name][e.ValuesKey]; !found {
			if e.Optional {
				continue
			}
			return r.refuse(Unsupported, line, "holds a HelmRelease with valuesFrom %s of the ConfigMap %s, which no manifest of the source holds: "+
				"name the file of its manifest in via.helmRelease.valuesFrom, or write the values under values", cut(e.ValuesKey), cut(e.Name))
		}
		if e.TargetPath == "" {
			_, err := (reader{limits: h.v.limits, file: r.file}).scanAll([]byte(e.text))
			if err == nil {
				_, err = common.ReadValues([]byte(e.text))
			}
			if err != nil {
				return r.refuse(Malformed, line, "holds a HelmRelease with valuesFrom %s of the ConfigMap %s, which is no map of values that can be read safely", cut(e.ValuesKey), cut(e.Name))
			}
		}
		h.from = append(h.from, e)
	}
	return nil
}

// compose puts the values of a HelmRelease together as its controller does (ChartValuesFromReferences in its
// library chartutil, oddities among it): later entries over earlier ones, its own values over them all, and what has
// a targetPath over that as far as it lies below a map. Everything is made anew, since it is changed on the way.
func (h *helmChart) compose() (map[string]any, error) {
	var inline map[string]any
	if isSet(h.inline) {
		// Numbers are floating-point ones, as the controller reads them.
		if err := json.Unmarshal(h.inline, &inline); err != nil {
			return nil, refuse(Malformed, h.src.Helm.HelmRelease.File, "holds a HelmRelease whose values are no map")
		}
	}
	values := map[string]any{}
	for _, e := range h.from {
		if e.TargetPath == "" {
			more, err := common.ReadValues([]byte(e.text))
			if err != nil {
				return nil, refuse(Malformed, h.src.Helm.HelmRelease.File, "holds a HelmRelease with valuesFrom what is no map of values")
			}
			values = loader.MergeMaps(values, more)
			continue
		}
		values = loader.MergeMaps(values, inline)
		if err := e.into(values); err != nil {
			return nil, refuse(Malformed, h.src.Helm.HelmRelease.File, "holds a HelmRelease with valuesFrom %s of the ConfigMap %s, which cannot be put at its targetPath", cut(e.ValuesKey), cut(e.Name))
		}
	}
	return loader.MergeMaps(values, inline), nil
}

// into sets one value by its path, as `helm --set`, `--set-string` where it stands in quotes, or verbatim.
func (e releaseValues) into(values map[string]any) error {
	text := e.text
	if e.Literal {
		escaped := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`).Replace(text)
		return strvals.ParseIntoString(e.TargetPath+"="+escaped, values)
	}
	for _, quote := range []string{"'", `"`} {
		if strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) {
			return strvals.ParseIntoString(e.TargetPath+"="+strings.Trim(text, `'"`), values)
		}
	}
	return strvals.ParseInto(e.TargetPath+"="+text, values)
}

// overwrite puts the files of values that the HelmRelease names in the place of the chart's own, as
// source-controller does when it packs the chart: they are merged, and written as one file.
func (h *helmChart) overwrite(names []string, ignoreMissing bool) error {
	if len(names) == 0 || len(names) == 1 && path.Clean(names[0]) == chartutil.ValuesfileName {
		return nil // the one is the chart's own, wherever the chart stands
	}
	merged := common.Values{}
	for _, name := range names {
		if name = path.Clean(name); !fs.ValidPath(name) {
			return refuse(OutsideTree, h.src.Helm.HelmRelease.File, "holds a HelmRelease whose valuesFiles are no paths inside the repository")
		}
		text, err := h.v.read(name)
		if err == errMissing && ignoreMissing { //nolint:errorlint // it is handed on as it is
			continue
		}
		if err != nil {
			return notFound(err, name, "is not in the repository, and the HelmRelease names it under valuesFiles, which begin at the root")
		}
		if err := h.safeValues(name, text); err != nil {
			return err
		}
		more, err := common.ReadValues(text)
		if err != nil {
			return refuse(Malformed, name, "holds values that are no map")
		}
		merged = loader.MergeMaps(merged, more)
	}
	var text bytes.Buffer
	if len(merged) > 0 {
		if err := merged.Encode(&text); err != nil {
			return refuse(Malformed, h.src.Helm.HelmRelease.File, "holds a HelmRelease whose valuesFiles cannot be written as one")
		}
	}
	own := slices.IndexFunc(h.files, func(f *archive.BufferedFile) bool { return f.Name == chartutil.ValuesfileName })
	if own < 0 {
		return refuse(PathMissing, h.src.Path, "holds no values.yaml, which valuesFiles of the HelmRelease take the place of; add an empty one")
	}
	h.files[own] = &archive.BufferedFile{Name: chartutil.ValuesfileName, Data: text.Bytes()}
	return nil
}
