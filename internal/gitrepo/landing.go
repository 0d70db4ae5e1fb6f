package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// piece is a stretch of the chain, the commits from+1 to to, that becomes one step.
type piece struct {
	from, to int
	landing  *change.Landing
}

// window is a stretch of the chain that could be the landing of a unit.
type window struct {
	from, to int
	unit     *unit
	// The history itself says so: what was merged, or what the stretch ends with, is the unit's head.
	hinted bool
	// The stretch is the unit's own commits, from its merge base to its head.
	own      bool
	touching int // commits in it that change the closure
}

// partition walks the chain once and takes each landing as soon as it ends.
func (c *coverage) partition(ctx context.Context) ([]piece, error) {
	var pieces []piece
	open := 0 // where the last landing ended: none begins before
	for to := 1; to < len(c.ids); to++ {
		windows, err := c.windows(ctx, open, to)
		if err != nil {
			return nil, err
		}
		p, err := c.settle(ctx, to, windows)
		if err != nil {
			return nil, err
		}
		if p.landing != nil && p.landing.Proven == change.Present {
			pieces = pieces[:len(pieces)-(to-1-p.from)] // its earlier commits stood alone so far
			open = to
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

// windows are the stretches that end here and could be a landing, the most useful first: those that
// explain most of what matters, of these the shortest, and of these what the history hints at.
func (c *coverage) windows(ctx context.Context, open, to int) ([]window, error) {
	if c.matters[to] == c.matters[open] {
		return nil, nil // nothing that matters came since the last landing
	}
	var all []window
	for _, u := range c.units {
		starts, err := c.starts(ctx, u, open, to)
		if err != nil {
			return nil, err
		}
		merged := len(c.commits[to].Parents) > 1 && slices.Contains(c.commits[to].Parents[1:], u.Head)
		pushed := c.ids[to] == u.Head
		for _, from := range starts {
			w := window{
				from: from, to: to, unit: u, hinted: merged && from == to-1 || pushed,
				own: pushed && c.ids[from] == u.MergeBase, touching: c.matters[to] - c.matters[from],
			}
			if w.touching > 0 && !slices.ContainsFunc(c.commits[from:to+1], func(o change.Commit) bool { return o.Tree == "" }) {
				all = append(all, w)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b window) int {
		return cmp.Or(b.touching-a.touching, b.from-a.from, hint(b)-hint(a))
	})
	return all, nil
}

func hint(w window) int {
	if w.hinted {
		return 1
	}
	return 0
}

// starts are the commits from which a landing of a unit could reach to this one: one commit, as many
// as the unit has, or from its merge base where this one is its head.
func (c *coverage) starts(ctx context.Context, u *unit, open, to int) ([]int, error) {
	starts := []int{to - 1}
	if to-open == 1 {
		return starts, nil // there is room for one commit only
	}
	if c.ids[to] == u.Head {
		if own := slices.Index(c.ids[open:to], u.MergeBase); own >= 0 {
			starts = append(starts, open+own)
		}
	}
	n, err := c.repo.plain(ctx, u)
	if err != nil && !passable(err) {
		return nil, err
	}
	if from := to - n; err == nil && n > 1 && from >= open {
		starts = append(starts, from)
	}
	slices.Sort(starts)
	return slices.Compact(starts), nil
}

// settle makes the piece that ends here: the first window that is proven, else the last commit
// alone, with the landing that it claims to be.
func (c *coverage) settle(ctx context.Context, to int, windows []window) (piece, error) {
	alone := piece{from: to - 1, to: to}
	lines := map[int][2]content{}
	for _, w := range windows {
		if stated, err := c.repo.open(ctx, c.differ, w.unit); err != nil {
			return alone, err
		} else if !stated {
			continue
		}
		proven, commits, err := c.prove(ctx, w, lines)
		if err != nil {
			return alone, err
		}
		l := &change.Landing{
			MergeBase: w.unit.MergeBase, Head: w.unit.Head, RawDiffID: w.unit.RawDiffID, Proven: proven, Commits: commits,
		}
		if proven == change.Present {
			return piece{w.from, to, l}, nil
		}
		if w.hinted && (alone.landing == nil || alone.landing.Proven == change.CouldNotTell) ||
			proven == change.CouldNotTell && alone.landing == nil {
			alone.landing = l
		}
	}
	return alone, nil
}

// prove says whether a window is the landing of its unit, which is stated rightly. lines are what
// windows of this end add and take away, by where they begin. What is too large to merge could not
// be told.
func (c *coverage) prove(ctx context.Context, w window, lines map[int][2]content) (change.Found, []change.Commit, error) {
	if !w.hinted {
		possible, err := c.possible(ctx, w, lines)
		if err != nil || !possible {
			return change.Absent, nil, err
		}
		if c.tries == 0 {
			return change.CouldNotTell, nil, nil
		}
		c.tries--
	}
	f, err := c.repo.facts(ctx, w.unit)
	if passable(err) {
		return change.Absent, nil, nil // whoever wrote a commit that cannot be read is not known
	}
	proven := w.own
	if err == nil && !proven {
		proven, err = c.merges(ctx, w, f.inARow)
	}
	if passable(err) {
		return change.CouldNotTell, f.commits, nil
	}
	return change.FoundIf(proven && err == nil), f.commits, err
}

// merges reports whether merging the unit's head into where the window begins, from the merge base
// that was stated, gives the tree that the window ends with.
func (c *coverage) merges(ctx context.Context, w window, inARow bool) (bool, error) {
	before := c.ids[w.from]
	if inARow && before == w.unit.MergeBase {
		return w.unit.tree == c.commits[w.to].Tree, nil // there is nothing to merge with
	}
	base, err := c.repo.mergeBase(ctx, before, w.unit.Head)
	if errors.Is(err, ErrNoMergeBase) {
		return false, nil
	}
	if err != nil || base != w.unit.MergeBase {
		return false, err
	}
	tree, clean, err := c.repo.mergeTree(ctx, before, w.unit.Head)
	return clean && tree == c.commits[w.to].Tree, err
}

// possible rules out, without merging, that a window is the landing of its unit. A merge without
// conflicts takes every line from one of its two sides, and takes away only lines that one side took
// away, wherever renames put them.
func (c *coverage) possible(ctx context.Context, w window, lines map[int][2]content) (bool, error) {
	l, ok := lines[w.from]
	if !ok {
		if net, inFull := c.net(w); inFull {
			before, after, err := c.repo.contents(ctx, net)
			if err != nil {
				return false, err
			}
			l = [2]content{after.less(before), before.less(after)}
		}
		lines[w.from] = l
	}
	before, after, err := c.repo.lines(ctx, w.unit)
	added, gone := l[0], l[1]
	return added.within(after) && gone.within(before), err
}

// net is what a window changes from its beginning to its end, if it was kept in full.
func (c *coverage) net(w window) (net []alteration, inFull bool) {
	byPath := map[string]alteration{}
	for _, d := range c.diffs[w.from+1 : w.to+1] {
		if !d.inFull {
			return nil, false
		}
		for _, a := range d.found {
			if first, ok := byPath[a.path]; ok {
				a.oldMode, a.oldID = first.oldMode, first.oldID
			}
			byPath[a.path] = a
		}
	}
	for _, a := range byPath {
		if a.oldMode != a.newMode || a.oldID != a.newID {
			net = append(net, a)
		}
	}
	return net, true
}
