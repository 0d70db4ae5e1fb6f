package policy

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// review is the approvals of one landed step, made ready to be counted: who wrote it, whose
// statements are about it, and which rules of the tier speak of it.
type review struct {
	tier    tier.Tier
	owners  []string
	people  tier.People
	authors map[string]bool // principals who contributed
	teams   []string        // of all contributors
	rules   []tier.ApprovalRule
	// signed says of each principal whose approval counts whether it is a signed one.
	signed map[string]bool
	names  []string          // of signed, sorted
	void   map[string]string // principals whose statement does not count, and why
	// page is where it is reviewed, against who asks for changes there, and unasked why the forge
	// could not be asked; all for people.
	page    string
	against []string
	unasked string
	unread  string // why a page of it cannot be read whole
}

func newReview(c commitCase, s change.Step) review {
	r := reviewBy(c.tier, c.binding, c.people, contributors(c.people, s))
	if s.Landing == nil {
		return r
	}
	r.page, r.against, r.unasked, r.unread = s.Landing.Page, s.Landing.Objections, c.ev.Unasked, s.Landing.Unread
	for _, a := range s.Landing.Approvals {
		r.count(c, *s.Landing, a)
	}
	for name := range r.signed {
		r.names = append(r.names, name)
	}
	slices.Sort(r.names)
	return r
}

// reviewBy is the review of a change by these contributors, with no approval yet.
func reviewBy(t tier.Tier, b tier.Binding, people tier.People, authors map[string]bool) review {
	r := review{
		tier: t, owners: b.Owners, people: people, authors: authors,
		signed: map[string]bool{}, void: map[string]string{},
	}
	for name := range authors {
		r.teams = append(r.teams, people.Teams(name)...)
	}
	for _, rule := range t.Approvals {
		if len(rule.When.AuthorIn) == 0 || slices.ContainsFunc(r.teams, in(rule.When.AuthorIn)) {
			r.rules = append(r.rules, rule)
		}
	}
	return r
}

// count takes one statement into the review, or notes why it does not count. A withdrawal takes
// back what the same person said before it, and what they said at the same moment.
func (r *review) count(c commitCase, l change.Landing, a change.Approval) {
	if !concerns(c, l, a) || a.Decision != change.Approve {
		return
	}
	p, known := r.people.Get(a.Principal)
	switch {
	case !known:
		r.void[a.Principal] = "unknown"
	case p.Robot:
		r.void[a.Principal] = "a robot"
	case r.authors[a.Principal]:
		r.void[a.Principal] = "wrote it"
	case a.Level != change.LevelForge && a.Level != change.LevelSigned:
		r.void[a.Principal] = "no known level"
	case slices.ContainsFunc(l.Approvals, func(w change.Approval) bool {
		return w.Decision == change.Withdraw && w.Principal == a.Principal && concerns(c, l, w) && !w.SaidAt.Before(a.SaidAt)
	}):
		r.void[a.Principal] = "withdrawn"
	default:
		r.signed[a.Principal] = r.signed[a.Principal] || a.Level == change.LevelSigned
	}
}

// concerns reports whether a statement is about exactly this content, for this branch of this
// repository and for this tier. Said of anything else it says nothing here.
func concerns(c commitCase, l change.Landing, a change.Approval) bool {
	return a.RawDiffID != "" && a.RawDiffID == l.RawDiffID &&
		a.Repository != "" && a.Repository == c.ev.URL && a.Branch == c.ev.Branch &&
		(len(a.Tiers) == 0 || slices.Contains(a.Tiers, c.tier.Name))
}

// mayFill reports whether a principal is one of those whom a rule asks, whoever has approved yet.
func (r *review) mayFill(name string, rule tier.ApprovalRule) bool {
	p, known := r.people.Get(name)
	if !known || p.Robot || r.authors[name] {
		return false
	}
	switch rule.From {
	case tier.FromOwners:
		return r.people.InTeam(name, r.owners)
	case tier.FromTeams:
		return r.people.InTeam(name, rule.Teams)
	case tier.FromOtherTeams:
		return slices.ContainsFunc(p.Teams, func(t string) bool { return !slices.Contains(r.teams, t) })
	case tier.FromAnyone:
		return len(p.Teams) > 0
	}
	return false
}

// otherSide reports whether a principal is of no contributor's team.
func (r *review) otherSide(name string) bool {
	p, known := r.people.Get(name)
	return known && !p.Robot && !r.authors[name] && len(p.Teams) > 0 && !slices.ContainsFunc(p.Teams, in(r.teams))
}

// fills reports whether the statement that a principal made fills a rule.
func (r *review) fills(name string, rule tier.ApprovalRule) bool {
	signed, said := r.signed[name]
	return said && (signed || !rule.Level.Signed()) && r.mayFill(name, rule)
}

// candidates are the principals who could still do something, sorted; where they are many, their
// teams instead.
func (r *review) candidates(could func(name string) bool) []string {
	var names, of []string
	for _, name := range r.people.Names() {
		if _, said := r.signed[name]; !said && could(name) {
			names = append(names, name)
			of = append(of, r.people.Teams(name)...)
		}
	}
	if len(names) <= nameLimit {
		return names
	}
	slices.Sort(of)
	return teams(slices.Compact(of))
}

// teams marks names as those of teams.
func teams(names []string) []string {
	marked := make([]string, len(names))
	for i, n := range names {
		marked[i] = "team " + n
	}
	return marked
}

// contributors are the principals who wrote what landed: those the evidence names, and, so that
// nobody is forgotten, the authors, committers and signers of the unit's own commits. Where no
// unit is known they are taken from what landed. An address that several principals claim counts
// for all of them.
func contributors(people tier.People, s change.Step) map[string]bool {
	names := map[string]bool{}
	commits := s.Commits
	if s.Landing != nil {
		commits = s.Landing.Commits
		for _, c := range s.Landing.Contributors {
			if address, ok := strings.CutPrefix(c, "<"); ok {
				addAddress(names, people, strings.TrimSuffix(address, ">"))
				continue
			}
			names[c] = true
		}
	}
	for _, c := range commits {
		addAddress(names, people, c.Author.Email)
		addAddress(names, people, c.Committer.Email)
		if c.Signature.State == change.Good && c.Signature.Principal != "" {
			names[c.Signature.Principal] = true
		}
	}
	return names
}

func addAddress(names map[string]bool, people tier.People, address string) {
	for _, name := range people.Claimants(address) {
		names[name] = true
	}
}

func in(list []string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}
