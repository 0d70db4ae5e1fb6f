package policy

import (
	"strconv"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// signatureRule: commits carry a good signature of somebody whom the tier lists. EveryCommit asks
// it of each commit of the steps that touch what the source reads and of the change units that
// they landed; Head of the candidate alone; None of no commit. Where no teams are listed any
// person of any team may sign; a robot only as a member of a listed team. Who made a merge commit
// signs like anybody else.
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
	var commits []change.Commit
	switch c.tier.Signatures.Require {
	case tier.NoSignature:
		return []Finding{admits(CodeSignature, "the tier asks for no signature")}
	case tier.HeadOnly:
		commits = []change.Commit{c.ev.Commit}
	default:
		commits = everyCommit(c)
	}
	var findings []Finding
	who := teams(c.tier.Signatures.From)
	for _, commit := range commits {
		if why, o := unsigned(c, commit.Signature); o != Allow {
			findings = append(findings, unmet(CodeSignature, o, "commit "+short(commit.ID)+" "+why, who...))
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeSignature, strconv.Itoa(len(commits))+" of "+strconv.Itoa(len(commits))+" commits signed")}
	}
	return findings
}

// everyCommit are the commits that EveryCommit asks a signature of. A fast-forward lands the very
// commits of its unit; those are named once, unless the evidence says different things of them.
func everyCommit(c commitCase) []change.Commit {
	type key struct {
		id string
		s  change.Signature
	}
	var commits []change.Commit
	seen := map[key]bool{}
	add := func(more []change.Commit) {
		for _, m := range more {
			if k := (key{m.ID, m.Signature}); !seen[k] {
				commits = append(commits, m)
				seen[k] = true
			}
		}
	}
	for _, s := range c.steps {
		add(s.Commits)
		if s.Landing != nil && s.Landing.Proven == change.Present && needsLanding(c.tier, s) {
			add(s.Landing.Commits)
		}
	}
	return commits
}

// unsigned says why a signature does not count, or Allow.
func unsigned(c commitCase, s change.Signature) (string, Outcome) {
	switch s.State {
	case change.Good:
		if !maySign(c.tier.Signatures, c.people, s.Principal) {
			return "is signed by " + Quote(s.Principal) + ", whom the tier does not list", Deny
		}
		return "", Allow
	case change.Unchecked:
		return "has a signature that nobody has checked", Unknown
	case change.Unsigned:
		return "is not signed", Deny
	}
	return "has a signature that does not count: " + plain(string(s.State)), Deny
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
