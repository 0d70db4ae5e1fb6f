package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// condition is what a built-in row asks beside its owner rule.
type condition int

const (
	always     condition = iota
	ownersGone           // every owner is gone, or the controlling one is being deleted
	ownerGone            // the controlling owner, of a kind that the row lists, is gone
	nsEnds               // the namespace is being deleted
	deleting             // the object is being deleted already, attested or not
	ownersLive           // some owner lives, or there is none
)

// remit is one bounded lane: an entry of the tier or binding, or a built-in row.
type remit struct {
	tier.Controller
	of          int // the tier of Facts whose entry it is; everyTier for the binding's and built-in ones
	builtin     bool
	nodes       bool // any kubelet, instead of Users
	subresource string
	names       []string // of the objects; nil: any
	when        condition
	reports     bool // admitted with a warning
	takesOff    bool // its fields may lose something and gain nothing
	aside       bool // what keeps a request out of it is told only where no other lane says why
}

const everyTier = -1

// Controllers are the runtime lanes that speak of the request: built-in rows, then the entries of
// each tier, then those of the binding. Facts.Reach answers for them in this order.
func Controllers(f Facts) []tier.Controller {
	var lanes []tier.Controller
	for _, r := range remits(&f) {
		lanes = append(lanes, r.Controller)
	}
	return lanes
}

func remits(f *Facts) []remit {
	var found []remit
	add := func(r remit) {
		if r.speaksOf(f) {
			found = append(found, r)
		}
	}
	if ofTheSystem(f.Request.User.Name) {
		for _, r := range builtins() {
			add(r)
		}
	}
	for _, r := range engineRemits(f) {
		add(r)
	}
	for i, t := range f.Tiers {
		for _, c := range t.Controllers {
			add(remit{Controller: c, of: i})
		}
	}
	for _, c := range f.Binding.Controllers {
		add(remit{Controller: c, of: everyTier})
	}
	return found
}

// speaksOf reports whether a lane is this requester's, for this kind and operation.
func (r remit) speaksOf(f *Facts) bool {
	req := &f.Request
	if !r.isUser(req.User) || !matches(r.Groups, req.Kind.Group) || !matches(r.Kinds, req.Kind.Kind) {
		return false
	}
	ops := r.Operations
	if len(ops) == 0 {
		ops = []string{string(change.Create), string(change.Update)}
	}
	if !slices.Contains(ops, string(req.Operation)) {
		return false
	}
	if r.names != nil && !slices.Contains(r.names, req.ID.Name) {
		return false
	}
	if r.builtin {
		return r.subresource == req.Resource.Subresource
	}
	// Fairway's own kinds are nobody's to list, and whole objects are never a sub-resource.
	return req.Resource.Group != ownGroup && req.Kind.Group != ownGroup && (req.Resource.Subresource == "" || len(r.Fields) > 0)
}

func (r remit) isUser(u change.User) bool {
	if r.nodes {
		return isNode(u)
	}
	return listed(r.Users, u.Name)
}

func matches(list []string, s string) bool {
	return slices.Contains(list, s) || slices.Contains(list, "*")
}

// completes reports whether a row carries out a deletion that was admitted before: of the object itself,
// or of the namespace, which takes everything in it along. Nothing can be kept there any more, whatever
// Git says by now; that Git renders nothing in it was asked when its deletion was (see deleteLane).
func (r remit) completes() bool { return r.when == deleting || r.when == nsEnds }

// controllerLane: a controller does what its row allows (ruling 16). Nothing that Git attests ever
// changes through it, but that a deletion which was admitted before may be completed. Where the row
// asks for a living owner, the controlling owner lives under the UID that the object names, is of a kind
// that the row lists and, where that kind has a template, the object is made from it: so a forged
// owner reference gains nothing (T-12), and nor does one to an owner that is gone (T-13).
func controllerLane(q *question) answer {
	if q.t.Lane == tier.Open || q.blocked() && !q.builtinToken() {
		return pass()
	}
	var misses, aside []Finding
	for i, r := range remits(q.f) {
		if r.of != everyTier && r.of != q.i || q.reserved && r.when != nsEnds {
			continue
		}
		if need := r.needs() &^ q.f.Gathered; need != 0 {
			return answer{need: need}
		}
		f := q.within(r, i)
		if f.Outcome == Allow {
			return q.runs(r)
		}
		if r.aside {
			aside = append(aside, f)
		} else {
			misses = append(misses, f)
		}
	}
	if len(misses) == 0 {
		return answer{misses: aside, fallback: true}
	}
	return miss(misses...)
}

// builtinToken: kubelets mint the tokens that Pods run with, whatever the tier says of people.
func (q *question) builtinToken() bool {
	return q.f.Request.Resource.Subresource == "token" && isNode(q.f.Request.User)
}

func (q *question) runs(r remit) answer {
	a := admit(CodeController, plain(r.Name)+": "+r.Why)
	if r.reports {
		a = a.warn("Fairway cannot judge what a node makes by itself: " + plain(r.Name))
	}
	return a
}

