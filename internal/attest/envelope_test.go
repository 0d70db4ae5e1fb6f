package attest_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
)

var update = flag.Bool("update", false, "write the golden envelopes anew")

const payloadType = "application/vnd.in-toto+json"

// TestGolden holds the format: envelopes that were written once stay byte for byte what we write and
// stay good, and the in-toto and DSSE modules read in them what we do.
func TestGolden(t *testing.T) {
	w := newTown(t)
	request, requestEnvelope := w.request(t, "alice", aRequest())
	consent, err := attest.SignBreakGlassApproval(request, minute(60), minute(2), w.signers["bob"])
	if err != nil {
		t.Fatal(err)
	}
	rollback, err := attest.SignRollback(aRollback(), w.signers["alice"])
	if err != nil {
		t.Fatal(err)
	}
	withdrawal := anApproval()
	withdrawal.Decision, withdrawal.SaidAt = change.Withdraw, minute(5)
	limited := anApproval()
	limited.Tiers = []string{"prod", "stage"}
	for name, c := range map[string]struct {
		envelope []byte
		verify   func([]byte) *attest.Refusal
		subjects int
	}{
		"approval":       {w.approve(t, "alice", anApproval()), w.refuses, 2},
		"approval-tiers": {w.approve(t, "bob", limited), w.refuses, 2},
		"withdrawal":     {w.approve(t, "alice", withdrawal), w.refuses, 2},
		"rollback":       {rollback, func(b []byte) *attest.Refusal { _, no := attest.VerifyRollback(b, minute(9), w.keyring); return no }, 1},
		"breakglass-request": {requestEnvelope, func(b []byte) *attest.Refusal {
			_, no := attest.VerifyBreakGlassRequest(b, minute(9), w.keyring)
			return no
		}, 1},
		"breakglass-approval": {consent, func(b []byte) *attest.Refusal {
			_, no := attest.VerifyBreakGlassApproval(b, minute(9), w.keyring)
			return no
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(path, append(c.envelope, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.TrimSpace(string(golden)), string(c.envelope)); d != "" {
				t.Errorf("the format changed (-golden +written):\n%s", d)
			}
			if no := c.verify(golden); no != nil {
				t.Errorf("refused: %s", no)
			}
			e, payload := opened(t, golden)
			var theirs intoto.Statement
			if err := protojson.Unmarshal([]byte(payload), &theirs); err != nil {
				t.Fatal(err)
			}
			if err := theirs.Validate(); err != nil || len(theirs.GetSubject()) != c.subjects {
				t.Errorf("in-toto reads %d subjects, error %v", len(theirs.GetSubject()), err)
			}
			// Nobody may take the statement of one kind for another.
			others := 0
			for _, as := range []func([]byte) *attest.Refusal{
				w.refuses,
				func(b []byte) *attest.Refusal { _, no := attest.VerifyRollback(b, minute(9), w.keyring); return no },
				func(b []byte) *attest.Refusal {
					_, no := attest.VerifyBreakGlassRequest(b, minute(9), w.keyring)
					return no
				},
				func(b []byte) *attest.Refusal {
					_, no := attest.VerifyBreakGlassApproval(b, minute(9), w.keyring)
					return no
				},
			} {
				if no := as(golden); no != nil && no.Reason == attest.WrongKind {
					others++
				}
			}
			if others != 3 {
				t.Errorf("%d other readers say that it is of another kind, not 3", others)
			}
			theirVerifier, err := dsse.NewEnvelopeVerifier(keyringVerifier{w, name})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := theirVerifier.Verify(context.Background(), &e); err != nil {
				t.Errorf("the DSSE module refuses it: %v", err)
			}
		})
	}
}

// keyringVerifier lets the DSSE module ask our keyring.
type keyringVerifier struct {
	w    town
	name string
}

func (k keyringVerifier) KeyID() (string, error)   { return "", errors.New("any") }
func (k keyringVerifier) Public() crypto.PublicKey { return nil }

func (k keyringVerifier) Verify(_ context.Context, data, sig []byte) error {
	namespace := attest.ApprovalNamespace
	if strings.HasPrefix(k.name, "breakglass") {
		namespace = attest.BreakGlassNamespace
	}
	if got := k.w.keyring.VerifyStatement(namespace, data, sig, minute(1), minute(9)); got.State != change.Good {
		return errors.New(got.Detail)
	}
	return nil
}

// refuses is VerifyApproval's refusal.
func (w town) refuses(envelope []byte) *attest.Refusal {
	_, no := attest.VerifyApproval(envelope, minute(9), w.keyring)
	return no
}

// TestEvidence is what the judge gets to see of an approval.
func TestEvidence(t *testing.T) {
	w := newTown(t)
	a := anApproval()
	a.Tiers = []string{"prod"}
	v := w.verified(t, "alice/2", 3, minute(2), a)
	want := change.Approval{
		Principal: "alice", Level: change.LevelSigned, Decision: change.Approve, Repository: a.Repository, Branch: "main",
		Tiers: []string{"prod"}, MergeBase: id("a"), Head: id("b"), HeadTree: id("c"), RawDiffID: sum("d"),
		SaidAt: minute(1), SeenAt: minute(2), Fingerprint: w.signers["alice/2"].Fingerprint(),
		Source: "refs/fairway/approvals/alice@" + id("e"), Digest: v.Digest(),
	}
	if d := cmp.Diff(want, attest.Evidence(v)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(a, v.Statement()); d != "" {
		t.Errorf("statement (-want +got):\n%s", d)
	}
}

// TestStrictEnvelope: each row is signed properly by alice and refused for its form.
func TestStrictEnvelope(t *testing.T) {
	w := newTown(t)
	_, payload := opened(t, w.approve(t, "alice", anApproval()))
	sign := func(payload string) dsse.Envelope {
		return w.forge(t, "alice", attest.ApprovalNamespace, payloadType, payload)
	}
	swap := func(old, by string) string {
		changed := strings.Replace(payload, old, by, 1)
		if changed == payload {
			t.Fatalf("the payload has no %q", old)
		}
		return changed
	}
	with := func(change func(e *dsse.Envelope)) string { e := sign(payload); change(&e); return write(t, e) }
	if no := w.refuses([]byte(write(t, sign(payload)))); no != nil {
		t.Fatalf("the row without a change is refused: %s", no)
	}
	whole := write(t, sign(payload))
	for name, c := range map[string]struct {
		envelope string
		want     attest.Reason
	}{
		"not JSON":                   {"hello", attest.Malformed},
		"empty":                      {"", attest.Malformed},
		"null":                       {"null", attest.Malformed},
		"bytes after the envelope":   {whole + "{}", attest.Malformed},
		"unknown envelope field":     {strings.Replace(whole, "{", `{"x":1,`, 1), attest.Malformed},
		"envelope field twice":       {strings.Replace(whole, "{", `{"payloadType":"`+payloadType+`",`, 1), attest.Malformed},
		"envelope field in capitals": {strings.Replace(whole, `"payloadType"`, `"PayloadType"`, 1), attest.Malformed},
		"too long":                   {strings.Repeat(" ", 256<<10) + whole, attest.Malformed},
		"no signature":               {with(func(e *dsse.Envelope) { e.Signatures = nil }), attest.Malformed},
		"one signature twice":        {with(func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }), attest.Malformed},
		"two people's signatures": {with(func(e *dsse.Envelope) {
			e.Signatures = append(e.Signatures, w.forge(t, "bob", attest.ApprovalNamespace, payloadType, payload).Signatures...)
		}), attest.Malformed},
		"other payload type":         {write(t, w.forge(t, "alice", attest.ApprovalNamespace, "application/json", payload)), attest.Malformed},
		"payload type not signed":    {with(func(e *dsse.Envelope) { e.PayloadType = "application/json" }), attest.Malformed},
		"another key's id":           {with(func(e *dsse.Envelope) { e.Signatures[0].KeyID = w.signers["bob"].Fingerprint() }), attest.Malformed},
		"payload in URL base64":      {with(func(e *dsse.Envelope) { e.Payload = base64.RawURLEncoding.EncodeToString([]byte(payload)) }), attest.Malformed},
		"payload with a line break":  {with(func(e *dsse.Envelope) { e.Payload = e.Payload[:8] + "\n" + e.Payload[8:] }), attest.Malformed},
		"signature with line break":  {with(func(e *dsse.Envelope) { e.Signatures[0].Sig = "\n" + e.Signatures[0].Sig }), attest.Malformed},
		"signature is no armour":     {with(func(e *dsse.Envelope) { e.Signatures[0].Sig = "aGVsbG8=" }), attest.NotSigned},
		"signature is empty":         {with(func(e *dsse.Envelope) { e.Signatures[0].Sig = "" }), attest.NotSigned},
		"bytes after the statement":  {write(t, sign(payload+"{}")), attest.Malformed},
		"statement field twice":      {write(t, sign(swap(`{"_type"`, `{"predicateType":"x","_type"`))), attest.Malformed},
		"unknown statement field":    {write(t, sign(swap(`{"_type"`, `{"x":1,"_type"`))), attest.Malformed},
		"older in-toto":              {write(t, sign(swap("Statement/v1", "Statement/v0.1"))), attest.Malformed},
		"unknown predicate":          {write(t, sign(swap("approval/v1", "approval/v2"))), attest.WrongKind},
		"predicate field twice":      {write(t, sign(swap(`"branch":"main"`, `"branch":"prod","branch":"main"`))), attest.Malformed},
		"unknown predicate field":    {write(t, sign(swap(`"branch":"main"`, `"branch":"main","x":1`))), attest.Malformed},
		"predicate field in capital": {write(t, sign(swap(`"branch"`, `"Branch"`))), attest.Malformed},
		"predicate is null":          {write(t, sign(payload[:strings.Index(payload, `"predicate":`)]+`"predicate":null}`)), attest.Invalid},
		"predicate is missing":       {write(t, sign(payload[:strings.Index(payload, `,"predicate":`)]+`}`)), attest.Malformed},
		"nonce is null":              {write(t, sign(swap(`"NONCE-0123456789abcdef"`, `null`))), attest.Invalid},
		"invalid UTF-8":              {write(t, sign(swap(`"main"`, "\"ma\xffin\""))), attest.Malformed},
		"subject of another head":    {write(t, sign(swap(id("b"), id("f")))), attest.Invalid},
		"one subject":                {write(t, sign(swap(`{"digest":{"gitCommit":"`+id("b")+`"}},`, ""))), attest.Invalid},
		"another subject more":       {write(t, sign(swap(`"subject":[`, `"subject":[{"digest":{"sha256":"`+sum("0")+`"}},`))), attest.Invalid},
		"subject with a name":        {write(t, sign(swap(`{"digest":{"gitTree"`, `{"name":"x","digest":{"gitTree"`))), attest.Invalid},
		"subject with two digests":   {write(t, sign(swap(`{"gitTree":`, `{"sha1":"x","gitTree":`))), attest.Invalid},
		"made for git":               {write(t, w.forge(t, "alice", "git", payloadType, payload)), attest.NotSigned},
		"made for break-glass":       {write(t, w.forge(t, "alice", attest.BreakGlassNamespace, payloadType, payload)), attest.NotSigned},
		"by a stranger":              {write(t, w.forge(t, "stranger", attest.ApprovalNamespace, payloadType, payload)), attest.NotSigned},
		"payload changed":            {with(func(e *dsse.Envelope) { e.Payload = base64.StdEncoding.EncodeToString([]byte(swap("main", "prod"))) }), attest.NotSigned},
	} {
		t.Run(name, func(t *testing.T) {
			v, no := attest.VerifyApproval([]byte(c.envelope), minute(9), w.keyring)
			if no == nil || no.Reason != c.want || no.Detail == "" {
				t.Fatalf("refusal %v, want %s", no, c.want)
			}
			if v.Principal() != "" || len(attest.Fold([]attest.Verified{v})) > 0 {
				t.Error("what was refused counts all the same")
			}
		})
	}
}

// TestInvalidApprovals: signed well, read well, and meaning nothing. They cannot be signed either.
func TestInvalidApprovals(t *testing.T) {
	w := newTown(t)
	for name, spoil := range map[string]func(a *attest.Approval){
		"no repository":         func(a *attest.Approval) { a.Repository = "" },
		"password in the URL":   func(a *attest.Approval) { a.Repository = "https://a:canary-9c2e@git.example.com/x" },
		"token in the URL":      func(a *attest.Approval) { a.Repository = "https://canary-9c2e@git.example.com/x" },
		"password for ssh":      func(a *attest.Approval) { a.Repository = "ssh://git:canary-9c2e@git.example.com/x" },
		"URL that is none":      func(a *attest.Approval) { a.Repository = "https://a:canary-9c2e%zz@x" },
		"no branch":             func(a *attest.Approval) { a.Branch = "" },
		"line break":            func(a *attest.Approval) { a.Branch = "main\nprod" },
		"escape":                func(a *attest.Approval) { a.Branch = "main\x1b[2J" },
		"empty tier":            func(a *attest.Approval) { a.Tiers = []string{""} },
		"tier twice":            func(a *attest.Approval) { a.Tiers = []string{"prod", "prod"} },
		"short id":              func(a *attest.Approval) { a.Head = "bbbbbbb" },
		"id in capitals":        func(a *attest.Approval) { a.Head = strings.ToUpper(a.Head) },
		"no merge base":         func(a *attest.Approval) { a.MergeBase = "" },
		"no tree":               func(a *attest.Approval) { a.HeadTree = "" },
		"diff of another kind":  func(a *attest.Approval) { a.RawDiffID = id("d") },
		"no decision":           func(a *attest.Approval) { a.Decision = "" },
		"unknown decision":      func(a *attest.Approval) { a.Decision = "approve" },
		"withdrawal for a tier": func(a *attest.Approval) { a.Decision, a.Tiers = change.Withdraw, []string{"prod"} },
		"no time":               func(a *attest.Approval) { a.SaidAt = time.Time{} },
		"weak nonce":            func(a *attest.Approval) { a.Nonce = "1" },
		"very long":             func(a *attest.Approval) { a.Branch = strings.Repeat("b", 3000) },
	} {
		t.Run(name, func(t *testing.T) {
			a := anApproval()
			spoil(&a)
			_, err := attest.SignApproval(a, w.signers["alice"])
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("signing: %v", err)
			}
			_, payload := opened(t, w.approve(t, "alice", anApproval()))
			head := payload[:strings.Index(payload, `"predicate":`)]
			no := w.refuses([]byte(write(t, w.forge(t, "alice", attest.ApprovalNamespace, payloadType, head+`"predicate":`+write(t, a)+`}`))))
			if no == nil || no.Reason != attest.Invalid || strings.Contains(no.String(), "canary") {
				t.Errorf("refusal %v", no)
			}
		})
	}
	for _, fine := range []string{"ssh://git@git.example.com/x", "git@git.example.com:shop/x.git", "file:///srv/git/x", "https://git.example.com/x"} {
		a := anApproval()
		a.Repository = fine
		if no := w.refuses(w.approve(t, "alice", a)); no != nil {
			t.Errorf("%s: %s", fine, no)
		}
	}
}

// TestT41SeenDecides: a statement is judged by when it was first seen as a commit is.
func TestT41SeenDecides(t *testing.T) {
	w := newTown(t)
	envelope := w.approve(t, "alice", anApproval())
	_, no := attest.VerifyApproval(envelope, minute(1).Add(-time.Hour), w.keyring)
	if no == nil || no.Reason != attest.NotSigned || no.Signature.State != change.BackDated {
		t.Errorf("seen before it was said: %v", no)
	}
	if _, no := attest.VerifyApproval(envelope, time.Time{}, w.keyring); no == nil || no.Signature.State != change.Unchecked {
		t.Errorf("never seen: %v", no)
	}
}

// TestSignersNonce: an approval without a nonce gets one of its own.
func TestSignersNonce(t *testing.T) {
	w := newTown(t)
	a := anApproval()
	a.Nonce = ""
	first, second := w.approve(t, "alice", a), w.approve(t, "alice", a)
	if bytes.Equal(first, second) {
		t.Error("two approvals are the same")
	}
	for _, e := range [][]byte{first, second} {
		if no := w.refuses(e); no != nil {
			t.Error(no)
		}
	}
}
