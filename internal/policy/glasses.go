package policy

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// What one requester may have of requests for break-glass that are not over, in one namespace and in all. Every
// requester has these to themselves, told by whose key signed and never by a name that somebody wrote, so that
// nobody's flood takes another's place. Requests with their approvals in them, which open something, have places
// of their own beside those that wait, so that what waits keeps no emergency out.
const (
	GlassesHere  = 16
	GlassesInAll = 64
)

// glassAhead is how far away the window of a request may begin.
const glassAhead = 7 * 24 * time.Hour

// GlassKept is how long the record of a break-glass that was used stays at least, once it is closed.
const GlassKept = 7 * 24 * time.Hour

// OpenGlass is a stored break-glass whose request carries the good signature of a person.
type OpenGlass struct {
	Namespace, Name string
	Requester       string // principal
	Request         string // digest of what was signed: equal for copies
	Approved        bool   // enough people agree: it opens something
	// From and Until are its window, as it was signed.
	From, Until time.Time
	Created     time.Time
	// Over: it opens nothing any more, and its record is still there. Of those only unused ones count.
	Over, Used bool
}

// GlassRequest is what is known of a break-glass that somebody stores or deletes. NeedGlass.
type GlassRequest struct {
	// Good: the request carries the good signature of a person, is for this namespace and no longer than its
	// tier allows, and the object says what was signed.
	Good change.Found
	// Why it is not, for people.
	Why string
	// Tied: the object gets finalizers or owners, which decide when it goes.
	Tied change.Found
	// Stripped: the object loses an approval that it had.
	Stripped change.Found
	// This is the request, where it is good.
	This OpenGlass
	// Twin is the name of another object in the namespace with the same request, which opens no less.
	Twin string
	// Here and InAll are how many others its requester has, of those that count with it.
	Here, InAll int
	// Used and ClosedAt are of the stored object; a zero time: it is not closed.
	Used     change.Found
	ClosedAt time.Time
}

// Ask is what the stored break-glasses mean for a new one.
func (r *GlassRequest) Ask(stored []OpenGlass, now time.Time) {
	for _, g := range stored {
		over := g.Over || !now.Before(g.Until)
		if g.Namespace == r.This.Namespace && g.Name == r.This.Name {
			continue // the same again: the API server refuses it
		}
		if !over && g.Namespace == r.This.Namespace && g.Request == r.This.Request && (g.Approved || !r.This.Approved) {
			r.Twin = g.Name
		}
		if g.Requester != r.This.Requester || !g.counts(r.This.Approved, over) {
			continue
		}
		r.InAll++
		if g.Namespace == r.This.Namespace {
			r.Here++
		}
	}
}

// counts reports whether a break-glass takes one of the places of its sort. Who asks again and again, and lets each
// go by, takes a place until the record is gone.
func (g OpenGlass) counts(approved, over bool) bool {
	if over {
		return !approved && !g.Used
	}
	return g.Approved == approved
}

// glassRequest: a request for break-glass opens nothing until two principals' signatures are in it, and must be
// possible to make where everything else is closed, so nothing is asked of who stores one. But every gate holds all
// of them in memory, so it must be one: signed by somebody who could use it, for this place and for a time to come,
// and no more of them than anybody needs. Where the tier has no such way it could only fill the memory of gates.
//
// It fails closed: what cannot be told is refused, since nothing that is stored so opens anything.
func (q *question) glassRequest() answer {
	r, g := &q.f.Request, &q.f.Glass
	switch {
	case r.Operation != change.Create && r.Operation != change.Update:
		return pass()
	case r.Operation == change.Create && q.t.BreakGlass.MaxDuration <= 0:
		return last(unmet(CodeBreakGlass, Deny, "tier "+Quote(q.t.Name)+" has no break-glass, so a request for one opens nothing"))
	case len(r.Object) > mostGlass:
		return last(unmet(CodeBreakGlass, Deny, "a request for break-glass measures 64 KiB at most, with its approvals"))
	case !q.f.Gathered.Has(NeedGlass):
		return answer{need: NeedGlass}
	}
	if o := outcomeOf(negate(g.Tied)); o != Allow {
		return last(unmet(CodeBreakGlass, o, doubtful(o, "the record of a break-glass gets finalizers or owners, which it may not have")))
	}
	if o := outcomeOf(negate(g.Stripped)); r.Operation == change.Update && o != Allow {
		return last(unmet(CodeBreakGlass, o, doubtful(o, "an approval is taken away: approvals are added, and for others a new request is made")))
	}
	if r.Operation == change.Create {
		if f := q.newGlass(); f.Outcome != Allow {
			return last(f)
		}
	}
	return admit(CodeExempt, "a request for break-glass opens nothing by itself")
}

