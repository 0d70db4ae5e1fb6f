package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// vetter walks the kustomizations of a source before kustomize does, and refuses everything that
// would make kustomize leave the tree, start a program, or do harm to its process. Kustomize's own
// loader fetches what looks like a URL and cannot be told not to, so nothing that it would take for
// one may reach it: names of files and bases hold no colon, no base holds an at sign, and none
// begins with github.com/. What is left are paths inside the tree (T-34).
//
// The walk reads each kustomization with the function that kustomize reads it with, so the two
// cannot disagree about what it says.
type vetter struct {
	v     *view
	files map[string]bool // what kustomize may read
	// loads is how many kustomizations are loaded for a directory; 0 while it is being walked.
	loads map[string]int
}

func isKustomization(base string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), base)
}

// base vets the kustomization in a directory and everything that it builds on.
func (t *vetter) base(dir string, level int) (loads int, err error) {
	if loads, seen := t.loads[dir]; seen {
		if loads == 0 {
			return 0, refuse(Cycle, dir, "is a kustomization that contains itself")
		}
		return loads, nil
	}
	if level > t.v.limits.Depth {
		return 0, refuse(TooLarge, dir, "is more than %d kustomizations deep", t.v.limits.Depth)
	}
	t.loads[dir] = 0
	file, err := t.find(dir)
	if err != nil {
		return 0, err
	}
	k, err := t.parse(file)
	if err != nil {
		return 0, err
	}
	loads = 1
	p := place{dir: dir, file: file}
	for _, entries := range []struct {
		field string
		paths []string
	}{{"resources", k.Resources}, {"components", k.Components}} {
		for i, entry := range entries.paths {
			n, err := t.resource(p.at(entries.field, i), entry, level)
			if err != nil {
				return 0, err
			}
			if loads += n; loads > t.v.limits.Bases {
				return 0, refuse(TooLarge, dir, "loads more than %d kustomizations", t.v.limits.Bases)
			}
		}
	}
	t.loads[dir] = loads
	return loads, t.inputs(p, k)
}

// find is the one kustomization file of a directory.
func (t *vetter) find(dir string) (string, error) {
	var found []string
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		file := path.Join(dir, name)
		_, err := t.v.kind(file)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return "", err
		}
		found = append(found, file)
	}
	switch len(found) {
	case 0:
		return "", refuse(NoKustomization, dir, "holds no kustomization.yaml; add one, or use render: Plain")
	case 1:
		t.files[found[0]] = true
		return found[0], nil
	}
	return "", refuse(Ambiguous, dir, "holds more than one kustomization file")
}

// jsonProblem are the messages about the form of a kustomization that repeat no value.
var jsonProblem = regexp.MustCompile(`json: (unknown field "[^"]{1,64}"|cannot unmarshal [a-z]+ into Go .*)$`)

// parse reads a kustomization file as kustomize does, and stricter.
func (t *vetter) parse(file string) (k types.Kustomization, err error) {
	data, err := t.v.read(file)
	if err != nil {
		return k, err
	}
	documents, err := reader{limits: t.v.limits, file: file}.scanAll(data)
	if err != nil {
		return k, err
	}
	if documents != 1 {
		return k, refuse(Ambiguous, file, "holds %d documents, and kustomize reads the first only; make it one", documents)
	}
	if k, err = decode(file, data); err != nil {
		return k, err
	}
	return k, unsupported(file, k)
}

// decode is kustomize's own reading of a kustomization.
func decode(file string, data []byte) (k types.Kustomization, err error) {
	defer refusePanic(file, &err)
	if err := k.Unmarshal(data); err != nil {
		problem := "its form is wrong"
		if m := jsonProblem.FindStringSubmatch(err.Error()); m != nil {
			problem = m[1]
		}
		return k, refuse(Malformed, file, "is no kustomization: %s", problem)
	}
	k.FixKustomization()
	return k, nil
}

// unsupported refuses the fields that make kustomize run or fetch something, that depend on more
// than the tree, or that can hang or end the process.
func unsupported(file string, k types.Kustomization) error {
	for _, field := range []struct {
		name string
		set  bool
		why  string
	}{
		{"helmCharts", len(k.HelmCharts) > 0 || k.HelmGlobals != nil, "runs helm, which fetches charts"},
		{"generators", len(k.Generators) > 0, "runs plugins or functions"},
		{"transformers", len(k.Transformers) > 0, "runs plugins or functions; use patches, labels or replacements"},
		{"validators", len(k.Validators) > 0, "runs plugins or functions"},
		{"openapi", len(k.OpenAPI) > 0, "changes how everything else is patched"},
		{"crds", len(k.Crds) > 0, "can make kustomize go on for ever; use configurations"},
		{"buildMetadata", slices.Contains(k.BuildMetadata, types.ManagedByLabelOption), "writes the version of kustomize into every object"},
	} {
		if field.set {
			return refuse(Unsupported, file, "uses %s, which %s", field.name, field.why)
		}
	}
	return nil
}

// place is where in a kustomization a path stands.
type place struct {
	dir, file string
	field     string
}

func (p place) at(field string, i int) place {
	p.field = fmt.Sprintf("%s[%d]", field, i)
	return p
}

