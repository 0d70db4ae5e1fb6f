package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/tier"
)

// ProblemKind says what is wrong with a tier and the people there are.
type ProblemKind string

// The problems.
const (
	Unsatisfiable ProblemKind = "Unsatisfiable" // a possible author can never get a change in
	SinglePoint   ProblemKind = "SinglePoint"   // without one person nobody else can
	Unreviewed    ProblemKind = "Unreviewed"    // a possible author needs nobody's approval
)

// Problem is one thing that stands in the way of a tier, or that it does not see.
type Problem struct {
	Kind ProblemKind
	// Author is who cannot get a change in: a principal, "team x" where it is everybody of that
	// team, "anybody", or "somebody unknown" for an address of no principal. For SinglePoint it is
	// the person whom everything depends on.
	Author string
	// Missing is the role that nobody is left for: the name of an approval rule, "another team" or
	// "signature", or the name of a way out. Empty for SinglePoint, Unreviewed and NoExit.
	Missing string
}

// String is the problem in one sentence, for people.
func (p Problem) String() string {
	who := Quote(p.Author)
	switch p.Kind {
	case SinglePoint:
		return "without " + who + " nobody else can get a change in"
	case Unreviewed:
		return "a change by " + who + " needs nobody's approval"
	case NoExit:
		return "there is no break-glass: whoever is locked out stays out"
	case ClosedExit:
		return plain(p.Missing) + " can never be opened: too few people have a key (or, to ask for break-glass, a user name in the cluster)"
	case LoneExit:
		return "without " + who + " nobody can open " + plain(p.Missing)
	}
	return "a change by " + who + " can never be admitted: nobody is left for " + Quote(p.Missing)
}

const (
	anybody  = "anybody"
	stranger = "somebody unknown"
)

// Satisfiable says, for each possible author, whether the approval rules and reciprocity can be met
// by the people there are, with everybody willing who can sign what they say. A tier whose rules
// cannot be met shuts people out, and is then switched off. Possible authors are those whose
// signature the tier takes; where it asks for none, everybody, known or not. Without any problem
// the answer is empty.
func Satisfiable(t tier.Tier, b tier.Binding, people tier.People) []Problem {
	if t.Lane == tier.Open {
		return nil
	}
	authors := possibleAuthors(t, people)
	if len(authors) == 0 {
		return []Problem{{Kind: Unsatisfiable, Author: anybody, Missing: "signature"}}
	}
	s := solver{t: t, b: b, people: people, authors: authors}
	lacks, alone := map[string][]string{}, []string{}
	for _, a := range authors {
		missing, _ := s.solve(a, "")
		for _, m := range missing {
			lacks[m] = append(lacks[m], a)
		}
		if len(t.Approvals) > 0 && !t.Reciprocal && len(s.review(a, "").rules) == 0 {
			alone = append(alone, a)
		}
	}
	var problems []Problem
	for _, m := range sortedKeys(lacks) {
		for _, who := range s.together(lacks[m]) {
			problems = append(problems, Problem{Kind: Unsatisfiable, Author: who, Missing: m})
		}
	}
	for _, who := range s.together(alone) {
		problems = append(problems, Problem{Kind: Unreviewed, Author: who})
	}
	for _, who := range s.singlePoints() {
		problems = append(problems, Problem{Kind: SinglePoint, Author: who})
	}
	return problems
}

// possibleAuthors are those who can make a commit that the tier takes, sorted.
func possibleAuthors(t tier.Tier, people tier.People) []string {
	if t.Signatures.Require == tier.NoSignature {
		return append(people.Names(), stranger)
	}
	var names []string
	for _, name := range people.Names() {
		if p, _ := people.Get(name); len(p.Keys) > 0 && maySign(t.Signatures, people, name) {
			names = append(names, name)
		}
	}
	return names
}

type solver struct {
	t       tier.Tier
	b       tier.Binding
	people  tier.People
	authors []string
}

// review is the review of a change by one author on which everybody but without has approved who
// can: signed where they have a key, on the forge otherwise.
func (s *solver) review(author, without string) review {
	authors := map[string]bool{}
	if author != stranger {
		authors[author] = true
	}
	r := reviewBy(s.t, s.b, s.people, authors)
	for _, name := range s.people.Names() {
		if p, _ := s.people.Get(name); !p.Robot && !authors[name] && name != without {
			r.signed[name] = len(p.Keys) > 0
			r.names = append(r.names, name)
		}
	}
	return r
}

// solve says which roles stay empty for an author, and which people one solution rests on.
func (s *solver) solve(author, without string) (missing, on []string) {
	r := s.review(author, without)
	ruleOf, filled := r.assign()
	for place, person := range filled {
		if person >= 0 {
			on = append(on, r.names[person])
		} else if name := r.rules[ruleOf[place]].Name; !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if s.t.Reciprocal {
		if other, ok := r.reciprocal(); ok {
			on = append(on, other)
		} else {
			missing = append(missing, "another team")
		}
	}
	return missing, on
}

// singlePoints are the people without whom no other author can get anything in. One whom some
// author's solution does not rest on is none, so that few are left to be tried.
func (s *solver) singlePoints() []string {
	var suspects []string
	first := true
	for _, a := range s.authors {
		missing, on := s.solve(a, "")
		if len(missing) > 0 {
			continue
		}
		if first {
			suspects, first = append(slices.Clone(on), a), false
			continue
		}
		suspects = slices.DeleteFunc(suspects, func(p string) bool { return p != a && !slices.Contains(on, p) })
	}
	slices.Sort(suspects)
	return slices.DeleteFunc(slices.Compact(suspects), func(p string) bool { return p == stranger || s.dispensable(p) })
}

// dispensable reports whether somebody else can get a change in without a person.
func (s *solver) dispensable(person string) bool {
	return slices.ContainsFunc(s.authors, func(a string) bool {
		missing, _ := s.solve(a, person)
		return a != person && len(missing) == 0
	})
}

// together names teams, or anybody, instead of each of their authors, and leaves out a person who
// is spoken for by a team.
func (s *solver) together(names []string) []string {
	if len(names) == len(s.authors) {
		return []string{anybody}
	}
	var who, covered []string
	for _, team := range s.teams() {
		members := s.authorsOf(team)
		if len(members) > 1 && !slices.ContainsFunc(members, func(m string) bool { return !slices.Contains(names, m) }) {
			who = append(who, "team "+team)
			covered = append(covered, members...)
		}
	}
	for _, n := range names {
		if !slices.Contains(covered, n) {
			who = append(who, n)
		}
	}
	return who
}

func (s *solver) teams() []string {
	var names []string
	for _, a := range s.authors {
		names = append(names, s.people.Teams(a)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *solver) authorsOf(team string) []string {
	var members []string
	for _, a := range s.authors {
		if slices.Contains(s.people.Teams(a), team) {
			members = append(members, a)
		}
	}
	return members
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
