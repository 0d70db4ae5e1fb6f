package origin

import (
	"fmt"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Stamp writes on a manifest which repository, commit and source it comes from. It refuses to
// contradict a stamp that is there, since that is a statement of somebody else, and leaves the
// manifest as it was when it fails.
func Stamp(object map[string]any, repository, commit, source string) error {
	if !isName(repository) || !isName(source) {
		return fmt.Errorf("stamping: repository and source are given by their names")
	}
	if !IsCommit(commit) {
		return fmt.Errorf("stamping: a commit is given by its full id")
	}
	annotations, err := metadata(object, "annotations")
	if err != nil {
		return fmt.Errorf("stamping: %w", err)
	}
	stamp := map[string]string{
		change.StampRepository: repository, change.StampCommit: commit, change.StampSource: source,
	}
	for _, key := range change.StampKeys() {
		if there, set := annotations[key]; set && there != stamp[key] {
			return fmt.Errorf("stamping: %s is there already and says something else", key)
		}
	}
	for key, said := range stamp {
		annotations[key] = said
	}
	return nil
}

// StripStamp takes a stamp off a manifest, so that what is left is what Git renders.
func StripStamp(object map[string]any) {
	meta, _ := object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	before := len(annotations)
	for _, key := range change.StampKeys() {
		delete(annotations, key)
	}
	if before > 0 && len(annotations) == 0 {
		delete(meta, "annotations")
	}
}

// Marks are the labels and annotations that an engine adds to every manifest it applies.
type Marks struct {
	Labels, Annotations map[string]string
}

// MarksOf is what the engine of a source adds to an object that is delivered to a namespace. Flux
// adds two labels, Argo CD what it tracks by, kubectl nothing, and of other engines nothing is known.
//
// The owner of the source is the name of a Kustomization in the namespace delivered to, or of an
// Application in Argo CD's own namespace; "<namespace>/<name>" names one somewhere else.
func MarksOf(via tier.Via, id change.ObjectID, namespace string) Marks {
	ownerNamespace, owner, qualified := strings.Cut(via.Owner, "/")
	if !qualified {
		ownerNamespace, owner = namespace, via.Owner
	}
	if owner == "" {
		return Marks{}
	}
	switch via.Engine {
	case "Flux":
		return Marks{Labels: map[string]string{fluxName: owner, fluxNamespace: ownerNamespace}}
	case "HelmRelease": // beside what Helm adds, which depends on the release and is rendered
		return Marks{Labels: map[string]string{fluxHelmName: owner, fluxHelmNamespace: ownerNamespace}}
	case "ArgoCD":
		if qualified && ownerNamespace != via.ArgoCD.Namespace {
			owner = ownerNamespace + "_" + owner
		}
		return argoMarks(via.ArgoCD, owner, id, namespace)
	}
	return Marks{}
}

// Add writes the marks on a rendered manifest as the engine does, last and over what stands there.
func (m Marks) Add(object map[string]any) error {
	for _, part := range []struct {
		name  string
		marks map[string]string
	}{{"labels", m.Labels}, {"annotations", m.Annotations}} {
		if len(part.marks) == 0 {
			continue
		}
		there, err := metadata(object, part.name)
		if err != nil {
			return fmt.Errorf("marking: %w", err)
		}
		for key, said := range part.marks {
			there[key] = said
		}
	}
	return nil
}

// metadata is the named map of an object's metadata, put there where there is none.
func metadata(object map[string]any, name string) (map[string]any, error) {
	meta, isMap := object["metadata"].(map[string]any)
	if !isMap {
		return nil, fmt.Errorf("the manifest has no metadata")
	}
	switch there := meta[name].(type) {
	case nil:
		created := map[string]any{}
		meta[name] = created
		return created, nil
	case map[string]any:
		return there, nil
	}
	return nil, fmt.Errorf("metadata.%s is not a map", name)
}
