package policy

import (
	"slices"
	"strconv"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// approvalRule: for each landing, each approval rule of the tier is filled by as many different
// people as it asks for, and one person never fills two places, in whatever order the approvals
// are looked at. Contributors and robots never count, nor does a record weaker than the rule asks
// for. A change of which no unit is known counts as one that nobody has approved.
//
// It is Pending where people exist who could approve, and Deny where there are too few of them.
func approvalRule() rule {
	return rule{
		name:  "approval",
		spec:  "Each approval rule that applies to a change is filled by different people who did not contribute to it.",
		codes: []Code{CodeApproval},
		judge: judgeApproval,
	}
}

func judgeApproval(c commitCase) []Finding {
	if len(c.tier.Approvals) == 0 {
		return []Finding{admits(CodeApproval, "the tier asks for no approval")}
	}
	var findings []Finding
	for _, s := range c.steps {
		if s.Landing != nil && s.Landing.Proven != change.Present {
			continue // what was approved is not what landed: coverage refuses it
		}
		r := newReview(c, s)
		for i, places := range r.unfilled() {
			if places > 0 {
				findings = append(findings, r.missing(r.rules[i], places, at(c, s)))
			}
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeApproval, "every change that is covered is approved")}
	}
	return findings
}

// unfilled is, for each rule that applies, how many of its places nobody fills.
func (r *review) unfilled() []int {
	empty := make([]int, len(r.rules))
	ruleOf, filled := r.assign()
	for place, person := range filled {
		if person < 0 {
			empty[ruleOf[place]]++
		}
	}
	return empty
}

// assign puts the approvers into the places of the rules that apply. It says of each place which
// rule it belongs to, and who of r.names fills it, or -1.
func (r *review) assign() (ruleOf, filled []int) {
	for i, rule := range r.rules {
		for range max(rule.Minimum, 1) {
			ruleOf = append(ruleOf, i)
		}
	}
	return ruleOf, match(len(ruleOf), len(r.names), func(place, person int) bool {
		return r.fills(r.names[person], r.rules[ruleOf[place]])
	})
}

func (r *review) missing(rule tier.ApprovalRule, places int, at string) Finding {
	need := max(rule.Minimum, 1)
	detail := "tier " + Quote(r.tier.Name) + " needs " + count(need, "approval") + " " + Quote(rule.Name) + at + ", has " + strconv.Itoa(need-places)
	if said := r.said(); said != "" {
		detail += " (" + said + ")"
	}
	if r.page != "" {
		detail += "; its page is " + link(r.page)
	}
	if r.unasked != "" {
		detail += "; could not ask the forge for more: " + Quote(r.unasked)
	}
	could := func(name string) bool { return r.mayFill(name, rule) }
	if r.able(could) < need {
		return unmet(CodeApproval, Deny, detail+"; too few people could give it")
	}
	f := unmet(CodeApproval, Pending, detail, r.candidates(could)...)
	if r.page != "" && !rule.Level.Signed() {
		f.Remedy = "Ask one of those named to review it: " + link(r.page)
	}
	return f
}

// able counts the people who could do something, whoever has approved yet.
func (r *review) able(could func(name string) bool) int {
	n := 0
	for _, name := range r.people.Names() {
		if could(name) {
			n++
		}
	}
	return n
}

// said names who approved, and whose statement does not count.
func (r *review) said() string {
	var who []string
	for _, name := range r.names {
		if r.signed[name] {
			who = append(who, plain(name))
		} else {
			who = append(who, plain(name)+" on the forge")
		}
	}
	void := make([]string, 0, len(r.void))
	for name, why := range r.void {
		if _, counts := r.signed[name]; !counts {
			void = append(void, plain(name)+" does not count: "+why)
		}
	}
	slices.Sort(void)
	if len(r.against) > 0 {
		void = append(void, "changes asked for by "+list(r.against)+", so that no review counts")
	}
	if r.unread != "" {
		void = append(void, "its page cannot be read whole: "+Quote(r.unread)+", so that no review counts")
	}
	return join(append(who, void...))
}

// at names the step where it is not the candidate itself.
func at(c commitCase, s change.Step) string {
	if id := landed(s).ID; id != c.ev.Commit.ID {
		return " for " + short(id)
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
