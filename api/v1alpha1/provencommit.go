package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProvenCommit is the attestation that one source at one commit renders exactly the listed objects.
// The prover writes and signs it; its name, its labels and who wrote it are never evidence. A proof
// over 512 KiB is written as several shards, each signed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=provencommits,singular=provencommit,shortName=proof,categories=fairway
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.source.name`
// +kubebuilder:printcolumn:name="Commit",type=string,JSONPath=`.spec.commit`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.judgements[0].verdict`
// +kubebuilder:printcolumn:name="Revoked",type=string,JSONPath=`.status.revoked`,priority=1
// +kubebuilder:printcolumn:name="Subject",type=string,JSONPath=`.spec.subject`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ProvenCommit struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what was proven. It never changes.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the spec of a ProvenCommit never changes: the prover writes a new one"
	Spec ProvenCommitSpec `json:"spec"`
	// status is what the tiers say of it. The prover alone rewrites and signs it.
	// +optional
	Status ProvenCommitStatus `json:"status,omitzero"`
}

// ProvenCommitList is a list of proofs.
//
// +kubebuilder:object:root=true
type ProvenCommitList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ProvenCommit `json:"items"`
}

// ProvenCommitSpec is what was proven.
type ProvenCommitSpec struct {
	// source is the recipe that was rendered.
	// +required
	Source ProvenSource `json:"source"`

	// clusterID is the UID of the kube-system namespace of the cluster that the proof is for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ClusterID string `json:"clusterID"`

	// namespaceUID is the UID of the namespace that the proof is for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	NamespaceUID string `json:"namespaceUID"`

	// commit is the full id of the commit.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// tree is the full id of its tree.
	// +required
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Tree string `json:"tree"`

	// base is the full id of the commit from which every change was covered up to this one: that of
	// an earlier proof, or the Repository's baseline.
	// +optional
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}|[0-9a-f]{64})$`
	// +kubebuilder:validation:MaxLength=64
	Base string `json:"base,omitempty"`

	// height is the number of commits on the first-parent chain up to and with the commit.
	// +required
	// +kubebuilder:validation:Minimum=1
	Height int64 `json:"height"`

	// subject is the first line of the commit's message, cut.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Subject string `json:"subject,omitempty"`

	// author is the principal who wrote the change, or the address in the commit, as <address>, if it
	// belongs to no principal.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Author string `json:"author,omitempty"`

	// trailers are those of the commit's message.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Trailers []Trailer `json:"trailers,omitempty"`

	// closure is what the render depended on; in the first shard only.
	// +optional
	Closure *Closure `json:"closure,omitempty"`

	// objects are what the source renders, ordered by group, kind, namespace and name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Objects []ProvenObject `json:"objects,omitempty"`

	// shard says which part of the proof this is.
	// +required
	Shard Shard `json:"shard"`

	// prover is the version of the prover that made it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Prover string `json:"prover"`

	// provenAt is when.
	// +required
	ProvenAt metav1.Time `json:"provenAt"`

	// signature is the prover's over all of the above; see SigningPayload.
	// +required
	Signature Signature `json:"signature,omitzero"`
}

// ProvenSource is the recipe that was rendered.
type ProvenSource struct {
	// name is the source's in its binding.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

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

	// sourceDigest is the digest of the source as the binding spelled it.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	SourceDigest string `json:"sourceDigest"`
}

// Trailer is one "Key: value" line at the end of a commit message.
type Trailer struct {
	// key is the part before the colon.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Key string `json:"key"`

	// value is the part after it, cut.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value,omitempty"`
}

// Closure is what a render depended on. Paths are relative to the root of the tree.
type Closure struct {
	// prefix is the folder of the source itself.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Prefix string `json:"prefix"`

	// files are the files that were read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	// +kubebuilder:validation:items:MaxLength=1024
	Files []string `json:"files,omitempty"`

	// dirs are the folders that were listed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	// +kubebuilder:validation:items:MaxLength=1024
	Dirs []string `json:"dirs,omitempty"`

	// missing are names that were looked up and not found.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	// +kubebuilder:validation:items:MaxLength=1024
	Missing []string `json:"missing,omitempty"`
}

// ProvenObject is one object that the source renders.
type ProvenObject struct {
	// group is the API group; "" is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// version is the API version that the manifest is written in, without the group.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`

	// kind is the kind.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// namespace is empty for a cluster-scoped object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the object's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// digest is the HMAC-SHA-256, in hex, of what a server-side apply of the manifest would own. Its
	// key is known to prover and gate alone, so that a Secret's value cannot be guessed from it.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest"`
}

// Shard says which part of a proof an object is.
//
// +kubebuilder:validation:XValidation:rule="self.index < self.count",message="shard.index counts from 0 and must be below shard.count"
type Shard struct {
	// index counts from 0.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	Index int32 `json:"index"`

	// count is the number of shards of the proof.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	Count int32 `json:"count"`
}

// Signature is an Ed25519 signature of the prover.
type Signature struct {
	// keyID is the SHA-256 of the public key in hex. It selects a key and proves nothing.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	KeyID string `json:"keyID"`

	// value is the signature in standard base64.
	// +required
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+/]{86}==$`
	// +kubebuilder:validation:MaxLength=88
	Value string `json:"value"`
}

// ProvenCommitStatus is what the tiers say of a proof.
type ProvenCommitStatus struct {
	// sequence grows with each rewriting, so that an old status put back can be told.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Sequence int64 `json:"sequence,omitempty"`

	// judgements hold the standing verdict of each tier.
	// +optional
	// +listType=map
	// +listMapKey=tier
	// +kubebuilder:validation:MaxItems=32
	Judgements []Judgement `json:"judgements,omitempty"`

	// approvers are the principals whose approvals counted, sorted.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	Approvers []string `json:"approvers,omitempty"`

	// approvals are the verified statements that were judged, so that a new policy can be applied to
	// them when the repository is out of reach or its refs were rewound.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Approvals []StoredApproval `json:"approvals,omitempty"`

	// reviews are what the repository's forge said of the changes that landed, as they were judged, so
	// that they can be judged again while the forge cannot be asked.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Reviews []StoredReview `json:"reviews,omitempty"`

	// revoked says why the proof counts no longer. Left out: it counts.
	// +optional
	Revoked RevocationReason `json:"revoked,omitempty"`

	// expiresAt is when the judgements count no longer unless renewed. Left out: they do not expire.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// signature is the prover's over all of the above, the spec's signature and the object's
	// namespace and name; see SigningPayload. A status without it is not believed.
	// +optional
	Signature *Signature `json:"signature,omitempty"`
}

// Judgement is a tier's standing verdict on a proof.
type Judgement struct {
	// tier is the name of the EnvironmentTier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Tier string `json:"tier"`

	// verdict is what it says. Only Allow admits.
	// +required
	Verdict JudgedVerdict `json:"verdict"`

	// policyDigest is the digest of all that judged: under another one the proof must be judged again.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=64
	PolicyDigest string `json:"policyDigest"`

	// missing says what is missing and who can give it, one requirement a line.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	Missing []string `json:"missing,omitempty"`

	// judgedAt is when.
	// +required
	JudgedAt metav1.Time `json:"judgedAt"`
}
