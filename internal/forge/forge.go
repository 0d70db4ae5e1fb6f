package forge

import (
	"context"
	"errors"
	"time"
)

// Reader reads one forge. Its methods may be called side by side.
type Reader interface {
	// Changes are those of a repository that aim at the span's branch and were touched in it,
	// newest first: open, merged and closed ones. It begins at a page of the listing, 1 for the first,
	// and reads MostPages at most. ErrGone, ErrDenied, LimitedError.
	Changes(ctx context.Context, r Repository, at Span) (Listing, error)
	// Dossier is all there is about one change. ErrGone, ErrDenied, LimitedError, ErrTooMuch.
	Dossier(ctx context.Context, r Repository, number int64) (Dossier, error)
	// Members are the accounts in a team: organisation/team, on GitLab a group with its parents.
	Members(ctx context.Context, team string) ([]Account, error)
}

// The errors that a Reader wraps.
var (
	// ErrGone: there is no such repository, change or team. Some forges say so as well of what the token
	// may not see.
	ErrGone = errors.New("not there, or not to be seen with this token")
	// ErrDenied: the token is not good for it, or no longer. It says nothing of what is there.
	ErrDenied = errors.New("refused to this token")
	// ErrTooMuch: there is more than Fairway reads; nothing of it was used.
	ErrTooMuch = errors.New("more than is read")
	// ErrAnswer: what the forge answered cannot be understood.
	ErrAnswer = errors.New("answer not understood")
	// ErrOther: the path now leads to a repository with another immutable id.
	ErrOther = errors.New("another repository has taken this path")
	// ErrUnknownCommit: git does not hold the commit, or cannot read it. For implementations of Git.
	ErrUnknownCommit = errors.New("commit not held")
)

// The most that is read of one thing. More is ErrTooMuch: half a list of reviews may lack the one
// that takes an approval back.
const (
	MostReviews = 1000
	MostHeads   = 1000
	MostMembers = 5000
)

// MostPages is how many pages of a listing of changes are read at once; the others are there to be read
// later, since a change that is not listed yet only waits.
const MostPages = 10

// Span is a part of a listing of changes.
type Span struct {
	Branch string
	Since  time.Time
	Page   int // 1 is that of the newest
}

// Listing is what was read of one.
type Listing struct {
	Changes []Change
	Next    int       // page to go on with; 0: all was read. What is touched meanwhile moves others to later pages.
	Oldest  time.Time // when the last that was read was touched, whatever branch it aims at; zero: none was
}
