package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Delivery holds the two marks of a source in a namespace: how far the prover has proven it, and
// which commits the gate has admitted. Its key is repository, branch, path and the namespace's
// name: renaming a source or re-creating the namespace does not reset it (ruling 3).
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=deliveries,singular=delivery,categories=fairway
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repository`
// +kubebuilder:printcolumn:name="Branch",type=string,JSONPath=`.spec.branch`
// +kubebuilder:printcolumn:name="Path",type=string,JSONPath=`.spec.path`
// +kubebuilder:printcolumn:name="Proven",type=string,JSONPath=`.status.provenHead.commit`
// +kubebuilder:printcolumn:name="Delivered",type=string,JSONPath=`.status.deliveredHead`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Delivery struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata. The name is DeliveryName of the spec; another is ignored.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is the key. It never changes.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the spec of a Delivery is its key and never changes: Fairway writes one for each source"
	Spec DeliverySpec `json:"spec"`
	// status holds the marks.
	// +optional
	Status DeliveryStatus `json:"status,omitzero"`
}

// DeliveryList is a list of deliveries.
//
// +kubebuilder:object:root=true
type DeliveryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Delivery `json:"items"`
}

// DeliverySpec is the key of a source in a namespace.
type DeliverySpec struct {
	// repository is the name of the Repository.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Repository string `json:"repository"`

	// branch is the short name of the branch.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Branch string `json:"branch"`

	// path is the folder in the repository.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path"`
}

// DeliveryStatus holds the marks of a source in a namespace.
type DeliveryStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// provenHead is how far the prover has proven the source.
	// +optional
	ProvenHead *ProvenHead `json:"provenHead,omitempty"`

	// deliveredHead is the newest commit that the gate admitted: older content comes back only as a
	// roll-back.
	// +optional
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	DeliveredHead string `json:"deliveredHead,omitempty"`

	// delivered are the commits that the gate admitted, newest first.
	// +optional
	// +listType=map
	// +listMapKey=commit
	// +kubebuilder:validation:MaxItems=64
	Delivered []Delivered `json:"delivered,omitempty"`

	// rollbacks are signed statements that allow a way back of this source, newest first, each a DSSE
	// envelope as it stands on the approval refs. The prover copies them here for gates, which have no
	// git; who reads one verifies it anew, so that nothing here counts for standing here.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=16384
	Rollbacks []string `json:"rollbacks,omitempty"`

	// asked counts how often gates have asked for a look at the repository, because somebody delivered
	// a commit that has no proof.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Asked int64 `json:"asked,omitempty"`

	// looked is what asked was when the last look that has ended began.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Looked int64 `json:"looked,omitempty"`

	// conditions: Ready (True: the marks are believed; False: the name does not fit the spec).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ProvenHead is how far a source was proven.
type ProvenHead struct {
	// commit is the full id of the newest commit that is covered.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// height is the number of commits on the first-parent chain up to and with it.
	// +required
	// +kubebuilder:validation:Minimum=1
	Height int64 `json:"height"`

	// policyDigest is the digest of all that judged it.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	PolicyDigest string `json:"policyDigest,omitempty"`

	// at is when.
	// +required
	At metav1.Time `json:"at"`
}

// Delivered is one commit that the gate admitted.
type Delivered struct {
	// commit is its full id.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// height is the number of commits on the first-parent chain up to and with it.
	// +required
	// +kubebuilder:validation:Minimum=1
	Height int64 `json:"height"`

	// at is when the first object of it was admitted.
	// +required
	At metav1.Time `json:"at"`

	// provenCommit is the name of the ProvenCommit that admitted it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ProvenCommit string `json:"provenCommit,omitempty"`
}

// DeliveryName is the name of the Delivery of a source: the same for the same key, and another for
// any other key. A Delivery under another name is not believed.
func DeliveryName(repository, branch, path string) string {
	h := sha256.New()
	for _, part := range []string{"fairway.dev/v1alpha1 Delivery", repository, branch, path} {
		// The length before each part keeps ("a","bc") and ("ab","c") apart.
		_, _ = h.Write([]byte(strconv.Itoa(len(part)) + ":" + part)) // a hash never fails to write
	}
	return "delivery-" + hex.EncodeToString(h.Sum(nil)[:20])
}
