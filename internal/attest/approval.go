package attest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"

	"github.com/fairway-dev/fairway/internal/change"
)

// ApprovalKind is the predicate type of an approval or its withdrawal.
const ApprovalKind = "https://fairway.dev/approval/v1"

// Approval is what a reviewer says about one change unit: RawDiffID from MergeBase, in Repository,
// for Branch.
type Approval struct {
	Repository string          `json:"repository"`      // canonical URL
	Branch     string          `json:"branch"`          // that it may land on
	Tiers      []string        `json:"tiers,omitempty"` // that it is limited to; empty: any
	MergeBase  string          `json:"mergeBase"`       // that the reviewer saw
	Head       string          `json:"head"`
	HeadTree   string          `json:"headTree"`
	RawDiffID  string          `json:"rawDiffId"`
	Decision   change.Decision `json:"decision"`
	SaidAt     time.Time       `json:"saidAt"` // by the reviewer's clock
	Nonce      string          `json:"nonce"`  // made by SignApproval if empty
}

func (Approval) kind() string      { return ApprovalKind }
func (Approval) namespace() string { return ApprovalNamespace }
func (a Approval) said() time.Time { return a.SaidAt }

func (a Approval) subjects() []subject {
	return []subject{gitSubject(intoto.AlgorithmGitCommit, a.Head), gitSubject(intoto.AlgorithmGitTree, a.HeadTree)}
}

func (a Approval) problem() string {
	var f fields
	f.repository(a.Repository)
	f.text("branch", a.Branch)
	for i, t := range a.Tiers {
		f.text("tier", t)
		f.require(!slices.Contains(a.Tiers[:i], t), "a tier is named twice")
	}
	f.id("mergeBase", a.MergeBase)
	f.id("head", a.Head)
	f.id("headTree", a.HeadTree)
	f.sha256("rawDiffId", a.RawDiffID)
	f.require(a.Decision == change.Approve || a.Decision == change.Withdraw, "decision is neither Approve nor Withdraw")
	f.require(a.Decision != change.Withdraw || len(a.Tiers) == 0, "a withdrawal holds for every tier")
	f.time("saidAt", a.SaidAt)
	f.nonce(a.Nonce)
	return f.problem
}

// Verified is an approval or withdrawal whose signature was found good.
type Verified = Signed[Approval]

// SignApproval makes the envelope of an approval or withdrawal. SaidAt is the caller's clock.
func SignApproval(a Approval, signer Signer) (envelope []byte, err error) {
	a.SaidAt = whole(a.SaidAt)
	if a.Nonce == "" {
		a.Nonce = newNonce()
	}
	return seal(a, signer)
}

// VerifyApproval reads and verifies one envelope that was first seen at seenAt. The refusal is nil
// exactly if the approval is believed.
func VerifyApproval(envelope []byte, seenAt time.Time, v Verifier) (Verified, *Refusal) {
	return open[Approval](envelope, seenAt, v)
}

// Evidence is a verified approval in the words of the judge.
func Evidence(v Verified) change.Approval {
	a := v.statement
	return change.Approval{
		Principal: v.Principal(), Level: change.LevelSigned, Decision: a.Decision,
		Repository: a.Repository, Branch: a.Branch, Tiers: slices.Clone(a.Tiers),
		MergeBase: a.MergeBase, Head: a.Head, HeadTree: a.HeadTree, RawDiffID: a.RawDiffID,
		SaidAt: a.SaidAt, SeenAt: v.seenAt, Fingerprint: v.signature.Fingerprint, Source: v.source, Digest: v.digest,
	}
}

// RefPrefix is where approvals stand in a repository: one ref for each principal, so that parallel
// approvers do not collide and nobody can stop another by a force-push (ruling 22).
const RefPrefix = "refs/fairway/approvals/"

// Ref is the ref of a principal's approvals.
func Ref(principal string) (string, error) {
	if !isRefName(principal) {
		return "", fmt.Errorf("principal %q cannot be the name of a ref", principal)
	}
	return RefPrefix + principal, nil
}

// PrincipalOf is whose approvals stand on a ref.
func PrincipalOf(ref string) (principal string, ok bool) {
	principal, ok = strings.CutPrefix(ref, RefPrefix)
	return principal, ok && isRefName(principal)
}

// isRefName accepts what is one component of a ref for every git and on every file system.
func isRefName(s string) bool {
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._@+-", r)
	}
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, strange) && !strings.ContainsRune(".@+-", rune(s[0])) &&
		!strings.Contains(s, "..") && !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, ".lock")
}

// Record is one envelope as it was found on a ref.
type Record struct {
	Ref      string
	Sequence int       // how manieth on the ref, oldest first
	Commit   string    // that brought it
	SeenAt   time.Time // when Fairway first saw it
	Envelope []byte
}

// FromRef reads and verifies an approval that stands on a principal's ref. Whoever signed it must be
// that principal.
func FromRef(r Record, v Verifier) (Verified, *Refusal) { return fromRef[Approval](r, v) }

func fromRef[P Predicate](r Record, v Verifier) (Signed[P], *Refusal) {
	owner, ok := PrincipalOf(r.Ref)
	if !ok {
		return Signed[P]{}, refusal(WrongSigner, "the ref is no principal's")
	}
	s, no := open[P](r.Envelope, r.SeenAt, v)
	if no != nil {
		return Signed[P]{}, no
	}
	if s.Principal() != owner {
		return Signed[P]{}, refusal(WrongSigner, "it stands on another principal's ref than its signer's")
	}
	s.sequence, s.source = r.Sequence, r.Ref+"@"+r.Commit
	return s, nil
}
