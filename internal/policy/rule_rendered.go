package policy

import "github.com/fairway-dev/fairway/internal/change"

// renderedRule: the source renders at the commit. What does not render has no content that a
// request could be held against.
func renderedRule() rule {
	return rule{
		name:  "rendered",
		spec:  "The source renders at the commit.",
		codes: []Code{CodeRender},
		judge: judgeRendered,
	}
}

func judgeRendered(c commitCase) []Finding {
	switch c.ev.Rendered {
	case change.Present:
		return []Finding{admits(CodeRender, "the source renders")}
	case change.Absent:
		return []Finding{unmet(CodeRender, Deny, "source "+Quote(c.ev.Source)+" does not render: "+quoteReason(c.ev.RenderDetail))}
	}
	return []Finding{unmet(CodeRender, Unknown, "nobody has rendered source "+Quote(c.ev.Source)+" yet")}
}
