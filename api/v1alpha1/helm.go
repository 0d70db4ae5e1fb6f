package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// HelmRender is a release of a chart: everything beside the chart itself that decides what it renders to.
// Whoever applies it gives Helm the same.
type HelmRender struct {
	// release is the name of the release.
	// +required
	// +kubebuilder:validation:MaxLength=53
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="write the name of the release as helm takes it: small letters, digits and dashes, 53 at most"
	Release string `json:"release"`

	// namespace is the release's, if it is not that of the binding.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// valuesFiles are files of values in the repository, from its root; what a later one says holds.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..') && !self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write a clean path from the root of the repository, for example envs/prod/values.yaml"
	ValuesFiles []string `json:"valuesFiles,omitempty"`

	// values stand over the files.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// kubeVersion is what the chart is told of the cluster, for example v1.37.2. Left out: a chart
	// that asks is refused.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$`
	KubeVersion string `json:"kubeVersion,omitempty"`

	// apiVersions are the API versions of the cluster, for example policy/v1. Left out: a chart that asks
	// is refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	APIVersions []string `json:"apiVersions,omitempty"`
}

// ViaHelm names those who run helm on the command line.
type ViaHelm struct {
	// users are the exact Kubernetes user names under which helm runs. They may keep the Secrets of the
	// release.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
}

// ViaHelmRelease names a HelmRelease of Flux.
//
// +kubebuilder:validation:XValidation:rule="!has(self.valuesFrom) || has(self.file)",message="valuesFrom says where the ConfigMaps of a HelmRelease's valuesFrom stand: name the HelmRelease's own manifest in file"
type ViaHelmRelease struct {
	// name is the namespace and name of the HelmRelease, for example flux-system/shop.
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the HelmRelease as namespace/name, for example flux-system/shop"
	Name string `json:"name"`

	// file is the manifest of that HelmRelease in the repository of the source, clean and relative, for
	// example clusters/prod/shop.yaml. Its values and common metadata are read from it at the same commit,
	// so they are reviewed with the chart; the source has no values of its own then. Left out: the
	// HelmRelease adds nothing to what the source says.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..')",message="write a clean path relative to the root of the repository, for example clusters/prod/shop.yaml"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write the path with / and without control characters"
	File string `json:"file,omitempty"`

	// valuesFrom are the files in the repository of the source, clean and relative, that hold the ConfigMaps
	// from which that HelmRelease takes values (valuesFrom), as manifests that are applied as they stand. The
	// values are read from them at the same commit, never from the cluster.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="self.split('/').all(s, s != '' && s != '.' && s != '..') && !self.matches('[\\x00-\\x1f\\x7f]') && !self.contains('\\\\')",message="write a clean path from the root of the repository, for example clusters/prod/values.yaml"
	ValuesFrom []string `json:"valuesFrom,omitempty"`

	// users are the exact Kubernetes user names that the controller acts as. They may keep the Secrets of
	// the release.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
}
