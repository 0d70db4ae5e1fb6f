package store

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
)

// The most that a status holds of each.
const (
	maxMissing   = 32
	maxApprovals = 256
	maxApprovers = 64
)

// ToStatus is what the tiers say of a proof, judged at a time, without sequence and signature.
func ToStatus(p change.Proof, at time.Time) v1alpha1.ProvenCommitStatus {
	var s v1alpha1.ProvenCommitStatus
	for _, j := range p.Judgements {
		out := v1alpha1.Judgement{
			Tier: j.Tier, Verdict: Verdict(j), PolicyDigest: j.PolicyDigest, JudgedAt: metav1.NewTime(at.UTC().Truncate(time.Second)),
		}
		for _, line := range j.Missing[:min(len(j.Missing), maxMissing)] {
			out.Missing = append(out.Missing, cutText(line, 512))
		}
		s.Judgements = append(s.Judgements, out)
	}
	s.Approvers = slices.Compact(slices.Sorted(slices.Values(p.Approvers)))
	s.Approvers = s.Approvers[:min(len(s.Approvers), maxApprovers)]
	for _, a := range p.Approvals[:min(len(p.Approvals), maxApprovals)] {
		if a.Digest == "" {
			continue // read from a forge: nothing was signed
		}
		s.Approvals = append(s.Approvals, v1alpha1.StoredApproval{
			Principal: a.Principal, Decision: v1alpha1.ApprovalDecision(a.Decision), EnvelopeDigest: a.Digest, Source: cutText(a.Source, 512),
		})
	}
	s.Reviews = toReviews(p.Reviews)
	if p.Revoked {
		s.Revoked = v1alpha1.RevokedOffBranch
	}
	return s
}

// fromStatus reads back what ToStatus wrote. Of approvals only who made them and which statement it
// was is kept: what they say is read again from the repository before anything is judged.
func fromStatus(p *change.Proof, s v1alpha1.ProvenCommitStatus) {
	for _, j := range s.Judgements {
		out := change.Judgement{Tier: j.Tier, PolicyDigest: j.PolicyDigest, Missing: j.Missing}
		switch j.Verdict {
		case v1alpha1.VerdictAllow:
			out.Admissible = change.Present
		case v1alpha1.VerdictPending:
			out.Admissible, out.Pending = change.Absent, true
		case v1alpha1.VerdictDeny:
			out.Admissible = change.Absent
		}
		p.Judgements = append(p.Judgements, out)
	}
	p.Approvers = s.Approvers
	for _, a := range s.Approvals {
		p.Approvals = append(p.Approvals, change.Approval{
			Principal: a.Principal, Decision: change.Decision(a.Decision), Digest: a.EnvelopeDigest, Source: a.Source,
		})
	}
	p.Reviews = fromReviews(s.Reviews, p.Key.Branch)
	p.Revoked = s.Revoked != ""
}

// Verdict is a judgement in one word.
func Verdict(j change.Judgement) v1alpha1.JudgedVerdict {
	switch {
	case j.Admissible == change.Present:
		return v1alpha1.VerdictAllow
	case j.Admissible == change.Absent && j.Pending:
		return v1alpha1.VerdictPending
	case j.Admissible == change.Absent:
		return v1alpha1.VerdictDeny
	}
	return v1alpha1.VerdictUnknown
}

// sameStatus reports whether two statuses say the same, whenever it was said.
func sameStatus(a, b v1alpha1.ProvenCommitStatus) bool { return digest(said(a)) == digest(said(b)) }

// said is a status without its time, sequence and signature.
func said(s v1alpha1.ProvenCommitStatus) v1alpha1.ProvenCommitStatus {
	s.Sequence, s.Signature = 0, nil
	s.Judgements = slices.Clone(s.Judgements)
	for i := range s.Judgements {
		s.Judgements[i].JudgedAt = metav1.Time{}
	}
	return s
}