// resource vets an entry that is a manifest or another kustomization.
func (t *vetter) resource(p place, entry string, level int) (loads int, err error) {
	if strings.Contains(entry, "@") {
		return 0, p.remote()
	}
	name, err := p.resolve(entry)
	if err != nil {
		return 0, err
	}
	mode, err := t.lookUp(p, name)
	if err != nil {
		return 0, err
	}
	if mode.IsDir() {
		return t.base(name, level+1)
	}
	return 0, t.manifest(name)
}

// inputs vets everything else that a kustomization reads.
func (t *vetter) inputs(p place, k types.Kustomization) error {
	for i, entry := range k.Configurations {
		if err := t.yamlFile(p.at("configurations", i), entry); err != nil {
			return err
		}
	}
	for i, patch := range k.Patches {
		if err := t.patch(p.at("patches", i), patch); err != nil {
			return err
		}
	}
	for i, patch := range k.PatchesJson6902 {
		if err := t.patch(p.at("patchesJson6902", i), patch); err != nil {
			return err
		}
	}
	for i, patch := range k.PatchesStrategicMerge {
		if err := t.patch(p.at("patchesStrategicMerge", i), inlineOrPath(string(patch))); err != nil {
			return err
		}
	}
	for i, replacement := range k.Replacements {
		if err := t.yamlFile(p.at("replacements", i), replacement.Path); err != nil {
			return err
		}
	}
	for i, args := range k.ConfigMapGenerator {
		if err := t.pairs(p.at("configMapGenerator", i), args.KvPairSources); err != nil {
			return err
		}
	}
	for i, args := range k.SecretGenerator {
		if err := t.pairs(p.at("secretGenerator", i), args.KvPairSources); err != nil {
			return err
		}
	}
	return nil
}

// inlineOrPath tells the two meanings of an entry of patchesStrategicMerge apart. Kustomize tries
// the text as a patch first, and no path has more than one line or begins with a brace.
func inlineOrPath(entry string) types.Patch {
	if strings.Contains(entry, "\n") || strings.HasPrefix(entry, "{") {
		return types.Patch{Patch: entry}
	}
	return types.Patch{Path: entry}
}

func (t *vetter) patch(p place, patch types.Patch) error {
	if err := t.yamlFile(p, patch.Path); err != nil {
		return err
	}
	_, err := reader{limits: t.v.limits, file: p.file}.scanAll([]byte(patch.Patch))
	var refusal *Refusal
	if errors.As(err, &refusal) { // its lines are those of the patch, not of the file
		return refuse(refusal.Reason, p.file, "%s %s", p.field, refusal.Detail)
	}
	return err
}

// pairs vets the files of a generator: "path" or "key=path", and files of variables.
func (t *vetter) pairs(p place, sources types.KvPairSources) error {
	for _, entry := range append(slices.Clone(sources.FileSources), sources.EnvSources...) {
		if strings.Count(entry, "=") > 1 {
			return refuse(Malformed, p.file, "%s names a file with more than one equals sign", p.field)
		}
		if key, after, keyed := strings.Cut(entry, "="); keyed {
			if strings.Contains(key, ":") { // an address with a query
				return p.remote()
			}
			entry = after
		}
		if _, err := t.regular(p, entry); err != nil {
			return err
		}
	}
	return nil
}

// yamlFile vets a file that kustomize parses; an empty entry is none.
func (t *vetter) yamlFile(p place, entry string) error {
	if entry == "" {
		return nil
	}
	name, err := t.regular(p, entry)
	if err != nil {
		return err
	}
	return t.manifest(name)
}

// manifest lets kustomize read a file that holds YAML.
func (t *vetter) manifest(name string) error {
	data, err := t.v.read(name)
	if err != nil {
		return err
	}
	t.files[name] = true
	_, err = reader{limits: t.v.limits, file: name}.scanAll(data)
	return err
}

// regular lets kustomize read a file, whatever it holds. It is read here already, so that kustomize
// never waits for the tree.
func (t *vetter) regular(p place, entry string) (name string, err error) {
	if name, err = p.resolve(entry); err != nil {
		return "", err
	}
	mode, err := t.lookUp(p, name)
	if err != nil {
		return "", err
	}
	if !mode.IsRegular() {
		t.v.files[name] = true
		return "", refuse(NotAFile, name, "is a directory, and %s of %s needs a file", p.field, plainName(p.file))
	}
	if _, err := t.v.read(name); err != nil {
		return "", err
	}
	t.files[name] = true
	return name, nil
}

func (t *vetter) lookUp(p place, name string) (fs.FileMode, error) {
	mode, err := t.v.kind(name)
	if errors.Is(err, errMissing) {
		return 0, refuse(PathMissing, name, "is not in the repository, and %s of %s names it", p.field, plainName(p.file))
	}
	return mode, err
}

// resolve turns an entry into a path of the tree. What kustomize could take for the address of
// something else is refused without being repeated: it may hold a password.
func (p place) resolve(entry string) (string, error) {
	const github = "github.com/"
	if strings.Contains(entry, ":") || len(entry) >= len(github) && strings.EqualFold(entry[:len(github)], github) {
		return "", p.remote()
	}
	name := path.Join(p.dir, entry)
	if entry == "" || path.IsAbs(entry) || !fs.ValidPath(name) {
		return "", refuse(OutsideTree, p.file, "%s is no path inside the repository", p.field)
	}
	return name, nil
}

func (p place) remote() error {
	return refuse(Remote, p.file, "%s names something outside the repository; put a copy into it, so that it is reviewed", p.field)
}
