package change

import "time"

// Found is three-valued evidence. Its zero value is CouldNotTell, which never admits anything.
type Found int8

// The values of Found.
const (
	CouldNotTell Found = iota // nobody looked, or looking failed
	Absent                    // looked, and it is not there
	Present                   // looked, and it is there
)

// FoundIf is Present where b holds and Absent where it does not.
func FoundIf(b bool) Found {
	if b {
		return Present
	}
	return Absent
}

// String is the value for people and logs.
func (f Found) String() string {
	switch f {
	case Absent:
		return "absent"
	case Present:
		return "present"
	}
	return "could not tell"
}

// SignatureState is the outcome of looking at one signature. Only Good counts.
type SignatureState string

// The states of a signature. The empty state means that nobody has looked.
const (
	Unchecked    SignatureState = ""
	Good         SignatureState = "Good"         // by a known key, valid when it was made and when first seen
	Unsigned     SignatureState = "Unsigned"     // no signature at all
	UnknownKey   SignatureState = "UnknownKey"   // well formed, by a key of no principal
	BadSignature SignatureState = "BadSignature" // does not verify over the stored bytes
	ExpiredKey   SignatureState = "ExpiredKey"   // after the end of the key's window
	NotYetValid  SignatureState = "NotYetValid"  // before the start of the key's window
	RevokedKey   SignatureState = "RevokedKey"   // the key was revoked
	BackDated    SignatureState = "BackDated"    // claims a time that what was seen contradicts
	Malformed    SignatureState = "Malformed"    // the object or its armour can be read in two ways
	Unsupported  SignatureState = "Unsupported"  // a format that this version cannot verify
)

// Signature is what is known of one signature.
type Signature struct {
	State       SignatureState
	Principal   string    // who, for Good; the empty string otherwise
	Fingerprint string    // of the key: SHA256:… for SSH, upper-case hex for OpenPGP and for the certificate of X.509
	SignedAt    time.Time // as the signer says
	PayloadHash string    // SHA-256 of the signed payload in hex; unlike a commit id not malleable
	Detail      string    // why it is not Good, for people
	// ByForge: Good, by the repository's forge, which proves that the forge made the commit. It has no
	// Principal, and counts only for the landing of a change that was approved.
	ByForge bool
}

// Person is a name and an address as a commit spells them: free text, a hint.
type Person struct {
	Name, Email string
	When        time.Time
}

// Trailer is one "Key: value" line at the end of a commit message (git-interpret-trailers).
type Trailer struct {
	Key, Value string
}

// Commit is one commit, read from its raw bytes.
type Commit struct {
	ID, Tree  string // full hex object ids
	Parents   []string
	Author    Person
	Committer Person
	Subject   string // first line of the message
	Trailers  []Trailer
	Signature Signature
}

// Decision is what a reviewer said.
type Decision string

// The decisions a statement can carry. Withdraw takes an earlier approval of the same person back.
const (
	Approve  Decision = "Approve"
	Withdraw Decision = "Withdraw"
)

// Level says how strong the record of an approval is (ruling 22).
type Level string

// The levels of an approval.
const (
	LevelForge  Level = "Forge"  // read from the forge's API
	LevelSigned Level = "Signed" // signed by the approver's own key
)

// Approval is one verified statement of one principal about one change unit. What it approves is
// RawDiffID from MergeBase, in Repository, for Branch.
type Approval struct {
	Principal   string
	Level       Level
	Decision    Decision
	Repository  string   // canonical URL that the statement names
	Branch      string   // the branch it approves a landing on
	Tiers       []string // tiers it is limited to; empty: any
	MergeBase   string
	Head        string
	HeadTree    string
	RawDiffID   string // SHA-256 in hex over the raw diff MergeBase..Head (30-proof.md §4)
	SaidAt      time.Time
	SeenAt      time.Time
	Fingerprint string // of the approver's key
	Source      string // where it was found: a ref and commit, or a URL
	Digest      string // SHA-256 in hex of what was signed; empty where nothing was
}

// Landing is the arrival of one change unit on a branch, proven by content.
type Landing struct {
	MergeBase, Head string
	RawDiffID       string
	// Proven: the landed tree equals the merge of the previous tree with Head, the merge base is
	// the one reviewers saw, and the length of the step fits (30-proof.md §3).
	Proven  Found
	Commits []Commit // of the unit, MergeBase..Head, oldest first
	// Contributors are the principals who wrote the unit or its landed form: authors, committers,
	// co-authors and signers. An address that belongs to no principal stands as "<address>".
	// None of them can approve the unit.
	Contributors []string
	Approvals    []Approval // verified, for exactly this unit; withdrawn ones are left out
	// Page is where the unit is reviewed, for people; empty: not known.
	Page string
	// Objections name who asks for changes there. While there are any, no review of it counts.
	Objections []string
	// Unread says why a page of it cannot be read whole, however often it is asked for; empty: each was. What
	// takes an approval back may be in the part that is missing, so no review of the unit counts.
	Unread string
}

// Proposal is a change on its forge: what it brings, as git says, and what people said of it there.
type Proposal struct {
	Number int64
	Page   string // URL, for people
	Branch string // that it is to land on
	Unit   Unit
	// Contributors are the principals who, as the forge knows, opened it or pushed to it. An account
	// of nobody stands as "<account>".
	Contributors []string
	Approvals    []Approval // that count by all the forge says
	Objections   []string   // principals who ask for changes
	Evidence     string     // SHA-256 in hex of what was read
	// Stale says why it could not be read again just now; empty: it is what the forge says now.
	Stale string
	// Unread says why it cannot be read whole, however often it is asked for; empty: it was.
	Unread string
}

// Step is one piece of the first-parent chain.
type Step struct {
	Commits []Commit // oldest first; one for a merge or squash, several for rebase and fast-forward
	// Touches: the step changes a file, directory listing or missing name that the render reads.
	// CouldNotTell is treated as Present.
	Touches Found
	// Undone: everything the step changed of what the render reads is back, at the candidate, at
	// a state that was covered before the step. Nothing of the step is left.
	Undone  Found
	Landing *Landing // nil: no known change unit that this step could be the landing of
}

// Evidence is what was found out about one candidate commit of one source.
type Evidence struct {
	Repository string // name of the Repository
	URL        string // canonical URL of the repository
	Branch     string
	Source     string // name of the source in its binding
	Namespace  string // of the binding
	Commit     Commit // the candidate
	Base       string // where coverage starts: the newest commit proven before, or the baseline
	// OnBranch: the candidate is on the first-parent chain of the branch as the mirror saw it.
	OnBranch Found
	// Continuous: Base is on the candidate's first-parent chain, so no history was rewritten.
	Continuous Found
	Steps      []Step // Base..Commit, oldest first, without a gap
	// Unasked says why the forge could not be asked, although something is missing that it may have;
	// empty: it was asked, or has no say.
	Unasked string
	// Rendered: the source renders at the candidate.
	Rendered     Found
	RenderDetail string // why it does not, for people
}
