package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The names that a TierBinding may have.
const (
	BindingName        = "tier"    // puts its namespace in a tier
	ClusterBindingName = "cluster" // in Fairway's own namespace: the binding of cluster-scoped objects
)

// TierBinding puts its namespace in a tier and lists the only recipes by which content may arrive
// there. The one named cluster, in Fairway's own namespace, does the same for cluster-scoped
// objects and holds the settings of the install.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=tierbindings,singular=tierbinding,shortName=tb,categories=fairway
// +kubebuilder:printcolumn:name="Tier",type=string,JSONPath=`.spec.tier`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Enforcing",type=string,JSONPath=`.status.conditions[?(@.type=="Enforcing")].status`
// +kubebuilder:printcolumn:name="Inherited",type=integer,JSONPath=`.status.inherited.count`
// +kubebuilder:printcolumn:name="Commit",type=string,JSONPath=`.status.sources[0].commit`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'tier' || self.metadata.name == 'cluster'",message="a TierBinding is named tier, one for each namespace; the one for cluster-scoped objects, in Fairway's own namespace, is named cluster"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.install) || self.metadata.name == 'cluster'",message="spec.install holds the settings of the whole install and stands only in the TierBinding named cluster: remove it here"
type TierBinding struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec says which tier, whose, and from where.
	// +required
	Spec TierBindingSpec `json:"spec"`
	// status says what Fairway made of it.
	// +optional
	Status TierBindingStatus `json:"status,omitzero"`
}

// TierBindingList is a list of bindings.
//
// +kubebuilder:object:root=true
type TierBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []TierBinding `json:"items"`
}

// TierBindingSpec says which tier a namespace is in, whose it is, and where its content comes from.
//
// +kubebuilder:validation:XValidation:rule="!has(self.sources) || self.sources.all(a, self.sources.exists_one(b, a.repository == b.repository && a.branch == b.branch && a.path == b.path))",message="two sources read the same path of the same branch: an object has exactly one source, so keep one of them"
type TierBindingSpec struct {
	// tier is the name of an EnvironmentTier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Tier string `json:"tier"`

	// owners are the teams that own the namespace.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Owners []string `json:"owners,omitempty"`

	// sources are the only recipes by which content may arrive in a gated tier.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Sources []Source `json:"sources,omitempty"`

	// controllers are runtime lanes beside the built-in ones and the tier's.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Controllers []Controller `json:"controllers,omitempty"`

	// install holds the settings of the whole install; only in the binding named cluster.
	// +optional
	Install *Install `json:"install,omitempty"`
}

// Source is one recipe: where content comes from, how it is rendered and who delivers it.
//
// +kubebuilder:validation:XValidation:rule="has(self.helm) == (self.render == 'Helm')",message="helm names the release of a chart: set it where render is Helm, and nowhere else"
type Source struct {
	// name says which source it is; denials show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// repository is the name of a Repository.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Repository string `json:"repository"`

	// branch is the short name of a protected branch, for example main.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('refs/') && self.matches('^[A-Za-z0-9._/@+#=-]+$') && !self.startsWith('-') && !self.contains('..') && !self.contains('//')",message="write the branch's short name, for example main or release/1.4, not refs/heads/main and no pattern"
	Branch string `json:"branch"`

	// path is the folder in the repository, clean and relative; "." is the root.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == '.' || self.split('/').all(s, s != '' && s != '.' && s != '..')",message="write a clean path relative to the root of the repository, for example deploy/prod, without a slash at either end, and without . or .. in it; the root itself is ."
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write the path with / and without control characters"
	Path string `json:"path"`

	// render says how the files become objects.
	// +required
	Render Render `json:"render"`

	// helm says which release of the chart is rendered; with render Helm, and only then.
	// +optional
	Helm *HelmRender `json:"helm,omitempty"`

	// fieldManager is the name under which the engine applies. Left out: the engine's usual one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	FieldManager string `json:"fieldManager,omitempty"`

	// recreate says whether the engine may delete and re-create an object to get past an immutable
	// field.
	// +optional
	// +kubebuilder:default=Deny
	Recreate Recreate `json:"recreate,omitempty"`

	// via says who delivers the source. It selects, explains and, where it lists users or claims, leaves
	// everybody else out; it proves nothing.
	// +optional
	Via *Via `json:"via,omitempty"`
}

