package v1alpha1

// Lane says whether a tier judges its changes.
//
// +enum
// +kubebuilder:validation:Enum=Open;Gated
type Lane string

// The lanes of a tier.
const (
	// LaneOpen admits everything and judges nothing.
	LaneOpen Lane = "Open"
	// LaneGated admits only what is proven.
	LaneGated Lane = "Gated"
)

// Enforcement says what becomes of a refusal.
//
// +enum
// +kubebuilder:validation:Enum=Enforce;Warn;Audit
type Enforcement string

// The modes of enforcement.
const (
	// EnforcementEnforce denies what is refused.
	EnforcementEnforce Enforcement = "Enforce"
	// EnforcementWarn admits what is refused, with a warning.
	EnforcementWarn Enforcement = "Warn"
	// EnforcementAudit admits what is refused, and records it.
	EnforcementAudit Enforcement = "Audit"
)

// Declared says whether an object must say where it comes from.
//
// +enum
// +kubebuilder:validation:Enum=Required;Optional
type Declared string

// The values of Declared.
const (
	// DeclaredRequired refuses an object that does not say where it comes from.
	DeclaredRequired Declared = "Required"
	// DeclaredOptional asks for nothing: content alone decides.
	DeclaredOptional Declared = "Optional"
)

// SignatureScope says which commits must carry a good signature.
//
// +enum
// +kubebuilder:validation:Enum=EveryCommit;Head;None
type SignatureScope string

// The scopes of the signature rule.
const (
	// SignatureEveryCommit asks every commit on the chain and of each landed change for a good signature.
	SignatureEveryCommit SignatureScope = "EveryCommit"
	// SignatureHead asks the newest commit alone.
	SignatureHead SignatureScope = "Head"
	// SignatureNone asks for none.
	SignatureNone SignatureScope = "None"
)

// ApproverSource says who may fill an approval rule.
//
// +enum
// +kubebuilder:validation:Enum=Owners;OtherTeams;Teams;Anyone
type ApproverSource string

// The sources of approvers.
const (
	// ApproversOwners are the teams that own the namespace.
	ApproversOwners ApproverSource = "Owners"
	// ApproversOtherTeams are any team that no contributor belongs to.
	ApproversOtherTeams ApproverSource = "OtherTeams"
	// ApproversTeams are the teams that the rule lists.
	ApproversTeams ApproverSource = "Teams"
	// ApproversAnyone is any person of any team.
	ApproversAnyone ApproverSource = "Anyone"
)

// ApprovalLevel is the weakest record of an approval that counts.
//
// +enum
// +kubebuilder:validation:Enum=Forge;Signed
type ApprovalLevel string

// The levels of an approval.
const (
	// LevelForge counts what was read from the forge's API.
	LevelForge ApprovalLevel = "Forge"
	// LevelSigned counts only what the approver's own key signed.
	LevelSigned ApprovalLevel = "Signed"
)

// Reciprocal says whether somebody outside the contributors' teams must approve.
//
// +enum
// +kubebuilder:validation:Enum=Required;NotRequired
type Reciprocal string

// The values of Reciprocal.
const (
	// ReciprocalRequired asks for at least one approver of none of the contributors' teams.
	ReciprocalRequired Reciprocal = "Required"
	// ReciprocalNotRequired does not ask for one.
	ReciprocalNotRequired Reciprocal = "NotRequired"
)

// RollbackMode says whether there is a way back.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type RollbackMode string

// The modes of roll-back.
const (
	// RollbackAllow lets content come back that was delivered before.
	RollbackAllow RollbackMode = "Allow"
	// RollbackDeny treats it as any other content.
	RollbackDeny RollbackMode = "Deny"
)

// ConnectPolicy says whether connections into pods are admitted.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type ConnectPolicy string

// The policies for connect.
const (
	// ConnectAllow admits exec, attach, port-forward and proxy.
	ConnectAllow ConnectPolicy = "Allow"
	// ConnectDeny refuses them.
	ConnectDeny ConnectPolicy = "Deny"
)

// ScalePolicy says who may write the scale sub-resource.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Owned;Deny
type ScalePolicy string

// The policies for scale.
const (
	// ScaleAllow admits everybody who may write it.
	ScaleAllow ScalePolicy = "Allow"
	// ScaleOwned admits the controllers that the tier or binding lists.
	ScaleOwned ScalePolicy = "Owned"
	// ScaleDeny refuses everybody.
	ScaleDeny ScalePolicy = "Deny"
)

// Render names the way a source's files become objects.
//
// +enum
// +kubebuilder:validation:Enum=Plain;Kustomize;Helm
type Render string

// The renderers.
const (
	// RenderPlain takes all manifests of the folder as they are.
	RenderPlain Render = "Plain"
	// RenderKustomize builds the kustomization of the folder.
	RenderKustomize Render = "Kustomize"
	// RenderHelm renders the chart of the folder.
	RenderHelm Render = "Helm"
)

// Recreate says whether an engine may delete and re-create an object to get past an immutable field.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type Recreate string

// The values of Recreate.
const (
	// RecreateAllow lets an engine force a change of an immutable field.
	RecreateAllow Recreate = "Allow"
	// RecreateDeny refuses the deletion.
	RecreateDeny Recreate = "Deny"
)

