package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// GitNamespace is the SSH signature namespace of commits.
const GitNamespace = "git"

// Input is one signature to look at.
type Input struct {
	// Namespace is what the signature must have been made for: GitNamespace for commits. It is
	// the caller's, never the signature's. SSH signatures carry it in their signed data; OpenPGP
	// signatures other than git's carry it as the notation NamespaceNotation.
	Namespace string
	Payload   []byte    // the signed bytes, as stored
	Armour    []byte    // the signature, one armoured block; empty: unsigned
	ClaimedAt time.Time // when the signer says it was made: a commit's committer date
	FirstSeen time.Time // when Fairway first saw it, by Fairway's own clock
}

// Verify tells who signed the payload. It never fails: whatever is not a good signature is a state
// and a reason. Good means: one armoured block, by a key of exactly one principal, over exactly
// these bytes and for this namespace, with the key in its window both when the signature claims to
// be made and when it was first seen, and not revoked. Only Good sets Principal.
func (k *Keyring) Verify(in Input) (out change.Signature) {
	sum := sha256.Sum256(in.Payload)
	out = change.Signature{SignedAt: in.ClaimedAt, PayloadHash: hex.EncodeToString(sum[:])}
	sealed := out
	defer func() {
		// A library that panics on crafted bytes must not be read as a success (T-20). The value
		// of the panic may hold parts of the input, so it goes nowhere.
		if recover() != nil {
			sealed.State, sealed.Detail = change.BadSignature, "internal: verifying it failed"
			out = sealed
		}
	}()
	f := k.look(in)
	out.State, out.Fingerprint, out.Detail = f.state, f.fingerprint, f.detail
	if !f.signedAt.IsZero() {
		out.SignedAt = f.signedAt
	}
	if f.state == change.Good {
		out.Principal = f.principal
	}
	return out
}

// VerifyCommit is Verify for a commit: the raw object without its signature header, the value of
// that header with the continuation spaces stripped, the committer date, and when Fairway first saw
// the commit.
func (k *Keyring) VerifyCommit(payload, armour []byte, committed, firstSeen time.Time) change.Signature {
	return k.Verify(Input{Namespace: GitNamespace, Payload: payload, Armour: armour, ClaimedAt: committed, FirstSeen: firstSeen})
}

// VerifyStatement is Verify spelled without types of this package, so that other rooms can ask for
// it by interface.
func (k *Keyring) VerifyStatement(namespace string, message, armour []byte, saidAt, firstSeen time.Time) change.Signature {
	return k.Verify(Input{Namespace: namespace, Payload: message, Armour: armour, ClaimedAt: saidAt, FirstSeen: firstSeen})
}

// finding is what one look came to.
type finding struct {
	state       change.SignatureState
	principal   string
	fingerprint string
	detail      string
	signedAt    time.Time
}

func refuse(state change.SignatureState, detail string) finding {
	return finding{state: state, detail: detail}
}

func (k *Keyring) look(in Input) finding {
	if in.Namespace == "" || in.ClaimedAt.IsZero() || in.FirstSeen.IsZero() {
		return refuse(change.Unchecked, "cannot be judged without a namespace, the time it claims and the time it was first seen")
	}
	switch {
	case len(in.Armour) == 0:
		return refuse(change.Unsigned, "there is no signature")
	case len(in.Armour) > maxArmour:
		return refuse(change.Malformed, "the signature is longer than 64 KiB")
	case bytes.HasPrefix(in.Armour, []byte(sshBegin)):
		return k.lookSSH(in)
	case bytes.HasPrefix(in.Armour, []byte(pgpBegin)):
		return k.lookOpenPGP(in)
	case bytes.HasPrefix(in.Armour, []byte(cmsBegin)):
		return k.lookX509(in)
	case bytes.HasPrefix(in.Armour, []byte("-----BEGIN PGP MESSAGE-----")):
		return refuse(change.Unsupported, "OpenPGP messages are not supported, only detached signatures")
	}
	return refuse(change.Malformed, "the signature does not begin with an armoured block")
}

// settle applies the rules that all formats share, once the cryptography has held.
func settle(h *holder, fingerprint string, claims []time.Time, seen time.Time) finding {
	state, detail := h.judge(claims, seen)
	f := finding{state: state, fingerprint: fingerprint, detail: detail}
	if state == change.Good {
		f.principal = h.principal
	}
	return f
}
