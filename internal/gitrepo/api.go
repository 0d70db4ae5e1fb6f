package gitrepo

import (
	"context"
	"errors"

	"github.com/fairway-dev/fairway/internal/change"
)

var errSoon = errors.ErrUnsupported

// Repo is a git repository on disk: a mirror, or the clone that somebody works in.
type Repo struct{}

// OpenClone opens the repository that dir is in, with its user's own configuration. A shallow
// clone is refused: its history answers wrongly.
func OpenClone(ctx context.Context, dir string, limits Limits) (*Repo, error) { return nil, errSoon }

// Close ends the processes that the repository holds.
func (r *Repo) Close() error { return errSoon }

// Object is the commit with this full id, parsed strictly. Its signature is Unchecked.
func (r *Repo) Object(ctx context.Context, id string) (Object, error) { return Object{}, errSoon }

// Object is a commit with the bytes that its signature covers.
type Object struct {
	change.Commit
	Payload   []byte // the stored bytes without the signature header
	Signature []byte // the armoured block; empty where the commit is unsigned
}

// ParseCommit reads the raw bytes of the commit with this id, and refuses (MalformedError) whatever
// git or another reader could understand differently.
func ParseCommit(id string, raw []byte) (Object, error) { return Object{}, errSoon }

// Tip is the commit that the branch points at. ErrNotFound.
func (r *Repo) Tip(ctx context.Context, branch string) (string, error) { return "", errSoon }

// Resolve is the full id of the commit that a name of the user's means: HEAD, a branch, a short id.
func (r *Repo) Resolve(ctx context.Context, name string) (string, error) { return "", errSoon }

// Chain is the first-parent chain base..head, oldest first, without base. ErrNotOnChain.
func (r *Repo) Chain(ctx context.Context, base, head string) ([]string, error) { return nil, errSoon }

// Height is the number of commits on the first-parent chain up to and with the commit.
func (r *Repo) Height(ctx context.Context, commit string) (int64, error) { return 0, errSoon }

// OnFirstParent reports whether the commit is on the branch's first-parent chain.
func (r *Repo) OnFirstParent(ctx context.Context, branch, commit string) (bool, error) {
	return false, errSoon
}

// Place is OnFirstParent and, where it holds, Height.
func (r *Repo) Place(ctx context.Context, branch, commit string) (height int64, on bool, err error) {
	return 0, false, errSoon
}

// MergeBase is the one merge base of two commits. ErrNoMergeBase.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) { return "", errSoon }

// MergeTree is the tree that merging b into a gives. It is not clean where they conflict.
func (r *Repo) MergeTree(ctx context.Context, a, b string) (tree string, clean bool, err error) {
	return "", false, errSoon
}

// RawDiffID is the identity of what changes between two commits, in hex.
func (r *Repo) RawDiffID(ctx context.Context, base, head string) (string, error) { return "", errSoon }

// Unit is the ids of the commits base..head, oldest first, merges included.
func (r *Repo) Unit(ctx context.Context, base, head string) ([]string, error) { return nil, errSoon }

// Ref is a name and the object it points at.
type Ref struct{ Name, ID string }

// Refs are the refs whose full name begins with prefix, sorted by name.
func (r *Repo) Refs(ctx context.Context, prefix string) ([]Ref, error) { return nil, errSoon }

// CoverRequest asks how the content that a source reads came about between two commits.
type CoverRequest struct {
	Base, Head string
	Closure    change.Closure // F(before) ∪ F(after)
	Units      []change.Unit  // of which somebody said something, in the order to prefer them
}

// Cover partitions the first-parent chain Base..Head into steps. ErrNotOnChain.
func (r *Repo) Cover(ctx context.Context, req CoverRequest) ([]change.Step, error) {
	return nil, errSoon
}

// Kind is what a tree holds at a path.
type Kind string

// The kinds. Only files and executables are ever read.
const (
	File       Kind = "file"
	Executable Kind = "executable file"
	Directory  Kind = "directory"
	Symlink    Kind = "symbolic link"
	Submodule  Kind = "submodule"
	LFSPointer Kind = "LFS pointer" // reported by ReadFile only: nothing but its content tells
)

// Entry is one name in a tree.
type Entry struct {
	Name string // last component
	Kind Kind
	ID   string // object id
}

// Tree is the content of one commit, read only. Paths are clean and relative, "." is the root.
// A Tree is for one render: it keeps what it has read, and counts it against the limits.
type Tree struct{}

// Tree opens the content of a commit. ctx bounds all later reads of the Tree.
func (r *Repo) Tree(ctx context.Context, commit string) (*Tree, error) { return nil, errSoon }

// ReadFile is the content of a file. ErrNotFound, UnreadableError, LimitError.
func (t *Tree) ReadFile(path string) ([]byte, error) { return nil, errSoon }

// ReadDir is the content of a directory, sorted by name. ErrNotFound, UnreadableError, LimitError.
func (t *Tree) ReadDir(path string) ([]Entry, error) { return nil, errSoon }

// Lstat says what is at a path; links are not followed, not on the way either. ErrNotFound,
// UnreadableError where something on the way is not a directory but a link or a submodule.
func (t *Tree) Lstat(path string) (Entry, error) { return Entry{}, errSoon }

// LogEntry is one commit of an append-only ref.
type LogEntry struct {
	Commit  string
	Carries []string          // the extra parents
	Files   map[string][]byte // by name
}

// Append adds a commit to an append-only ref and returns its id. Each file is one plain name.
// extraParents are commits that must travel with the ref, such as the approved head.
func (r *Repo) Append(ctx context.Context, ref, message string, files map[string][]byte, extraParents []string) (string, error) {
	return "", errSoon
}

// ReadRefLog is what was appended to a ref, oldest first. after is the newest entry seen before:
// only what came later is returned, and ErrRewound where the ref no longer holds it. Empty: all.
// ref may also be a full commit id, to read on from a tip that was rewound.
func (r *Repo) ReadRefLog(ctx context.Context, ref, after string) ([]LogEntry, error) {
	return nil, errSoon
}

// Push sends an append-only ref to a remote (its name, or for a Mirror "" for its own URL), if the
// remote's is one that the local one continues. ErrRewound.
func (r *Repo) Push(ctx context.Context, remote, ref string) error { return errSoon }

// Mirror is a bare copy of a remote repository.
type Mirror struct{ *Repo }

// Open prepares a mirror in dir, which it makes where needed. Nothing is fetched yet. One dir
// serves one Mirror at a time. ErrURL.
func Open(dir, url string, opts Options) (*Mirror, error) { return nil, errSoon }

// Moved is what a fetch did to one ref.
type Moved struct {
	Ref           string
	Before, After string // empty: the ref did not exist, or is gone
	// Rewound: Before is not on the first-parent chain of After.
	Rewound bool
}

// Fetch brings the protected branches and the approvals up to date and returns what moved, sorted
// by ref. LimitError.
func (m *Mirror) Fetch(ctx context.Context) ([]Moved, error) { return nil, errSoon }
