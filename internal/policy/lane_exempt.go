package policy

import (
	"bytes"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// exemptLane: kinds that no tier judges. By kind these are Events and Leases alone (ruling 16), of
// which every node writes several a minute; questions that the API server answers without storing
// anything; and requests for break-glass: see glassRequest.
func exemptLane(q *question) answer {
	if !q.main() {
		return pass()
	}
	r := q.f.Request.Resource
	switch r.Group + "/" + r.Resource {
	case "/events", "events.k8s.io/events", "coordination.k8s.io/leases":
		return admit(CodeExempt, "events and leases are judged by no tier")
	case "authentication.k8s.io/tokenreviews", "authentication.k8s.io/selfsubjectreviews",
		"authorization.k8s.io/subjectaccessreviews", "authorization.k8s.io/localsubjectaccessreviews",
		"authorization.k8s.io/selfsubjectaccessreviews", "authorization.k8s.io/selfsubjectrulesreviews":
		return admit(CodeExempt, "a question that stores nothing")
	case ownGroup + "/breakglasses":
		return q.glassRequest()
	}
	return pass()
}

// mostGlass is what a request for break-glass and its approvals may measure, in bytes: a signed statement has
// about 2 KiB. Every gate holds all of them in memory.
const mostGlass = 64 << 10

// noOpLane: an UPDATE whose object is byte for byte what it was (ruling 12). Nothing that differs
// in managedFields alone is one: who owns a field decides what a later request may do.
func noOpLane(q *question) answer {
	r := &q.f.Request
	null := []byte("null")
	if r.Operation != change.Update || len(r.Object) == 0 || bytes.Equal(r.Object, null) || !bytes.Equal(r.Object, r.Old) {
		return pass()
	}
	return admit(CodeNoOp, "the object stays as it is")
}

// hygieneLane: an engine that the install lists by its exact user name removes bookkeeping from an
// object, or takes over what kubectl left behind, and changes nothing else (ruling 13). Who delivers by
// Helm may take over what Helm itself set before. From anybody else the same write is a change of who owns
// what, and refused.
func hygieneLane(q *question) answer {
	r := &q.f.Request
	engine, helm := listed(q.f.Install.Engines, r.User.Name), q.deliversByHelm(r.User)
	if q.t.Lane == tier.Open || !q.main() || q.reserved || r.Operation != change.Update || !engine && !helm {
		return pass()
	}
	if need := NeedShape; !q.f.Gathered.Has(need) {
		return answer{need: need}
	}
	switch {
	case engine && q.f.Shape.Hygiene == change.Present:
		return admit(CodeHygiene, Quote(r.User.Name)+" removed bookkeeping only")
	case helm && q.f.Shape.TakeOver == change.Present:
		return admit(CodeHygiene, Quote(r.User.Name)+" applies on the server's side what Helm set before")
	}
	return pass()
}

// deliversByHelm reports whether somebody is listed by a source that Helm delivers here.
func (q *question) deliversByHelm(user change.User) bool {
	return slices.ContainsFunc(append([]tier.Binding{q.f.Binding}, q.f.Beside...), func(b tier.Binding) bool {
		return slices.ContainsFunc(b.Sources, func(s tier.Source) bool {
			return s.Via.ByHelm() && listed(s.Via.Users, user.Name)
		})
	})
}

// openLane: the tier admits everything, and nothing is asked of anybody. Fairway's evidence is no
// environment's content, so an open tier does not open it; nor does it open a cluster scope of which
// nobody can tell what guards it, or the seal of the install.
func openLane(q *question) answer {
	if q.t.Lane != tier.Open || q.reserved || q.shut || seals(q.f) {
		return pass()
	}
	return admit(CodeOpen, "the tier admits everything")
}

// listed reports whether a name that is there is in a list.
func listed(names []string, name string) bool { return name != "" && slices.Contains(names, name) }
