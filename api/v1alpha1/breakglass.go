package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BreakGlass lets one Kubernetes user through in one namespace for a short time. What opens it are
// the signed statements in it, of the requester and of other principals, bound to the namespace's
// UID, the window and the nonce (ruling 24); who wrote the object proves nothing.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=breakglasses,singular=breakglass,shortName=bg,categories=fairway
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.user`
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.ticket`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.notAfter`
// +kubebuilder:printcolumn:name="Settled",type=string,JSONPath=`.status.conditions[?(@.type=="Settled")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BreakGlass struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec says who, why, when, and who agreed.
	// +required
	Spec BreakGlassSpec `json:"spec"`
	// status says how it was used and what is left of it.
	// +optional
	Status BreakGlassStatus `json:"status,omitzero"`
}

// BreakGlassList is a list of them.
//
// +kubebuilder:object:root=true
type BreakGlassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []BreakGlass `json:"items"`
}

// BreakGlassSpec says who is let through, why, when, and who agreed.
//
// +kubebuilder:validation:XValidation:rule="self.notBefore < self.notAfter",message="notBefore must be earlier than notAfter"
// +kubebuilder:validation:XValidation:rule="self.notAfter - self.notBefore <= duration('168h')",message="a BreakGlass is open for 168h at most, and for no longer than the tier allows"
// +kubebuilder:validation:XValidation:rule="self.reason == oldSelf.reason && has(self.ticket) == has(oldSelf.ticket) && (!has(self.ticket) || self.ticket == oldSelf.ticket) && self.user == oldSelf.user && self.notBefore == oldSelf.notBefore && self.notAfter == oldSelf.notAfter && self.nonce == oldSelf.nonce && self.namespaceUID == oldSelf.namespaceUID && self.request == oldSelf.request",message="only approvals may be added to a BreakGlass: for another user, reason or window open a new one"
type BreakGlassSpec struct {
	// reason says what is wrong and what will be done.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`

	// ticket is the incident's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`

	// user is the exact Kubernetes user name that is let through.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user"`

	// notBefore is the start of the window.
	// +required
	NotBefore metav1.Time `json:"notBefore"`

	// notAfter is its end; the tier limits how far it is from the start.
	// +required
	NotAfter metav1.Time `json:"notAfter"`

	// nonce makes the statements of this one useless for any other.
	// +required
	// +kubebuilder:validation:MinLength=16
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Nonce string `json:"nonce"`

	// namespaceUID is the UID of the namespace: a namespace made anew is another one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	NamespaceUID string `json:"namespaceUID"`

	// request is the requester's signed statement: a DSSE envelope in JSON.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16384
	Request string `json:"request"`

	// approvals are the signed statements of other principals: DSSE envelopes in JSON.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=16384
	Approvals []string `json:"approvals,omitempty"`
}

// BreakGlassStatus says how it was used and what is left of it.
type BreakGlassStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// requester is the principal whose key signed the request.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Requester string `json:"requester,omitempty"`

	// approvers are the principals whose keys signed the approvals, sorted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Approvers []string `json:"approvers,omitempty"`

	// uses is the number of changes it let through.
	// +optional
	Uses int32 `json:"uses,omitempty"`

	// used are the newest of them, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Used []BreakGlassUse `json:"used,omitempty"`

	// debt are the objects that differ from Git because of it. It is settled when Git renders the
	// live state or the live state is back at what Git renders.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Debt []ObjectReference `json:"debt,omitempty"`

	// closedAt is when it was over and its debt was settled. A while after that the object is deleted.
	// +optional
	ClosedAt *metav1.Time `json:"closedAt,omitempty"`

	// conditions: Ready (True: its statements verify), Active (True: it covers its user now), Expired
	// (True: its window is over) and Settled (True: no object differs from Git because of it).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BreakGlassUse is one change that was let through.
type BreakGlassUse struct {
	// at is when.
	// +required
	At metav1.Time `json:"at"`

	// user is who, as the API server knew them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user"`

	// operation is what: CREATE, UPDATE, DELETE or CONNECT.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Operation string `json:"operation"`

	// object is to what.
	// +required
	Object ObjectReference `json:"object"`
}
