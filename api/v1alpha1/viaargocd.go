package v1alpha1

// ViaArgoCD names an Argo CD Application and says how its Argo CD marks what it applies. The marks are
// part of what is applied, so they are part of what is proven; the settings are those of argocd-cm.
//
// +kubebuilder:validation:XValidation:rule="!has(self.installationID) || !has(self.tracking) || self.tracking != 'Label'",message="an installation id is an annotation: leave it out where tracking is Label"
type ViaArgoCD struct {
	// application is the namespace and name of an Application, for example argocd/shop.
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the Application as namespace/name, for example argocd/shop"
	Application string `json:"application"`

	// controlNamespace is the namespace that Argo CD itself runs in: an Application outside of it is
	// marked with its namespace too.
	// +optional
	// +kubebuilder:default=argocd
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ControlNamespace string `json:"controlNamespace,omitempty"`

	// tracking is the setting application.resourceTrackingMethod.
	// +optional
	// +kubebuilder:default=Annotation
	Tracking ArgoCDTracking `json:"tracking,omitempty"`

	// instanceLabelKey is the setting application.instanceLabelKey, for tracking by label.
	// +optional
	// +kubebuilder:default="app.kubernetes.io/instance"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	InstanceLabelKey string `json:"instanceLabelKey,omitempty"`

	// installationID is the setting installationID, where several Argo CDs share a cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	InstallationID string `json:"installationID,omitempty"`

	// destinationNamespace is spec.destination.namespace of the Application, which marks cluster-scoped
	// objects. Left out: the namespace of the binding.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DestinationNamespace string `json:"destinationNamespace,omitempty"`
}

// ArgoCDTracking says how Argo CD marks the objects of an Application.
//
// +kubebuilder:validation:Enum=Annotation;Label;AnnotationAndLabel
type ArgoCDTracking string

// The ways of Argo CD to mark objects.
const (
	ArgoCDTrackingAnnotation         ArgoCDTracking = "Annotation"
	ArgoCDTrackingLabel              ArgoCDTracking = "Label"
	ArgoCDTrackingAnnotationAndLabel ArgoCDTracking = "AnnotationAndLabel"
)
