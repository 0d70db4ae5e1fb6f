package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/tier"
)

// deskMemory is what Fairway saw of a forge and the forge may tell otherwise later. It is kept in a
// file; where that is lost, the forge's word is all there is.
type deskMemory struct {
	path string
	// Repository is the immutable id that the repository had first. Whoever takes its path over has
	// another.
	Repository string `json:"repository,omitempty"`
	// First is what each review named when it was seen first, by its id: a forge may re-point it.
	First map[string]forge.Revision `json:"first,omitempty"`
	// Rewritten are the times at which a branch was seen rewritten.
	Rewritten map[string][]time.Time `json:"rewritten,omitempty"`
}

// The most that is remembered of each.
const (
	deskReviews  = 20_000
	deskRewrites = 100
)

// openMemory reads a memory. One that cannot be read is a new one, for it is only ever more than the
// forge tells.
func openMemory(path string) (*deskMemory, error) {
	m := &deskMemory{path: path}
	raw, err := os.ReadFile(path) //nolint:gosec // our own folder
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading what was seen of the forge: %w", err)
	case err == nil && json.Unmarshal(raw, m) != nil:
		m = &deskMemory{}
	}
	m.path = path
	if m.First == nil {
		m.First = map[string]forge.Revision{}
	}
	if m.Rewritten == nil {
		m.Rewritten = map[string][]time.Time{}
	}
	return m, nil
}

func (m *deskMemory) save() error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keeping what was seen of the forge: %w", err)
	}
	next := m.path + ".new"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return fmt.Errorf("keeping what was seen of the forge: %w", err)
	}
	if err := os.Rename(next, m.path); err != nil {
		return fmt.Errorf("keeping what was seen of the forge: %w", err)
	}
	return nil
}

// pin remembers the repository's id the first time. Later another is refused.
func (m *deskMemory) pin(id string) error {
	switch {
	case id == "" || m.Repository == id:
		return nil
	case m.Repository != "":
		return forge.ErrOther
	}
	m.Repository = id
	return m.save()
}

// see remembers what each review of a change names now, unless it was seen before. Where the forge may
// have re-pointed a review, and does not say which heads there were, nothing is: what it names may be what
// it was pointed at.
func (m *deskMemory) see(d forge.Dossier) error {
	if !d.ReviewsFixed && d.HeadsKnown != change.Present {
		return nil
	}
	grown := false
	for _, r := range d.Reviews {
		if _, seen := m.First[r.ID]; seen {
			continue
		}
		if rev, why := d.Reviewed(r, forge.Revision{}); why == "" {
			m.First[r.ID], grown = rev, true
		}
	}
	if !grown {
		return nil
	}
	if over := len(m.First) - deskReviews; over > 0 {
		for _, id := range slices.SortedFunc(maps.Keys(m.First), olderReview)[:over] {
			delete(m.First, id)
		}
	}
	return m.save()
}

// olderReview orders ids of reviews as forges give them: by number.
func olderReview(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX != nil || errY != nil || x == y {
		return len(a) - len(b)
	}
	if x < y {
		return -1
	}
	return 1
}

// rewritten remembers that a branch was rewritten.
func (m *deskMemory) rewritten(branch string, at time.Time) error {
	m.Rewritten[branch] = append(m.Rewritten[branch], at.UTC())
	m.Rewritten[branch] = m.Rewritten[branch][max(0, len(m.Rewritten[branch])-deskRewrites):]
	return m.save()
}

// deskGit is a mirror, in the forge's words.
type deskGit struct{ repo *gitrepo.Repo }

func (g deskGit) MergeBase(ctx context.Context, a, b string) (string, error) {
	base, err := g.repo.MergeBase(ctx, a, b)
	return base, unheld(err)
}

func (g deskGit) RawDiffID(ctx context.Context, base, head string) (string, error) {
	id, err := g.repo.RawDiffID(ctx, base, head)
	return id, unheld(err)
}

func (g deskGit) Commit(ctx context.Context, id string) (change.Commit, error) {
	object, err := g.repo.Object(ctx, id)
	return object.Commit, unheld(err)
}

// unheld puts what is wrong with one commit in the forge's words.
func unheld(err error) error {
	var limit *gitrepo.LimitError
	if errors.Is(err, gitrepo.ErrNotFound) || errors.Is(err, gitrepo.ErrMalformed) || errors.Is(err, gitrepo.ErrNoMergeBase) || errors.As(err, &limit) {
		return fmt.Errorf("%w: %w", forge.ErrUnknownCommit, err)
	}
	return err
}

// account is an account of the desk's forge, as people declare it.
func (d *desk) account(a forge.Account) tier.Account {
	id, err := strconv.ParseInt(a.ID, 10, 64)
	if err != nil {
		return tier.Account{} // nobody can declare it
	}
	return d.at.Account(id)
}
