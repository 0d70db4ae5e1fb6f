package policy

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// releasePrefix is how the names of the Secrets begin in which Helm keeps a release.
const releasePrefix = "sh.helm.release.v1."

// releaseLane: Helm keeps each revision of a release in a Secret of its own type, and writes it before
// it applies anything. Such a record cannot be in Git. It is admitted, and may go, where the binding has
// a source that delivers this very release by Helm, from a user whom that source lists, and only while it
// is nothing but a record: one entry of data, no labels and no marks beside Helm's own. It proves
// nothing: Fairway never reads what it holds, and whatever Helm makes of it (a roll-back, a removal) is
// judged like everything else. What Git renders under such a name is content and no record.
func releaseLane(q *question) answer {
	r := &q.f.Request
	if q.t.Lane == tier.Open || r.Kind.Group != "" || r.Kind.Kind != "Secret" || !strings.HasPrefix(r.ID.Name, releasePrefix) ||
		!q.delivers(change.Create, change.Update, change.Delete) {
		return pass()
	}
	if need := (NeedShape | NeedReach) &^ q.f.Gathered; need != 0 {
		return answer{need: need}
	}
	release := q.f.Shape.Release
	keepers, kept := q.keepers(release)
	if release == "" || !kept {
		return pass()
	}
	if !listed(keepers, r.User.Name) {
		return miss(unmet(CodeBeyondLane, Deny, "the records of release "+Quote(release)+" are kept by "+list(keepers)))
	}
	if o := outcomeOf(negate(q.f.Attested)); o != Allow {
		return miss(unmet(CodeBeyondLane, o, doubtful(o, "Git renders a Secret of this name")))
	}
	return admit(CodeRelease, "the record of release "+Quote(release))
}

// keepers are the users who may keep the records of a release here, and whether any source of any binding that may
// deliver here delivers it.
func (q *question) keepers(release string) (users []string, kept bool) {
	for _, b := range append([]tier.Binding{q.f.Binding}, q.f.Beside...) {
		for _, s := range b.Sources {
			at := s.Helm.Namespace
			if at == "" {
				at = b.Namespace
			}
			if s.Render == tier.Chart && s.Via.ByHelm() && s.Helm.Release == release && at == q.f.Request.ID.Namespace {
				users, kept = append(users, s.Via.Users...), true
			}
		}
	}
	slices.Sort(users)
	return slices.Compact(users), kept
}
