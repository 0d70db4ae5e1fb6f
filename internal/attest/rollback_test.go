package attest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/attest"
)

func aRollback() attest.Rollback {
	return attest.Rollback{
		Namespace: "shop", NamespaceUID: "uid-1", Source: attest.Source{Repository: shop, Branch: "main", Path: "deploy/prod"},
		TargetCommit: id("1"), Proof: "shop-1111111", Expires: minute(60), Reason: "the new release loses orders", Ticket: "INC-2",
		SaidAt: minute(1), Nonce: "NONCE-0123456789abcdef",
	}
}

func theReturn() attest.Return {
	r := aRollback()
	return attest.Return{Namespace: r.Namespace, NamespaceUID: r.NamespaceUID, Source: r.Source, Commit: r.TargetCommit, Proof: r.Proof}
}

func (w town) rollback(t *testing.T, by string, r attest.Rollback) attest.Signed[attest.Rollback] {
	t.Helper()
	envelope, err := attest.SignRollback(r, w.signers[by])
	if err != nil {
		t.Fatal(err)
	}
	ref, err := attest.Ref(by[:len(by)-len(suffix(by))])
	if err != nil {
		t.Fatal(err)
	}
	s, no := attest.RollbackFromRef(attest.Record{Ref: ref, SeenAt: minute(2), Envelope: envelope}, w.keyring)
	if no != nil {
		t.Fatal(no)
	}
	return s
}

func suffix(by string) string {
	if len(by) > 2 && by[len(by)-2] == '/' {
		return by[len(by)-2:]
	}
	return ""
}

// TestRollbackApprovers: distinct people, for exactly this way back, as long as it lives.
func TestRollbackApprovers(t *testing.T) {
	w := newTown(t)
	all := []attest.Signed[attest.Rollback]{
		w.rollback(t, "bob", aRollback()), w.rollback(t, "alice", aRollback()), w.rollback(t, "alice/2", aRollback()), {},
	}
	if d := cmp.Diff([]string{"alice", "bob"}, attest.RollbackApprovers(all, theReturn(), minute(5))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := attest.RollbackApprovers(all, theReturn(), minute(60)); len(got) > 0 {
		t.Errorf("after its end: %q", got)
	}
	for name, change := range map[string]func(to *attest.Return){
		"namespace":  func(to *attest.Return) { to.Namespace = "bank" },
		"UID":        func(to *attest.Return) { to.NamespaceUID = "uid-2" },
		"repository": func(to *attest.Return) { to.Source.Repository += "x" },
		"branch":     func(to *attest.Return) { to.Source.Branch = "stage" },
		"path":       func(to *attest.Return) { to.Source.Path = "deploy" },
		"commit":     func(to *attest.Return) { to.Commit = id("2") },
		"proof":      func(to *attest.Return) { to.Proof = "shop-2222222" },
		"everything": func(to *attest.Return) { *to = attest.Return{} },
	} {
		to := theReturn()
		change(&to)
		if got := attest.RollbackApprovers(all, to, minute(5)); len(got) > 0 {
			t.Errorf("with another %s: %q", name, got)
		}
	}
}

// TestInvalidRollbacks: what cannot be signed.
func TestInvalidRollbacks(t *testing.T) {
	w := newTown(t)
	for name, spoil := range map[string]func(r *attest.Rollback){
		"no namespace":      func(r *attest.Rollback) { r.Namespace = "" },
		"no UID":            func(r *attest.Rollback) { r.NamespaceUID = "" },
		"no path":           func(r *attest.Rollback) { r.Source.Path = "" },
		"no proof":          func(r *attest.Rollback) { r.Proof = "" },
		"no reason":         func(r *attest.Rollback) { r.Reason = "" },
		"short commit":      func(r *attest.Rollback) { r.TargetCommit = "1111111" },
		"over at once":      func(r *attest.Rollback) { r.Expires = r.SaidAt },
		"lives for ever":    func(r *attest.Rollback) { r.Expires = r.SaidAt.Add(8 * 24 * time.Hour) },
		"no end":            func(r *attest.Rollback) { r.Expires = time.Time{} },
		"secret repository": func(r *attest.Rollback) { r.Source.Repository = "https://x:y@z/" },
	} {
		r := aRollback()
		spoil(&r)
		if _, err := attest.SignRollback(r, w.signers["alice"]); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}
