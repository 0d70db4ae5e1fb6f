package render

import (
	"maps"
	"regexp"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/yaml"
)

var fluxVariable = regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)

// references are the ConfigMaps and Secrets from which the Kustomization takes variables.
func (s *fluxSpec) references() []fluxReference {
	if s.PostBuild == nil {
		return nil
	}
	return s.PostBuild.SubstituteFrom
}

// variables are those that are substituted: of the ConfigMaps, the later over the earlier, and over them
// what the Kustomization says itself. Line ends are left out, as the controller does.
//
// The ConfigMaps are read from their manifests in the tree, never from the cluster. What the controller
// makes of other values is no render of this commit.
func (s *fluxSpec) variables(v *view, src Source) (map[string]string, error) {
	vars := map[string]string{}
	if s.PostBuild == nil {
		return vars, nil
	}
	if len(s.references()) > 0 {
		held, err := configMaps(v, src.Flux)
		if err != nil {
			return nil, err
		}
		for _, ref := range s.references() {
			data, ok := held[ref.Name]
			if !ok && !ref.Optional {
				return nil, refuse(PathMissing, src.Flux.File, "holds a Flux Kustomization with variables from the ConfigMap %s of %s, which is in none of the files that via.flux.substituteFrom names", cut(ref.Name), src.Flux.Namespace)
			}
			maps.Copy(vars, data)
		}
	}
	maps.Copy(vars, s.PostBuild.Substitute)
	for name, value := range vars {
		if !fluxVariable.MatchString(name) {
			return nil, refuse(Unsupported, src.Path, "is built with a variable whose name Flux does not take")
		}
		vars[name] = strings.ReplaceAll(value, "\n", "")
	}
	return vars, nil
}

// configMaps are the data of the ConfigMaps in an owner's namespace that stand in its files, by name.
// Documents of other kinds and places may stand beside them.
func configMaps(v *view, owner *Flux) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, file := range owner.ConfigMaps {
		data, err := manifestOf(v, file, "a file of ConfigMaps")
		if err != nil {
			return nil, err
		}
		r := reader{limits: v.limits, file: file, strict: true}
		documents, err := r.values(data)
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			name, data, err := owner.configMap(r, d)
			if err != nil {
				return nil, err
			}
			if _, twice := found[name]; twice {
				return nil, r.refuse(Ambiguous, d.line, "holds the ConfigMap %s of %s once more", cut(name), owner.Namespace)
			}
			if name != "" {
				found[name] = data
			}
		}
	}
	return found, nil
}

// configMap is a document as a ConfigMap of the Kustomization's namespace; no name: it is something else. The
// namespace may be left to whoever applies it.
func (f *Flux) configMap(r reader, d value) (name string, data map[string]string, err error) {
	m, _ := d.json.(map[string]any)
	meta, _ := m["metadata"].(map[string]any)
	namespace, placed := meta["namespace"]
	if m["apiVersion"] != "v1" || m["kind"] != "ConfigMap" || placed && namespace != f.Namespace {
		return "", nil, nil
	}
	if m["sops"] != nil {
		return "", nil, r.refuse(Encrypted, d.line, "holds a ConfigMap encrypted with SOPS, which only its engine can read")
	}
	name, _ = meta["name"].(string)
	entries, isMap := m["data"].(map[string]any)
	if name == "" || !isMap && m["data"] != nil {
		return "", nil, r.refuse(Malformed, d.line, "holds a ConfigMap without a name, or whose data is no map")
	}
	data = map[string]string{}
	for key, entry := range entries {
		text, isText := entry.(string)
		if !isText {
			return "", nil, r.refuse(Malformed, d.line, "holds a ConfigMap with a value that is no text: quote it")
		}
		data[key] = text
	}
	return name, data, nil
}

// substitute replaces variables in what was built, one resource after the other, as the controller
// does: in its text, by the library that the controller uses. A variable that is not set is empty.
func (s *fluxSpec) substitute(m resmap.ResMap, dir string, vars map[string]string) (err error) {
	if len(vars) == 0 && (s.PostBuild == nil || s.PostBuild.SubstituteStrategy != "Always") {
		return nil
	}
	defer refusePanic(dir, &err)
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
