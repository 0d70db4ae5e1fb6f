package tier

import (
	"slices"
	"strings"
	"time"
)

// Render names the way a source's files become objects.
type Render string

// The renderers.
const (
	Plain     Render = "Plain"
	Kustomize Render = "Kustomize"
	Chart     Render = "Helm"
)

// Recreate says whether an engine may delete and re-create an object to get past an immutable field.
type Recreate string

// The values of Recreate. The zero value denies.
const (
	RecreateDeny  Recreate = "Deny"
	RecreateAllow Recreate = "Allow"
)

// Binding puts a namespace (or, for the cluster binding, the cluster scope) in a tier and lists
// the only recipes by which content may arrive there.
type Binding struct {
	Namespace   string
	Name        string // "tier", or "cluster" in Fairway's own namespace
	Generation  int64
	Digest      string // of the whole spec: a policy input (ruling 4)
	Tier        string
	Owners      []string // teams
	Sources     []Source
	Controllers []Controller
}

// Source is one recipe: where content comes from, how it is rendered and who delivers it.
type Source struct {
	Name         string
	Repository   string // name of a Repository
	Branch       string
	Path         string // clean, relative, "." for the root of the tree
	Render       Render
	Helm         Helm   // how the chart is rendered, where Render is Chart
	FieldManager string // of the engine that applies it (ruling 20)
	Recreate     Recreate
	Via          Via
}

// Helm is a release: everything beside the chart that decides what the chart renders to.
type Helm struct {
	Release     string
	Namespace   string   // of the release; empty: that of the binding
	ValuesFiles []string // clean paths from the root of the tree, later ones over earlier ones
	Values      string   // a JSON object over the files; empty: none
	KubeVersion string   // what the chart is told of the cluster; empty: nothing
	APIVersions []string // likewise
}

// Via says which engine delivers a source. It selects and explains, and proves nothing.
type Via struct {
	Engine string // "Flux", "ArgoCD", "Helm", "HelmRelease", "CI" or empty
	Owner  string // name of the Kustomization, Application or HelmRelease
	File   string // for Flux and HelmRelease: the owner's manifest in the repository; empty: it changes nothing
	// ConfigMaps are for Flux and HelmRelease the files that hold the ConfigMaps from which the owner takes variables or values.
	ConfigMaps []string
	Users      []string // for CI, Helm and HelmRelease: the user names that apply; none: any
	// Claims must all be in the token of who applies; CommitClaim names the one that holds a commit.
	Claims      []Claim
	CommitClaim string
	ArgoCD      ArgoCD // for Argo CD: how it marks what it applies
}

// ArgoCD are the settings of an Argo CD that decide how it marks what an Application delivers.
type ArgoCD struct {
	Tracking       string // "Annotation" (also where it is empty), "Label" or "AnnotationAndLabel"
	LabelKey       string // for tracking by label
	InstallationID string // empty: none
	Namespace      string // that Argo CD runs in
	Destination    string // namespace that the Application delivers to; empty: that of the binding
}

// Repository is a registered git repository. Objects name it; they never give a URL.
type Repository struct {
	Name       string
	Generation int64
	Digest     string // of the whole spec: a policy input (ruling 4)
	URL        string // canonical; statements name this one
	Aliases    []string
	Branches   []string      // protected branches
	Poll       time.Duration // between two looks at it; 0: Fairway's choice
	Baseline   string        // full hex id of the commit before which history is accepted
	// Forge is where its changes are reviewed; nil: nowhere that Fairway could ask.
	Forge *Forge
	// ForgeKeys are the forge's own, with which it signs the commits that it makes.
	ForgeKeys []Key
	// FromForge and FromRefs say which approvals count: the forge's reviews, and the signed statements
	// of the repository itself.
	FromForge, FromRefs bool
}

// Install are the settings of the cluster binding that are no tier's.
type Install struct {
	Namespace   string // Fairway's own
	DefaultTier string // of a namespace without binding or selector; empty: the strictest there is
	Sealed      bool   // the latch of ruling 9
	// Engines are the user names of GitOps controllers, for the hygiene lane (ruling 13).
	Engines []string
	// ProverUsers are the identities of Fairway itself, for the self lane (ruling 14).
	ProverUsers []string
	// System are the namespaces without which the cluster could not start, beside Fairway's own.
	System []string
}

// Unhooked reports whether gates are asked about a namespace for what engines deliver alone, because
// without it neither the cluster nor Fairway could start.
func (i Install) Unhooked(namespace string) bool {
	return namespace != "" && (namespace == i.Namespace || slices.Contains(i.System, namespace))
}

// TriggerAnnotation is what asks an engine of Flux to reconcile an object now. Its value is a time.
const TriggerAnnotation = "reconcile.fluxcd.io/requestedAt"

// TriggerAnnotations are those by which people ask an engine of Flux to look again: at once, whatever it tried before,
// as `flux reconcile helmrelease` has them with --force and --reset. None says what is delivered.
func TriggerAnnotations() []string {
	return []string{TriggerAnnotation, "reconcile.fluxcd.io/forceAt", "reconcile.fluxcd.io/resetAt"}
}

// DeliveredBy reports whether an object of an engine delivers a source of the binding. Without a name
// any of the engine's objects in that namespace does.
func (b Binding) DeliveredBy(engine, namespace, name string) bool {
	return slices.ContainsFunc(b.Sources, func(s Source) bool {
		if s.Via.Engine != engine || s.Via.Owner == "" {
			return false
		}
		at, owner, qualified := strings.Cut(s.Via.Owner, "/")
		if !qualified {
			at, owner = b.Namespace, s.Via.Owner
		}
		return at == namespace && (name == "" || name == owner)
	})
}