func (r remit) needs() Need {
	need := NeedReach
	if len(r.OwnerKinds) > 0 || r.when == ownersGone || r.when == ownersLive {
		need |= NeedOwner
	}
	if r.when == deleting {
		need |= NeedShape
	}
	return need
}

// within says whether a request stays within a runtime lane; at is the lane's place in Reach.
func (q *question) within(r remit, at int) Finding {
	op := q.f.Request.Operation
	if f := q.happens(r); f.Outcome != Allow {
		return f
	}
	if !r.completes() {
		if o := outcomeOf(negate(q.f.Attested)); o != Allow {
			return unmet(CodeBeyondLane, o, doubtful(o, plain(r.Name)+" would change what Git attests"))
		}
	}
	if len(r.Fields) > 0 && op != change.Delete {
		reach := Reach{}
		if at < len(q.f.Reach) && q.f.Reach[at].Controller == r.Name {
			reach = q.f.Reach[at]
		}
		if r.takesOff && len(reach.Gained) > 0 {
			return unmet(CodeBeyondLane, Deny, plain(r.Name)+" takes off, and would put "+list(reach.Gained)+" there")
		}
		if o := outcomeOf(reach.Within); o != Allow {
			sets := " sets more than "
			if len(reach.Beyond) > 0 {
				sets = " sets " + list(reach.Beyond) + ", which is more than "
			}
			return unmet(CodeBeyondLane, o, doubtful(o, plain(r.Name)+sets+list(r.Fields)))
		}
	}
	if len(r.OwnerKinds) > 0 {
		return q.owned(r)
	}
	if len(r.Fields) == 0 && !r.builtin && slices.Contains(r.Kinds, "*") {
		return unmet(CodeBeyondLane, Deny, plain(r.Name)+" has no bounds: list its kinds, fields or owners")
	}
	return Finding{Outcome: Allow}
}

// happens checks the condition of a built-in row.
func (q *question) happens(r remit) Finding {
	o := Allow
	switch r.when {
	case ownersGone:
		if o = outcomeOf(q.f.Owner.Gone); o != Allow && q.f.Owner.Ending == change.Present {
			o = Allow
		}
	case ownerGone:
		o = outcomeOf(negate(q.f.Owner.Live))
	case nsEnds:
		o = q.endsWithNamespace()
	case ownersLive:
		o = outcomeOf(negate(q.f.Owner.Gone))
	case deleting:
		o = outcomeOf(q.f.Shape.Deleting)
	}
	if o == Allow {
		return Finding{Outcome: Allow}
	}
	return unmet(CodeOwner, o, doubtful(o, "it is not so for "+plain(r.Name)+" that "+r.Why))
}

// endsWithNamespace says whether the object goes because its namespace does. What is in no namespace
// outlives them all, and the binding that seals the install goes by break-glass alone (ruling 9).
func (q *question) endsWithNamespace() Outcome {
	id := q.f.Request.ID
	inside := id.Namespace != "" || id.Group == "" && id.Kind == "Namespace"
	if !inside || seals(q.f) {
		return Deny
	}
	return outcomeOf(q.f.Ending)
}

// owned checks the controlling owner, which lives unless the row asks that it does not.
func (q *question) owned(r remit) Finding {
	o := q.f.Owner
	if out := outcomeOf(o.Live); out != Allow && r.when != ownerGone {
		return unmet(CodeOwner, out, doubtful(out, "the controlling owner does not live under the UID that the object names"))
	}
	if !slices.Contains(r.OwnerKinds, o.ID.Kind) && !slices.Contains(r.OwnerKinds, o.ID.Group+"/"+o.ID.Kind) {
		return unmet(CodeOwner, Deny, plain(r.Name)+" acts for "+list(r.OwnerKinds)+", and the owner is "+plain(o.ID.Kind))
	}
	if q.f.Request.Operation == change.Delete {
		return Finding{Outcome: Allow}
	}
	if q.f.Request.Operation == change.Update {
		if out := outcomeOf(o.Kept); out != Allow {
			return unmet(CodeOwner, out, doubtful(out, "the owner references changed"))
		}
	}
	if templated(o.ID, q.f.Request.Kind) {
		if out := outcomeOf(o.Template); out != Allow {
			return unmet(CodeOwner, out, doubtful(out, "it is not what the template of "+plain(o.ID.Kind)+" asks for"))
		}
	}
	return Finding{Outcome: Allow}
}

// templated reports whether an owner holds a template from which such a child is made.
func templated(owner change.ObjectID, child change.Kind) bool {
	switch owner.Group + "/" + owner.Kind {
	case "apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "apps/DaemonSet",
		"batch/Job", "batch/CronJob", "/ReplicationController":
		return true
	case "/Pod":
		return child.Group == "" && child.Kind == "PersistentVolumeClaim" // that of an ephemeral volume
	}
	return false
}
