package policy

import (
	"time"

	"github.com/fairway-dev/fairway/internal/tier"
)

// Outdated is the verdict where what it was drawn from may be as old as age, and no verdict counts that
// is drawn from anything older than limit (R13). What admitted by nothing that was read stays admitted:
// exempt kinds, and objects that stay as they are. Where the tier refuses, what would have been admitted
// is Unknown now, and the client is asked to come back. A tier that refuses nothing may be stricter by
// now, and nobody here can tell: such a request gets no verdict, and the failure policy decides by which
// the API server asks, which knows the tiers of today.
func (v Verdict) Outdated(age, limit time.Duration) Verdict {
	if age <= limit || v.Lane == LaneExempt || v.Lane == LaneNoOp {
		return v
	}
	f := unmet(CodeUnheard, Unknown, "the gate last heard the API server "+age.Round(time.Second).String()+
		" ago, and judges by nothing that is older than "+limit.String())
	if !v.Admits() {
		v.Findings = append(v.Findings[:len(v.Findings):len(v.Findings)], f)
		return v
	}
	v.Abstains = v.Lane == LaneOpen || v.Enforcement == tier.Warn || v.Enforcement == tier.Audit
	v.Outcome, v.Lane, v.Findings, v.RetryAfter = Unknown, LaneRefuse, []Finding{f}, time.Second
	return v
}
