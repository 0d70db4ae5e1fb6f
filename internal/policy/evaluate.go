package policy

import (
	"strconv"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Evaluate judges one commit of one source by one tier. All rules speak, in a fixed order, and the
// worst of what they say is the outcome: Deny before Unknown before Pending. Only missing
// approvals are Pending. It fails closed: evidence that is missing or could not be told is never
// Allow. In an open tier nothing is judged.
func Evaluate(t tier.Tier, b tier.Binding, people tier.People, ev change.Evidence) Verdict {
	v := Verdict{
		Lane: LaneRefuse, Tier: t.Name, Generation: t.Generation, Enforcement: t.Enforcement,
		Namespace: b.Namespace, Commit: ev.Commit.ID,
	}
	if t.Lane == tier.Open {
		v.Outcome, v.Lane = Allow, LaneOpen
		v.Findings = []Finding{admits(CodeOpen, "tier "+Quote(t.Name)+" admits everything")}
		return v
	}
	c := newCase(t, b, people, ev)
	for _, r := range rules() {
		v.Findings = append(v.Findings, bounded(r.judge(c))...)
	}
	for i := range v.Findings {
		v.Findings[i].Remedy = fill(v.Findings[i].Remedy, ev.Commit.ID, b.Namespace, ev.URL)
	}
	if v.Outcome = worst(v.Findings); v.Outcome == Allow {
		v.Lane = LaneProven
	}
	return v
}

// rule is one rule of a tier: what it asks, in prose, and the pure function that judges it. Each
// returns at least one finding, also where it is met.
type rule struct {
	name  string
	spec  string
	codes []Code
	judge func(commitCase) []Finding
}

// rules are all rules, in the order in which they speak. What can be supplied without a new commit
// comes late, so that the first line of a denial names what weighs most.
func rules() []rule {
	return []rule{
		sourceRule(), branchRule(), continuityRule(), renderedRule(),
		signatureRule(), approvalRule(), reciprocityRule(), coverageRule(), trailerRule(),
	}
}

// commitCase is what the rules judge.
type commitCase struct {
	tier    tier.Tier
	binding tier.Binding
	people  tier.People
	ev      change.Evidence
	steps   []change.Step // those that touch what the source reads and are not undone
}

func newCase(t tier.Tier, b tier.Binding, people tier.People, ev change.Evidence) commitCase {
	c := commitCase{tier: t, binding: b, people: people, ev: ev}
	for _, s := range ev.Steps {
		if s.Touches != change.Absent && s.Undone != change.Present {
			c.steps = append(c.steps, s)
		}
	}
	return c
}

// landed is the commit by which a step is named: its last one. A step that is still to be made, of
// which only the unit is known that it will land, is named by the unit's.
func landed(s change.Step) change.Commit {
	commits := s.Commits
	if len(commits) == 0 && s.Landing != nil && s.Landing.Proven == change.Present {
		commits = s.Landing.Commits
	}
	if len(commits) == 0 {
		return change.Commit{}
	}
	return commits[len(commits)-1]
}

// findingLimit is how many unmet findings one rule reports before it only counts them. A range of
// commits may be as long as somebody's patience with git push.
const findingLimit = 8

// bounded cuts what one rule has to say. What is cut off is counted, with its worst outcome, so
// the verdict stays the same.
func bounded(findings []Finding) []Finding {
	if len(findings) <= findingLimit {
		return findings
	}
	rest := findings[findingLimit:]
	more := unmet(CodeMore, worst(rest), strconv.Itoa(len(rest))+" more of the same kind")
	return append(findings[:findingLimit:findingLimit], more)
}

// worst is the outcome of all findings together; without any it is Unknown.
func worst(findings []Finding) Outcome {
	if len(findings) == 0 {
		return Unknown
	}
	out := Allow
	for _, f := range findings {
		if gravity(f.Outcome) > gravity(out) {
			out = f.Outcome
		}
	}
	return out
}

// gravity orders outcomes: a definite refusal outweighs what could not be told, and that outweighs
// what may still be supplied.
func gravity(o Outcome) int {
	switch o {
	case Allow:
		return 0
	case Pending:
		return 1
	case Deny:
		return 3
	}
	return 2
}

// unmet is a finding of something that is missing.
func unmet(c Code, o Outcome, detail string, who ...string) Finding {
	e := Lookup(c)
	return Finding{Code: c, Outcome: o, Reason: e.Reason, Detail: detail, Remedy: e.Remedy, Who: who}
}

// admits is a finding of something that is met.
func admits(c Code, detail string) Finding {
	return Finding{Code: c, Outcome: Allow, Reason: "met", Detail: detail}
}

// outcomeOf maps evidence that must be Present.
func outcomeOf(f change.Found) Outcome {
	switch f {
	case change.Present:
		return Allow
	case change.Absent:
		return Deny
	}
	return Unknown
}

// doubtful puts a detail that says what is wrong into doubt where that is not known.
func doubtful(o Outcome, detail string) string {
	if o != Unknown {
		return detail
	}
	return "could not rule out that " + detail
}

// fill puts the commit, the namespace and the address of the repository of a case into a remedy.
func fill(remedy, commit, namespace, repository string) string {
	if !strings.Contains(remedy, "{") {
		return remedy
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit == "" {
		remedy = strings.ReplaceAll(remedy, "{commit} ", "")
	}
	if namespace == "" {
		remedy = strings.ReplaceAll(remedy, " -n {namespace}", "")
	}
	if repository = typed(repository); repository == "" {
		remedy = strings.ReplaceAll(remedy, " --repository {repository}", "")
	}
	return strings.NewReplacer("{commit}", plain(commit), "{namespace}", plain(namespace), "{repository}", repository).Replace(remedy)
}
