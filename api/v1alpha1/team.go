package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Team is a group of principals who share owning and reviewing.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=teams,singular=team,categories=fairway
// +kubebuilder:printcolumn:name="Principals",type=integer,JSONPath=`.status.principals`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Team struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec lists who is in the team.
	// +required
	Spec TeamSpec `json:"spec"`
	// status says what Fairway made of it.
	// +optional
	Status TeamStatus `json:"status,omitzero"`
}

// TeamList is a list of teams.
//
// +kubebuilder:object:root=true
type TeamList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Team `json:"items"`
}

// TeamSpec lists who is in the team.
type TeamSpec struct {
	// principals are the members. Somebody in several teams stands in each under one name; what is
	// said of them is joined.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Principals []Principal `json:"principals,omitempty"`

	// sigstoreRoots are the installations of Sigstore whose certificates and logs the keys of this team
	// name. Nothing of them is ever fetched: a new one, or one that has changed, is written here.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	SigstoreRoots []SigstoreRoot `json:"sigstoreRoots,omitempty"`
}

// SigstoreRoot is one installation of Sigstore as the team trusts it: its certificate authorities and logs.
type SigstoreRoot struct {
	// name is what keys of the team call it by.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// trustedRoot is the file trusted_root.json of that installation, whole. Where it lists logs for
	// certificates, each certificate must be proven to be in one.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=65536
	TrustedRoot string `json:"trustedRoot"`
}

// Principal is one person or robot with all their identities. An identity that two principals
// claim belongs to neither, since one person could otherwise be counted twice.
type Principal struct {
	// name is the principal's, one for the whole install.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$`
	Name string `json:"name"`

	// kind says whether it is a person. A robot never counts as an approver.
	// +optional
	// +kubebuilder:default=Person
	Kind PrincipalKind `json:"kind,omitempty"`

	// emails are the addresses under which the principal commits. An address selects, a key proves.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=254
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[^@<> ]+@[^@<> ]+$')",message="write one bare address, for example ada@example.com, without a name or brackets around it"
	Emails []string `json:"emails,omitempty"`

	// users are the exact Kubernetes user names of the principal.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`

	// accounts are those of the principal on forges, where their reviews count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Accounts []Account `json:"accounts,omitempty"`

	// keys sign the principal's commits, approvals and requests.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Keys []Key `json:"keys,omitempty"`
}

// Key is one public signing key of a principal.
//
// +kubebuilder:validation:XValidation:rule="!has(self.publicKey) || !self.publicKey.contains('PRIVATE KEY')",message="this is a private key: everybody who can read this object could now sign with it. Write the public key, and replace the pair"
// +kubebuilder:validation:XValidation:rule="self.format != 'SSH' || !has(self.publicKey) || ((self.publicKey.startsWith('ssh-') || self.publicKey.startsWith('ecdsa-') || self.publicKey.startsWith('sk-')) && self.publicKey.contains(' ') && !self.publicKey.trim().contains('\\n'))",message="write one line as in the .pub file, for example: ssh-ed25519 AAAA... ada@example.com"
// +kubebuilder:validation:XValidation:rule="self.format != 'OpenPGP' || !has(self.publicKey) || self.publicKey.startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----')",message="write one armoured public key, as printed by: gpg --export --armor FINGERPRINT"
// +kubebuilder:validation:XValidation:rule="self.format != 'X509' || !has(self.publicKey) || self.publicKey.startsWith('-----BEGIN CERTIFICATE-----')",message="write one certificate in PEM: that of the authority which issues the principal's certificates, not the principal's own"
// +kubebuilder:validation:XValidation:rule="(self.format != 'Sigstore') == has(self.publicKey)",message="publicKey is needed, but for the format Sigstore, where sigstoreRoot is"
// +kubebuilder:validation:XValidation:rule="(self.format in ['X509', 'Sigstore']) == has(self.identity)",message="identity goes with the formats X509 and Sigstore, and is needed there: the one name that the authority vouches for, for example ada@example.com"
// +kubebuilder:validation:XValidation:rule="self.format != 'X509' || !has(self.identity) || self.identity.contains('@')",message="with format X509 the identity is an address, for example ada@example.com"
// +kubebuilder:validation:XValidation:rule="(self.format == 'Sigstore') == has(self.issuer) && (self.format == 'Sigstore') == has(self.sigstoreRoot)",message="issuer and sigstoreRoot go with format Sigstore, and are both needed there: who vouches for the name, for example https://accounts.google.com, and the name of one of the team's sigstoreRoots"
// +kubebuilder:validation:XValidation:rule="self.format == 'X509' || !has(self.revokedSerials)",message="revokedSerials goes with format X509: other keys have revokedAt"
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter",message="notBefore must be earlier than notAfter"
// +kubebuilder:validation:XValidation:rule="!has(self.revocation) || has(self.revokedAt)",message="revocation needs revokedAt: since when the key is not used any more"
type Key struct {
	// format is the kind of key.
	// +required
	Format KeyFormat `json:"format"`

	// publicKey is one line of an SSH .pub file, one armoured OpenPGP public key, or one certificate in
	// PEM of the authority that issues the principal's certificates for signing code. For all formats but
	// Sigstore.
	// +optional
	// +kubebuilder:validation:MinLength=32
	// +kubebuilder:validation:MaxLength=8192
	PublicKey string `json:"publicKey,omitempty"`

	// identity is what the principal's certificates carry, letter by letter, as a subject alternative
	// name: an e-mail address, or with Sigstore perhaps a URI. For X509 and Sigstore.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[!-~]+$`
	Identity string `json:"identity,omitempty"`

	// issuer is who vouches for the identity, letter by letter as the certificates carry it, for example
	// https://accounts.google.com. One name of two issuers may be two people. For Sigstore.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[!-~]+$`
	Issuer string `json:"issuer,omitempty"`

	// sigstoreRoot names one of the team's sigstoreRoots. For Sigstore.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	SigstoreRoot string `json:"sigstoreRoot,omitempty"`

	// revokedSerials are serial numbers, in hex, of certificates by which nothing ever counts: the
	// principal's own, or those of authorities between. For X509; there are no revocation lists.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=40
	// +kubebuilder:validation:items:Pattern=`^[0-9A-Fa-f]+$`
	RevokedSerials []string `json:"revokedSerials,omitempty"`

	// notBefore is the start of the key's window. Left out: no start.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// notAfter is the end of the key's window: signatures made later do not count. Left out: no end.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// revokedAt is when the key was lost: no signature by it counts that Fairway had not seen before.
	// +optional
	RevokedAt *metav1.Time `json:"revokedAt,omitempty"`

	// revocation says why it was revoked. Retired leaves what was seen before; Compromised voids
	// everything that the key ever signed. Left out: Retired.
	// +optional
	Revocation KeyRevocation `json:"revocation,omitempty"`
}

// TeamStatus says what Fairway made of the team.
type TeamStatus struct {
	// observedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// principals is the number of members.
	// +optional
	Principals int32 `json:"principals,omitempty"`

	// conditions: Ready (True: all identities count; False: some are claimed twice and count for nobody).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
