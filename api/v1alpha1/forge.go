package v1alpha1

// The keys of the Secrets that a Forge names; others are ignored.
const (
	// ForgeToken, in credentialsSecret, may read changes and their reviews, and nothing else.
	ForgeToken = "token"
	// ForgeWebhookSecret, in webhookSecret, is what the forge signs its push webhooks with, or sends
	// along (GitLab).
	ForgeWebhookSecret = "secret"
)

// Forge is where the changes of a repository are reviewed.
//
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('https://') || (has(self.privateAddresses) && self.privateAddresses == 'Allow')",message="reviews and tokens travel over https; http:// is used only inside a private network: then write privateAddresses: Allow"
// +kubebuilder:validation:XValidation:rule="self.kind == 'GitLab' || self.project.matches('^[^/]+/[^/]+$')",message="write the project as owner/name"
type Forge struct {
	// kind is the forge's. Forgejo speaks as Gitea does.
	// +required
	Kind ForgeKind `json:"kind"`

	// url is the address of the forge, that of its front page: https://github.com, or your own, such
	// as https://git.example.com. The token is sent to this host and to no other.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://([A-Za-z0-9][A-Za-z0-9.-]*|[[][0-9A-Fa-f:.]+[]])(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$')",message="write the address as https://host or https://host/path, without user name, query or fragment"
	URL string `json:"url"`

	// project is the repository on the forge, such as acme/fleet.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$') && !self.matches('(^|/)[.][.]?(/|$)')",message="write the project as owner/name, on GitLab group/subgroup/name, without a host, a leading / or .git"
	Project string `json:"project"`

	// credentialsSecret names a Secret in Fairway's own namespace; its key token is an access token, and
	// ca.crt the PEM certificates to trust instead of the system's. Left out: the API is asked without.
	// +optional
	CredentialsSecret *SecretReference `json:"credentialsSecret,omitempty"`

	// webhookSecret names a Secret in Fairway's own namespace; its key secret is what the forge's push
	// webhooks are signed with. Left out: none are taken, and the forge is polled.
	// +optional
	WebhookSecret *SecretReference `json:"webhookSecret,omitempty"`

	// privateAddresses says whether the forge may be at a loopback or private address. With
	// Deny, a name that resolves to one is not called.
	// +optional
	// +kubebuilder:default=Deny
	PrivateAddresses PrivateAddresses `json:"privateAddresses,omitempty"`
}

// ForgeSigner is the key that a forge signs the merges and squashes it makes with. It proves that the
// forge made the commit and nothing else, so it counts only where the commit is the landing of a
// change that was approved, with exactly the approved content.
type ForgeSigner struct {
	// keys are the forge's public keys.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.format != 'Sigstore')",message="a forge signs with a key, not with an identity of Sigstore"
	Keys []Key `json:"keys,omitempty"`
}

// Account is a principal's account on a forge, by the id that no renaming changes.
type Account struct {
	// forge is the kind of the forge.
	// +required
	Forge ForgeKind `json:"forge"`

	// host is the forge's, with a port where its address has one: github.com, git.example.com.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9][a-z0-9.-]*|[[][0-9a-f:.]+[]])(:[0-9]+)?$')",message="write the host alone and in lower case, such as github.com, without https:// or a path"
	Host string `json:"host"`

	// id is the number of the account, which the forge's API tells. Another account may take a login
	// over, but never the id.
	// +required
	// +kubebuilder:validation:Minimum=1
	ID int64 `json:"id"`

	// login is the account's name when this was written, for people. It decides nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Login string `json:"login,omitempty"`
}
