package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// deleteLane: an object may go where Git had it and has it no more (ruling 17): the newest proof
// that the tier admits, of every source, does not render it, in whatever version, and a delivered
// one did. It may also go where its source lets the engine re-create objects and the live object
// is not what Git renders any more, and where it is a hook of a chart, as it was delivered, and goes by those
// who deliver it: Helm runs one and removes it. Whoever asks, anything else stays, and an object that no source
// ever delivered is nobody's to prune. A Namespace takes everything in it along, so it goes when its sources render nothing
// in it any more either; so does the definition of a kind, when no source of a gated namespace renders an object of
// that kind. The binding that seals the install goes by break-glass alone (ruling 9).
func deleteLane(q *question) answer {
	if !q.delivers(change.Delete) {
		return pass()
	}
	if seals(q.f) {
		return miss(unmet(CodeUnsealing, Deny, "the TierBinding \""+clusterBinding+"\" seals the install"))
	}
	if !q.f.Gathered.Has(NeedRenders) {
		return answer{need: NeedRenders}
	}
	if f := q.gone(); f.Outcome != Allow {
		return miss(f)
	}
	return admit(CodeDeleted, "Git had it and does not have it any more, re-creates it, or runs it as a hook")
}

func (q *question) gone() Finding {
	absent, delivered := Allow, change.Absent
	told := map[string]bool{}
	for _, r := range q.f.Renders {
		if r.Tier != q.t.Name {
			continue
		}
		told[r.Source] = true
		switch {
		case r.Absent == change.Absent && !r.recreates() && !q.removesHook(r):
			return unmet(CodeStillRendered, Deny, "source "+Quote(r.Source)+" renders it")
		case r.Fills == change.Present:
			return unmet(CodeStillRendered, Deny, "source "+Quote(r.Source)+" renders what is in it")
		case r.Absent == change.Absent:
			delivered = change.Present
		case r.Absent != change.Present || r.Fills != change.Absent:
			absent = Unknown
		}
		if r.Delivered == change.Present || r.Delivered == change.CouldNotTell && delivered == change.Absent {
			delivered = r.Delivered
		}
	}
	for _, name := range sources(q.f.Binding) {
		if !told[name] {
			absent = Unknown
		}
	}
	switch {
	case absent != Allow:
		return unmet(CodeCannotTell, Unknown, "some source has no proof that tier "+Quote(q.t.Name)+" admits, so nobody can tell whether Git still has it")
	case len(told) == 0 || delivered == change.Absent:
		return unmet(CodeNeverDelivered, Deny, "no delivered commit of the sources ("+list(sources(q.f.Binding))+") rendered it")
	case delivered != change.Present:
		return unmet(CodeCannotTell, Unknown, "nobody could tell whether Git ever delivered it")
	}
	return Finding{Outcome: Allow}
}

// removesHook reports whether the object is a hook, and whoever removes it one of those who run it: whom its source
// lists, or else the engines of the install. To anybody else a hook is an object like others.
func (q *question) removesHook(r RenderFact) bool {
	if r.Hook != change.Present {
		return false
	}
	user := q.f.Request.User
	if len(r.Via.Users)+len(r.Via.Claims) == 0 {
		return listed(q.f.Install.Engines, user.Name)
	}
	return r.Via.Delivers(user.Name, user.Extra)
}

// recreates reports whether the engine may delete the object to make it anew.
func (r RenderFact) recreates() bool {
	return r.Recreate == tier.RecreateAllow && r.LiveBound == change.Absent
}
