package attest

import (
	"slices"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
)

// RollbackKind is the predicate type of an approval of a roll-back.
const RollbackKind = "https://fairway.dev/rollback/v1"

// maxRollback is how long an approval of a roll-back may live.
const maxRollback = 7 * 24 * time.Hour

// Source is a source as statements name it: a change.SourceKey with the repository's canonical URL
// for its name, and without the namespace.
type Source struct {
	Repository string `json:"repository"` // canonical URL
	Branch     string `json:"branch"`
	Path       string `json:"path"`
}

// Rollback says that one namespace may go back to one commit of one source until Expires. It names
// the namespace by UID too, since another cluster may have one of the same name.
type Rollback struct {
	Namespace    string    `json:"namespace"`
	NamespaceUID string    `json:"namespaceUID"`
	Source       Source    `json:"source"`
	TargetCommit string    `json:"targetCommit"`
	Proof        string    `json:"proof"` // name of the ProvenCommit
	Expires      time.Time `json:"expires"`
	Reason       string    `json:"reason"`
	Ticket       string    `json:"ticket,omitempty"`
	SaidAt       time.Time `json:"saidAt"`
	Nonce        string    `json:"nonce"` // made by SignRollback if empty
}

func (Rollback) kind() string      { return RollbackKind }
func (Rollback) namespace() string { return ApprovalNamespace }
func (r Rollback) said() time.Time { return r.SaidAt }

func (r Rollback) subjects() []subject {
	return []subject{gitSubject(intoto.AlgorithmGitCommit, r.TargetCommit)}
}

func (r Rollback) problem() string {
	var f fields
	f.text("namespace", r.Namespace)
	f.text("namespaceUID", r.NamespaceUID)
	f.repository(r.Source.Repository)
	f.text("branch", r.Source.Branch)
	f.text("path", r.Source.Path)
	f.id("targetCommit", r.TargetCommit)
	f.text("proof", r.Proof)
	f.text("reason", r.Reason)
	f.optional("ticket", r.Ticket)
	f.time("saidAt", r.SaidAt)
	f.time("expires", r.Expires)
	f.require(r.Expires.After(r.SaidAt), "expires is not after saidAt")
	f.require(r.Expires.Sub(r.SaidAt) <= maxRollback, "it would live longer than 7 days")
	f.nonce(r.Nonce)
	return f.problem
}

// SignRollback makes the envelope of an approval of a roll-back.
func SignRollback(r Rollback, signer Signer) (envelope []byte, err error) {
	r.SaidAt, r.Expires = whole(r.SaidAt), whole(r.Expires)
	if r.Nonce == "" {
		r.Nonce = newNonce()
	}
	return seal(r, signer)
}

// VerifyRollback reads and verifies one envelope that was first seen at seenAt.
func VerifyRollback(envelope []byte, seenAt time.Time, v Verifier) (Signed[Rollback], *Refusal) {
	return open[Rollback](envelope, seenAt, v)
}

// RollbackFromRef is FromRef for approvals of a roll-back, which stand on the same refs.
func RollbackFromRef(r Record, v Verifier) (Signed[Rollback], *Refusal) {
	return fromRef[Rollback](r, v)
}

// Return is the way back that somebody wants to go.
type Return struct {
	Namespace    string
	NamespaceUID string
	Source       Source
	Commit       string
	Proof        string
}

// RollbackApprovers are the distinct principals who approve exactly this way back at that time,
// sorted.
func RollbackApprovers(approvals []Signed[Rollback], to Return, at time.Time) []string {
	var who []string
	for _, s := range approvals {
		r := s.statement
		theirs := Return{r.Namespace, r.NamespaceUID, r.Source, r.TargetCommit, r.Proof}
		if theirs == to && s.Principal() != "" && at.Before(r.Expires) {
			who = append(who, s.Principal())
		}
	}
	slices.Sort(who)
	return slices.Compact(who)
}
