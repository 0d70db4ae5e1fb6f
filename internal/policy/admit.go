package policy

import (
	"slices"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// retryAfter is how long a client shall wait for a proof that is being made.
const retryAfter = 2 * time.Second

// Admit judges one request. Every tier of the facts must allow it, each by one of the lanes in
// their order; where several refuse, the one that lets nothing through speaks first. It fails
// closed: facts that were not gathered are facts that nobody could tell.
func Admit(f Facts) Verdict {
	v, _ := judge(&f, true)
	return v
}

// Needs says which facts must still be gathered before Admit can decide: those of the next lane
// that asks for any. It is empty once a verdict is certain, and at the latest when every stage
// is in Gathered. What is cheap to decide (exempt, no-op, open) needs nothing.
func Needs(f Facts) Need {
	_, need := judge(&f, false)
	return need
}

// Try is Needs and Admit in one pass over facts that it does not change: the verdict is that of
// Admit where no need is left, and of no use where there is one.
func Try(f *Facts) (Verdict, Need) { return judge(f, false) }

// judge asks the tiers in turn. Where final is false it stops at the first that needs more facts.
func judge(f *Facts, final bool) (Verdict, Need) {
	var chosen Verdict
	for i := range max(len(f.Tiers), 1) {
		q := newQuestion(f, i)
		v, need := q.judge(final)
		if need != 0 {
			return v, need
		}
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
	return chosen, 0
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

// newQuestion puts the request before the tier with a number. Without any tier it stands before
// one that nothing satisfies.
func newQuestion(f *Facts, i int) *question {
	q := &question{f: f, i: i, reserved: reserved(f), shut: shut(f)}
	if i < len(f.Tiers) {
		q.t = &f.Tiers[i]
		return q
	}
	t := tier.Strictest("")
	q.t = &t
	return q
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
	// fallback: the misses are told only where no other lane has any.
	fallback bool
	// instead: the misses stand in place of the earlier ones with this code.
	instead Code
	need    Need
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
func lanes() [13]lane {
	return [...]lane{
		{LaneExempt, exemptLane}, {LaneSelf, selfLane}, {LaneNoOp, noOpLane}, {LaneHygiene, hygieneLane},
		{LaneOpen, openLane}, {LaneUnsealed, unsealedLane}, {LaneSubresource, subresourceLane},
		{LaneController, controllerLane}, {LaneRelease, releaseLane}, {LaneProven, provenLane}, {LaneRollback, rollbackLane},
		{LaneDelete, deleteLane}, {LaneBreakGlass, breakGlassLane},
	}
}

// judge tries the lanes. Where final is false it stops at the first lane whose facts are not
// gathered and says which they are; where it is true such a lane refuses, since it might.
func (q *question) judge(final bool) (Verdict, Need) {
	v := q.verdict()
	var fallback []Finding
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
			v.Findings = append(v.Findings, unmet(CodeCannotTell, Unknown, "the facts for the lane "+string(l.name)+" were not gathered"))
			return q.refuse(v), 0
		}
		if a.code != "" {
			v.Outcome, v.Lane, v.Proof, v.Warnings = Allow, l.name, a.proof, a.warnings
			v.Findings = []Finding{admits(a.code, a.detail)}
			if a.proof != nil {
				v.Commit = a.proof.Commit
			}
			return v, 0
		}
		if a.fallback {
			fallback, a.misses = append(a.misses, fallback...), nil // the later lane knows more
		}
		v.Findings = slices.DeleteFunc(v.Findings, func(f Finding) bool { return a.instead != "" && f.Code == a.instead })
		v.Findings = append(v.Findings, a.misses...)
		if v.Proof == nil {
			v.Proof = a.proof
		}
		closed = closed || a.last
	}
	if len(v.Findings) == 0 {
		v.Findings = fallback
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
	enforcement := q.t.Enforcement
	if enforcement == tier.Enforce && rehearsal(q.f) {
		enforcement = tier.Warn
	}
	if evidence(q.f) || q.shut || seals(q.f) {
		enforcement = tier.Enforce // a tier that only warns does not open what all tiers rest on
	}
	return Verdict{
		Lane: LaneRefuse, Tier: q.t.Name, TierMissing: q.t.Missing(), Generation: q.t.Generation, Enforcement: enforcement,
		Object: id, Operation: q.f.Request.Operation, Namespace: namespace, Commit: q.f.Origin.Commit,
	}
}

// refuse ends a verdict that no lane admits.
func (q *question) refuse(v Verdict) Verdict {
	if len(v.Findings) == 0 {
		v.Findings = []Finding{unmet(CodeNotProven, Deny, "tier "+Quote(q.t.Name)+" admits what Git renders, and nothing speaks of this")}
	}
	if len(q.f.Tiers) == 0 || q.t.Name == "" {
		v.Findings = append([]Finding{unmet(CodeTier, Unknown, "nobody could tell in which tier this is")}, v.Findings...)
	}
	if v.Proof != nil {
		v.Commit = v.Proof.Commit
	}
	waits, repository := true, ""
	if v.Proof != nil {
		repository = q.f.Repositories[v.Proof.Key.Repository].URL
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		f.Remedy = fill(f.Remedy, v.Commit, v.Namespace, repository)
		waits = waits && (f.Code == CodeBeingProven || f.Code == CodeJudgedAgain)
	}
	if v.Outcome = worst(v.Findings); waits && v.Outcome == Pending {
		v.RetryAfter = retryAfter
	}
	return v
}

// heavier reports whether v weighs more than w: what does not let the request through comes
// first, then the graver outcome, then what names the proof whose delivery is to be marked, then
// what was judged rather than open.
func heavier(v, w Verdict) bool {
	if v.Admits() != w.Admits() {
		return w.Admits()
	}
	if gravity(v.Outcome) != gravity(w.Outcome) {
		return gravity(v.Outcome) > gravity(w.Outcome)
	}
	if (v.Proof == nil) != (w.Proof == nil) {
		return v.Proof != nil
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
