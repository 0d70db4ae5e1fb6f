package policy

import "github.com/fairway-dev/fairway/internal/change"

// reciprocityRule: where the tier is reciprocal, the approvers of a landing may not all be of the
// contributors' teams: at least one of them is in no team that any contributor is in, whichever
// team wrote the change. The platform team is bound by it like everybody else. The approval must
// be as strong as the strongest that any rule of the tier asks for, so that a weaker record cannot
// stand in for the other side.
func reciprocityRule() rule {
	return rule{
		name:  "reciprocity",
		spec:  "At least one approver of each change is of no team that a contributor is of.",
		codes: []Code{CodeReciprocity},
		judge: judgeReciprocity,
	}
}

func judgeReciprocity(c commitCase) []Finding {
	if !c.tier.Reciprocal {
		return []Finding{admits(CodeReciprocity, "the tier does not ask for another team")}
	}
	var findings []Finding
	for _, s := range c.steps {
		if s.Landing == nil || s.Landing.Proven != change.Present {
			continue // coverage refuses it
		}
		r := newReview(c, s)
		if _, ok := r.reciprocal(); !ok {
			findings = append(findings, r.missingOtherSide(at(c, s)))
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeReciprocity, "another team approved every change that is covered")}
	}
	return findings
}

// reciprocal names the first approver of the other side.
func (r *review) reciprocal() (string, bool) {
	level := r.tier.ReciprocalLevel()
	for _, name := range r.names {
		if r.otherSide(name) && (r.signed[name] || !level.Signed()) {
			return name, true
		}
	}
	return "", false
}

func (r *review) missingOtherSide(at string) Finding {
	detail := "tier " + Quote(r.tier.Name) + " needs an approver" + at + " who is in no team of its contributors"
	if said := r.said(); said != "" {
		detail += " (" + said + ")"
	}
	if r.page != "" {
		detail += "; its page is " + link(r.page)
	}
	if r.able(r.otherSide) == 0 {
		return unmet(CodeReciprocity, Deny, detail+"; there is nobody else")
	}
	f := unmet(CodeReciprocity, Pending, detail, r.candidates(r.otherSide)...)
	if r.page != "" && !r.tier.ReciprocalLevel().Signed() {
		f.Remedy = "Ask somebody of another team to review it: " + link(r.page)
	}
	return f
}
