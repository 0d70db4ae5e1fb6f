package attest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// proofType is the DSSE payload type of a ProvenCommit's spec, so that the prover's signature over
// it is none over anything else.
const proofType = "application/vnd.fairway.provencommit.v1"

// The PEM types of the prover's keys: PKCS #8 and PKIX.
const (
	privatePEM = "PRIVATE KEY"
	publicPEM  = "PUBLIC KEY"
)

// ProverKey is the key with which the prover signs each ProvenCommit (ruling 2). It never prints
// itself, not even as a part of something that is printed; a zero ProverKey signs nothing.
type ProverKey struct {
	private func() ed25519.PrivateKey // behind a function, which every verb of fmt shows as an address
}

func proverKey(private ed25519.PrivateKey) ProverKey {
	return ProverKey{func() ed25519.PrivateKey { return private }}
}

// NewProverKey makes a key from a source of randomness.
func NewProverKey(random io.Reader) (ProverKey, error) {
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return ProverKey{}, fmt.Errorf("making prover key: %w", err)
	}
	return proverKey(private), nil
}

// ParseProverKey reads a key that PEM wrote.
func ParseProverKey(file []byte) (ProverKey, error) {
	der, err := onlyBlock(file, privatePEM)
	if err != nil {
		return ProverKey{}, fmt.Errorf("reading prover key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return ProverKey{}, errors.New("reading prover key: not PKCS #8")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return ProverKey{}, errors.New("reading prover key: not an Ed25519 key")
	}
	return proverKey(private), nil
}

// PEM is the private key, for a Secret.
func (k ProverKey) PEM() ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("writing prover key: there is none")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private())
	if err != nil {
		return nil, fmt.Errorf("writing prover key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privatePEM, Bytes: der}), nil
}

// Public is the key to pin in the gate; nil for a zero ProverKey.
func (k ProverKey) Public() ed25519.PublicKey {
	if k.private == nil {
		return nil
	}
	public, _ := k.private().Public().(ed25519.PublicKey) // it is one, by the library's word
	return public
}

// ID names the key: see ProverKeyID.
func (k ProverKey) ID() string { return ProverKeyID(k.Public()) }

// String names the key without showing it.
func (k ProverKey) String() string { return "prover key " + k.ID() }

// GoString is String, so that no verb of fmt shows the key.
func (k ProverKey) GoString() string { return k.String() }

// Format is String, so that no verb of fmt shows the key.
func (k ProverKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// Sign signs the canonical bytes of a ProvenCommit's spec. A zero key gives no signature, which
// nothing verifies.
func (k ProverKey) Sign(payload []byte) (keyID string, sig []byte) {
	if k.private == nil {
		return "", nil
	}
	return k.ID(), ed25519.Sign(k.private(), dsse.PAE(proofType, payload))
}

// VerifyProver reports whether the prover with that public key signed payload.
func VerifyProver(public ed25519.PublicKey, payload, sig []byte) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, dsse.PAE(proofType, payload), sig)
}

// ProverKeyID is the SHA-256 of the public key in PKIX form, in hex; empty for no key.
func ProverKeyID(public ed25519.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// ParseProverPublic reads a public key that ProverPublicPEM wrote.
func ParseProverPublic(file []byte) (ed25519.PublicKey, error) {
	der, err := onlyBlock(file, publicPEM)
	if err != nil {
		return nil, fmt.Errorf("reading prover's public key: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("reading prover's public key: not PKIX")
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("reading prover's public key: not an Ed25519 key")
	}
	return public, nil
}

// ProverPublicPEM is the public key as ParseProverPublic reads it.
func ProverPublicPEM(public ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("writing prover's public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicPEM, Bytes: der}), nil
}

func onlyBlock(file []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(file)
	switch {
	case block == nil || block.Type != kind:
		return nil, fmt.Errorf("no PEM block %q", kind)
	case len(rest) > 0:
		return nil, errors.New("more than one PEM block")
	}
	return block.Bytes, nil
}
