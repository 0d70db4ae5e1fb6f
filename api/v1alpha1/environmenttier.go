package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EnvironmentTier says how strict an environment is.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=environmenttiers,singular=environmenttier,shortName=tier,categories=fairway
// +kubebuilder:printcolumn:name="Rank",type=integer,JSONPath=`.spec.rank`
// +kubebuilder:printcolumn:name="Lane",type=string,JSONPath=`.spec.lane`
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type EnvironmentTier struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec says how strict the tier is.
	// +required
	Spec EnvironmentTierSpec `json:"spec"`
	// status says what Fairway made of it.
	// +optional
	Status EnvironmentTierStatus `json:"status,omitzero"`
}

// EnvironmentTierList is a list of tiers.
//
// +kubebuilder:object:root=true
type EnvironmentTierList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []EnvironmentTier `json:"items"`
}

// EnvironmentTierSpec says how strict the tier is.
//
// +kubebuilder:validation:XValidation:rule="self.lane == 'Gated' || (!has(self.approvals) && !has(self.trace) && !has(self.signatures))",message="an Open tier judges nothing, so signatures, approvals and trace would have no effect: remove them, or set lane: Gated"
type EnvironmentTierSpec struct {
	// rank orders tiers; higher is stricter. It decides only which tier a namespace is in when the
	// selectors of several tiers match it.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Rank int32 `json:"rank"`

	// lane says whether changes are judged: Open admits everything, Gated admits only what is proven.
	// +required
	Lane Lane `json:"lane"`

	// enforcement says what becomes of a refusal: Enforce denies, Warn admits with a warning, Audit
	// admits and records.
	// +optional
	// +kubebuilder:default=Enforce
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// namespaceSelector puts namespaces without a TierBinding in this tier. Left out: none.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// source says where a commit may come from.
	// +optional
	Source TierSource `json:"source,omitzero"`

	// signatures says which commits must be signed and by whom. Left out: every commit, by any
	// principal of any team.
	// +optional
	Signatures *SignatureRule `json:"signatures,omitempty"`

	// approvals are the rules a change must meet, all of them. One person never fills two places.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Approvals []ApprovalRule `json:"approvals,omitempty"`

	// reciprocal says whether the approvers of a change may all be of its contributors' teams:
	// Required means that at least one must not be, whichever team that is.
	// +optional
	// +kubebuilder:default=NotRequired
	Reciprocal Reciprocal `json:"reciprocal,omitempty"`

	// trace says what each landing commit must say about why it was made.
	// +optional
	Trace *TraceRule `json:"trace,omitempty"`

	// content says how an object is held against what Git renders.
	// +optional
	Content *ContentRule `json:"content,omitempty"`

	// rollback is the way back to content that was delivered before. Left out: none.
	// +optional
	Rollback *RollbackRule `json:"rollback,omitempty"`

	// breakGlass is the way through in an emergency. Left out: none.
	// +optional
	BreakGlass *BreakGlassRule `json:"breakGlass,omitempty"`

	// connect says whether exec, attach, port-forward and proxy are admitted.
	// +optional
	// +kubebuilder:default=Deny
	Connect ConnectPolicy `json:"connect,omitempty"`

	// scale says who may write the scale sub-resource: Owned are the controllers listed here or in
	// the binding.
	// +optional
	// +kubebuilder:default=Deny
	Scale ScalePolicy `json:"scale,omitempty"`

	// controllers are runtime lanes beside the built-in ones, in every namespace of the tier.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Controllers []Controller `json:"controllers,omitempty"`
}

// TierSource says where a commit may come from.
type TierSource struct {
	// branches are the protected branches that a commit must be on. Left out: those of the Repository.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('refs/') && self.matches('^[A-Za-z0-9._/@+#=-]+$') && !self.startsWith('-') && !self.contains('..') && !self.contains('//')",message="write the branch's short name, for example main or release/1.4, not refs/heads/main and no pattern"
	Branches []string `json:"branches,omitempty"`

	// declared says whether an object must carry the marks of its engine, or annotations that name
	// the repository and commit. Such marks select a proof and prove nothing.
	// +optional
	// +kubebuilder:default=Optional
	Declared Declared `json:"declared,omitempty"`
}

// SignatureRule says which commits must be signed and by whom.
type SignatureRule struct {
	// require says which of the commits that touch what a source reads must carry a good signature.
	// +optional
	// +kubebuilder:default=EveryCommit
	Require SignatureScope `json:"require,omitempty"`

	// from are the teams whose principals may sign. Left out: any team.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	From []string `json:"from,omitempty"`
}

