package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/forge"
)

// TestT52ThousandDryRuns of every kind ask no forge and deliver nothing, and each is told what the write itself would be.
func TestT52ThousandDryRuns(t *testing.T) {
	p := newFakeForge(t)
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	unseen, _ := p.land("sara", version("3.0"))
	p.l.look()
	banner := p.l.apply(story.Banner, merge)
	p.l.admits("proven", banner)
	by := func(w story.Write, change func(*story.Write)) story.Write { change(&w); return w }
	web := p.l.apply(story.Web(2, "", "2.0"), merge)
	writes := map[string]story.Write{
		"proven":                web,
		"again":                 banner,
		"waiting for approval":  p.l.apply(story.Web(2, "", "3.0"), unseen),
		"other content":         p.l.apply(story.Web(9, "", "2.0"), merge),
		"of an unknown commit":  p.l.apply(story.Web(2, "", "2.0"), strings.Repeat("e", 40)),
		"by hand":               {Object: story.Web(2, "", "2.0"), User: "sara", Manager: "kubectl"},
		"with another manager":  by(web, func(w *story.Write) { w.Manager = "kubectl" }),
		"without a declaration": {Object: story.Web(2, "", "2.0"), User: "deployer", Manager: "deployer", Apply: true},
		"in a sandbox":          {Object: strings.ReplaceAll(story.Banner, "shop", "play"), User: "sara", Manager: "kubectl"},
		"in no namespace":       {Object: strings.ReplaceAll(story.Banner, "shop", "nowhere"), User: "sara", Manager: "kubectl"},
	}
	asked := p.reads
	p.crowd = func(forge.Span) (forge.Listing, error) { asked = -1; return forge.Listing{}, nil }
	verdict := func(w story.Write) string {
		answer, _ := p.l.try(w)
		return fmt.Sprint(answer.Allowed, answer.AuditAnnotations, answer.Warnings, said(answer))
	}
	marks := p.l.deliveries()
	first := map[string]string{}
	for i := range 100 {
		for name, w := range writes {
			w.DryRun = true
			answer := verdict(w)
			if i == 0 {
				first[name] = answer
			} else if answer != first[name] && name != "of an unknown commit" { // which is waited for once
				t.Fatalf("%s: dry run %d says\n%s\nthe first said\n%s", name, i, answer, first[name])
			}
		}
	}
	if p.reads != asked {
		t.Errorf("the forge was asked %d times", p.reads-asked)
	}
	if got := p.l.deliveries(); got != marks {
		t.Errorf("%d deliveries are marked, %d before", got, marks)
	}
	for name, w := range writes {
		w.DryRun = true
		dry := verdict(w)
		w.DryRun = false
		if real := verdict(w); real != dry {
			t.Errorf("%s: the write is told\n%s\nits dry run\n%s", name, real, dry)
		}
	}
	if got := p.l.deliveries(); got != marks { // the same commit, which came with the banner
		t.Errorf("%d deliveries are marked, %d before", got, marks)
	}
}

// deliveries counts the commits that the shop is marked to have delivered.
func (l *lab) deliveries() int {
	marks, _ := l.in.directory.shelf.Marks.Delivered(shopKeyOf())
	return len(marks)
}

func TestT52DryRunDeliversNothing(t *testing.T) {
	l := newLab(t)
	merge := l.land("sara", version("2.0"), "sam", "paula")
	l.look()
	apply := l.apply(story.Web(2, "", "2.0"), merge)
	apply.DryRun = true
	l.admits("proven", apply)
	if got := l.deliveries(); got != 0 {
		t.Errorf("a dry run was marked as a delivery: %d", got)
	}
	apply.DryRun = false
	l.admits("proven", apply)
	if marks, _ := l.in.directory.shelf.Marks.Delivered(shopKeyOf()); len(marks) != 1 || marks[0].Commit != merge {
		t.Errorf("deliveries are %v, want %s", marks, merge)
	}
}
