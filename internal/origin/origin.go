package origin

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

// The names of engines in an Origin.
const (
	EngineFlux   = "Flux"
	EngineArgoCD = "Argo CD"
	EngineHelm   = "Helm"
	EngineStamp  = "Stamp" // no engine's marks, but those of change.StampKeys
)

// EngineHelmRelease is the engine of a source that a HelmRelease of Flux delivers; its objects carry the
// marks of Flux.
const EngineHelmRelease = "HelmRelease"

// The marks that engines write.
const (
	fluxName          = "kustomize.toolkit.fluxcd.io/name"
	fluxNamespace     = "kustomize.toolkit.fluxcd.io/namespace"
	fluxHelmName      = "helm.toolkit.fluxcd.io/name"
	fluxHelmNamespace = "helm.toolkit.fluxcd.io/namespace"
	argoTracking      = "argocd.argoproj.io/tracking-id"
	helmRelease       = "meta.helm.sh/release-name"
	helmNamespace     = "meta.helm.sh/release-namespace"
	helmHook          = "helm.sh/hook"
	instance          = "app.kubernetes.io/instance"
)

// Hints are what an object and a request say about where the object comes from.
type Hints struct {
	ID           change.ObjectID
	Labels       map[string]string
	Annotations  map[string]string
	Managers     []string // of the object's managedFields
	User         change.User
	FieldManager string // of the request
}

// Read takes the hints out of a request and its object: the old one for a DELETE, nil where there is
// none that can be read. Then the request has the hints of its user and field manager alone.
func Read(req *change.Request, object *canon.Object) Hints {
	hints := Hints{ID: req.ID, User: req.User, FieldManager: req.FieldManager}
	if object != nil {
		meta := object.Meta()
		hints.Labels, hints.Annotations, hints.Managers = meta.Labels, meta.Annotations, object.Managers()
	}
	return hints
}

// Of is the origin that the hints declare: marks of engines name the owner, the stamp names
// repository, commit and source. Who writes the object declares nothing by itself, and is a conflict
// where it is another engine than the owner's.
func Of(h Hints) change.Origin {
	var o change.Origin
	var owners []claim
	for _, read := range []func(Hints) (claim, string){flux, fluxHelm, argo, helm} {
		c, conflict := read(h)
		if conflict != "" {
			o.Conflicts = append(o.Conflicts, conflict)
		}
		if c.engine != "" {
			owners = append(owners, c)
		}
	}
	owners = withoutRelease(owners)
	switch len(owners) {
	case 0:
		o.Engine, o.Owner = hookOf(h)
	case 1:
		o.Engine, o.Owner = owners[0].engine, owners[0].owner
	default:
		var names []string
		for _, c := range owners {
			names = append(names, c.owner)
		}
		o.Conflicts = append(o.Conflicts, "it is marked as owned by more than one: "+strings.Join(names, ", "))
	}
	o.Conflicts = append(o.Conflicts, readStamp(h, &o)...)
	if writer := engineOf(h.writers()); contradicts(o.Engine, writer) {
		o.Conflicts = append(o.Conflicts, "it is marked as owned by "+o.Engine+" and written by "+writer)
	}
	return o
}

// claim is one engine's mark of ownership.
type claim struct{ engine, owner string }

// withoutRelease drops the release's own mark where a HelmRelease of Flux stands for it: the same
// owner under two names.
func withoutRelease(owners []claim) []claim {
	if !slices.ContainsFunc(owners, func(c claim) bool { return strings.HasPrefix(c.owner, "HelmRelease ") }) {
		return owners
	}
	return slices.DeleteFunc(owners, func(c claim) bool { return c.engine == EngineHelm })
}

func flux(h Hints) (claim, string) {
	return pair(h.Labels, fluxName, fluxNamespace, claim{EngineFlux, "Kustomization "})
}

func fluxHelm(h Hints) (claim, string) {
	return pair(h.Labels, fluxHelmName, fluxHelmNamespace, claim{EngineFlux, "HelmRelease "})
}

// helm goes by the annotations: the label app.kubernetes.io/managed-by stands in the templates of
// most charts, whoever applies them.
func helm(h Hints) (claim, string) {
	return pair(h.Annotations, helmRelease, helmNamespace, claim{EngineHelm, "release "})
}

// hookOf knows what Helm runs at some moment of a release: on that it writes no marks of ownership, but its
// annotation says what it is. Argo CD takes such objects for its own, and marks them.
func hookOf(h Hints) (engine, owner string) {
	if _, hook := h.Annotations[helmHook]; !hook || engineOf(append(h.writers(), h.Managers...)) == EngineArgoCD {
		return "", ""
	}
	return EngineHelm, "hook of a release"
}

