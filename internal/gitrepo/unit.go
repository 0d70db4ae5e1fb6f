package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// unit is a change unit and what is known of it. What is known never changes.
type unit struct {
	change.Unit
	forked time.Time // as the merge base's committer says: for the order of trying only

	// before and after are the lines of the files that the unit alters.
	before, after content

	mu     sync.Mutex
	length int // commits that are not merges; 0: not counted yet
}

// content is the set of lines of some files, by hash; nil where it was not worth reading. It only
// ever rules out: that a line is in it proves nothing.
type content map[uint64]struct{}

// The most that is read to rule a unit out without merging.
const (
	mostFiles     = 200
	mostFileBytes = 1 << 20
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
	for _, a := range found {
		for _, side := range []struct {
			mode, id string
			into     content
		}{{a.oldMode, a.oldID, before}, {a.newMode, a.newID, after}} {
			if side.mode == noMode || side.mode == treeMode || side.mode == "160000" {
				continue
			}
			raw, err := r.read(ctx, side.id, "blob", mostFileBytes)
			var limit *LimitError
			if errors.As(err, &limit) && ctx.Err() == nil {
				return nil, nil, nil
			}
			if err != nil {
				return nil, nil, err
			}
			for line := range bytes.SplitSeq(raw, []byte("\n")) {
				side.into[maphash.Bytes(r.known.seed, line)] = struct{}{}
			}
		}
	}
	return before, after, nil
}

// plain is the number of a unit's commits that are not merges.
func (r *Repo) plain(ctx context.Context, u *unit) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.length > 0 {
		return u.length, nil
	}
	n, err := r.countPlain(ctx, u.Unit)
	if err == nil {
		u.length = n
	}
	return n, err
}

// countPlain walks a unit of a few commits in a row by itself, and asks git about any other.
func (r *Repo) countPlain(ctx context.Context, u change.Unit) (int, error) {
	const few = 32
	id := u.Head
	for n := range few {
		if id == u.MergeBase {
			return n, nil
		}
		o, err := r.Object(ctx, id)
		if err != nil {
			return 0, err
		}
		if len(o.Parents) != 1 {
			break
		}
		id = o.Parents[0]
	}
	ids, err := r.revList(ctx, "--no-merges", u.Head, "^"+u.MergeBase)
	return len(ids), err
}

// commits are all commits of a unit, oldest first.
func (r *Repo) commits(ctx context.Context, u change.Unit) ([]change.Commit, error) {
	ids, err := r.Unit(ctx, u.MergeBase, u.Head)
	if err != nil {
		return nil, err
	}
	commits := make([]change.Commit, len(ids))
	for i, id := range ids {
		o, err := r.Object(ctx, id)
		if err != nil {
			return nil, err
		}
		commits[i] = o.Commit
	}
	return commits, nil
}

// mentions reports whether a landing of the unit could add and take away these lines. A merge
// without conflicts takes every line from one of its two sides, and takes away only lines that one
// side took away, wherever renames put them.
func (u *unit) mentions(added, gone content) bool {
	return added.within(u.after) && gone.within(u.before)
}
