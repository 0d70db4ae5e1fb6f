package change

// The annotations that `fairway stamp` writes, so that a delivered object says where it comes from.
// They select and explain, and prove nothing.
const (
	StampRepository = "fairway.dev/repository" // name of a Repository, never a URL
	StampCommit     = "fairway.dev/commit"     // full hex id
	StampSource     = "fairway.dev/source"     // name of a source of the namespace's binding
)

// StampKeys are the annotations of a stamp, sorted. A proof is of the manifest without them, since
// a commit cannot name itself: digest and binding leave exactly these annotations out, on both
// sides.
func StampKeys() []string { return []string{StampCommit, StampRepository, StampSource} }
