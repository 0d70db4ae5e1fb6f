package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/tier"
)

// TestBusyForge: on a repository where more changes are touched in a day than one look lists, the forge
// is asked all the same, what landed meanwhile counts, and the rest is read bit by bit. The forge
// of the test keeps pages of 100, as the real ones do.
func TestBusyForge(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	const noise = 3000 // a change every ten seconds, open, of nobody
	begin := d.UpdatedAt
	all := make([]forge.Change, 0, noise+1) // newest first
	for i := noise; i > 0; i-- {
		all = append(all, forge.Change{
			Number: int64(1000 + i), State: forge.Open, Repository: "77", Target: "main", Head: strings.Repeat("a", 40),
			Author: person("stranger"), UpdatedAt: begin.Add(time.Duration(i) * 10 * time.Second),
		})
	}
	all = append(all, d.Change) // the oldest of them
	for i := range noise {
		p.at[all[i].Number] = &forge.Dossier{Change: all[i]}
	}
	pages := 0
	p.crowd = func(at forge.Span) (forge.Listing, error) {
		return forge.List(at, func(page int) ([]forge.Change, int, error) {
			pages++
			from, to := min((page-1)*100, len(all)), min(page*100, len(all))
			next := page + 1
			if to == len(all) {
				next = 0
			}
			return all[from:to], next, nil
		})
	}
	p.l.in.mirrors.now = func() time.Time { return begin.Add(noise * 10 * time.Second) }
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "more changes than are listed in one look")
	if pages > forge.MostPages {
		t.Errorf("one look read %d pages", pages)
	}
	looks := 1
	for answer, _ := p.l.try(apply); !answer.Allowed && looks < 10; looks++ {
		p.l.look()
		answer, _ = p.l.try(apply)
	}
	p.l.admits("proven", apply)
	if looks > 5 {
		t.Errorf("the change is known after %d looks", looks)
	}
	if unasked := p.l.in.mirrors.unasked("apps"); unasked != "" {
		t.Errorf("when all is read it still says %q", unasked)
	}
	pages = 0
	p.l.look()
	if pages > 2 {
		t.Errorf("when all is read, a look reads %d pages", pages)
	}
}

// TestDeskKeepsTheNewest: whoever opens changes without end fills no memory, and pushes nothing out that
// landed.
func TestDeskKeepsTheNewest(t *testing.T) {
	d := newDesk(nil, tier.Forge{}, nil, time.Now)
	now := time.Now()
	for i := range int64(2 * deskChanges) {
		c := forge.Change{Number: i + 1, State: forge.Open, UpdatedAt: now}
		if i < 10 {
			c.State = forge.Merged
		}
		d.changes[c.Number] = c
	}
	d.forget(now.Add(-deskReach))
	if len(d.changes) != deskChanges {
		t.Errorf("%d changes are kept, want %d", len(d.changes), deskChanges)
	}
	for i := range int64(10) {
		if _, kept := d.changes[i+1]; !kept {
			t.Errorf("change %d landed, and was pushed out by open ones", i+1)
		}
	}
	if _, kept := d.changes[2*deskChanges]; !kept {
		t.Errorf("change %d is the newest, and was dropped", 2*deskChanges)
	}
}
