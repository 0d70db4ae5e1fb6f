package change

import "time"

// Digest is the keyed digest (HMAC-SHA-256) of what a server-side apply of a manifest would own.
type Digest [32]byte

// ProvenObject is one object of a proof.
type ProvenObject struct {
	ID      ObjectID
	Version string // API version that the manifest is written in, without the group
	Digest  Digest
}

// SourceKey names a source for the marks of delivery. Renaming a source or re-creating its
// namespace does not change it (ruling 3).
type SourceKey struct {
	Repository, Branch, Path, Namespace string
}

// Proof is one ProvenCommit whose signatures were verified: content, and where it came from.
type Proof struct {
	Name     string // of the ProvenCommit
	Key      SourceKey
	Source   string // name of the source in its binding
	Commit   string
	Tree     string
	Height   int64 // number of commits on the first-parent chain up to and with Commit
	ProvenAt time.Time
	Base     string // where coverage of this proof starts
	Closure  Closure
	Objects  []ProvenObject
	// Judgements hold the standing verdict of each tier that judged the evidence.
	Judgements []Judgement
	Subject    string
	Author     string
	Trailers   []Trailer
	Approvers  []string
	Approvals  []Approval // verified statements that were judged
	// Reviews are what the forge said of the changes that landed, as they were judged. They stand in
	// for the forge where it cannot be asked.
	Reviews []Proposal
	Revoked bool // no longer on the branch, or an approval was withdrawn before delivery
}

// Judgement is a tier's standing verdict on a proof.
type Judgement struct {
	Tier         string
	Admissible   Found    // Present: the tier admits this content
	Pending      bool     // not admissible yet, but may become so without a new commit
	PolicyDigest string   // of all that judged it (ruling 4)
	Missing      []string // what is missing and who can give it, one requirement a line, for people
}

// Delivered is the gate's mark of one commit of a source that was admitted in a namespace.
type Delivered struct {
	Commit string
	Height int64
	At     time.Time
	// Back: it was admitted as a roll-back, so that a newer commit may stand before it.
	Back bool
}

// Origin is where a request says it comes from. Every field was chosen by whoever could write the
// object: Origin selects a candidate and explains a verdict, and proves nothing.
type Origin struct {
	Engine     string // "Flux", "Argo CD", "Helm", "Stamp" or empty
	Owner      string // for people, for example "Kustomization flux-system/apps"
	Repository string // name of a Repository
	Commit     string // full hex id
	Source     string // name of a source
	// Conflicts name the declarations that contradict each other, for people.
	Conflicts []string
}

// Declared reports whether the object says anything about where it comes from.
func (o Origin) Declared() bool { return o.Engine != "" || o.Repository != "" || o.Commit != "" }

// Closure is what a render depended on: files it read, directories it listed, names it looked up
// and did not find, and the folder of the source itself (ruling 21). Paths are clean, relative to
// the root of the tree and sorted.
type Closure struct {
	Prefix               string
	Files, Dirs, Missing []string
}

// Unit is a change unit that somebody said something about: the candidate for a Landing.
type Unit struct {
	MergeBase, Head, RawDiffID string
}

// Spoken is what one proof says of an object.
type Spoken struct {
	Proof  *Proof
	Object *ProvenObject
}
