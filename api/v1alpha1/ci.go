package v1alpha1

// ViaCI names those who apply by themselves. What they deliver is still admitted for its content alone.
//
// +kubebuilder:validation:XValidation:rule="has(self.users) || has(self.claims)",message="say who delivers: users, claims of their tokens, or both"
type ViaCI struct {
	// users are exact Kubernetes user names. Left out: everybody with the claims.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`

	// claims are entries of the user's extra, where the API server puts claims of the pipeline's own token.
	// All must fit. Whoever may impersonate with extra can show any.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Claims []Claim `json:"claims,omitempty"`

	// commitClaim is the entry that holds the commit that the pipeline runs for. It selects the commit as a
	// stamp does, and must not contradict one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	CommitClaim string `json:"commitClaim,omitempty"`
}

// Claim is an entry of a user's extra, and what it may hold.
type Claim struct {
	// key is the entry's, for example ci.example.com/repository.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`

	// values are what it may hold, at least one of them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Values []string `json:"values,omitempty"`
}
