package attest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/fairway-dev/fairway/internal/change"
)

// The signature namespaces. A signature made for one of them, or for git, is none for another.
const (
	ApprovalNamespace   = "fairway-approval"
	BreakGlassNamespace = "fairway-breakglass"
)

// payloadType is that of in-toto statements in DSSE.
const payloadType = "application/vnd.in-toto+json"

// maxEnvelope is the most that an envelope may measure.
const maxEnvelope = 256 << 10

// Signer signs as one person. signature.Signer is one.
type Signer interface {
	Sign(namespace string, message []byte) (armour []byte, err error)
	Fingerprint() string
}

// Verifier tells who signed a message. signature.Keyring is one. Only the state Good counts.
type Verifier interface {
	VerifyStatement(namespace string, message, armour []byte, saidAt, firstSeen time.Time) change.Signature
}

// Reason is why a statement or a set of statements is not believed. Its meaning never changes.
type Reason string

// The reasons.
const (
	Malformed    Reason = "Malformed"    // not one strictly read envelope, statement and predicate
	WrongKind    Reason = "WrongKind"    // another kind of statement than the one asked for
	Invalid      Reason = "Invalid"      // read, but its fields make no sense
	NotSigned    Reason = "NotSigned"    // the signature is not good
	WrongSigner  Reason = "WrongSigner"  // signed by another principal than it had to be
	WrongScope   Reason = "WrongScope"   // for another cluster, namespace or request
	NotAllowed   Reason = "NotAllowed"   // the tier has no such way
	TooLong      Reason = "TooLong"      // a window longer than the tier allows
	TooFewPeople Reason = "TooFewPeople" // not enough distinct principals
)

// Refusal says why something is not believed. It is an answer, not an error.
type Refusal struct {
	Reason Reason
	Detail string // for people; no text of the statement in it
	// Signature is what was found out about the signature, where that is the reason.
	Signature change.Signature
}

// String is the refusal for people.
func (r Refusal) String() string { return string(r.Reason) + ": " + r.Detail }

