package policy

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// The bounds of a message: one screen.
const (
	headLimit    = 120 // characters of the first line, which lists show alone
	lineLimit    = 300
	findingLines = 12
)

// Message says why a verdict does not allow, on one screen. The first line stands alone: what was
// refused, and what weighs most. Then comes each unmet requirement with who can supply it, then
// the next command. Of a verdict that allows it is the first finding.
//
// No message can be taken for an immutable-field error: see Quote.
func (v Verdict) Message() string {
	if v.Outcome == Allow {
		return defuse(cut(v.head(), headLimit))
	}
	head, first := v.head(), v.gravest()
	lines := []string{cut(head, headLimit)}
	told := lines[0] == head && len(first.Who) == 0 // the first line says all there is to its finding
	shown := 0
	for _, f := range v.Findings {
		if f.Outcome == Allow || told && f.Code == first.Code && f.Detail == first.Detail {
			continue
		}
		if shown++; shown > findingLines {
			lines = append(lines, "and more")
			break
		}
		lines = append(lines, cut(requirement(f), lineLimit))
	}
	for _, r := range v.next() {
		lines = append(lines, cut("Next: "+r, lineLimit))
	}
	return defuse(strings.Join(lines, "\n"))
}

// head is the first line: "[FW103 NeedsApproval] Deployment shop/web @3f2c1ab: tier …".
func (v Verdict) head() string {
	f := v.gravest()
	e := Lookup(f.Code)
	return "[" + string(e.Code) + " " + e.Name + "] " + v.subject() + ": " + f.Detail
}

// subject is what was judged.
func (v Verdict) subject() string {
	if v.Object == (change.ObjectID{}) {
		return "commit " + short(v.Commit)
	}
	s := plain(v.Object.Kind) + " " + plain(v.Object.Name)
	if v.Object.Namespace != "" {
		s = plain(v.Object.Kind) + " " + plain(v.Object.Namespace) + "/" + plain(v.Object.Name)
	}
	if v.Commit != "" {
		s += " @" + short(v.Commit)
	}
	return s
}

// gravest is the first of the findings that weigh most. Without any finding nothing could be told.
func (v Verdict) gravest() Finding {
	if len(v.Findings) == 0 {
		return unmet(CodeCannotTell, Unknown, "nothing was found out")
	}
	g := v.Findings[0]
	for _, f := range v.Findings[1:] {
		if gravity(f.Outcome) > gravity(g.Outcome) {
			g = f
		}
	}
	return g
}

func requirement(f Finding) string {
	s := string(f.Code) + " " + f.Reason + ": " + f.Detail
	if len(f.Who) > 0 {
		s += "; can be given by " + list(f.Who)
	}
	return s
}

// next are the next steps, at most two, that of the gravest finding first.
func (v Verdict) next() []string {
	steps := []string{v.gravest().Remedy}
	for _, f := range v.Findings {
		if f.Outcome != Allow {
			steps = append(steps, f.Remedy)
		}
	}
	var some []string
	for _, s := range steps {
		if s != "" && !slices.Contains(some, s) && len(some) < 2 {
			some = append(some, s)
		}
	}
	return some
}
