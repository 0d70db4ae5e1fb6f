package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// unit is a change unit and what is known of it. What is known never changes, and is found out when
// it is first asked for.
type unit struct {
	change.Unit

	mu     sync.Mutex
	opened bool
	stated bool   // the repository holds it, and its diff is the one that was stated
	tree   string // of its head
	found  []alteration

	looked        bool
	before, after content // the lines of the files that it alters

	length int // commits that are not merges; 0: not counted yet
	facts  facts
	read   bool
}

// content is the set of lines of some files, by hash; nil where it was not worth reading. It only
// ever rules out: that a line is in it proves nothing.
type content map[uint64]struct{}

// The most that is read to rule a unit out without merging, and the most commits of a unit that are
// remembered.
const (
	mostFiles     = 200
	mostLineBytes = 1 << 20
	mostOfUnit    = 1000
)

// within reports that no line is missing from other, or that this cannot be said.
func (c content) within(other content) bool {
	if c == nil || other == nil {
		return true
	}
	for line := range c {
		if _, ok := other[line]; !ok {
			return false
		}
	}
	return true
}

// less is the lines that are not in other.
func (c content) less(other content) content {
	rest := content{}
	for line := range c {
		if _, ok := other[line]; !ok {
			rest[line] = struct{}{}
		}
	}
	return rest
}

// contents reads the lines of what was there before some alterations and what is there after.
func (r *Repo) contents(ctx context.Context, found []alteration) (before, after content, err error) {
	if len(found) > mostFiles {
		return nil, nil, nil
	}
	before, after = content{}, content{}
	room := int64(mostLineBytes)
	for _, a := range found {
		for _, side := range []struct {
			mode, id string
			into     content
		}{{a.oldMode, a.oldID, before}, {a.newMode, a.newID, after}} {
			if side.mode == noMode || side.mode == treeMode || side.mode == moduleMode {
				continue
			}
			raw, err := r.read(ctx, side.id, "blob", room)
			var limit *LimitError
			if errors.As(err, &limit) && ctx.Err() == nil {
				return nil, nil, nil
			}
			if err != nil {
				return nil, nil, err
			}
			room -= int64(len(raw))
			for line := range bytes.SplitSeq(raw, []byte("\n")) {
				side.into[maphash.Bytes(r.known.seed, line)] = struct{}{}
			}
		}
	}
	return before, after, nil
}

// open reports whether a unit is stated rightly: both ends are here, and its diff is the stated one.
func (r *Repo) open(ctx context.Context, d *differ, u *unit) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.opened {
		return u.stated, nil
	}
	base, err := r.Object(ctx, u.MergeBase)
	if err != nil {
		return false, missing(err)
	}
	head, err := r.Object(ctx, u.Head)
	if err != nil {
		return false, missing(err)
	}
	found, err := d.compare(base.Tree, head.Tree)
	if err != nil && !passable(err) {
		return false, err
	}
	u.opened, u.stated = true, err == nil && rawDiffID(found) == u.RawDiffID
	u.tree, u.found = head.Tree, slices.DeleteFunc(found, alteration.isDir)
	if len(u.found) > mostFiles {
		u.looked, u.found = true, nil // too much to rule anything out with
	}
	return u.stated, nil
}

// missing is nil for what may still come, or can never be read: the unit is no candidate.
func missing(err error) error {
	if passable(err) {
		return nil
	}
	return err
}

// lines are the lines of the files that an opened unit alters, before and after.
func (r *Repo) lines(ctx context.Context, u *unit) (before, after content, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.looked {
		if u.before, u.after, err = r.contents(ctx, u.found); err != nil {
			return nil, nil, err
		}
		u.looked, u.found = true, nil
	}
	return u.before, u.after, nil
}

// facts are what the commits of a unit say.
type facts struct {
	commits []change.Commit // all, oldest first
	inARow  bool            // each is the only parent of the next, the merge base of the first
}

// plain is the number of a unit's commits that are not merges.
func (r *Repo) plain(ctx context.Context, u *unit) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.length > 0 {
		return u.length, nil
	}
	f, err := r.factsInARow(ctx, u.Unit)
	if err != nil {
		return 0, err
	}
	u.length = len(f.commits)
	if !f.inARow {
		u.length, err = r.countPlain(ctx, u.Unit)
	}
	return u.length, err
}

func (r *Repo) countPlain(ctx context.Context, u change.Unit) (int, error) {
	if err := r.holds(ctx, u.MergeBase); err != nil {
		return 0, err
	}
	out, err := r.run(ctx, "rev-list", "--count", "--no-merges", u.Head, "^"+u.MergeBase)
	if err != nil {
		return 0, fmt.Errorf("counting %s..%s: %w", u.MergeBase, u.Head, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// facts reads the commits of a unit. The commits are the caller's.
func (r *Repo) facts(ctx context.Context, u *unit) (facts, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.read {
		return facts{slices.Clone(u.facts.commits), u.facts.inARow}, nil
	}
	f, err := r.factsInARow(ctx, u.Unit)
	if err == nil && !f.inARow {
		f, err = r.factsByGit(ctx, u.Unit)
	}
	if err == nil && len(f.commits) <= mostOfUnit {
		u.facts, u.read = facts{slices.Clone(f.commits), f.inARow}, true
	}
	return f, err
}

// factsInARow walks a unit of a few commits in a row without asking git. inARow is false where it
// is not one.
func (r *Repo) factsInARow(ctx context.Context, u change.Unit) (facts, error) {
	const few = 32
	var f facts
	for id := u.Head; id != u.MergeBase; {
		o, err := r.Object(ctx, id)
		if err != nil {
			return f, err
		}
		if len(o.Parents) != 1 || len(f.commits) == min(few, r.limits.Commits) {
			return f, nil
		}
		f.commits, id = append(f.commits, o.Commit), o.Parents[0]
	}
	slices.Reverse(f.commits)
	f.inARow = true
	return f, nil
}

func (r *Repo) factsByGit(ctx context.Context, u change.Unit) (facts, error) {
	ids, err := r.Unit(ctx, u.MergeBase, u.Head)
	if err != nil {
		return facts{}, err
	}
	f := facts{commits: make([]change.Commit, len(ids))}
	for i, id := range ids {
		o, err := r.Object(ctx, id)
		if err != nil {
			return facts{}, err
		}
		f.commits[i] = o.Commit
	}
	return f, nil
}

// passable: the error is about one unit or step, of which then nothing is known.
func passable(err error) bool {
	var limit *LimitError
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrMalformed) || errors.Is(err, errTooMany) || errors.As(err, &limit)
}
