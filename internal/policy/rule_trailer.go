package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// trailerRule: the message of what landed, or of a commit of the unit that it landed, carries each
// trailer that the tier asks for, with a value that matches as a whole. A trailer says why a change
// was made; it is text, and proves nothing beyond that somebody wrote it.
func trailerRule() rule {
	return rule{
		name:  "trailer",
		spec:  "The message of each change carries the trailers that the tier asks for.",
		codes: []Code{CodeTrailer},
		judge: judgeTrailer,
	}
}

func judgeTrailer(c commitCase) []Finding {
	if len(c.tier.Trailers) == 0 {
		return []Finding{admits(CodeTrailer, "the tier asks for no trailer")}
	}
	var findings []Finding
	for _, s := range c.steps {
		for _, want := range c.tier.Trailers {
			if carries(s.Commits, want) || s.Landing != nil && s.Landing.Proven == change.Present && carries(s.Landing.Commits, want) {
				continue
			}
			findings = append(findings, unmet(CodeTrailer, Deny, "what landed as "+short(landed(s).ID)+" has no good trailer "+Quote(want.Key)+hint(want)))
		}
	}
	if len(findings) == 0 {
		return []Finding{admits(CodeTrailer, "every trailer is there")}
	}
	return findings
}

func carries(commits []change.Commit, want tier.TrailerRule) bool {
	for _, c := range commits {
		for _, t := range c.Trailers {
			if want.Matches(t.Key, t.Value) {
				return true
			}
		}
	}
	return false
}

func hint(want tier.TrailerRule) string {
	if want.Message == "" {
		return ""
	}
	return ": " + Quote(want.Message)
}
