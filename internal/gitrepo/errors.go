package gitrepo

import (
	"errors"
	"fmt"
)

// The errors that callers tell apart with errors.Is.
var (
	// ErrMalformed is what every MalformedError is.
	ErrMalformed = errors.New("malformed git object")
	// ErrNotFound says that the repository holds no such ref, commit or path.
	ErrNotFound = errors.New("not found in the repository")
	// ErrNotOnChain says that a commit is not on the first-parent chain of another: the history was
	// rewritten, or the commit only came in as a second parent.
	ErrNotOnChain = errors.New("not on the first-parent chain")
	// ErrNoMergeBase says that two commits have no merge base, or several. With several there is no
	// one diff that reviewers could have seen.
	ErrNoMergeBase = errors.New("no single merge base")
	// ErrRewound says that an append-only ref no longer holds what was seen on it before.
	ErrRewound = errors.New("append-only ref was rewound")
	// ErrDiverged says that a remote's append-only ref holds what the local one does not.
	ErrDiverged = errors.New("append-only ref of the remote goes on differently")
	// ErrURL is what every refusal of a repository's URL is.
	ErrURL = errors.New("repository URL refused")
)

// MalformedError is the refusal of one object that can be read in two ways, or not at all.
type MalformedError struct {
	ID     string // as it was asked for
	Reason string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("git object %q is malformed: %s", e.ID, e.Reason)
}

// Is makes every MalformedError an ErrMalformed.
func (e *MalformedError) Is(target error) bool { return target == ErrMalformed }

// LimitError says that a repository is larger or slower than its limits allow.
type LimitError struct {
	What  string // what was counted: "fetched bytes", "tree entries", …
	Limit int64
	Where string // a path, ref or id, for people; may be empty
}

func (e *LimitError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("repository exceeds its limit of %d %s", e.Limit, e.What)
	}
	return fmt.Sprintf("repository exceeds its limit of %d %s at %q", e.Limit, e.What, e.Where)
}

// UnreadableError says that a path is not a file that a render may read.
type UnreadableError struct {
	Path string
	Kind Kind // what it is instead
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("path %q is a %s, which is never read", e.Path, e.Kind)
}
