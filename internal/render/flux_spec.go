package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/yaml"
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
	KubeConfig json.RawMessage `json:"kubeConfig"`

	// What says when and by whom it is applied, not what.
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
	Substitute     map[string]string `json:"substitute"`
	SubstituteFrom []json.RawMessage `json:"substituteFrom"`
}

// readFlux reads the spec of the Kustomization that delivers a source from its manifest in the tree;
// without a manifest it is one that applies the path as it is.
func readFlux(v *view, src Source) (*fluxSpec, error) {
	file := src.Flux.File
	if file == "" {
		return &fluxSpec{}, nil
	}
	if !fs.ValidPath(file) || path.Clean(file) != file {
		return nil, &Refusal{Reason: OutsideTree, Detail: "the manifest of the Flux Kustomization is no clean path inside the repository"}
	}
	data, err := v.read(file)
	if err != nil {
		return nil, missing(err, file)
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

// missing refuses a manifest that is not there.
func missing(err error, file string) error {
	if errors.Is(err, errMissing) {
		return refuse(PathMissing, file, "is not in the repository at this commit; it is to be the manifest of the Flux Kustomization")
	}
	return err
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
	from := s.SourceRef.Kind
	return []fluxRefusal{
		{path.Clean(strings.TrimPrefix(s.Path, "/")) != src.Path, "with another path than the source's"},
		{from == "OCIRepository", "that takes an OCIRepository: which commit an artifact was made of is the free text of whoever pushed it; take the GitRepository"},
		{from == "Bucket", "that takes a Bucket: what is in it has no commit; take the GitRepository"},
		{from == "ExternalArtifact", "that takes an ExternalArtifact: it may mix several sources under the revision of one; take the GitRepository"},
		{from != "GitRepository" && from != "", "that takes a source of a kind that is not known"},
		{isSet(s.Decryption), "with decryption: what it makes is in no commit; deliver encrypted Secrets by a Kustomization of their own, to a tier that does not ask for proofs, or by an operator"},
		{isSet(s.KubeConfig), "with kubeConfig: it delivers to another cluster"},
		{
			s.PostBuild != nil && len(s.PostBuild.SubstituteFrom) > 0,
			"with postBuild.substituteFrom: what stands in a ConfigMap or Secret of the cluster is in no commit; write the values under postBuild.substitute",
		},
		{owns(s.CommonMetadata.Labels), "whose commonMetadata sets the labels that name its owner"},
	}
}

func isSet(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

var fluxVariable = regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)

// substitute replaces variables in what was built, one resource after the other, as the controller
// does: in its text, by the library that the controller uses. A variable that is not set is empty.
func (s *fluxSpec) substitute(m resmap.ResMap, dir string) (err error) {
	if s.PostBuild == nil || len(s.PostBuild.Substitute) == 0 {
		return nil
	}
	defer refusePanic(dir, &err)
	vars := map[string]string{}
	for name, v := range s.PostBuild.Substitute {
		if !fluxVariable.MatchString(name) {
			return refuse(Unsupported, dir, "is built with a variable whose name Flux does not take")
		}
		vars[name] = strings.ReplaceAll(v, "\n", "")
	}
	for _, r := range m.Resources() {
		if substitutesNothing(r) {
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			return refuse(Unbuildable, dir, "is built to a resource that cannot be written")
		}
		out, err := envsubst.Eval(string(text), func(name string) (string, bool) { return vars[name], true })
		if err != nil {
			return refuse(Unbuildable, dir, "is built to a resource in which variables cannot be substituted: write $${…} for what is none")
		}
		data, err := yaml.YAMLToJSON([]byte(out))
		if err == nil {
			err = r.UnmarshalJSON(data)
		}
		if err != nil {
			return refuse(Unbuildable, dir, "is no resource any more once its variables are substituted: quote them")
		}
	}
	return nil
}

// substitutesNothing reports whether a resource asks to be left alone.
func substitutesNothing(r *resource.Resource) bool {
	const key, off = fluxGroup + "/substitute", "disabled"
	return r.GetLabels()[key] == off || r.GetAnnotations()[key] == off
}
