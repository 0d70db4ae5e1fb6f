package gitrepo

import (
	"context"
	"errors"
	"slices"
	"strconv"
)

// Reading ahead is a hint and no more: many objects are asked for at once, since a question and its
// answer cost more than most objects do. What comes is checked as ever, and kept where whoever needs
// it looks first. What does not come, or is refused, is asked for again then, and told of then.

// Bounds of what is read ahead at once.
const (
	mostAsked   = 56      // names of at most 72 bytes: they fit into any pipe, so that nobody waits to write
	mostPairs   = 2048    // pairs of trees to compare
	mostTree    = 1 << 20 // bytes of one tree
	mostTrees   = 8 << 20 // bytes of trees
	mostBack    = 32      // commits of a chain whose ids are not known yet
	mostCommits = 1024    // commits
	mostSteps   = 64      // steps whose trees are read
)

// readAhead asks for objects by full ids, or by "id~n", and tells of those that came for as long as
// more are wanted.
func (r *Repo) readAhead(ctx context.Context, names []string, max int64, got func(id, kind string, raw []byte) (more bool)) {
	for some := range slices.Chunk(names, mostAsked) {
		if !r.readSome(ctx, some, max, got) {
			return
		}
	}
}

func (r *Repo) readSome(ctx context.Context, names []string, max int64, got func(id, kind string, raw []byte) bool) bool {
	r.busy.RLock()
	defer r.busy.RUnlock()
	more := true
	err := r.cat.with(ctx, names[0], func(proc *catProc) error {
		if err := proc.ask(names...); err != nil {
			return err
		}
		for _, name := range names {
			id, kind, raw, err := proc.answer(name, max)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			more = more && (err != nil || got(id, kind, raw))
		}
		return nil
	})
	return err == nil && more
}

// commitsAhead reads commits that are not remembered.
func (r *Repo) commitsAhead(ctx context.Context, names []string) {
	r.readAhead(ctx, names, maxCommit, func(id, kind string, raw []byte) bool {
		if kind != "commit" || len(raw) > mostKept {
			return true
		}
		if o, err := ParseCommit(id, raw); err == nil {
			remember(r.known, r.known.objects, id, o)
		}
		return true
	})
}

// unknown are the ids of commits that are not remembered, each once.
func (r *Repo) unknown(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, known := recall(r.known, r.known.objects, id)
		again := seen[id]
		seen[id] = true
		return known || again
	})
}

// chainReader reads the commits of a chain one after the other, and ever more of them ahead.
type chainReader struct {
	repo  *Repo
	ahead int
}

func (c *chainReader) object(ctx context.Context, id string) (Object, error) {
	r := c.repo
	if _, known := recall(r.known, r.known.objects, id); !known {
		c.ahead = min(max(2*c.ahead, 1), mostBack)
		r.chainAhead(ctx, id, c.ahead)
	}
	return r.Object(ctx, id)
}

// chainAhead reads a commit and those before it on its chain, n in all.
func (r *Repo) chainAhead(ctx context.Context, id string, n int) {
	names := []string{id}
	for i := 1; i < n; i++ {
		names = append(names, id+"~"+strconv.Itoa(i))
	}
	r.commitsAhead(ctx, names)
}

// readAhead reads the trees that comparing some pairs of trees needs: all of one depth at once.
func (d *differ) readAhead(pairs [][2]string) {
	seen := map[[2]string]bool{}
	room := mostTrees
	for depth := 0; len(pairs) > 0 && depth <= d.repo.limits.Depth; depth++ {
		var fresh [][2]string
		var ids []string
		for _, p := range pairs {
			if p[0] != p[1] && !seen[p] {
				seen[p], fresh, ids = true, append(fresh, p), append(ids, p[0], p[1])
			}
		}
		if len(seen) > mostPairs {
			return
		}
		if room = d.treesAhead(ids, room); room <= 0 {
			return
		}
		pairs = d.below(fresh)
	}
}

// treesAhead reads those of some trees that are not held, and returns what is left of the room.
func (d *differ) treesAhead(ids []string, room int) int {
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool {
		_, held := d.trees[id]
		return held || id == ""
	})
	d.repo.readAhead(d.ctx, ids, mostTree, func(id, kind string, raw []byte) bool {
		if kind == "tree" && checkID(id, kind, raw) == nil {
			_ = d.hold(id, raw) // a refused one is read again, and refused again, where it matters
		}
		room -= len(raw)
		return room > 0
	})
	return room
}

// below are the pairs of directories that comparing some pairs leads to.
func (d *differ) below(pairs [][2]string) [][2]string {
	var next [][2]string
	for _, p := range pairs {
		old, haveOld := d.trees[p[0]]
		new, haveNew := d.trees[p[1]]
		if p[0] != "" && !haveOld || p[1] != "" && !haveNew {
			continue
		}
		_ = d.alterations(old, new, func(old, new *rawEntry) error {
			if pair := [2]string{old.dirID(), new.dirID()}; pair != [2]string{} {
				next = append(next, pair)
			}
			if len(next) > mostPairs {
				return errTooMany
			}
			return nil
		})
	}
	return next
}

// readAhead reads what the comparisons of some steps will need.
func (c *coverage) readAhead(from, to int) {
	var pairs [][2]string
	for i := from; i < to; i++ {
		if before, after := c.commits[i-1].Tree, c.commits[i].Tree; before != "" && after != "" {
			pairs = append(pairs, [2]string{before, after})
		}
	}
	c.differ.readAhead(pairs)
}

// unitsAhead reads the commits of the units that the chain itself names.
func (c *coverage) unitsAhead(ctx context.Context) {
	named := map[string]bool{}
	for i, o := range c.commits {
		named[c.ids[i]] = true
		for _, p := range o.Parents {
			named[p] = true
		}
	}
	var ids []string
	for _, u := range c.units {
		if named[u.Head] && fullID(u.MergeBase) && len(ids) < mostCommits {
			ids = append(ids, u.Head, u.MergeBase)
		}
	}
	c.repo.commitsAhead(ctx, c.repo.unknown(ids))
}
