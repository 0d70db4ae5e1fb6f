package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// fluxGroup is the API group of the Kustomizations of Flux, and the prefix of its labels.
const fluxGroup = "kustomize.toolkit.fluxcd.io"

// fluxSpec is the spec of a Kustomization of Flux. A field that is not here may shape what is
// applied, so one that is unknown is refused.
type fluxSpec struct {
	Path                    string         `json:"path"`
	SourceRef               fluxSourceRef  `json:"sourceRef"`
	TargetNamespace         string         `json:"targetNamespace"`
	NamePrefix              string         `json:"namePrefix"`
	NameSuffix              string         `json:"nameSuffix"`
	Patches                 []fluxPatch    `json:"patches"`
	Images                  []fluxImage    `json:"images"`
	Components              []string       `json:"components"`
	IgnoreMissingComponents bool           `json:"ignoreMissingComponents"`
	CommonMetadata          fluxMetadata   `json:"commonMetadata"`
	PostBuild               *fluxPostBuild `json:"postBuild"`

	// What makes the content depend on more than the commit.
	Decryption json.RawMessage `json:"decryption"`
	Ignore     json.RawMessage `json:"ignore"`

	// What says when, where and by whom it is applied, not what.
	KubeConfig         json.RawMessage `json:"kubeConfig"`
	DependsOn          json.RawMessage `json:"dependsOn"`
	Interval           json.RawMessage `json:"interval"`
	RetryInterval      json.RawMessage `json:"retryInterval"`
	Timeout            json.RawMessage `json:"timeout"`
	Prune              json.RawMessage `json:"prune"`
	DeletionPolicy     json.RawMessage `json:"deletionPolicy"`
	HealthChecks       json.RawMessage `json:"healthChecks"`
	HealthCheckExprs   json.RawMessage `json:"healthCheckExprs"`
	ServiceAccountName json.RawMessage `json:"serviceAccountName"`
	Suspend            json.RawMessage `json:"suspend"`
	Force              json.RawMessage `json:"force"`
	Wait               json.RawMessage `json:"wait"`
}

type fluxSourceRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
}

type fluxPatch struct {
	Patch  string      `json:"patch"`
	Target *fluxTarget `json:"target"`
}

type fluxTarget struct {
	Group              string `json:"group"`
	Version            string `json:"version"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	Namespace          string `json:"namespace"`
	LabelSelector      string `json:"labelSelector"`
	AnnotationSelector string `json:"annotationSelector"`
}

type fluxImage struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag"`
	Digest  string `json:"digest"`
}

type fluxMetadata struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type fluxPostBuild struct {
	Substitute         map[string]string `json:"substitute"`
	SubstituteFrom     []fluxReference   `json:"substituteFrom"`
	SubstituteStrategy string            `json:"substituteStrategy"`
}

// fluxReference names a ConfigMap or Secret in the Kustomization's own namespace.
type fluxReference struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Optional bool   `json:"optional"`
}

// readFlux reads the spec of the Kustomization that delivers a source from its manifest in the tree;
// without a manifest it is one that applies the path as it is.
func readFlux(v *view, src Source) (*fluxSpec, error) {
	file := src.Flux.File
	if file == "" {
		return &fluxSpec{}, nil
	}
	data, err := manifestOf(v, file, "the manifest of the Flux Kustomization")
	if err != nil {
		return nil, err
	}
	r := reader{limits: v.limits, file: file, strict: true}
	values, err := r.values(data)
	if err != nil {
		return nil, err
	}
	var found []value
	for _, val := range values {
		if src.Flux.is(val.json) {
			found = append(found, val)
		}
	}
	owner := src.Flux.Namespace + "/" + src.Flux.Name
	switch len(found) {
	case 0:
		return nil, refuse(PathMissing, file, "holds no Flux Kustomization %s, which is to deliver the source", owner)
	case 1:
		return decodeFlux(r, found[0], src)
	}
	return nil, refuse(Ambiguous, file, "holds the Flux Kustomization %s more than once", owner)
}

