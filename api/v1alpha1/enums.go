package v1alpha1

// Lane says whether a tier judges its changes.
//
// +enum
// +kubebuilder:validation:Enum=Open;Gated
type Lane string

// The lanes of a tier.
const (
	LaneOpen  Lane = "Open"
	LaneGated Lane = "Gated"
)

// Enforcement says what becomes of a refusal.
//
// +enum
// +kubebuilder:validation:Enum=Enforce;Warn;Audit
type Enforcement string

// The modes of enforcement.
const (
	EnforcementEnforce Enforcement = "Enforce"
	EnforcementWarn    Enforcement = "Warn"
	EnforcementAudit   Enforcement = "Audit"
)

// Declared says whether an object must say where it comes from.
//
// +enum
// +kubebuilder:validation:Enum=Required;Optional
type Declared string

// The values of Declared.
const (
	DeclaredRequired Declared = "Required"
	DeclaredOptional Declared = "Optional"
)

// SignatureScope says which commits must carry a good signature.
//
// +enum
// +kubebuilder:validation:Enum=EveryCommit;Head;None
type SignatureScope string

// The scopes of the signature rule.
const (
	SignatureEveryCommit SignatureScope = "EveryCommit"
	SignatureHead        SignatureScope = "Head"
	SignatureNone        SignatureScope = "None"
)

// ApproverSource says who may fill an approval rule.
//
// +enum
// +kubebuilder:validation:Enum=Owners;OtherTeams;Teams;Anyone
type ApproverSource string

// The sources of approvers.
const (
	ApproversOwners     ApproverSource = "Owners"
	ApproversOtherTeams ApproverSource = "OtherTeams"
	ApproversTeams      ApproverSource = "Teams"
	ApproversAnyone     ApproverSource = "Anyone"
)

// ApprovalLevel is the weakest record of an approval that counts.
//
// +enum
// +kubebuilder:validation:Enum=Forge;Signed
type ApprovalLevel string

// The levels of an approval.
const (
	LevelForge  ApprovalLevel = "Forge"
	LevelSigned ApprovalLevel = "Signed"
)

// Reciprocal says whether somebody outside the contributors' teams must approve.
//
// +enum
// +kubebuilder:validation:Enum=Required;NotRequired
type Reciprocal string

// The values of Reciprocal.
const (
	ReciprocalRequired    Reciprocal = "Required"
	ReciprocalNotRequired Reciprocal = "NotRequired"
)

// ContentBinding says how closely an object is held against what Git renders.
//
// +enum
// +kubebuilder:validation:Enum=Strict;None
type ContentBinding string

// The grades of binding.
const (
	BindingStrict ContentBinding = "Strict"
	BindingNone   ContentBinding = "None"
)

// RollbackMode says whether there is a way back.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type RollbackMode string

// The modes of roll-back.
const (
	RollbackAllow RollbackMode = "Allow"
	RollbackDeny  RollbackMode = "Deny"
)

// ConnectPolicy says whether connections into pods are admitted.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type ConnectPolicy string

// The policies for connect.
const (
	ConnectAllow ConnectPolicy = "Allow"
	ConnectDeny  ConnectPolicy = "Deny"
)

// ScalePolicy says who may write the scale sub-resource.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Owned;Deny
type ScalePolicy string

// The policies for scale.
const (
	ScaleAllow ScalePolicy = "Allow"
	ScaleOwned ScalePolicy = "Owned"
	ScaleDeny  ScalePolicy = "Deny"
)

// Render names the way a source's files become objects.
//
// +enum
// +kubebuilder:validation:Enum=Plain;Kustomize
type Render string

// The renderers.
const (
	RenderPlain     Render = "Plain"
	RenderKustomize Render = "Kustomize"
)

// Recreate says whether an engine may delete and re-create an object to get past an immutable field.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Deny
type Recreate string

// The values of Recreate.
const (
	RecreateAllow Recreate = "Allow"
	RecreateDeny  Recreate = "Deny"
)

// PrincipalKind says whether a principal is a person. Robots never count as approvers.
//
// +enum
// +kubebuilder:validation:Enum=Person;Robot
type PrincipalKind string

// The kinds of principals.
const (
	PrincipalPerson PrincipalKind = "Person"
	PrincipalRobot  PrincipalKind = "Robot"
)

// KeyFormat names a kind of signing key.
//
// +enum
// +kubebuilder:validation:Enum=SSH;OpenPGP
type KeyFormat string

// The formats of keys.
const (
	KeySSH     KeyFormat = "SSH"
	KeyOpenPGP KeyFormat = "OpenPGP"
)

// ApprovalSource says where approvals of a repository's changes are read from.
//
// +enum
// +kubebuilder:validation:Enum=Attestation
type ApprovalSource string

// ApprovalSourceAttestation: signed statements under the repository's refs/fairway/approvals.
const ApprovalSourceAttestation ApprovalSource = "Attestation"

// JudgedVerdict is what a tier says of a proof.
//
// +enum
// +kubebuilder:validation:Enum=Allow;Pending;Deny;Unknown
type JudgedVerdict string

// The verdicts. Only Allow admits; Pending may become Allow without a new commit.
const (
	VerdictAllow   JudgedVerdict = "Allow"
	VerdictPending JudgedVerdict = "Pending"
	VerdictDeny    JudgedVerdict = "Deny"
	VerdictUnknown JudgedVerdict = "Unknown"
)

// ApprovalDecision is what a reviewer said.
//
// +enum
// +kubebuilder:validation:Enum=Approve;Withdraw
type ApprovalDecision string

// The decisions. Withdraw takes an earlier approval of the same person back.
const (
	DecisionApprove  ApprovalDecision = "Approve"
	DecisionWithdraw ApprovalDecision = "Withdraw"
)

// RevocationReason says why a proof counts no longer.
//
// +enum
// +kubebuilder:validation:Enum=OffBranch;ApprovalWithdrawn;SourceRemoved;Superseded
type RevocationReason string

// The reasons of a revocation.
const (
	RevokedOffBranch         RevocationReason = "OffBranch"         // the commit is no longer on its branch
	RevokedApprovalWithdrawn RevocationReason = "ApprovalWithdrawn" // before it was delivered
	RevokedSourceRemoved     RevocationReason = "SourceRemoved"     // the binding has no such source any more
	RevokedSuperseded        RevocationReason = "Superseded"        // proven again with other digests
)
