package v1alpha1

// StoredApproval is one verified statement.
type StoredApproval struct {
	// principal is who made it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Principal string `json:"principal"`

	// decision is what it says.
	// +required
	Decision ApprovalDecision `json:"decision"`

	// envelopeDigest is the SHA-256, in hex, of the signed envelope.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	EnvelopeDigest string `json:"envelopeDigest"`

	// source is where it was found: a ref and commit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Source string `json:"source"`
}

// StoredReview is what a forge said of one change.
type StoredReview struct {
	// page is where the change is reviewed.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Page string `json:"page,omitempty"`

	// mergeBase is the full id of the commit that the change was forked from.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	MergeBase string `json:"mergeBase"`

	// head is the full id of its newest commit.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Head string `json:"head"`

	// rawDiffID is the SHA-256, in hex, over what changes from mergeBase to head.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	RawDiffID string `json:"rawDiffID"`

	// evidence is the SHA-256, in hex, of everything that the forge told about the change.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	Evidence string `json:"evidence"`

	// contributors are the principals who had a part in the change, as the forge knows; an account of
	// nobody stands as <account>.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Contributors []string `json:"contributors,omitempty"`

	// approvers are the principals whose reviews counted, sorted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	Approvers []string `json:"approvers,omitempty"`
}