// PrincipalKind says whether a principal is a person. Robots never count as approvers.
//
// +enum
// +kubebuilder:validation:Enum=Person;Robot
type PrincipalKind string

// The kinds of principals.
const (
	// PrincipalPerson may approve.
	PrincipalPerson PrincipalKind = "Person"
	// PrincipalRobot never counts as an approver.
	PrincipalRobot PrincipalKind = "Robot"
)

// KeyFormat names a kind of signing key.
//
// +enum
// +kubebuilder:validation:Enum=SSH;OpenPGP;X509;Sigstore
type KeyFormat string

// The formats of keys.
const (
	// KeySSH is one line of a .pub file.
	KeySSH KeyFormat = "SSH"
	// KeyOpenPGP is one armoured public key.
	KeyOpenPGP KeyFormat = "OpenPGP"
	// KeyX509 is the certificate of an authority, which vouches for one address. For commits only.
	KeyX509 KeyFormat = "X509"
	// KeySigstore is an identity that a Sigstore trust root of the team vouches for: keyless signatures as
	// gitsign makes them, with the log's entry within. For commits only.
	KeySigstore KeyFormat = "Sigstore"
)

// ApprovalSource says where approvals of a repository's changes are read from.
//
// +enum
// +kubebuilder:validation:Enum=Forge;Attestation
type ApprovalSource string

// The sources of approvals.
const (
	// ApprovalSourceForge: reviews on the repository's forge.
	ApprovalSourceForge ApprovalSource = "Forge"
	// ApprovalSourceAttestation: signed statements under the repository's refs/fairway/approvals.
	ApprovalSourceAttestation ApprovalSource = "Attestation"
)

// ForgeKind is the software that a forge runs.
//
// +enum
// +kubebuilder:validation:Enum=GitHub;GitLab;Gitea
type ForgeKind string

// The kinds of forges.
const (
	// ForgeGitHub is github.com or GitHub Enterprise Server.
	ForgeGitHub ForgeKind = "GitHub"
	// ForgeGitLab is gitlab.com or a GitLab of your own.
	ForgeGitLab ForgeKind = "GitLab"
	// ForgeGitea is Gitea or Forgejo.
	ForgeGitea ForgeKind = "Gitea"
)

// PrivateAddresses says whether an address inside a private network may be called.
//
// +enum
// +kubebuilder:validation:Enum=Deny;Allow
type PrivateAddresses string

// The values of PrivateAddresses.
const (
	// PrivateAddressesDeny calls public addresses only.
	PrivateAddressesDeny PrivateAddresses = "Deny"
	// PrivateAddressesAllow calls any address.
	PrivateAddressesAllow PrivateAddresses = "Allow"
)

// KeyRevocation says what became of a key that is not used any more.
//
// +enum
// +kubebuilder:validation:Enum=Retired;Compromised
type KeyRevocation string

// The reasons of a key's revocation.
const (
	// KeyRetired: what Fairway saw before the revocation goes on counting.
	KeyRetired KeyRevocation = "Retired"
	// KeyCompromised: somebody else may have used the key, so nothing it ever signed counts.
	KeyCompromised KeyRevocation = "Compromised"
)

// JudgedVerdict is what a tier says of a proof.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Pending;Deny;Unknown
type JudgedVerdict string

// The verdicts. Only Allow admits; Pending may become Allow without a new commit.
const (
	// VerdictAllow admits.
	VerdictAllow JudgedVerdict = "Allow"
	// VerdictPending refuses now, and may become Allow without a new commit.
	VerdictPending JudgedVerdict = "Pending"
	// VerdictDeny refuses.
	VerdictDeny JudgedVerdict = "Deny"
	// VerdictUnknown says that Fairway could not tell.
	VerdictUnknown JudgedVerdict = "Unknown"
)

// ApprovalDecision is what a reviewer said.
//
// +enum
// +kubebuilder:validation:Enum=Approve;Withdraw
type ApprovalDecision string

// The decisions. Withdraw takes an earlier approval of the same person back.
const (
	// DecisionApprove approves the change.
	DecisionApprove ApprovalDecision = "Approve"
	// DecisionWithdraw takes an earlier approval of the same person back.
	DecisionWithdraw ApprovalDecision = "Withdraw"
)

// RevocationReason says why a proof counts no longer.
//
// +enum
// +kubebuilder:validation:Enum=OffBranch;ApprovalWithdrawn;SourceRemoved;Superseded
type RevocationReason string

// The reasons of a revocation.
const (
	// RevokedOffBranch says that the commit is no longer on its branch.
	RevokedOffBranch RevocationReason = "OffBranch"
	// RevokedApprovalWithdrawn says that an approval was taken back before the content was delivered.
	RevokedApprovalWithdrawn RevocationReason = "ApprovalWithdrawn"
	// RevokedSourceRemoved says that the binding has no such source any more.
	RevokedSourceRemoved RevocationReason = "SourceRemoved"
	// RevokedSuperseded says that the commit was proven again, with other digests.
	RevokedSuperseded RevocationReason = "Superseded"
)
