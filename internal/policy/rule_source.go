package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// sourceRule: the evidence is about a source that the binding lists, in this namespace, with the
// repository and branch that the binding gives it; and the tier exists. It fails closed: a tier
// without a name is one that nobody could read.
func sourceRule() rule {
	return rule{
		name:  "source",
		spec:  "The tier exists, and the commit comes from a source that the binding lists, with the repository and branch that it lists.",
		codes: []Code{CodeSource, CodeTier},
		judge: judgeSource,
	}
}

func judgeSource(c commitCase) []Finding {
	if c.tier.Name == "" {
		return []Finding{unmet(CodeTier, Deny, "the tier could not be read")}
	}
	if c.tier.Missing() {
		return []Finding{unmet(CodeTier, Deny, "tier "+Quote(c.tier.Name)+" does not exist, or could not be read")}
	}
	s, ok := c.binding.SourceNamed(c.ev.Source)
	if !ok || c.ev.Source == "" || c.ev.Namespace != c.binding.Namespace {
		return []Finding{unmet(CodeSource, Deny, "source "+Quote(c.ev.Source)+" is not listed in the binding of "+Quote(c.binding.Namespace))}
	}
	if !sameOrigin(s, c.ev) {
		return []Finding{unmet(CodeSource, Deny, "source "+Quote(s.Name)+" delivers branch "+Quote(s.Branch)+
			" of "+Quote(s.Repository)+", not "+Quote(c.ev.Branch)+" of "+Quote(c.ev.Repository))}
	}
	return []Finding{admits(CodeSource, "source "+Quote(s.Name)+" is listed")}
}

func sameOrigin(s tier.Source, ev change.Evidence) bool {
	return s.Repository != "" && s.Branch != "" && s.Repository == ev.Repository && s.Branch == ev.Branch
}
