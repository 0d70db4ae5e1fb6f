package attest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairway-dev/fairway/internal/attest"
)

// FuzzEnvelope: whatever the bytes, an envelope is refused with a reason or is one of the statements
// that our people signed, and nothing is both.
func FuzzEnvelope(f *testing.F) {
	w := newTown(f)
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) < 6 {
		f.Fatalf("%d seeds, %v", len(paths), err)
	}
	genuine := map[string]bool{}
	for _, path := range paths {
		seed, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
		_, payload := opened(f, seed)
		genuine[payload] = true
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		v, no := attest.VerifyApproval(envelope, minute(9), w.keyring)
		r, noR := attest.VerifyRollback(envelope, minute(9), w.keyring)
		q, noQ := attest.VerifyBreakGlassRequest(envelope, minute(9), w.keyring)
		a, noA := attest.VerifyBreakGlassApproval(envelope, minute(9), w.keyring)
		accepted := 0
		for _, c := range []struct {
			who string
			no  *attest.Refusal
		}{{v.Principal(), no}, {r.Principal(), noR}, {q.Principal(), noQ}, {a.Principal(), noA}} {
			if (c.who == "") != (c.no != nil) {
				t.Errorf("by %q and refused with %v", c.who, c.no)
			}
			if c.no != nil && (c.no.Reason == "" || c.no.Detail == "") {
				t.Errorf("refused without a word")
			}
			if c.no == nil {
				accepted++
			}
		}
		if accepted > 1 {
			t.Error("it is of several kinds")
		}
		if accepted == 1 {
			if _, payload := opened(t, envelope); !genuine[payload] {
				t.Errorf("accepted what nobody signed: %s", payload)
			}
		}
	})
}

// FuzzPayload: whatever alice signs is refused with a reason, or says what it must.
func FuzzPayload(f *testing.F) {
	w := newTown(f)
	_, payload := opened(f, w.approve(f, "alice", anApproval()))
	f.Add(payload)
	f.Fuzz(func(t *testing.T, payload string) {
		envelope := write(t, w.forge(t, "alice", attest.ApprovalNamespace, payloadType, payload))
		v, no := attest.VerifyApproval([]byte(envelope), minute(9), w.keyring)
		if no != nil {
			return
		}
		// What is believed can be said again and means the same.
		again, no := attest.VerifyApproval(w.approve(t, "alice", v.Statement()), minute(9), w.keyring)
		if no != nil || attest.Evidence(again).RawDiffID != attest.Evidence(v).RawDiffID {
			t.Errorf("it cannot be said again: %v", no)
		}
	})
}
