// Package tier holds compiled tiers, bindings, people and repositories: immutable values that the
// store builds from Fairway's kinds, and the question which tier a namespace is in.
//
// The package refuses to read anything: whoever compiles a value checks it first. A zero Tier is
// the strictest there is (gated, enforced, satisfied by nothing), so a value that somebody forgot
// to fill can only deny.
package tier

import "time"

// Lane says whether a tier judges its changes. The zero value judges.
type Lane string

// The lanes of a tier.
const (
	Gated Lane = "Gated" // only proven content is admitted
	Open  Lane = "Open"  // everything is admitted
)

// Enforcement says what becomes of a refusal. The zero value enforces.
type Enforcement string

// The modes of enforcement.
const (
	Enforce Enforcement = "Enforce" // refusals deny
	Warn    Enforcement = "Warn"    // refusals admit with a warning
	Audit   Enforcement = "Audit"   // refusals admit and are recorded only
)

// Declared says whether an object must say where it comes from. Whatever is not DeclaredOptional,
// the zero value too, asks for it.
type Declared string

// The values of Declared.
const (
	DeclaredRequired Declared = "Required"
	DeclaredOptional Declared = "Optional"
)

// SignatureScope says which commits must carry a good signature. The zero value asks for every one.
type SignatureScope string

// The scopes of the signature rule. They speak of the commits that touch what a source reads.
const (
	EveryCommit SignatureScope = "EveryCommit" // each commit on the chain and of each landed unit
	HeadOnly    SignatureScope = "Head"        // the candidate alone
	NoSignature SignatureScope = "None"
)

// From says who may fill an approval rule.
type From string

// The sources of approvers.
const (
	FromOwners     From = "Owners"     // teams that own the namespace
	FromOtherTeams From = "OtherTeams" // a team that no contributor belongs to
	FromTeams      From = "Teams"      // the teams the rule lists
	FromAnyone     From = "Anyone"     // any person of any team
)

// Policy says how a sub-resource write is answered in a tier.
type Policy string

// The policies for connect and scale. The zero value denies.
const (
	PolicyAllow Policy = "Allow"
	PolicyOwned Policy = "Owned" // by the controllers that the tier or binding lists
	PolicyDeny  Policy = "Deny"
)

// Tier is how strict an environment is, compiled and checked.
type Tier struct {
	Name        string
	Generation  int64
	Digest      string // of the whole spec: a policy input (ruling 4)
	Rank        int    // higher is stricter; orders only the choice of a namespace's tier
	Lane        Lane
	Enforcement Enforcement
	Selector    Selector // namespaces that are in this tier without a binding; nil selects none

	Branches   []string // protected branches that a commit may come from; empty: those of the Repository
	Declared   Declared
	Signatures SignatureRule
	Approvals  []ApprovalRule
	// Reciprocal: the approvers of a unit may not all be of the contributors' teams.
	Reciprocal bool
	Trailers   []TrailerRule
	Tolerate   []Tolerance
	Rollback   RollbackRule
	BreakGlass BreakGlassRule
	Connect    Policy
	Scale      Policy
	// Controllers are runtime lanes beside the built-in ones (ruling 16).
	Controllers []Controller
}

// Refuses reports whether the tier keeps anything out. An open one does not, and no more does one that warns or
// records.
func (t Tier) Refuses() bool {
	return t.Lane != Open && t.Enforcement != Warn && t.Enforcement != Audit
}

// Selector chooses namespaces by their labels.
type Selector interface {
	Matches(labels map[string]string) bool
}

// SignatureRule says which commits must be signed and by whom.
type SignatureRule struct {
	Require SignatureScope
	From    []string // teams; empty: any principal of any team
}

// ApprovalRule asks for Minimum distinct principals; less than one counts as one.
type ApprovalRule struct {
	Name    string
	Minimum int
	From    From
	Teams   []string // for FromTeams
	Level   Level    // the weakest record that counts
	When    When
}

// Level says how strong the record of an approval must be. It mirrors change.Level. Whatever is not
// LevelForge, the zero value too, asks for a signed approval.
type Level string

// The levels.
const (
	LevelForge  Level = "Forge"  // read from the forge's API, or signed
	LevelSigned Level = "Signed" // signed by the approver's own key
)

// Signed reports whether only a signed approval counts.
func (l Level) Signed() bool { return l != LevelForge }

// When limits a rule to some changes. Empty fields do not limit.
type When struct {
	AuthorIn []string // a contributor is in one of these teams
}

// Tolerance lets fields differ that nobody owns, such as what a known mutating webhook adds.
type Tolerance struct {
	Group, Kind string // empty Kind: every kind of the group
	Path        string // field path pattern, see canon.PathPattern
	Why         string
}

// RollbackRule is the way back to content that was delivered before.
type RollbackRule struct {
	Enabled   bool
	Window    time.Duration // how long ago it may have been delivered; 0: no limit
	Approvals int           // signed approvals of the roll-back itself; 0: whoever may write may roll back
}

// BreakGlassRule is the way through in an emergency.
type BreakGlassRule struct {
	MaxDuration  time.Duration // 0: no break-glass in this tier
	Approvals    int           // principals other than the requester; less than one counts as one
	ReviewWithin time.Duration
}

// Controller is a bounded runtime lane: what one identity may do without a proof. No field that a
// proof attests ever changes through it.
type Controller struct {
	Name       string
	Users      []string // user names, exact
	Groups     []string // API groups of Kinds; "*" any
	Kinds      []string // "*" any
	Operations []string // empty: CREATE and UPDATE
	Fields     []string // path patterns it may set; empty: whole objects that an owner reference places
	OwnerKinds []string // the kinds one of which must be the live controlling owner; empty: no owner needed
	Why        string
}
