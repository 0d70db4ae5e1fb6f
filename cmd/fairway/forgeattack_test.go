package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/story"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
)

// approved is a change of sara that is proven by reviews and was not delivered, and a request for it that
// delivers nothing.
func (p *fakeForge) approved() (d *forge.Dossier, dry story.Write) {
	p.t.Helper()
	merge, d := p.land("sara", version("2.0"))
	p.says(d, "sam", forge.Approved)
	p.says(d, "paula", forge.Approved)
	p.l.look()
	dry = p.l.apply(story.Web(2, "", "2.0"), merge)
	dry.DryRun = true
	p.l.admits("proven", dry)
	return d, dry
}

// TestT40DismissedWhileTheListIsDown: what a page says now counts, although the forge does not answer
// about other pages.
func TestT40DismissedWhileTheListIsDown(t *testing.T) {
	for name, say := range map[string]func(p *fakeForge, d *forge.Dossier){
		"dismissed":           func(_ *fakeForge, d *forge.Dossier) { d.Reviews[0].Opinion = forge.Dismissed },
		"changes asked for":   func(p *fakeForge, d *forge.Dossier) { p.says(d, "sam", forge.ChangesRequested) },
		"by somebody else":    func(p *fakeForge, d *forge.Dossier) { p.says(d, "pete", forge.ChangesRequested) },
		"its reviewer pushed": func(_ *fakeForge, d *forge.Dossier) { d.Pushers = append(d.Pushers, person("sam")) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newFakeForge(t)
			d, dry := p.approved()
			p.deaf = errors.New("answer 500")
			p.l.look()
			p.l.admits("proven", dry)
			say(p, d)
			p.l.look()
			p.l.refuses(http.StatusForbidden, dry, "FW103")
		})
	}
}

// TestT40DismissedOnOneOfTwoPages: a page that cannot be read does not keep alive what was taken back on
// another.
func TestT40DismissedOnOneOfTwoPages(t *testing.T) {
	p := newFakeForge(t)
	d, dry := p.approved()
	twin := *d
	twin.Number, twin.URL, twin.Reviews = 99, d.URL+"9", nil
	p.at[99] = &twin
	p.l.look()
	p.worse = map[int64]error{99: errors.New("answer 500")}
	p.l.look()
	p.l.admits("proven", dry)
	d.Reviews[0].Opinion = forge.Dismissed
	p.l.look()
	p.l.refuses(http.StatusForbidden, dry, "FW103")
}

// TestT40APageTooLongToRead: an author who writes until the page cannot be read whole any more does not
// keep what was approved on it before, nor hide who asks for changes from what another page says.
func TestT40APageTooLongToRead(t *testing.T) {
	p := newFakeForge(t)
	d, dry := p.approved()
	p.says(d, "sam", forge.ChangesRequested)
	p.worse = map[int64]error{d.Number: fmt.Errorf("a list of more than 1000: %w", forge.ErrTooMuch)}
	p.l.look()
	p.l.refuses(http.StatusForbidden, dry, "FW103", "cannot be read whole", "more than 1000")

	twin := *d
	twin.Number, twin.URL, twin.Reviews = 99, d.URL+"9", slices.Clone(d.Reviews[:2])
	p.at[99] = &twin
	p.l.look()
	p.l.refuses(http.StatusForbidden, dry, "FW103", "cannot be read whole")

	for _, who := range []string{"sam", "paula"} {
		p.l.approve(who, d.Head)
	}
	p.l.look()
	p.l.admits("proven", dry)
}

// TestT09RepointedBeforeHeadsAreKnown: a forge that points a review at another commit before it tells of
// the push is not believed about what the review named first.
func TestT09RepointedBeforeHeadsAreKnown(t *testing.T) {
	p := newFakeForge(t)
	seen, err := p.l.shop.Branch(t.Context(), "feature", "sara", message, map[string]string{story.WebPath: story.Web(3, "", "1.0")})
	if err != nil {
		t.Fatal(err)
	}
	merge, d := p.land("sara", version("2.0"))
	for _, who := range []string{"sam", "paula"} {
		p.says(d, who, forge.Approved) // of seen; the forge says d.Head
	}
	heads := []forge.Head{{Commit: seen, At: d.Heads[0].At, By: person("sara")}, {Commit: d.Head, At: p.tick(), By: person("sara")}}
	d.Heads, d.HeadsKnown, d.PushersKnown = nil, change.CouldNotTell, change.CouldNotTell
	p.l.look()
	apply := p.l.apply(story.Web(2, "", "2.0"), merge)
	p.l.refuses(http.StatusForbidden, apply, "FW103")
	d.Heads, d.HeadsKnown, d.PushersKnown = heads, change.Present, change.Present
	p.l.look()
	p.l.refuses(http.StatusForbidden, apply, "FW103")
}

// TestT33HeadsOfStrangersAreNotFetched: whoever opens changes does not fill the disk with them.
func TestT33HeadsOfStrangersAreNotFetched(t *testing.T) {
	p := newFakeForge(t)
	ctx := t.Context()
	head, err := p.l.shop.Branch(ctx, "feature", "sara", message, version("2.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.l.shop.Repo.SetRef(ctx, "refs/pull/1/head", head); err != nil {
		t.Fatal(err)
	}
	d := &forge.Dossier{
		Change: forge.Change{
			Number: 1, State: forge.Open, Repository: "77", Target: "main", Head: head, HeadRef: "refs/pull/1/head", Author: person("stranger"), UpdatedAt: p.tick(),
		},
		Heads: []forge.Head{{Commit: head, At: p.tick(), By: person("stranger")}}, HeadsKnown: change.Present,
		Pushers: []forge.Account{person("stranger")}, PushersKnown: change.Present,
	}
	p.at[1] = d
	held := func() bool {
		p.l.look()
		_, err := p.l.in.mirrors.open["apps"].mirror.Object(ctx, head)
		return err == nil
	}
	if held() {
		t.Error("fetched before anybody approved it")
	}
	p.says(d, "stranger", forge.Approved)
	if held() {
		t.Error("fetched for a stranger's approval")
	}
	p.says(d, "sam", forge.Approved)
	if !held() {
		t.Error("not fetched, so what was reviewed may be gone when it lands")
	}
}

// TestT39ASlowForgeHoldsUpNothingElse: a forge that answers about no change in time costs a look its
// patience once, and signed approvals go on.
func TestT39ASlowForgeHoldsUpNothingElse(t *testing.T) {
	p := newFakeForge(t)
	p.worse = map[int64]error{}
	for i := range 5 {
		merge, d := p.land("sara", version(fmt.Sprintf("2.%d", i)))
		if i == 4 {
			for _, who := range []string{"sam", "paula"} {
				p.l.approve(who, d.Head)
			}
		}
		p.worse[d.Number] = context.DeadlineExceeded
		open := *d
		open.Number, open.State, open.Landed, open.Head = 50+d.Number, forge.Open, "", merge[:39]+"0"
		p.at[open.Number], p.worse[open.Number] = &open, context.DeadlineExceeded
	}
	p.l.in.mirrors.open["apps"].desk.patience = 400 * time.Millisecond
	began := time.Now()
	p.l.look()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the look took %s", took)
	}
	if reads := p.reads; reads > 20 {
		t.Errorf("%d changes were asked about", reads)
	}
}
