package policy

import (
	"strconv"

	"github.com/fairway-dev/fairway/internal/tier"
)

// breakGlassLane: the way through in an emergency, for one user, in one namespace and for a short
// time, opened by the signed statements of two people (ruling 24). It admits what every other lane
// refuses, Fairway's own kinds too, and leaves a debt: Git must render the live state again. What it never
// opens are the records of break-glass: an emergency that could take its own away would be a silent one (T-54).
func breakGlassLane(q *question) answer {
	r := q.f.Request.Resource
	if q.t.BreakGlass.MaxDuration <= 0 || r.Group == ownGroup && r.Resource == "breakglasses" && q.reserved {
		return pass()
	}
	if !q.f.Gathered.Has(NeedGrants) {
		return answer{need: NeedGrants}
	}
	var misses []Finding
	for i := range q.f.Grants {
		g := &q.f.Grants[i]
		f := q.covers(g)
		if f.Outcome == Allow {
			return admit(CodeGlassBroken, "break-glass "+Quote(g.Name)+" of "+plain(g.Requester)).
				warn("break-glass " + Quote(g.Name) + " let this through: Git must render the live state " + due(q.t.BreakGlass))
		}
		if g.User == q.f.Request.User.Name {
			misses = append(misses, f)
		}
	}
	return miss(bounded(misses)...)
}

// due says how soon Git must render the live state.
func due(r tier.BreakGlassRule) string {
	if r.ReviewWithin <= 0 {
		return "again"
	}
	return "within " + r.ReviewWithin.String()
}

// covers holds one grant against the request.
func (q *question) covers(g *Grant) Finding {
	no := func(o Outcome, why string) Finding {
		return unmet(CodeBreakGlass, o, doubtful(o, "break-glass "+Quote(g.Name)+" "+why))
	}
	if o := outcomeOf(g.Verified); o != Allow {
		return no(o, "does not carry good signatures")
	}
	if o := outcomeOf(negate(g.Spent)); o != Allow {
		return no(o, "is spent")
	}
	who, known := q.f.People.ByUser(g.User)
	requester, _ := q.f.People.Get(g.Requester)
	need, have := max(q.t.BreakGlass.Approvals, 1), len(q.signers(g.Approvers, g.Requester))
	switch {
	case g.User == "" || g.User != q.f.Request.User.Name || !known || who != g.Requester || requester.Robot:
		return no(Deny, "is for another user, or for one who is no known person")
	case g.NamespaceUID == "" || g.NamespaceUID != q.f.NamespaceUID:
		return no(Deny, "is for another namespace")
	case g.Until.Sub(g.From) > q.t.BreakGlass.MaxDuration:
		return no(Deny, "lasts longer than "+q.t.BreakGlass.MaxDuration.String())
	case q.f.Now.IsZero() || q.f.Now.Before(g.From) || !q.f.Now.Before(g.Until):
		return no(Deny, "is not open now")
	case have < need:
		return no(Pending, "needs "+count(need, "approval")+", has "+strconv.Itoa(have))
	}
	return Finding{Outcome: Allow}
}
