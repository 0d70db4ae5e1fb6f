package attest

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ClaimedRequest is a request for break-glass that was read but not verified. It is what a person
// looks at before agreeing, and opens nothing.
type ClaimedRequest struct {
	statement BreakGlassRequest
	digest    string
	key       string
}

// Statement is what the request says.
func (c ClaimedRequest) Statement() BreakGlassRequest { return c.statement }

// ClaimedKey is the fingerprint of the key that the request says signed it.
func (c ClaimedRequest) ClaimedKey() string { return c.key }

// ReadBreakGlassRequest reads a request without asking who signed it, for somebody who has no list
// of people at hand. The gate verifies the request and the approval together.
func ReadBreakGlassRequest(envelope []byte) (ClaimedRequest, *Refusal) {
	payload, signature, err := unwrap(envelope)
	if err != nil {
		return ClaimedRequest{}, refusal(Malformed, "%v", err)
	}
	request, no := read[BreakGlassRequest](payload)
	if no != nil {
		return ClaimedRequest{}, no
	}
	sum := sha256.Sum256(payload)
	return ClaimedRequest{statement: request, digest: hex.EncodeToString(sum[:]), key: signature.KeyID}, nil
}

// Approve makes the envelope of an approval of the request, until notAfter at the latest.
func (c ClaimedRequest) Approve(notAfter, saidAt time.Time, signer Signer) (envelope []byte, err error) {
	return seal(BreakGlassApproval{
		RequestDigest: c.digest, NamespaceUID: c.statement.NamespaceUID, Nonce: c.statement.Nonce,
		NotAfter: whole(notAfter), SaidAt: whole(saidAt),
	}, signer)
}