// Via says which engine delivers a source; at most one of its fields is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.flux), has(self.argoCD), has(self.helm), has(self.helmRelease), has(self.ci)].filter(x, x).size() <= 1",message="a source is delivered by one engine: keep one of flux, argoCD, helm, helmRelease and ci"
type Via struct {
	// flux is a Flux Kustomization.
	// +optional
	Flux *ViaFlux `json:"flux,omitempty"`

	// argoCD is an Argo CD Application.
	// +optional
	ArgoCD *ViaArgoCD `json:"argoCD,omitempty"`

	// helm is Helm's own command line.
	// +optional
	Helm *ViaHelm `json:"helm,omitempty"`

	// helmRelease is a HelmRelease of Flux.
	// +optional
	HelmRelease *ViaHelmRelease `json:"helmRelease,omitempty"`

	// ci is a pipeline, or people, who apply by themselves.
	// +optional
	CI *ViaCI `json:"ci,omitempty"`
}

// ViaFlux names a Flux Kustomization.
//
// +kubebuilder:validation:XValidation:rule="!has(self.substituteFrom) || has(self.file)",message="substituteFrom says where the ConfigMaps of a Kustomization's postBuild.substituteFrom stand: name the Kustomization's own manifest in file"
type ViaFlux struct {
	// kustomization is the namespace and name of a Kustomization, for example flux-system/shop.
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the Kustomization as namespace/name, for example flux-system/shop"
	Kustomization string `json:"kustomization"`

	// file is the manifest of that Kustomization in the repository of the source, clean and relative,
	// for example clusters/prod/shop.yaml. What it does to the manifests (patches, images, prefixes,
	// common metadata, substitutions) is read from it at the same commit, so it is reviewed with them.
	// Left out: the Kustomization applies the path as it is, and nothing else.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="write a clean path relative to the root of the repository, for example clusters/prod/shop.yaml"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write the path with / and without control characters"
	File string `json:"file,omitempty"`

	// substituteFrom are the files in the repository of the source, clean and relative, that hold the
	// ConfigMaps from which that Kustomization takes variables (postBuild.substituteFrom), as manifests that
	// are applied as they stand. The values are read from them at the same commit, never from the cluster.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..') && !self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write a clean path from the root of the repository, for example clusters/prod/values.yaml"
	SubstituteFrom []string `json:"substituteFrom,omitempty"`
}

// Install holds the settings of the whole install.
type Install struct {
	// defaultTier is the tier of a namespace that has no binding and that no selector matches. Left
	// out: such a namespace is closed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	DefaultTier string `json:"defaultTier,omitempty"`

	// engines are the exact user names of GitOps controllers; list every one. They may do their bookkeeping,
	// nothing else, and what they bring to kube-system and Fairway's own namespace is judged.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Engines []string `json:"engines,omitempty"`

	// proverUsers are the exact user names of Fairway itself. Beside the name a proof needs its
	// signature.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ProverUsers []string `json:"proverUsers,omitempty"`
}

// TierBindingStatus says what Fairway made of the binding.
type TierBindingStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// digest is the digest of the spec as it is in force: a policy input of proofs.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`

	// sources say how far each source has come.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Sources []SourceStatus `json:"sources,omitempty"`

	// inherited are live objects that were there before the tier and that no proof accounts for.
	// +optional
	Inherited *InheritedObjects `json:"inherited,omitempty"`

	// conditions: Ready (True: the binding is in force), Enforcing (True: every live object is proven
	// or listed as inherited) and, on the binding named cluster, Unsealed (True is bad: RBAC alone
	// guards Fairway's own kinds).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SourceStatus says how far a source has come.
type SourceStatus struct {
	// name is the source's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// commit is the newest commit of the branch that was looked at.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit,omitempty"`

	// verdict is what the tier says of that commit.
	// +optional
	Verdict JudgedVerdict `json:"verdict,omitempty"`

	// message says what is missing and who can give it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// provenHead is the newest commit whose content is proven.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ProvenHead string `json:"provenHead,omitempty"`
}

// InheritedObjects are live objects that no proof accounts for.
type InheritedObjects struct {
	// count is the number of them all.
	// +required
	// +kubebuilder:validation:Minimum=0
	Count int32 `json:"count"`

	// objects are the first of them, ordered by group, kind and name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Objects []ObjectReference `json:"objects,omitempty"`
}

// ObjectReference names an object whatever version it is served in.
type ObjectReference struct {
	// group is the API group; "" is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// kind is the kind.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// namespace is empty for a cluster-scoped object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the object's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
