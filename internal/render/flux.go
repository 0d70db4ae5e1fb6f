package render

import (
	"errors"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/tier"
)

// Flux names the Kustomization, or the HelmRelease, that delivers a source.
type Flux struct {
	Namespace, Name string
	// File is its manifest in the tree. Empty: it applies the path as it is.
	File string
	// ConfigMaps are the files of the tree that hold the ConfigMaps from which it takes variables, or values.
	ConfigMaps []string
}

// flux makes what kustomize-controller would apply, in its order: it writes the fields of its
// Kustomization into the kustomization of the path, or makes one of the manifests there, builds it,
// substitutes variables, and normalises. Its owner labels come last and from elsewhere, since they
// are marks and no content.
func flux(v *view, c *collector, src Source) error {
	spec, err := readFlux(v, src)
	if err != nil {
		return err
	}
	vars, err := spec.variables(v, src)
	if err != nil {
		return err
	}
	if err := spec.overlay(v, src); err != nil {
		return err
	}
	if err := kustomizeTo(v, c, src.Path, func(m resmap.ResMap) error { return spec.substitute(m, src.Path, vars) }); err != nil {
		return err
	}
	for i := range c.objects {
		o := &c.objects[i]
		o.Content = normalised(*o)
		mark(o.Content, "labels", spec.CommonMetadata.Labels)
		mark(o.Content, "annotations", spec.CommonMetadata.Annotations)
	}
	return nil
}

// mark sets labels or annotations of an object over what it has.
func mark(object map[string]any, field string, values map[string]string) {
	meta, ok := object["metadata"].(map[string]any)
	if !ok || len(values) == 0 {
		return
	}
	set, ok := meta[field].(map[string]any)
	if !ok {
		set = map[string]any{}
		meta[field] = set
	}
	for key, value := range values {
		set[key] = value
	}
}

// overlay puts the kustomization that the controller would build in the place of the one that is
// there, for this render alone.
func (s *fluxSpec) overlay(v *view, src Source) error {
	file, k, err := startFrom(v, src)
	if err != nil {
		return err
	}
	s.into(v, src.Path, &k)
	text, err := yaml.Marshal(k)
	if err != nil {
		return refuse(Unbuildable, src.Path, "cannot be written with the fields of its Flux Kustomization")
	}
	v.kinds[file], v.cache[file] = 0, text
	return nil
}

// startFrom is the kustomization of a path before the controller writes into it.
func startFrom(v *view, src Source) (file string, k types.Kustomization, err error) {
	k.TypeMeta = types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}
	if src.Kind == tier.Plain {
		k.Resources, err = manifests(v, src.Path)
		if len(k.Resources) == 0 {
			k.Namespace = "_placeholder" // as the controller does: kustomize refuses one with nothing in it
		}
		return path.Join(src.Path, konfig.DefaultKustomizationFileName()), k, err
	}
	t := &vetter{v: v, files: map[string]bool{}, loads: map[string]int{}}
	if file, err = t.find(src.Path); err != nil {
		return "", k, err
	}
	if _, err := t.parse(file); err != nil { // strictly; what follows drops what it does not know
		return "", k, err
	}
	data, err := v.read(file)
	if err != nil {
		return "", k, err
	}
	if err := yaml.Unmarshal(data, &k); err != nil {
		return "", k, refuse(Malformed, file, "is no kustomization: its form is wrong")
	}
	if len(k.Resources) == 0 {
		k.BuildMetadata = []string{types.OriginAnnotations} // as the controller does, for the same reason
	}
	return file, k, nil
}

// into writes the fields of the spec into a kustomization as the controller does: over namespace,
// prefix and suffix, after patches and components, and over images of the same name.
func (s *fluxSpec) into(v *view, dir string, k *types.Kustomization) {
	if s.TargetNamespace != "" {
		k.Namespace = s.TargetNamespace
	}
	if s.NamePrefix != "" {
		k.NamePrefix = s.NamePrefix
	}
	if s.NameSuffix != "" {
		k.NameSuffix = s.NameSuffix
	}
	for _, p := range s.Patches {
		k.Patches = append(k.Patches, types.Patch{Patch: p.Patch, Target: p.Target.selector()})
	}
	for _, component := range s.Components {
		if s.IgnoreMissingComponents && !path.IsAbs(component) {
			if _, err := v.kind(path.Join(dir, component)); errors.Is(err, errMissing) {
				continue
			}
		}
		k.Components = append(k.Components, component)
	}
	for _, image := range s.Images {
		to := types.Image{Name: image.Name, NewName: image.NewName, NewTag: image.NewTag, Digest: image.Digest}
		if i := slices.IndexFunc(k.Images, func(have types.Image) bool { return have.Name == image.Name }); i >= 0 {
			k.Images[i] = to
		} else {
			k.Images = append(k.Images, to)
		}
	}
}

// selector is a patch's target in kustomize's words.
func (t *fluxTarget) selector() *types.Selector {
	if t == nil {
		return nil
	}
	s := &types.Selector{LabelSelector: t.LabelSelector, AnnotationSelector: t.AnnotationSelector}
	s.Group, s.Version, s.Kind, s.Name, s.Namespace = t.Group, t.Version, t.Kind, t.Name, t.Namespace
	return s
}