func (q *question) newGlass() Finding {
	g, now := &q.f.Glass, q.f.Now
	no := func(why string) Finding { return unmet(CodeBreakGlass, Deny, why) }
	whose := "of " + plain(g.This.Requester)
	places := " that wait or went by unused: make one with its approvals in it, or wait until records of these are gone"
	if g.This.Approved {
		places = " that people agreed to: use one of them, or wait for a window to end"
	}
	switch {
	case g.Good == change.CouldNotTell:
		return unmet(CodeBreakGlass, Unknown, doubtful(Unknown, "this is no request for break-glass here"))
	case g.Good != change.Present:
		return no("this is no request for break-glass here: " + g.Why)
	case now.IsZero() || !now.Before(g.This.Until):
		return no("the window of the request is over: sign a new one")
	case g.This.From.After(now.Add(glassAhead)):
		return no("the window of the request begins more than " + glassAhead.String() + " from now")
	case g.Twin != "":
		return no("BreakGlass " + Quote(g.Twin) + " has the same request: use that, or add the approvals to it")
	case g.Here >= GlassesHere:
		return no("there are " + strconv.Itoa(g.Here) + " requests " + whose + " in this namespace" + places)
	case g.InAll >= GlassesInAll:
		return no("there are " + strconv.Itoa(g.InAll) + " requests " + whose + " in all" + places)
	}
	return Finding{Outcome: Allow}
}

// glassGoes: the record of a break-glass goes when it is closed, and one that was used a good while after; by Fairway,
// since only it may come here. What it let through stands in the audit log of the API server.
func (q *question) glassGoes() answer {
	if !q.f.Gathered.Has(NeedGlass) {
		return answer{need: NeedGlass}
	}
	g := &q.f.Glass
	switch {
	case g.ClosedAt.IsZero():
		return last(unmet(CodeReserved, Deny, "the BreakGlass is not closed: its record stays"))
	case g.Used != change.Absent && q.f.Now.Before(g.ClosedAt.Add(GlassKept)):
		return last(unmet(CodeReserved, Deny, "the BreakGlass was used, and closed less than "+GlassKept.String()+" ago: its record stays"))
	}
	return admit(CodeSelf, "the record of a break-glass that is closed")
}

// Beyond are those break-glasses that are not looked at because their requester has others that come first: the
// places above, filled with those that open something soonest, and one of every request. It is by object, with why.
func Beyond(all []OpenGlass) map[[2]string]string {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b OpenGlass) int {
		return cmp.Or(a.From.Compare(b.From), a.Created.Compare(b.Created), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	beyond := map[[2]string]string{}
	twins := map[[2]string]string{}
	for _, approved := range []bool{true, false} {
		here, inAll := map[[2]string]int{}, map[string]int{}
		for _, g := range sorted {
			if g.Over || g.Approved != approved {
				continue
			}
			at, request, place := [2]string{g.Namespace, g.Name}, [2]string{g.Namespace, g.Request}, [2]string{g.Namespace, g.Requester}
			switch {
			case twins[request] != "":
				beyond[at] = "BreakGlass " + Quote(twins[request]) + " has the same request: use that, or add the approvals to it"
				continue
			case here[place] >= GlassesHere || inAll[g.Requester] >= GlassesInAll:
				beyond[at] = plain(g.Requester) + " has as many open requests as are looked at (" + strconv.Itoa(GlassesHere) +
					" in a namespace, " + strconv.Itoa(GlassesInAll) + " in all, those with their approvals apart): it is looked at when others are over"
				continue
			}
			twins[request] = g.Name
			here[place]++
			inAll[g.Requester]++
		}
	}
	return beyond
}