// ApprovalRule asks for a number of distinct principals.
//
// +kubebuilder:validation:XValidation:rule="self.from == 'Teams' ? has(self.teams) : !has(self.teams)",message="teams must be listed when from is Teams, and only then"
type ApprovalRule struct {
	// name says what the approval stands for; denials show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// minimum is the number of distinct principals.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Minimum int32 `json:"minimum,omitempty"`

	// from says who may approve: Owners are the teams that own the namespace, OtherTeams any team
	// that no contributor belongs to, Teams those listed in teams, Anyone any person of any team.
	// +required
	From ApproverSource `json:"from"`

	// teams may approve where from is Teams.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Teams []string `json:"teams,omitempty"`

	// level is the weakest record that counts: Forge was read from the forge's API, Signed was signed
	// by the approver's own key.
	// +optional
	// +kubebuilder:default=Signed
	Level ApprovalLevel `json:"level,omitempty"`

	// when limits the rule to some changes. Left out: every change.
	// +optional
	When *ApprovalCondition `json:"when,omitempty"`
}

// ApprovalCondition limits a rule to some changes.
type ApprovalCondition struct {
	// authorIn limits the rule to changes with a contributor in one of these teams.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	AuthorIn []string `json:"authorIn,omitempty"`
}

// TraceRule says what each landing commit must say about why it was made.
type TraceRule struct {
	// trailers are "Key: value" lines at the end of the commit message.
	// +required
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Trailers []TrailerRule `json:"trailers,omitempty"`
}

// TrailerRule asks for one trailer.
type TrailerRule struct {
	// key is the trailer's name, for example Ticket.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9-]*$`
	Key string `json:"key"`

	// pattern is an RE2 expression that the whole value must match. One whose counted repetitions multiply to
	// more than 1000 steps is not taken, and a value above 1024 bytes matches nothing.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="'x'.matches(self) || !'x'.matches(self)",message="the pattern is no RE2 expression (https://github.com/google/re2/wiki/Syntax): mend what stands before this"
	Pattern string `json:"pattern"`

	// message says what to write, for people.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`
}

// ContentRule says how an object is held against what Git renders: leaf by leaf, but for what it
// tolerates.
type ContentRule struct {
	// tolerate lets fields differ that nobody owns, such as what a known mutating webhook adds. Every
	// verdict that used an entry shows it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerate []Tolerance `json:"tolerate,omitempty"`
}

// Tolerance lets one field differ.
type Tolerance struct {
	// group is the API group; "" is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// kind is the kind. Left out: every kind of the group.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// path is a pattern of field paths; it covers what it names and all below. For example
	// spec.template.metadata.annotations["sidecar.example.com/*"] or
	// spec.template.spec.containers[name=sidecar].
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path"`

	// why says who adds the field and why that is fine.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Why string `json:"why"`
}

// RollbackRule is the way back to content that was delivered before.
type RollbackRule struct {
	// mode says whether there is a way back.
	// +required
	Mode RollbackMode `json:"mode"`

	// window is how long ago the content may have been delivered, as a duration such as 720h. Left
	// out: no limit but what is still recorded.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(h|m|s))+$') && duration(self) > duration('0s') && duration(self) <= duration('26280h')",message="write how long ago the content may have been delivered as hours, minutes and seconds, for example 720h for 30 days"
	Window *metav1.Duration `json:"window,omitempty"`

	// approvals are the signed approvals that the roll-back itself needs; 0 lets anybody roll back who
	// may write the objects.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	Approvals int32 `json:"approvals"`
}

// BreakGlassRule is the way through in an emergency.
type BreakGlassRule struct {
	// maxDuration is the longest window of one BreakGlass, as a duration such as 1h.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(h|m|s))+$') && duration(self) > duration('0s') && duration(self) <= duration('168h')",message="write the longest window as hours, minutes and seconds, for example 1h, and at most 168h"
	MaxDuration metav1.Duration `json:"maxDuration"`

	// approvals are the principals other than the requester who must sign.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Approvals int32 `json:"approvals,omitempty"`

	// reviewWithin is how soon after the window Git must render the live state again, as a duration
	// such as 72h. After that the BreakGlass is reported as overdue.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(h|m|s))+$') && duration(self) > duration('0s') && duration(self) <= duration('2160h')",message="write the time for the review as hours, minutes and seconds, for example 72h, and at most 2160h"
	ReviewWithin *metav1.Duration `json:"reviewWithin,omitempty"`
}

// EnvironmentTierStatus says what Fairway made of the tier.
type EnvironmentTierStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// digest is the digest of the spec as it is in force: a policy input of proofs.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`

	// namespaces is the number of namespaces in this tier.
	// +optional
	Namespaces int32 `json:"namespaces,omitempty"`

	// conditions: Ready (True: the tier is in force; False: its namespaces are closed).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
