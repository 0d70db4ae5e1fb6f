package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/forge"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/tier"
)

// How far back a forge is asked for changes, how much of that there must be for it to be called asked,
// and how much is asked for again each time, since the clocks of two machines differ.
const (
	deskReach = 90 * 24 * time.Hour
	deskLeast = 24 * time.Hour
	// deskChanges is how many changes are known at most, the newest. What an older one brought is approved
	// by a key, or landed anew.
	deskChanges = 5000
	deskOverlap = 10 * time.Minute
	// deskReadings bounds how many open changes are read in one look, so that what their reviews name is
	// remembered before anybody can change it. Those that landed are read when they are judged.
	deskReadings = 50
	// deskPatience is how long one look waits for the forge: so long for lists and heads, half of that for
	// open changes, and so long again for those that are judged. What does not need the forge goes on then.
	deskPatience = time.Minute
)

// desk is one repository's forge, between looks. One look at a time uses it.
type desk struct {
	reader forge.Reader
	at     tier.Forge
	memory *deskMemory
	now    func() time.Time
	// patience is deskPatience.
	patience time.Duration

	changes map[int64]forge.Change // as they were listed last
	newest  map[string]time.Time   // of a branch's changes
	behind  map[string]backlog     // by branch: what of the listing is not read yet
	read    map[int64]time.Time    // open changes: as of when they were read
	units   map[landing]landedUnit // of changes that landed
	absent  map[string]time.Time   // heads that the remote does not give, and when it was asked
	ahead   map[string]string      // heads of open changes that were not part of that tip
	told    string                 // why it could not be asked, as people were told last
}

// landing is what a change landed as.
type landing struct{ target, head, landed, mergeBase string }

func landingOf(c forge.Change) landing { return landing{c.Target, c.Head, c.Landed, c.MergeBase} }

type landedUnit struct {
	unit change.Unit
	tree string
}

func newDesk(reader forge.Reader, at tier.Forge, memory *deskMemory, now func() time.Time) *desk {
	return &desk{
		reader: reader, at: at, memory: memory, now: now, patience: deskPatience, changes: map[int64]forge.Change{}, newest: map[string]time.Time{}, behind: map[string]backlog{},
		read: map[int64]time.Time{}, units: map[landing]landedUnit{}, absent: map[string]time.Time{}, ahead: map[string]string{},
	}
}

// repository is the one that is asked about. Its immutable id is that which it had first.
func (d *desk) repository() forge.Repository {
	return forge.Repository{Path: d.at.Project, ID: d.memory.Repository}
}

// look asks what changed since the last look. Why it could not be asked is told, and no error: what it
// said before is still there.
func (v *deskView) look(ctx context.Context, branches []string) (unasked string) {
	listing, stop := context.WithTimeout(ctx, v.patience)
	defer stop()
	for _, branch := range branches {
		if err := v.list(listing, branch); err != nil {
			return v.why(err)
		}
		if late := v.late(branch); late != "" {
			unasked = v.at.Host + ": " + late
		}
	}
	if err := v.fetchHeads(listing, v.mirror); err != nil {
		return v.why(err)
	}
	reading, stop := context.WithTimeout(ctx, v.patience/2)
	defer stop()
	if err := v.readOpen(reading); err != nil && reading.Err() == nil { // what is left is read in the next look
		return v.why(err)
	}
	return unasked
}

// why says in one line why the forge could not be asked. That it is not asked again yet, after it failed,
// is no news: a reason that changes with the time would have every proof written anew at each look.
func (d *desk) why(err error) string {
	var limited *forge.LimitedError
	if errors.As(err, &limited) && d.told != "" {
		return d.told
	}
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return d.at.Host + ": " + text
}

// fetchHeads brings into the mirror what the changes are of that landed. One that is open may be anybody's,
// and of any size: what it is of is fetched once somebody who is known has approved it.
func (d *desk) fetchHeads(ctx context.Context, mirror *gitrepo.Mirror) error {
	var refs []string
	heads := map[string]string{} // by ref
	for _, c := range d.ordered() {
		if c.State != forge.Merged || c.HeadRef == "" || len(refs) == gitrepo.HeadsLimit {
			continue
		}
		if _, asked := d.absent[c.Head]; asked {
			continue
		}
		if _, err := mirror.Object(ctx, c.Head); errors.Is(err, gitrepo.ErrNotFound) && heads[c.HeadRef] == "" {
			refs, heads[c.HeadRef] = append(refs, c.HeadRef), c.Head
		}
	}
	missing, err := mirror.FetchHeads(ctx, refs)
	if err != nil {
		return err
	}
	for _, ref := range missing {
		d.absent[heads[ref]] = d.now()
	}
	return nil
}

// ordered are the changes, those that landed first, of each the newest first.
func (d *desk) ordered() []forge.Change {
	all := slices.Collect(maps.Values(d.changes))
	slices.SortFunc(all, func(a, b forge.Change) int {
		if landed := a.State == forge.Merged; landed != (b.State == forge.Merged) {
			if landed {
				return -1
			}
			return 1
		}
		return int(b.Number - a.Number)
	})
	return all
}

// deskView is a desk in one look: judged by the people in force, with what was read in it.
type deskView struct {
	*desk
	mirror  *gitrepo.Mirror
	address string // canonical, of the repository
	people  tier.People
	unasked string
	again   map[int64]change.Proposal
	tips    map[string]string // of branches
	left    time.Duration     // of the patience with the forge while commits are judged
}

// dossier reads a change while patience lasts.
func (v *deskView) dossier(ctx context.Context, number int64) (forge.Dossier, error) {
	ctx, stop := context.WithTimeout(ctx, v.left)
	defer stop()
	began := time.Now()
	d, err := v.reader.Dossier(ctx, v.repository(), number)
	v.left -= time.Since(began)
	return d, err
}

