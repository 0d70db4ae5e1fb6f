package main

import (
	"context"
	"maps"
	"time"

	"github.com/fairway-dev/fairway/internal/forge"
)

// backlog is the part of a branch's changes that was not listed yet: from a page on, back to a time. On
// a busy repository there are more pages than one look reads.
type backlog struct {
	page   int
	since  time.Time
	oldest time.Time // of what was read
}

// list asks for the changes of a branch since the last look, and for some of those that were left then.
func (d *desk) list(ctx context.Context, branch string) error {
	since := d.now().Add(-deskReach)
	if last, ok := d.newest[branch]; ok {
		since = last.Add(-deskOverlap)
	}
	fresh, err := d.take(ctx, forge.Span{Branch: branch, Since: since, Page: 1})
	if err != nil {
		return err
	}
	left, had := d.behind[branch]
	switch {
	case fresh.Next > 0: // it reaches back to where the last look began, and what was left then is below
		if had && left.since.Before(since) {
			since = left.since
		}
		d.behind[branch] = backlog{fresh.Next, since, fresh.Oldest}
	case had && len(d.changes) < deskChanges:
		return d.resume(ctx, branch, left)
	case had:
		delete(d.behind, branch)
	}
	return nil
}

// resume goes on with what was left. What was touched meanwhile has moved others to later pages, never
// to earlier ones, but for a change that is gone: so it begins a page earlier.
func (d *desk) resume(ctx context.Context, branch string, left backlog) error {
	more, err := d.take(ctx, forge.Span{Branch: branch, Since: left.since, Page: max(left.page-1, 1)})
	if err != nil {
		return err
	}
	if more.Next == 0 {
		delete(d.behind, branch)
		return nil
	}
	d.behind[branch] = backlog{more.Next, left.since, more.Oldest}
	return nil
}

// late says that changes of the last day are not listed yet; empty where they are.
func (d *desk) late(branch string) string {
	if left, is := d.behind[branch]; is && left.oldest.After(d.now().Add(-deskLeast)) {
		return "more changes than are listed in one look; those of the last day are not all known yet"
	}
	return ""
}

// take lists a part and takes up what it holds.
func (d *desk) take(ctx context.Context, at forge.Span) (forge.Listing, error) {
	listed, err := d.reader.Changes(ctx, d.repository(), at)
	if err != nil {
		return listed, err
	}
	newest := d.newest[at.Branch]
	for _, c := range listed.Changes {
		if err := d.memory.pin(c.Repository); err != nil {
			return listed, err
		}
		if have, is := d.changes[c.Number]; !is || !c.UpdatedAt.Before(have.UpdatedAt) {
			d.changes[c.Number] = c
		}
		if c.UpdatedAt.After(newest) {
			newest = c.UpdatedAt
		}
	}
	if !newest.IsZero() {
		d.newest[at.Branch] = newest
	}
	d.forget(d.now().Add(-deskReach))
	return listed, nil
}

// forget drops what nobody asks for any more: changes that were closed, and those that landed long ago.
func (d *desk) forget(before time.Time) {
	maps.DeleteFunc(d.changes, func(_ int64, c forge.Change) bool {
		return c.State == forge.Closed || c.UpdatedAt.Before(before)
	})
	for _, c := range d.ordered()[min(len(d.changes), deskChanges):] {
		delete(d.changes, c.Number)
	}
	if len(d.units) > deskChanges {
		clear(d.units)
	}
	maps.DeleteFunc(d.read, func(number int64, _ time.Time) bool { return d.changes[number].State != forge.Open })
	if len(d.ahead) > deskChanges {
		clear(d.ahead)
	}
	maps.DeleteFunc(d.absent, func(_ string, asked time.Time) bool { return d.now().Sub(asked) > deskOverlap })
}
