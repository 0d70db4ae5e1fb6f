package store

import (
	"encoding/base64"
	"fmt"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// Signer signs as the prover; keyID is the SHA-256 of its public key in hex.
type Signer interface {
	Sign(payload []byte) (keyID string, sig []byte)
}

// Verifier reports whether the pinned prover's key has that id and made that signature.
type Verifier interface {
	Verify(keyID string, payload, sig []byte) bool
}

// SignSpec signs the spec of a ProvenCommit that has its name.
func SignSpec(p *v1alpha1.ProvenCommit, s Signer) error {
	payload, err := p.SigningPayload()
	if err != nil {
		return fmt.Errorf("signing proof %q: %w", p.Name, err)
	}
	p.Spec.Signature = signature(payload, s)
	return nil
}

// SignStatus signs the status of a ProvenCommit whose spec is signed.
func SignStatus(p *v1alpha1.ProvenCommit, s Signer) error {
	payload, err := p.StatusSigningPayload()
	if err != nil {
		return fmt.Errorf("signing the status of proof %q: %w", p.Name, err)
	}
	signed := signature(payload, s)
	p.Status.Signature = &signed
	return nil
}

func signature(payload []byte, s Signer) v1alpha1.Signature {
	keyID, sig := s.Sign(payload)
	return v1alpha1.Signature{KeyID: keyID, Value: base64.StdEncoding.EncodeToString(sig)}
}

// The reasons for which a ProvenCommit is not believed. They are metric labels: few and stable.
const (
	RejectedName      = "name"      // stands under another name than its own
	RejectedSpec      = "spec"      // the spec is not signed by the pinned key
	RejectedStatus    = "status"    // the status is not signed by the pinned key
	RejectedCluster   = "cluster"   // made for another cluster
	RejectedReplay    = "replay"    // an older status was put back
	RejectedMalformed = "malformed" // signed, and yet cannot be read
)

// VerifyProven says why a ProvenCommit is not one of ours; empty: it is. A status that was never
// written is none that could be wrong, so that an object may be looked at when it is created.
func VerifyProven(p *v1alpha1.ProvenCommit, clusterID string, v Verifier) string {
	if p.Name != expectedName(p) {
		return RejectedName
	}
	payload, err := p.SigningPayload()
	if err != nil || !signedBy(p.Spec.Signature, payload, v) {
		return RejectedSpec
	}
	if p.Spec.ClusterID != clusterID {
		return RejectedCluster
	}
	if p.Status.Signature == nil {
		if digest(p.Status) != digest(v1alpha1.ProvenCommitStatus{}) {
			return RejectedStatus
		}
		return ""
	}
	if payload, err = p.StatusSigningPayload(); err != nil || !signedBy(*p.Status.Signature, payload, v) {
		return RejectedStatus
	}
	return ""
}

func signedBy(s v1alpha1.Signature, payload []byte, v Verifier) bool {
	sig, err := base64.StdEncoding.Strict().DecodeString(s.Value)
	return err == nil && v.Verify(s.KeyID, payload, sig)
}

// expectedName is the name that a ProvenCommit has to have.
func expectedName(p *v1alpha1.ProvenCommit) string {
	return shardName(baseName(p), int(p.Spec.Shard.Index))
}

// baseName is the name of the first shard of the proof that an object is a part of.
func baseName(p *v1alpha1.ProvenCommit) string { return proofName(p.Spec.Source.Name, p.Spec.Commit) }