// Proposals are the changes that landed on a branch.
func (v *deskView) Proposals(ctx context.Context, branch string) ([]change.Proposal, string, error) {
	var landed []change.Proposal
	for _, c := range v.ordered() {
		if c.Target != branch {
			continue
		}
		c, is, err := v.landed(ctx, c)
		if err != nil {
			return nil, "", err
		}
		if !is {
			continue
		}
		unit, err := v.unitOf(ctx, c)
		if err != nil {
			return nil, "", err
		}
		if unit.unit.RawDiffID != "" {
			landed = append(landed, change.Proposal{Number: c.Number, Page: c.URL, Branch: branch, Unit: unit.unit})
		}
	}
	return landed, v.unasked, nil
}

// unitOf is what a change brought, by git. What git does not hold yet is asked for again.
func (v *deskView) unitOf(ctx context.Context, c forge.Change) (landedUnit, error) {
	if have, ok := v.units[landingOf(c)]; ok {
		return have, nil
	}
	dossier := forge.Dossier{Change: c}
	if c.Landed == c.Head && c.MergeBase == "" { // a fast-forward says in its dossier alone where it began
		read, err := v.dossier(ctx, c.Number)
		if errors.Is(err, forge.ErrTooMuch) {
			return landedUnit{}, nil // nothing of it counts, and the others can be asked
		}
		if err != nil {
			v.unasked = v.why(err)
			return landedUnit{}, nil
		}
		dossier = read
	}
	var f forge.Facts
	if err := forge.Resolve(ctx, deskGit{v.mirror.Repo}, dossier, "", &f); err != nil {
		return landedUnit{}, fmt.Errorf("comparing change %d: %w", c.Number, err)
	}
	unit := landedUnit{f.Unit, f.HeadTree}
	if unit.unit.RawDiffID != "" {
		v.units[landingOf(c)] = unit
	}
	return unit, nil
}

// Again reads a change anew, once in a look.
func (v *deskView) Again(ctx context.Context, p change.Proposal) (change.Proposal, error) {
	if have, ok := v.again[p.Number]; ok {
		return have, nil
	}
	now, err := v.readAgain(ctx, p)
	if err != nil {
		return change.Proposal{}, err
	}
	v.again[p.Number] = now
	return now, nil
}

func (v *deskView) readAgain(ctx context.Context, p change.Proposal) (change.Proposal, error) {
	dossier, err := v.dossier(ctx, p.Number)
	if err == nil {
		err = v.memory.see(dossier)
	}
	if err == nil {
		err = v.fetchReviewed(ctx, dossier)
	}
	switch {
	case errors.Is(err, forge.ErrTooMuch): // it is the change's doing, and asking again does not help
		p.Unread = v.why(err)
		return p, nil
	case err != nil:
		p.Stale = v.why(err)
		return p, nil
	}
	is := false
	if dossier.Change, is, err = v.landed(ctx, dossier.Change); err != nil || !is {
		p.Unit = change.Unit{}
		return p, err
	}
	f := forge.Facts{Repository: v.address, First: v.memory.First, Rewritten: v.memory.Rewritten[dossier.Target], SeenAt: v.now(), Principal: v.principal}
	if err := forge.Resolve(ctx, deskGit{v.mirror.Repo}, dossier, "", &f); err != nil {
		return p, fmt.Errorf("comparing change %d: %w", p.Number, err)
	}
	folded := forge.Fold(dossier, f)
	out := change.Proposal{
		Number: dossier.Number, Page: dossier.URL, Branch: dossier.Target, Unit: f.Unit,
		Approvals: folded.Approvals, Contributors: v.contributors(dossier, folded),
	}
	for _, o := range folded.Objections {
		out.Objections = append(out.Objections, o.Principal)
	}
	out.Evidence, err = dossier.Digest()
	return out, err
}

// fetchReviewed brings into the mirror what the reviews are of, where it is not there: heads that were
// replaced since. What the remote does not give makes the review count for nothing.
func (v *deskView) fetchReviewed(ctx context.Context, d forge.Dossier) error {
	var ids []string
	for _, r := range d.Reviews {
		rev, why := d.Reviewed(r, v.memory.First[r.ID])
		if why != "" || slices.Contains(ids, rev.Head) || len(ids) == gitrepo.HeadsLimit {
			continue
		}
		if _, asked := v.absent[rev.Head]; asked {
			continue
		}
		if _, err := v.mirror.Object(ctx, rev.Head); errors.Is(err, gitrepo.ErrNotFound) {
			ids = append(ids, rev.Head)
		}
	}
	missing, err := v.mirror.FetchHeads(ctx, ids)
	for _, id := range missing {
		v.absent[id] = v.now()
	}
	return err
}

// principal names whose an account is. It is judged by the people in force, whenever it acted.
func (v *deskView) principal(a forge.Account, _ time.Time) (name string, robot, known bool) {
	name, known = v.people.ByAccount(v.account(a))
	p, _ := v.people.Get(name)
	return name, p.Robot || a.Robot, known
}

// contributors are all who had a part in a change, as the forge knows.
func (v *deskView) contributors(d forge.Dossier, f forge.Folded) []string {
	names := slices.Clone(f.Contributors)
	accounts := append([]forge.Account{d.Author}, slices.Concat(d.Pushers, d.Authors)...)
	for _, h := range d.Heads {
		accounts = append(accounts, h.By)
	}
	for _, a := range accounts {
		if a.ID == "" {
			continue // whoever it was has no account that could approve
		}
		claimants := v.people.AccountClaimants(v.account(a))
		if len(claimants) == 0 {
			claimants = []string{"<" + v.account(a).String() + ">"}
		}
		names = append(names, claimants...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