func refusal(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Predicate is what a statement can say: Approval, Rollback, BreakGlassRequest, BreakGlassApproval.
type Predicate interface {
	kind() string
	namespace() string
	said() time.Time
	subjects() []subject
	problem() string // what is wrong with the fields; empty: nothing
}

// Signed is a statement whose signature was found good. Only this package can make one, so holding
// one is proof that it was verified, against the people of that moment: verify again after a change
// of people (ruling 4).
type Signed[P Predicate] struct {
	statement P
	signature change.Signature
	digest    string
	seenAt    time.Time
	sequence  int
	source    string
}

// Statement is what was said.
func (s Signed[P]) Statement() P { return s.statement }

// Principal is who said it; empty for a zero Signed.
func (s Signed[P]) Principal() string { return s.signature.Principal }

// Signature is what was found out about the signature.
func (s Signed[P]) Signature() change.Signature { return s.signature }

// Digest is the SHA-256 of the signed payload, in hex. Signing the same payload twice keeps it.
func (s Signed[P]) Digest() string { return s.digest }

// SeenAt is when Fairway first saw it.
func (s Signed[P]) SeenAt() time.Time { return s.seenAt }

// Source is where it was found; empty if the caller did not say.
func (s Signed[P]) Source() string { return s.source }

// statement is an in-toto Statement v1. The types of the in-toto module are protocol buffers, whose
// JSON is neither deterministic nor read strictly enough; a test holds that both read the same.
type statement struct {
	Type          string         `json:"_type"`
	Subject       []subject      `json:"subject"`
	PredicateType string         `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

// subject is an in-toto ResourceDescriptor with a digest.
type subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

func (s subject) equal(o subject) bool {
	if s.Name != o.Name || len(s.Digest) != len(o.Digest) {
		return false
	}
	for k, v := range s.Digest {
		if o.Digest[k] != v {
			return false
		}
	}
	return true
}

func gitSubject(algorithm intoto.HashAlgorithm, id string) subject {
	return subject{Digest: map[string]string{string(algorithm): id}}
}

// newNonce is 128 random bits.
func newNonce() string { return rand.Text() }

// seal signs a predicate. The payload is deterministic; the signature need not be.
func seal[P Predicate](p P, signer Signer) ([]byte, error) {
	if problem := p.problem(); problem != "" {
		return nil, fmt.Errorf("signing statement: %s", problem)
	}
	predicate, err := json.Marshal(p, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing predicate: %w", err)
	}
	payload, err := json.Marshal(statement{
		Type: intoto.StatementTypeUri, Subject: p.subjects(), PredicateType: p.kind(), Predicate: predicate,
	}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing statement: %w", err)
	}
	armour, err := signer.Sign(p.namespace(), dsse.PAE(payloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("signing statement: %w", err)
	}
	return json.Marshal(dsse.Envelope{
		PayloadType: payloadType,
		Payload:     base64.StdEncoding.EncodeToString(payload),
		Signatures:  []dsse.Signature{{KeyID: signer.Fingerprint(), Sig: base64.StdEncoding.EncodeToString(armour)}},
	})
}

// open reads and verifies one envelope of the kind P.
func open[P Predicate](envelope []byte, seenAt time.Time, v Verifier) (Signed[P], *Refusal) {
	payload, sig, err := unwrap(envelope)
	if err != nil {
		return Signed[P]{}, refusal(Malformed, "%v", err)
	}
	p, no := read[P](payload)
	if no != nil {
		return Signed[P]{}, no
	}
	armour, err := canonicalBase64(sig.Sig)
	if err != nil {
		return Signed[P]{}, refusal(Malformed, "the signature is not canonical base64")
	}
	found := v.VerifyStatement(p.namespace(), dsse.PAE(payloadType, payload), armour, p.said(), seenAt)
	switch {
	case found.State != change.Good || found.Principal == "":
		no = refusal(NotSigned, "the signature is not good: %s", found.Detail)
		no.Signature = found
		return Signed[P]{}, no
	case sig.KeyID != "" && sig.KeyID != found.Fingerprint:
		return Signed[P]{}, refusal(Malformed, "the envelope names another key than the one that signed")
	}
	sum := sha256.Sum256(payload)
	return Signed[P]{statement: p, signature: found, digest: hex.EncodeToString(sum[:]), seenAt: seenAt}, nil
}

// unwrap reads the envelope and counts its signatures: one, so that it counts once.
func unwrap(envelope []byte) ([]byte, dsse.Signature, error) {
	var none dsse.Signature
	if len(envelope) > maxEnvelope {
		return nil, none, errors.New("the envelope is longer than 256 KiB")
	}
	var e dsse.Envelope
	switch err := decode(envelope, &e); {
	case err != nil:
		return nil, none, errors.New("the envelope is not strict JSON of DSSE")
	case e.PayloadType != payloadType:
		return nil, none, errors.New("the payload is not an in-toto statement")
	case len(e.Signatures) != 1:
		return nil, none, fmt.Errorf("the envelope has %d signatures, not one", len(e.Signatures))
	}
	payload, err := canonicalBase64(e.Payload)
	if err != nil {
		return nil, none, errors.New("the payload is not canonical base64")
	}
	return payload, e.Signatures[0], nil
}

// read reads the statement and its predicate, which must agree about the subject.
func read[P Predicate](payload []byte) (p P, no *Refusal) {
	var s statement
	switch err := decode(payload, &s); {
	case err != nil:
		return p, refusal(Malformed, "the payload is not a strict in-toto statement")
	case s.Type != intoto.StatementTypeUri:
		return p, refusal(Malformed, "the payload is not an in-toto statement v1")
	case s.PredicateType != p.kind():
		return p, refusal(WrongKind, "the statement is not of the kind %s", p.kind())
	}
	if err := decode(s.Predicate, &p); err != nil {
		return p, refusal(Malformed, "the predicate is not strictly of the kind %s", p.kind())
	}
	if problem := p.problem(); problem != "" {
		return p, refusal(Invalid, "%s", problem)
	}
	if !slices.EqualFunc(s.Subject, p.subjects(), subject.equal) {
		return p, refusal(Invalid, "the subject is not what the predicate speaks of")
	}
	return p, nil
}

// decode is strict: no name twice, none unknown, no other spelling of a name, nothing after the end.
func decode(data []byte, into any) error {
	return json.Unmarshal(data, into, json.RejectUnknownMembers(true))
}

// canonicalBase64 accepts one spelling of each value.
func canonicalBase64(s string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	if base64.StdEncoding.EncodeToString(raw) != s { // the decoder skips line breaks
		return nil, errors.New("not canonical")
	}
	return raw, nil
}
