package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The keys of the Secret that a Repository's credentialsSecret names. Which are needed depends on
// the address; others are ignored.
const (
	CredentialUsername   = "username"    // https
	CredentialPassword   = "password"    // https: a password or token
	CredentialCA         = "ca.crt"      // https: PEM certificates to trust instead of the system's
	CredentialIdentity   = "identity"    // ssh: a private key in PEM, without passphrase
	CredentialKnownHosts = "known_hosts" // ssh: needed whenever identity is used
)

// Repository is a registered git repository. Other objects name it; they never give an address.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=repositories,singular=repository,shortName=repo,categories=fairway
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Fetched",type=string,JSONPath=`.status.conditions[?(@.type=="Fetched")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Repository struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec says where the repository is and what of it counts.
	// +required
	Spec RepositorySpec `json:"spec"`
	// status says what Fairway saw of it.
	// +optional
	Status RepositoryStatus `json:"status,omitzero"`
}

// RepositoryList is a list of repositories.
//
// +kubebuilder:object:root=true
type RepositoryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Repository `json:"items"`
}

// RepositorySpec says where the repository is and what of it counts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.approvalSources) || !('Forge' in self.approvalSources) || has(self.forge)",message="approvalSources names Forge: say under forge where the reviews are"
type RepositorySpec struct {
	// url is the canonical address, the one that signed statements name: https://, ssh://, file:// or
	// user@host:path. Credentials stand in the Secret, never here.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https://|ssh://|file:///).+$') || (!self.contains('://') && self.matches('^[A-Za-z0-9_][A-Za-z0-9._-]*@[^/:]+:.+$'))",message="write the address as https://host/path, ssh://user@host/path, file:///path or user@host:path; unencrypted and other transports are not used"
	// +kubebuilder:validation:XValidation:rule="self.startsWith('file:') || !self.contains('://') || self.matches('^[a-z]+://([A-Za-z0-9_][A-Za-z0-9._-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*|[[][0-9A-Fa-f:.]+[]])(:[0-9]+)?/.+$')",message="write a host, a port where it needs one, and a path, and no password: username and password stand in the Secret that credentialsSecret names"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('https:') || !self.matches('^https://[^/]*@')",message="write the https address without a user name or token: put them in the Secret that credentialsSecret names"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\x00-\\x20\\x7f?#\\\\\\\\]')",message="write the address without spaces, control characters, backslash, query or fragment"
	URL string `json:"url"`

	// aliases are other addresses of the same repository, as people and engines may spell it: a signed
	// statement may name it by any of them. An address of two repositories counts for none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('(?i)^https?://[^/]*@') && !self.matches('(?i)^[a-z+]+://[^/@]*:[^/@]*@')",message="write the alias without a user name, password or token"
	Aliases []string `json:"aliases,omitempty"`

	// branches are the protected branches: a commit counts only if it is on one of them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('refs/') && self.matches('^[A-Za-z0-9._/@+#=-]+$') && !self.startsWith('-') && !self.contains('..') && !self.contains('//')",message="write the branch's short name, for example main or release/1.4, not refs/heads/main and no pattern"
	Branches []string `json:"branches,omitempty"`

	// baseline is the full id of the seal commit: history up to it is accepted as it is. Left out:
	// everything from the first commit on must be covered.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9a-f]{40}|[0-9a-f]{64})$')",message="write the full commit id in lower case, as printed by: git rev-parse HEAD"
	Baseline string `json:"baseline,omitempty"`

	// pollInterval is how often the remote is asked, as a duration such as 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(h|m|s))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="write the interval as hours, minutes and seconds, for example 1m, from 10s to 24h"
	PollInterval *metav1.Duration `json:"pollInterval,omitempty"`

	// credentialsSecret names a Secret in Fairway's own namespace. Left out: none are needed.
	// +optional
	CredentialsSecret *SecretReference `json:"credentialsSecret,omitempty"`

	// forge is where changes of the repository are reviewed. Its reviews count if approvalSources names
	// Forge. Left out: no forge is asked.
	// +optional
	Forge *Forge `json:"forge,omitempty"`

	// forgeSigner is the forge's own key, with which it signs the commits that it makes. Left out: such
	// a commit counts as signed by nobody.
	// +optional
	ForgeSigner *ForgeSigner `json:"forgeSigner,omitempty"`

	// approvalSources say where approvals are read from; no others count. Left out: Attestation.
	// +optional
	// +listType=set
	// +kubebuilder:default={Attestation}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	ApprovalSources []ApprovalSource `json:"approvalSources,omitempty"`
}

// SecretReference names a Secret in Fairway's own namespace.
type SecretReference struct {
	// name is the Secret's. Its keys: username and password (https), ca.crt (https), identity and
	// known_hosts (ssh).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// RepositoryStatus says what Fairway saw of the repository.
type RepositoryStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// heads are the branches as they were last seen.
	// +optional
	// +listType=map
	// +listMapKey=branch
	// +kubebuilder:validation:MaxItems=16
	Heads []BranchHead `json:"heads,omitempty"`

	// approvalRefs are the refs of approvals as they were last seen: they may only grow.
	// +optional
	// +listType=map
	// +listMapKey=ref
	// +kubebuilder:validation:MaxItems=256
	ApprovalRefs []ApprovalRef `json:"approvalRefs,omitempty"`

	// conditions: Ready (True: the repository can be used), Fetched (True: the last poll succeeded),
	// ForgeAsked (True: the forge whose reviews count answered) and Rewound (True is bad: a ref went back
	// behind what was seen).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BranchHead is a branch as it was seen.
type BranchHead struct {
	// branch is its short name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Branch string `json:"branch"`

	// commit is its head.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// seenAt is when that head was first seen.
	// +required
	SeenAt metav1.Time `json:"seenAt"`
}

// ApprovalRef is a ref of approvals as it was seen.
type ApprovalRef struct {
	// ref is its full name, for example refs/fairway/approvals/ada.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Ref string `json:"ref"`

	// head is the commit it was last seen at.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Head string `json:"head"`
}
