package controller

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Beside are fields that stand in a proven object beside what Git sets, and by whom. Admission reports
// such fields and lets them be, since an apply cannot take them away; whoever slipped one in while the
// webhook was away is found here.
type Beside struct {
	Object string   // Kind namespace/name
	Fields []string // "path (manager)"
}

// atRuntime are the fields that Kubernetes itself and every-day commands set in any object.
func atRuntime() []string {
	fields := []string{
		`metadata.annotations["deployment.kubernetes.io/*"]`, `metadata.annotations["deprecated.daemonset.template.generation"]`,
		`spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]`, `metadata.finalizers`, `metadata.ownerReferences`,
		`metadata.annotations["pv.kubernetes.io/*"]`, `metadata.annotations["volume.kubernetes.io/*"]`,
	}
	for _, key := range tier.TriggerAnnotations() { // Fairway itself asks so, and people may
		fields = append(fields, `metadata.annotations["`+key+`"]`)
	}
	return fields
}

// explained are the fields that a runtime lane of tier or binding, or a tolerance, speaks of. A pattern
// that does not parse explains nothing.
func explained(o *canon.Object, b tier.Binding, t tier.Tier) []canon.PathPattern {
	texts := atRuntime()
	for _, c := range slices.Concat(t.Controllers, b.Controllers) {
		texts = append(texts, c.Fields...)
	}
	for _, tolerance := range t.Tolerate {
		if tolerance.Group == o.Meta().Kind.Group && (tolerance.Kind == "" || tolerance.Kind == o.Meta().Kind.Kind) {
			texts = append(texts, tolerance.Path)
		}
	}
	if t.Scale != tier.PolicyDeny {
		texts = append(texts, "spec.replicas")
	}
	var patterns []canon.PathPattern
	for _, text := range texts {
		if p, err := canon.ParsePattern(text); err == nil {
			patterns = append(patterns, p)
		}
	}
	return patterns
}

// owned are the fields that another manager owns. What nobody owns was filled in by the API server: a
// client cannot write a field without owning it.
func owned(found []canon.Residue) []string {
	var left []string
	for _, r := range found {
		if r.Manager != "" {
			left = append(left, r.Path+" ("+r.Manager+")")
		}
	}
	return left
}
