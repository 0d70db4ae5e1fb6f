package render

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"
)

// releaseGroup is the API group of the HelmReleases of Flux.
const releaseGroup = "helm.toolkit.fluxcd.io"

// releaseSpec is the spec of a HelmRelease of Flux. A field that is not here may shape what is applied, so one
// that is unknown is refused.
type releaseSpec struct {
	Chart           releaseChart    `json:"chart"`
	ReleaseName     string          `json:"releaseName"`
	TargetNamespace string          `json:"targetNamespace"`
	Values          json.RawMessage `json:"values"`
	ValuesFrom      []releaseValues `json:"valuesFrom"`
	CommonMetadata  fluxMetadata    `json:"commonMetadata"`

	// What is not reproduced.
	PostRenderers      []json.RawMessage `json:"postRenderers"`
	PostRenderStrategy json.RawMessage   `json:"postRenderStrategy"`

	// What says from where, when, where, by whom and how it is applied, not what.
	ChartRef           json.RawMessage `json:"chartRef"`
	KubeConfig         json.RawMessage `json:"kubeConfig"`
	Interval           json.RawMessage `json:"interval"`
	Suspend            json.RawMessage `json:"suspend"`
	StorageNamespace   json.RawMessage `json:"storageNamespace"`
	DependsOn          json.RawMessage `json:"dependsOn"`
	Timeout            json.RawMessage `json:"timeout"`
	MaxHistory         json.RawMessage `json:"maxHistory"`
	ServiceAccountName json.RawMessage `json:"serviceAccountName"`
	PersistentClient   json.RawMessage `json:"persistentClient"`
	DriftDetection     json.RawMessage `json:"driftDetection"`
	Install            json.RawMessage `json:"install"`
	Upgrade            json.RawMessage `json:"upgrade"`
	Test               json.RawMessage `json:"test"`
	Rollback           json.RawMessage `json:"rollback"`
	Uninstall          json.RawMessage `json:"uninstall"`
	WaitStrategy       json.RawMessage `json:"waitStrategy"`
	HealthCheckExprs   json.RawMessage `json:"healthCheckExprs"`
}

// releaseChart says where the chart comes from.
type releaseChart struct {
	Metadata json.RawMessage `json:"metadata"`
	Spec     struct {
		Chart       string        `json:"chart"`
		SourceRef   fluxSourceRef `json:"sourceRef"`
		ValuesFiles []string      `json:"valuesFiles"`

		IgnoreMissingValuesFiles bool `json:"ignoreMissingValuesFiles"`

		Version           json.RawMessage `json:"version"`
		Interval          json.RawMessage `json:"interval"`
		ReconcileStrategy json.RawMessage `json:"reconcileStrategy"`
		Verify            json.RawMessage `json:"verify"`
	} `json:"spec"`
}

// release reads the values and the common metadata of the HelmRelease that delivers the chart from its manifest
// in the tree; without a manifest it adds nothing to the chart.
func (h *helmChart) release() error {
	owner := h.src.Helm.HelmRelease
	if owner == nil || owner.File == "" {
		return nil
	}
	if h.src.Helm.Values != "" || len(h.src.Helm.ValuesFiles) > 0 {
		return refuse(Unsupported, owner.File, "holds the HelmRelease, and the source has values beside it; keep them in the HelmRelease")
	}
	data, err := manifestOf(h.v, owner.File, "the manifest of the HelmRelease")
	if err != nil {
		return err
	}
	r := reader{limits: h.v.limits, file: owner.File, strict: true}
	documents, err := r.values(data)
	if err != nil {
		return err
	}
	var found []value
	for _, d := range documents {
		if owner.isRelease(d.json) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return refuse(Ambiguous, owner.File, "holds the HelmRelease %s/%s %d times, and is to hold it once", owner.Namespace, owner.Name, len(found))
	}
	if m, _ := found[0].json.(map[string]any); m["sops"] != nil {
		return r.refuse(Encrypted, found[0].line, "holds a HelmRelease encrypted with SOPS, which only its engine can read")
	}
	spec, err := h.decodeRelease(r, found[0])
	if err != nil {
		return err
	}
	h.common, h.inline = spec.CommonMetadata, spec.Values
	if err := h.resolve(r, found[0].line, spec.ValuesFrom); err != nil {
		return err
	}
	return h.overwrite(spec.Chart.Spec.ValuesFiles, spec.Chart.Spec.IgnoreMissingValuesFiles)
}

// isRelease reports whether a document is the manifest of this HelmRelease. The namespace may be left to whoever
// applies it.
func (f *Flux) isRelease(document any) bool {
	m, _ := document.(map[string]any)
	apiVersion, _ := m["apiVersion"].(string)
	meta, _ := m["metadata"].(map[string]any)
	namespace, placed := meta["namespace"]
	return strings.HasPrefix(apiVersion, releaseGroup+"/") && m["kind"] == "HelmRelease" && meta["name"] == f.Name &&
		(!placed || namespace == f.Namespace)
}

func (h *helmChart) decodeRelease(r reader, val value) (*releaseSpec, error) {
	m, _ := val.json.(map[string]any)
	raw, err := json.Marshal(m["spec"])
	if err != nil {
		return nil, r.refuse(Malformed, val.line, "holds a HelmRelease whose spec cannot be read")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	spec := &releaseSpec{}
	if err := decoder.Decode(spec); err != nil {
		problem := "its form is wrong"
		if m := jsonProblem.FindStringSubmatch(err.Error()); m != nil {
			problem = m[1]
		}
		return nil, r.refuse(Unsupported, val.line, "holds a HelmRelease that is not understood: %s", problem)
	}
	for _, no := range spec.unsupported(h) {
		if no.set {
			return nil, r.refuse(Unsupported, val.line, "holds a HelmRelease %s", no.why)
		}
	}
	return spec, nil
}

// unsupported are the fields by which what is applied would depend on more than the commit, or by which the
// HelmRelease is not the one of this source.
func (s *releaseSpec) unsupported(h *helmChart) []fluxRefusal {
	owner := h.src.Helm.HelmRelease
	namespace := s.TargetNamespace
	if namespace == "" {
		namespace = owner.Namespace
	}
	name := s.ReleaseName
	if name == "" {
		name = owner.Name
		if s.TargetNamespace != "" {
			name = s.TargetNamespace + "-" + name
		}
	}
	chart, isGit := s.Chart.Spec, !isSet(s.ChartRef) && s.Chart.Spec.SourceRef.Kind == "GitRepository"
	return []fluxRefusal{
		// A chart of a registry may have any name: what it renders to is held against the chart of the source.
		{isGit && path.Clean(strings.TrimPrefix(chart.Chart, "/")) != h.src.Path, "of another chart than the source's"},
		{!isGit && len(chart.ValuesFiles) > 0, "with valuesFiles of a chart that is not in the repository: they are files of what is fetched; write them under values"},
		{name != h.src.Helm.Release, "of another release than the source's"},
		{namespace != h.namespace(), "that delivers to another namespace than the source"},
		{len(s.PostRenderers) > 0, "with postRenderers, which are not reproduced; change the templates of the chart"},
	}
}
