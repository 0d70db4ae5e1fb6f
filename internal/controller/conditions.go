package controller

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// messageLimit is how long the message of a condition may be, in characters.
const messageLimit = 1024

// finding is one condition to be.
type finding struct {
	kind    string
	is      bool
	reason  string
	message string
}

// set writes findings into conditions; a condition that stays keeps its time.
func set(conditions *[]metav1.Condition, generation int64, findings ...finding) {
	for _, f := range findings {
		status := metav1.ConditionFalse
		if f.is {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: f.kind, Status: status, Reason: f.reason, Message: cut(f.message, messageLimit), ObservedGeneration: generation,
		})
	}
}

// cut is text of at most limit characters.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}

// tierReady says whether a tier is in force.
func tierReady(name string, w *tier.World) finding {
	if _, ok := w.Tiers[name]; ok {
		return finding{v1alpha1.ConditionReady, true, v1alpha1.ReasonCompiled, "the tier is in force"}
	}
	return finding{v1alpha1.ConditionReady, false, v1alpha1.ReasonInvalid, "its namespaces are closed: " + problems(w, fmt.Sprintf("tier %q:", name))}
}

// problems are those of the world that begin with a prefix, without it.
func problems(w *tier.World, prefix string) string {
	var found []string
	for _, p := range w.Problems {
		if rest, ok := strings.CutPrefix(p, prefix); ok {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return strings.Join(found, "; ")
}

// teamReady says whether all identities of a team count.
func teamReady(t *v1alpha1.Team, w *tier.World) finding {
	if conflicts := aboutTeam(t, w, "teams: "); len(conflicts) > 0 {
		return finding{v1alpha1.ConditionReady, false, v1alpha1.ReasonIdentityConflict, "these count for nobody: " + strings.Join(conflicts, "; ")}
	}
	if keys := aboutTeam(t, w, KeyProblem); len(keys) > 0 {
		return finding{v1alpha1.ConditionReady, false, v1alpha1.ReasonInvalid, "these count for nobody: " + strings.Join(keys, "; ")}
	}
	return finding{v1alpha1.ConditionReady, true, v1alpha1.ReasonCompiled, "all identities count"}
}

// KeyProblem begins a problem of the world that says what is wrong with a principal's key.
const KeyProblem = "keys: "

// aboutTeam are the problems with a prefix, without it, that name somebody of a team.
func aboutTeam(t *v1alpha1.Team, w *tier.World, prefix string) []string {
	var found []string
	for _, p := range w.Problems {
		rest, ok := strings.CutPrefix(p, prefix)
		words := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ':' })
		if ok && slices.ContainsFunc(t.Spec.Principals, func(m v1alpha1.Principal) bool { return slices.Contains(words, m.Name) }) {
			found = append(found, rest)
		}
	}
	return found
}

// bindingReady says whether a binding is in force and its tier can be met.
func bindingReady(in *v1alpha1.TierBinding, w *tier.World, proofs map[string]change.Proof) finding {
	ready := func(is bool, reason, message string) finding {
		return finding{v1alpha1.ConditionReady, is, reason, message}
	}
	b, t, ok := compiled(in, w)
	if !ok {
		return ready(false, v1alpha1.ReasonInvalid, "it binds nothing: "+problems(w, "binding "+in.Namespace+"/"+in.Name+":"))
	}
	if missing := notFound(b, w); len(missing) > 0 {
		return ready(false, v1alpha1.ReasonNotFound, "there is no "+strings.Join(missing, ", no "))
	}
	if both := rendersTwice(b, proofs); both != "" {
		return ready(false, v1alpha1.ReasonObjectConflict, both)
	}
	var cannot, beware []string
	for _, p := range policy.Satisfiable(t, b, w.People) {
		if p.Kind == policy.Unsatisfiable && p.Author == "anybody" {
			cannot = append(cannot, p.String())
			continue
		}
		beware = append(beware, p.String())
	}
	if len(cannot) > 0 {
		return ready(false, v1alpha1.ReasonUnsatisfiable, strings.Join(cannot, "; "))
	}
	message := "the binding is in force"
	if len(beware) > 0 {
		message += "; beware: " + strings.Join(beware, "; ")
	}
	return ready(true, v1alpha1.ReasonCompiled, message)
}

// compiled is what the world made of a binding, with its tier.
func compiled(in *v1alpha1.TierBinding, w *tier.World) (tier.Binding, tier.Tier, bool) {
	if in.Name == v1alpha1.ClusterBindingName {
		t, b := w.ClusterTier()
		if b == nil || in.Namespace != w.Install.Namespace {
			return tier.Binding{}, t, false
		}
		return *b, t, true
	}
	t, b := w.Tier(in.Namespace)
	if b == nil {
		return tier.Binding{}, t, false
	}
	return *b, t, true
}

// notFound is what a binding names and is not there.
func notFound(b tier.Binding, w *tier.World) []string {
	var missing []string
	if _, ok := w.Tiers[b.Tier]; !ok {
		missing = append(missing, fmt.Sprintf("tier %q", b.Tier))
	}
	for _, s := range b.Sources {
		if _, ok := w.Repositories[s.Repository]; !ok {
			missing = append(missing, fmt.Sprintf("repository %q", s.Repository))
		}
	}
	for _, owner := range b.Owners {
		if !slices.ContainsFunc(w.People.Names(), func(n string) bool { return w.People.InTeam(n, []string{owner}) }) {
			missing = append(missing, fmt.Sprintf("team %q with anybody in it", owner))
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

// rendersTwice names the objects that two sources of a binding render (ruling 11); proofs are the
// newest of each source, by its name.
func rendersTwice(b tier.Binding, proofs map[string]change.Proof) string {
	by := map[change.ObjectID]string{}
	var both []string
	for _, s := range b.Sources {
		for _, o := range proofs[s.Name].Objects {
			if other, taken := by[o.ID]; taken && other != s.Name {
				both = append(both, fmt.Sprintf("%s is rendered by the sources %s and %s", o.ID, other, s.Name))
			}
			by[o.ID] = s.Name
		}
	}
	slices.Sort(both)
	return strings.Join(both, "; ")
}

// unsealed says whether RBAC alone guards Fairway's own kinds.
func unsealed(w *tier.World) finding {
	switch {
	case w.Cluster != nil:
		return finding{v1alpha1.ConditionUnsealed, false, v1alpha1.ReasonSealed, "the cluster binding guards the install"}
	case w.Install.Sealed:
		return finding{v1alpha1.ConditionUnsealed, true, v1alpha1.ReasonClusterBindingGone, "the latch is set and the cluster binding cannot be read: everything in the cluster scope is denied"}
	}
	return finding{v1alpha1.ConditionUnsealed, true, v1alpha1.ReasonNoClusterBinding, "RBAC alone guards Fairway's own kinds"}
}