// manifestOf reads a file that a source names beside its path, for what it is to be.
func manifestOf(v *view, file, what string) ([]byte, error) {
	if !fs.ValidPath(file) || path.Clean(file) != file {
		return nil, &Refusal{Reason: OutsideTree, Detail: what + " is no clean path inside the repository"}
	}
	data, err := v.read(file)
	if errors.Is(err, errMissing) {
		return nil, refuse(PathMissing, file, "is not in the repository at this commit; it is to be %s", what)
	}
	return data, err
}

// is reports whether a document is the manifest of this Kustomization. The namespace may be left to
// whoever applies it.
func (f *Flux) is(document any) bool {
	m, _ := document.(map[string]any)
	apiVersion, _ := m["apiVersion"].(string)
	meta, _ := m["metadata"].(map[string]any)
	namespace, placed := meta["namespace"]
	return strings.HasPrefix(apiVersion, fluxGroup+"/") && m["kind"] == "Kustomization" && meta["name"] == f.Name &&
		(!placed || namespace == f.Namespace)
}

func decodeFlux(r reader, val value, src Source) (*fluxSpec, error) {
	m, _ := val.json.(map[string]any)
	raw, err := json.Marshal(m["spec"])
	if err != nil {
		return nil, r.refuse(Malformed, val.line, "holds a Flux Kustomization whose spec cannot be read")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	spec := &fluxSpec{}
	if err := decoder.Decode(spec); err != nil {
		problem := "its form is wrong"
		if m := jsonProblem.FindStringSubmatch(err.Error()); m != nil {
			problem = m[1]
		}
		return nil, r.refuse(Unsupported, val.line, "holds a Flux Kustomization that is not understood: %s", problem)
	}
	for _, no := range spec.unsupported(src) {
		if no.set {
			return nil, r.refuse(Unsupported, val.line, "holds a Flux Kustomization %s", no.why)
		}
	}
	return spec, nil
}

// fluxRefusal is something that a Kustomization may not say.
type fluxRefusal struct {
	set bool
	why string
}

// unsupported are the fields by which what is applied would depend on more than the commit, or by
// which the Kustomization is not the one of this source.
func (s *fluxSpec) unsupported(src Source) []fluxRefusal {
	owns := func(m map[string]string) bool {
		return slices.ContainsFunc([]string{fluxGroup + "/name", fluxGroup + "/namespace"}, func(key string) bool {
			_, set := m[key]
			return set
		})
	}
	files := slices.Contains([]string{"", "GitRepository"}, s.SourceRef.Kind)
	return []fluxRefusal{
		{!files && !slices.Contains(fluxArtifacts(), s.SourceRef.Kind), "that takes a source of a kind that is not known"},
		{files && path.Clean(strings.TrimPrefix(s.Path, "/")) != src.Path, "with another path than the source's"},
		{isSet(s.Decryption), "with decryption: what it makes is in no commit; deliver encrypted Secrets by a Kustomization of their own, to a tier that does not ask for proofs, or by an operator"},
		{isSet(s.Ignore), "with ignore: the fields that it names are applied as they happen to be in the cluster; leave them out of the manifests, then they are nobody's to apply"},
		{
			slices.ContainsFunc(s.references(), func(r fluxReference) bool { return r.Kind == "Secret" }),
			"with postBuild.substituteFrom of a Secret: what stands in it is in no commit; take what is no secret from a ConfigMap, and have the rest read by who runs",
		},
		{
			len(s.references()) > 0 && len(src.Flux.ConfigMaps) == 0,
			"with postBuild.substituteFrom, and the source does not say which files hold these ConfigMaps; name them in via.flux.substituteFrom",
		},
		{owns(s.CommonMetadata.Labels), "whose commonMetadata sets the labels that name its owner"},
	}
}

// fluxArtifacts are the kinds of sources that hold files of a commit in an order of their own: the path in
// them need not be that of the repository. Whoever fills them, what arrives is held against the commit.
func fluxArtifacts() []string { return []string{"OCIRepository", "Bucket", "ExternalArtifact"} }

func isSet(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
