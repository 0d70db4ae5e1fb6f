package attest_test

import (
	"testing"
	"time"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
)

// answer is a verifier that always says the same.
type answer change.Signature

func (a answer) VerifyStatement(string, []byte, []byte, time.Time, time.Time) change.Signature {
	return change.Signature(a)
}

// TestT20OnlyGoodCounts: a principal without Good is nobody, and so is Good without a principal.
func TestT20OnlyGoodCounts(t *testing.T) {
	w := newTown(t)
	envelope := w.approve(t, "alice", anApproval())
	key := w.signers["alice"].Fingerprint()
	for _, state := range []change.SignatureState{
		change.Unchecked, change.Unsigned, change.UnknownKey, change.BadSignature, change.ExpiredKey, change.NotYetValid,
		change.RevokedKey, change.BackDated, change.Malformed, change.Unsupported, "good",
	} {
		v, no := attest.VerifyApproval(envelope, minute(2), answer{State: state, Principal: "alice", Fingerprint: key})
		if no == nil || no.Reason != attest.NotSigned || v.Principal() != "" {
			t.Errorf("%q counts: %v", state, no)
		}
	}
	if _, no := attest.VerifyApproval(envelope, minute(2), answer{State: change.Good, Fingerprint: key}); no == nil {
		t.Error("nobody's good signature counts")
	}
	if _, no := attest.VerifyApproval(envelope, minute(2), answer{State: change.Good, Principal: "alice", Fingerprint: key}); no != nil {
		t.Error(no)
	}
}
