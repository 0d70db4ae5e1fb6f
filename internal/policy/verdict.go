package policy

import (
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Outcome is what a judgement came to. Its zero value is Unknown, which admits nothing in a gated
// tier.
type Outcome int8

// The outcomes.
const (
	Unknown Outcome = iota // could not tell: infrastructure
	Allow
	Pending // refused now, may become Allow without a new commit
	Deny
)

// String is the outcome as it stands in metrics and JSON.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "Allow"
	case Pending:
		return "Pending"
	case Deny:
		return "Deny"
	}
	return "Unknown"
}

// Lane is the way on which a request was decided. The order of the constants is the order in which
// the lanes are tried.
type Lane string

// The lanes.
const (
	LaneExempt      Lane = "exempt"      // kinds and built-in identities that no tier judges
	LaneSelf        Lane = "self"        // Fairway's own writes
	LaneNoOp        Lane = "no-op"       // nothing changes
	LaneHygiene     Lane = "hygiene"     // an engine's bookkeeping
	LaneOpen        Lane = "open"        // the tier is open
	LaneUnsealed    Lane = "unsealed"    // cluster scope before the install is sealed
	LaneSubresource Lane = "subresource" // a row of the sub-resource table
	LaneController  Lane = "controller"  // a bounded runtime lane
	LaneRelease     Lane = "release"     // Helm's records of its releases
	LaneProven      Lane = "proven"
	LaneRollback    Lane = "rollback"
	LaneDelete      Lane = "delete"
	LaneBreakGlass  Lane = "break-glass"
	LaneRefuse      Lane = "refuse"
)

// Finding is one thing that a rule has to say, met or not.
type Finding struct {
	Code    Code
	Outcome Outcome
	Reason  string   // short and stable, for lists: "needs approval"
	Detail  string   // this case, in the user's words; foreign text in it is quoted by Quote
	Remedy  string   // the next step
	Who     []string // principals or teams who can supply what is missing, sorted
}

// Verdict is the answer to one request or one commit, with everything that led to it.
type Verdict struct {
	Outcome     Outcome
	Lane        Lane
	Tier        string
	TierMissing bool  // Tier does not exist or could not be told: its name may be the request's
	Generation  int64 // of the tier
	Enforcement tier.Enforcement
	Object      change.ObjectID
	Operation   change.Operation
	Namespace   string        // whose records tell more: the object's, or the binding's that was judged
	Commit      string        // that was judged, or of the proof, or, as a hint, that the request claims
	Findings    []Finding     // in a fixed order: that of the rules
	Proof       *change.Proof // that admitted, or the nearest miss; nil: none
	Warnings    []string      // shown to the client whatever the outcome
	// RetryAfter is set where a proof is being made right now, or another gate may know more: the wire
	// answer is 429 (ruling 26).
	RetryAfter time.Duration
	// Abstains: this is no verdict, and the front leaves the request to the failure policy (HTTP 503).
	Abstains bool
}

// Admits reports whether the request goes through: because it is allowed, or because the tier only
// warns or audits and never refuses, whatever was found or could not be found out. The zero Verdict
// does not admit, and what is Unknown in an enforcing tier does not; nor does one that abstains.
func (v Verdict) Admits() bool {
	return v.Outcome == Allow || !v.Abstains && (v.Enforcement == tier.Warn || v.Enforcement == tier.Audit)
}
