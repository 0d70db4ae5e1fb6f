package policy

import (
	"slices"
	"strconv"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// signatureRule: commits carry a good signature of somebody whom the tier lists. EveryCommit asks
// it of each commit of the steps that touch what the source reads and of the change units that
// they landed; Head of the candidate alone; None of no commit. Where no teams are listed any
// person of any team may sign; a robot only as a member of a listed team. Who made a merge commit
// signs like anybody else; the forge's own key counts for that commit, where what it lands is proven
// and somebody who counts has approved it, and for no commit that the change brings.
//
// The unit of a step that is not proven to have landed is left to the coverage rule, which refuses
// it. A signature that nobody looked at is Unknown, every other state than Good is Deny.
func signatureRule() rule {
	return rule{
		name:  "signature",
		spec:  "The commits carry good signatures of people whom the tier lists: every commit that touches the source and every commit of what it landed, or the candidate alone.",
		codes: []Code{CodeSignature},
		judge: judgeSignature,
	}
}

func judgeSignature(c commitCase) []Finding {
	var commits []signed
	switch c.tier.Signatures.Require {
	case tier.NoSignature:
		return []Finding{admits(CodeSignature, "the tier asks for no signature")}
	case tier.HeadOnly:
		commits = []signed{headOf(c)}
	default:
		commits = everyCommit(c)
	}
	var findings []Finding
	who := teams(c.tier.Signatures.From)
	for _, commit := range commits {
		if why, o := unsigned(c, commit); o != Allow {
			findings = append(findings, unmet(CodeSignature, o, "commit "+short(commit.ID)+" "+why, who...))
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeSignature, strconv.Itoa(len(commits))+" of "+strconv.Itoa(len(commits))+" commits signed")}
	}
	return findings
}

// signed is a commit that must be, and the step that it landed by; nil: it is part of what landed.
type signed struct {
	change.Commit
	step *change.Step
}

// headOf is the candidate.
func headOf(c commitCase) signed {
	for i, s := range c.ev.Steps {
		if n := len(s.Commits); n > 0 && s.Commits[n-1].ID == c.ev.Commit.ID {
			return signed{c.ev.Commit, &c.ev.Steps[i]}
		}
	}
	return signed{Commit: c.ev.Commit}
}

// everyCommit are the commits that EveryCommit asks a signature of. A fast-forward lands the very
// commits of its unit; those are named once, unless the evidence says different things of them.
func everyCommit(c commitCase) []signed {
	type key struct {
		id string
		s  change.Signature
	}
	var commits []signed
	seen := map[key]bool{}
	add := func(more []change.Commit, step *change.Step) {
		for _, m := range more {
			if k := (key{m.ID, m.Signature}); !seen[k] {
				commits = append(commits, signed{m, step})
				seen[k] = true
			}
		}
	}
	for i, s := range c.steps {
		add(s.Commits, &c.steps[i])
		if s.Landing != nil && s.Landing.Proven == change.Present && needsLanding(c.tier, s) {
			add(s.Landing.Commits, nil)
		}
	}
	return commits
}

// unsigned says why a signature does not count, or Allow.
func unsigned(c commitCase, commit signed) (string, Outcome) {
	s := commit.Signature
	switch {
	case s.State == change.Good && s.ByForge:
		return byForge(c, commit)
	case s.State == change.Good && !maySign(c.tier.Signatures, c.people, s.Principal):
		return "is signed by " + Quote(s.Principal) + ", whom the tier does not list", Deny
	case s.State == change.Good:
		return "", Allow
	case s.State == change.Unchecked:
		return "has a signature that nobody has checked", Unknown
	case s.State == change.Unsigned:
		return "is not signed", Deny
	}
	why := "has a signature that does not count: " + plain(string(s.State))
	if s.Detail != "" {
		why += ", " + plain(s.Detail)
	}
	return why, Deny
}

// byForge says why the forge's signature does not count, or Allow.
func byForge(c commitCase, commit signed) (string, Outcome) {
	const needs = "is signed by the forge, whose key counts only for the landing of a change that was approved"
	switch {
	case commit.step == nil:
		return "was made on the forge and is signed by it, not by its author", Deny
	case commit.step.Landing == nil:
		return needs, Pending
	case commit.step.Landing.Proven == change.Absent:
		return needs, Deny
	case commit.step.Landing.Proven != change.Present:
		return needs, Unknown
	case slices.ContainsFunc(commit.step.Landing.Commits, func(own change.Commit) bool { return own.ID == commit.ID }):
		return "was made on the forge and is signed by it, not by its author", Deny
	case len(newReview(c, *commit.step).names) == 0:
		return needs, Pending
	}
	return "", Allow
}

// maySign reports whether a principal's signature counts.
func maySign(r tier.SignatureRule, people tier.People, name string) bool {
	p, known := people.Get(name)
	if !known {
		return false
	}
	if len(r.From) == 0 {
		return !p.Robot && len(p.Teams) > 0
	}
	return people.InTeam(name, r.From)
}
