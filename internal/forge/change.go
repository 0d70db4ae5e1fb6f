package forge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// Kind names a forge's API.
type Kind string

// The forges there are adapters for. Forgejo speaks Gitea's API.
const (
	GitHub Kind = "GitHub"
	GitLab Kind = "GitLab"
	Gitea  Kind = "Gitea"
)

// Account is somebody on a forge. Only ID says who: a login can be given up and taken by another.
type Account struct {
	ID    string `json:"id,omitempty"`    // immutable; empty: the account is gone, or the forge hides it
	Login string `json:"login,omitempty"` // for people
	Robot bool   `json:"robot,omitempty"` // the forge says that it is a machine's
}

// State is where a change stands.
type State string

// The states of a change.
const (
	Open   State = "Open"
	Merged State = "Merged"
	Closed State = "Closed" // without having been merged
)

// Repository names a repository on a forge.
type Repository struct {
	Path string // owner/name, on GitLab with all its groups
	// ID is the immutable id. Where it is set, answers about any other repository are refused, so
	// that nobody can take over a path that was given up (threat T-10). Empty: any.
	ID string
}

// Change is a pull or merge request, as a listing shows it. Commits in it are hints that select what
// git is asked about.
type Change struct {
	Number     int64     `json:"number"`
	URL        string    `json:"url,omitempty"` // of its page, for people: see Page
	State      State     `json:"state"`
	Repository string    `json:"repository,omitempty"` // immutable id
	Target     string    `json:"target"`               // branch it is to land on
	Head       string    `json:"head"`                 // newest, or that which was merged
	HeadRef    string    `json:"headRef,omitempty"`    // full ref under which the repository serves the head
	MergeBase  string    `json:"mergeBase,omitempty"`  // as the forge says; often empty
	Landed     string    `json:"landed,omitempty"`     // commit that it became on the target: merge, squash or last of a rebase
	Author     Account   `json:"author"`               // who opened it
	Merger     Account   `json:"merger,omitzero"`      // who merged it
	UpdatedAt  time.Time `json:"updatedAt,omitzero"`
	MergedAt   time.Time `json:"mergedAt,omitzero"`
}

// Opinion is what a review says.
type Opinion string

// The opinions. One that a forge spells in no known way is Unknown, and takes back what its reviewer
// said before.
const (
	Approved         Opinion = "Approved"
	ChangesRequested Opinion = "ChangesRequested"
	Commented        Opinion = "Commented" // says nothing, and takes nothing back
	Dismissed        Opinion = "Dismissed" // was one of the above, until somebody or the forge struck it
	Unknown          Opinion = "Unknown"
)

// Review is one review of a change.
type Review struct {
	ID       string  `json:"id"`
	Reviewer Account `json:"reviewer"`
	Opinion  Opinion `json:"opinion"`
	// Commit is the head that it is of, as the forge says now. Empty where the forge keeps none, or
	// is known to have re-pointed it.
	Commit      string    `json:"commit,omitempty"`
	SubmittedAt time.Time `json:"submittedAt"`
}

// Head is one state of the branch that a change is of.
type Head struct {
	Commit string    `json:"commit"`
	Base   string    `json:"base,omitempty"` // merge base that the forge showed it against; often empty
	At     time.Time `json:"at"`             // when it was pushed, by the forge's clock
	By     Account   `json:"by,omitzero"`    // who pushed it
}

// Dossier is everything a forge tells about one change. It can be stored as JSON and judged again.
type Dossier struct {
	Change
	Reviews []Review `json:"reviews,omitempty"`
	// ReviewsFixed: the commit that a review names is what it named when it was given.
	ReviewsFixed bool `json:"reviewsFixed,omitempty"`
	// Heads are the states that the change had since it was opened, oldest first. HeadsKnown: they
	// are all there are, and each says when it came.
	Heads      []Head       `json:"heads,omitempty"`
	HeadsKnown change.Found `json:"headsKnown"`
	// Pushers are those who pushed to the change's branch. PushersKnown: there is nobody else.
	Pushers      []Account    `json:"pushers,omitempty"`
	PushersKnown change.Found `json:"pushersKnown"`
	// Authors are the accounts that the forge takes for authors and committers of the commits. It
	// does so by address, so there may be others: git knows more.
	Authors []Account `json:"authors,omitempty"`
	// Rebased are the times at which what the change would do to its target was changed otherwise
	// than by a push: it was pointed at another branch, or that branch was rewritten.
	Rebased []time.Time `json:"rebased,omitempty"`
	// Commits is how many the forge counts in the change; 0: it does not say.
	Commits int `json:"commits,omitempty"`
}

// Digest is the SHA-256 of the dossier as JSON, in hex: what a proof can name as its evidence.
func (d Dossier) Digest() (string, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