// pair reads an owner that is marked by a name and a namespace.
func pair(marks map[string]string, nameKey, namespaceKey string, c claim) (claim, string) {
	name, named := marks[nameKey]
	namespace, placed := marks[namespaceKey]
	switch {
	case !named && !placed:
		return claim{}, ""
	case !named || !placed:
		return claim{}, "it carries only one of " + nameKey + " and " + namespaceKey
	case !isName(name) || !isNamespace(namespace):
		return claim{}, nameKey + " and " + namespaceKey + " do not hold the names of an owner"
	}
	c.owner += namespace + "/" + name
	return c, ""
}

// argo reads the tracking id "<application>:<group>/<kind>:<namespace>/<name>". An application
// outside Argo CD's own namespace is named "<namespace>_<name>". The id repeats the object that it
// was written on; on another object it was copied, and names no owner.
func argo(h Hints) (claim, string) {
	id, marked := h.Annotations[argoTracking]
	if !marked {
		return argoByLabel(h), ""
	}
	parts := strings.SplitN(id, ":", 3) // names of RBAC hold colons
	if len(parts) < 3 {
		return claim{}, argoTracking + " is malformed"
	}
	group, kind, typed := strings.Cut(parts[1], "/")
	namespace, name, placed := strings.Cut(parts[2], "/")
	application := strings.Replace(parts[0], "_", "/", 1)
	if !typed || !placed || !isApplication(application) {
		return claim{}, argoTracking + " is malformed"
	}
	// For a cluster-wide object the id holds the namespace that the application delivers to.
	elsewhere := h.ID.Namespace != "" && namespace != h.ID.Namespace
	if group != h.ID.Group || kind != h.ID.Kind || name != h.ID.Name || elsewhere {
		return claim{}, argoTracking + " is of another object, so it was copied"
	}
	return claim{EngineArgoCD, "Application " + application}, ""
}

// argoByLabel reads the label that Argo CD tracks by where it was told to. Most charts set the same
// label to the name of their release, so it counts only on what Argo CD writes or has written.
func argoByLabel(h Hints) claim {
	application := h.Labels[instance]
	if !isName(application) || engineOf(append(h.writers(), h.Managers...)) != EngineArgoCD {
		return claim{}
	}
	return claim{EngineArgoCD, "Application " + application}
}

func isApplication(s string) bool {
	namespace, name, qualified := strings.Cut(s, "/")
	if !qualified {
		return isName(namespace)
	}
	return isNamespace(namespace) && isName(name)
}

// readStamp fills in what the stamp says, as far as it can be right.
func readStamp(h Hints, o *change.Origin) (conflicts []string) {
	for _, field := range []struct {
		key   string
		into  *string
		valid func(string) bool
		want  string
	}{
		{change.StampRepository, &o.Repository, isName, "the name of a Repository; it is never a URL"},
		{change.StampCommit, &o.Commit, IsCommit, "a full commit id in lower-case hex"},
		{change.StampSource, &o.Source, isName, "the name of a source"},
	} {
		said, stamped := h.Annotations[field.key]
		switch {
		case !stamped:
		case !field.valid(said):
			conflicts = append(conflicts, field.key+" is not "+field.want)
		default:
			*field.into = said
		}
	}
	if o.Engine == "" && (o.Repository != "" || o.Commit != "" || o.Source != "") {
		o.Engine = EngineStamp
	}
	return conflicts
}

// contradicts reports whether one engine writes what is marked as another's. The controller of a
// HelmRelease writes what carries the marks of its release.
func contradicts(owner, writer string) bool {
	if owner == "" || owner == EngineStamp || writer == "" {
		return false
	}
	return owner != writer && !(owner == EngineHelm && writer == EngineFlux)
}

// writers are the names under which the request writes: the field manager and, for a service
// account, the account. Both are free to choose for whoever may write or impersonate.
func (h Hints) writers() []string {
	names := []string{h.FieldManager}
	if rest, account := strings.CutPrefix(h.User.Name, "system:serviceaccount:"); account {
		_, name, _ := strings.Cut(rest, ":")
		names = append(names, name)
	}
	return names
}

// engineOf is the one engine among field managers and service accounts; empty for none and for
// several.
func engineOf(names []string) string {
	engine := ""
	for _, name := range names {
		e := managerEngine(name)
		if e != "" && engine != "" && e != engine {
			return ""
		}
		engine = cmp.Or(engine, e)
	}
	return engine
}

// managerEngine is the engine with this field manager or service account.
func managerEngine(name string) string {
	switch name {
	case "kustomize-controller", "helm-controller":
		return EngineFlux
	case "argocd-controller", "argocd-application-controller":
		return EngineArgoCD
	case "helm":
		return EngineHelm
	}
	return ""
}

var hexID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// IsCommit reports whether s is a full commit id: 40 hex digits, or 64 in a repository of the newer
// format, in lower case.
func IsCommit(s string) bool { return hexID.MatchString(s) }

func isName(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 }

func isNamespace(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
