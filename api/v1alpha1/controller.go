package v1alpha1

// Controller is a bounded runtime lane: what one identity may do without a proof, such as a
// certificate manager that writes Secrets. No field that a proof attests ever changes through it.
//
// +kubebuilder:validation:XValidation:rule="!self.kinds.exists(k, k == '*') || has(self.fields) || has(self.ownerKinds)",message="kinds: '*' without fields or ownerKinds would let this controller write anything: list its kinds, or the fields it sets, or the kinds that own what it writes"
// +kubebuilder:validation:XValidation:rule="!has(self.operations) || !self.operations.exists(o, o == 'DELETE') || has(self.ownerKinds) || !self.kinds.exists(k, k == '*')",message="a controller that may delete must list its kinds, or the kinds that own what it deletes"
type Controller struct {
	// name says which controller it is, for people; verdicts that used the lane show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// users are the exact Kubernetes user names of the controller, for example
	// system:serviceaccount:cert-manager:cert-manager.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`

	// groups are the API groups of the kinds; "" is the core group and "*" is any group.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`

	// kinds are the kinds that the controller writes; "*" is any kind of the groups.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Kinds []string `json:"kinds,omitempty"`

	// operations are what it may do. Left out: create and update.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	Operations []ControllerOperation `json:"operations,omitempty"`

	// fields are patterns of the field paths it may set, and all below them, for example
	// spec.replicas or metadata.annotations["example.com/*"]. Left out: whole objects.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Fields []string `json:"fields,omitempty"`

	// ownerKinds are kinds one of which must be the live controlling owner of what it writes. Left
	// out: no owner is needed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	OwnerKinds []string `json:"ownerKinds,omitempty"`

	// why says what the lane is for; verdicts that used it show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Why string `json:"why"`
}

// ControllerOperation is something a listed controller may do.
//
// +enum
// +kubebuilder:validation:Enum=CREATE;UPDATE;DELETE
type ControllerOperation string

// The operations of a controller.
const (
	OperationCreate ControllerOperation = "CREATE"
	OperationUpdate ControllerOperation = "UPDATE"
	OperationDelete ControllerOperation = "DELETE"
)
