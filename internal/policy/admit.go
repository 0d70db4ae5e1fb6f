package policy

import (
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// retryAfter is how long a client shall wait for a proof that is being made.
const retryAfter = 5 * time.Second

// Admit judges one request. Every tier of the facts must allow it, each by one of the lanes in
// their order; where several refuse, the one that lets nothing through speaks first. It fails
// closed: facts that were not gathered are facts that nobody could tell.
func Admit(f Facts) Verdict {
	var chosen Verdict
	for i, q := range questions(&f) {
		v, _ := q.judge(true)
		if i == 0 {
			chosen = v
			continue
		}
		if heavier(v, chosen) {
			v, chosen = chosen, v
		}
		if v.Outcome != Allow {
			chosen.Findings = append(chosen.Findings, v.Findings...)
			chosen.RetryAfter = min(chosen.RetryAfter, v.RetryAfter)
		}
	}
	return chosen
}

// Needs says which facts must still be gathered before Admit can decide: those of the next lane
// that asks for any. It is empty once a verdict is certain, and at the latest when every stage
// is in Gathered. What is cheap to decide (exempt, no-op, open) needs nothing.
func Needs(f Facts) Need {
	for _, q := range questions(&f) {
		if _, need := q.judge(false); need != 0 {
			return need
		}
	}
	return 0
}

// question is one request before one tier.
type question struct {
	f *Facts
	t *tier.Tier
	i int // of the tier in Facts
	// reserved: the object is evidence that Fairway alone writes, and somebody else asks.
	reserved bool
	// shut: the install is, or may be, sealed, and there is no binding to judge by.
	shut bool
}

// questions are the request before each of its tiers. Without any tier it stands before one that
// nothing satisfies.
func questions(f *Facts) []question {
	if len(f.Tiers) == 0 {
		t := tier.Strictest("")
		return []question{newQuestion(f, &t, 0)}
	}
	qs := make([]question, len(f.Tiers))
	for i := range f.Tiers {
		qs[i] = newQuestion(f, &f.Tiers[i], i)
	}
	return qs
}

func newQuestion(f *Facts, t *tier.Tier, i int) question {
	return question{f: f, t: t, i: i, reserved: reserved(f), shut: shut(f)}
}

// answer is what one lane says. The zero value passes the request on.
type answer struct {
	code     Code // set: the lane admits
	detail   string
	warnings []string
	proof    *change.Proof
	// misses say why the lane does not admit, where that is worth telling.
	misses []Finding
	// last: no later lane but break-glass may admit.
	last bool
	need Need
}

func pass() answer                              { return answer{} }
func admit(c Code, detail string) answer        { return answer{code: c, detail: detail} }
func miss(f ...Finding) answer                  { return answer{misses: f} }
func last(f ...Finding) answer                  { return answer{misses: f, last: true} }
func (a answer) warn(warnings ...string) answer { a.warnings = warnings; return a }

// lane is one way in, with the question that it answers.
type lane struct {
	name Lane
	try  func(*question) answer
}

// lanes are all ways in, in the order in which they are tried.
func lanes() [12]lane {
	return [...]lane{
		{LaneExempt, exemptLane}, {LaneSelf, selfLane}, {LaneNoOp, noOpLane}, {LaneHygiene, hygieneLane},
		{LaneOpen, openLane}, {LaneUnsealed, unsealedLane}, {LaneSubresource, subresourceLane},
		{LaneController, controllerLane}, {LaneProven, provenLane}, {LaneRollback, rollbackLane},
		{LaneDelete, deleteLane}, {LaneBreakGlass, breakGlassLane},
	}
}

// judge tries the lanes. Where final is false it stops at the first lane whose facts are not
// gathered and says which they are; where it is true such a lane admits nothing.
func (q *question) judge(final bool) (Verdict, Need) {
	v := q.verdict()
	closed := false
	for _, l := range lanes() {
		if closed && l.name != LaneBreakGlass {
			continue
		}
		a := l.try(q)
		if a.need &^= q.f.Gathered; a.need != 0 {
			if !final {
				return v, a.need
			}
			a = miss(unmet(CodeCannotTell, Unknown, "the facts for the lane "+string(l.name)+" were not gathered"))
		}
		if a.code != "" {
			v.Outcome, v.Lane, v.Proof, v.Warnings = Allow, l.name, a.proof, a.warnings
			v.Findings = []Finding{admits(a.code, a.detail)}
			if a.proof != nil {
				v.Commit = a.proof.Commit
			}
			return v, 0
		}
		v.Findings = append(v.Findings, a.misses...)
		v.Warnings = append(v.Warnings, a.warnings...)
		if v.Proof == nil {
			v.Proof = a.proof
		}
		closed = closed || a.last
	}
	return q.refuse(v), 0
}

func (q *question) verdict() Verdict {
	id, namespace := q.f.Request.ID, q.f.Request.ID.Namespace
	switch {
	case namespace == "" && id.Group == "" && id.Kind == "Namespace":
		namespace = id.Name
	case namespace == "":
		namespace = q.f.Install.Namespace
	}
	return Verdict{
		Lane: LaneRefuse, Tier: q.t.Name, Generation: q.t.Generation, Enforcement: q.t.Enforcement,
		Object: id, Operation: q.f.Request.Operation, Namespace: namespace, Commit: q.f.Origin.Commit,
	}
}

// refuse ends a verdict that no lane admits.
func (q *question) refuse(v Verdict) Verdict {
	if len(v.Findings) == 0 {
		v.Findings = []Finding{unmet(CodeNotProven, Deny, "tier "+Quote(q.t.Name)+" admits what Git renders, and nothing speaks of this")}
	}
	if v.Proof != nil {
		v.Commit = v.Proof.Commit
	}
	waits := true
	for i := range v.Findings {
		f := &v.Findings[i]
		f.Remedy = fill(f.Remedy, v.Commit, v.Namespace)
		waits = waits && (f.Code == CodeBeingProven || f.Code == CodeJudgedAgain)
	}
	if v.Outcome = worst(v.Findings); waits && v.Outcome == Pending {
		v.RetryAfter = retryAfter
	}
	return v
}

// heavier reports whether v weighs more than w: what does not let the request through comes
// first, then the graver outcome, then what was judged rather than open.
func heavier(v, w Verdict) bool {
	if v.Admits() != w.Admits() {
		return w.Admits()
	}
	if gravity(v.Outcome) != gravity(w.Outcome) {
		return gravity(v.Outcome) > gravity(w.Outcome)
	}
	return w.Lane == LaneOpen && v.Lane != LaneOpen
}

// main reports whether the request is about an object itself, not about a sub-resource.
func (q *question) main() bool { return q.f.Request.Resource.Subresource == "" }

// delivers reports whether content from Git could explain the request: something is written or
// deleted that Git may render.
func (q *question) delivers(ops ...change.Operation) bool {
	return q.main() && !q.reserved && !q.shut && q.t.Name != "" && slices.Contains(ops, q.f.Request.Operation)
}

// Unmarked is the finding of a commit whose delivery could not be marked, and which therefore is
// not admitted (ruling 3).
func Unmarked() Finding {
	return unmet(CodeCannotTell, Unknown, "the mark of this commit's delivery could not be kept")
}
