package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// asks is what a row of the table of sub-resources asks.
type asks int

const (
	asksController asks = iota // a built-in or listed controller; the answer for what has no row
	asksStatusOnly             // that nothing but .status changes
	asksConnect                // what the tier says of connections
	asksScale                  // what the tier says of scaling
	asksOwner                  // that the object's controlling owner lives, and makes another
)

// row is one sub-resource, whichever resource it belongs to.
type row struct {
	subresource string
	asks        asks
	why         string
}

// subresources is the table of ruling 15. A sub-resource without a row asks for a controller.
func subresources() []row {
	return []row{
		{"status", asksStatusOnly, "what a controller observed is no change of what was asked for; labels, owners and finalizers are"},
		{"scale", asksScale, "the number of replicas is content, unless the tier leaves it to an autoscaler"},
		{"eviction", asksOwner, "a Pod whose controller lives is made anew: drains must work"},
		{"binding", asksController, "the scheduler places Pods"},
		{"ephemeralcontainers", asksConnect, "a debug container is a way into the workload"},
		{"exec", asksConnect, "a way into the workload"},
		{"attach", asksConnect, "a way into the workload"},
		{"portforward", asksConnect, "a way into the workload"},
		{"proxy", asksConnect, "a way into the workload, and on nodes to the kubelet"},
		{"token", asksConnect, "a token is the workload's identity, as good as a way into it; kubelets have a row of their own"},
		{"resize", asksController, "resources of a running Pod are content, unless a listed autoscaler sets them"},
		{"approval", asksController, "an approved certificate request is a credential; the signer's controller approves its own"},
		{"finalize", asksController, "the namespace controller ends a Namespace"},
	}
}

func rowOf(r change.Request) row {
	for _, row := range subresources() {
		if row.subresource == r.Resource.Subresource {
			return row
		}
	}
	if r.Operation == change.Connect {
		return row{r.Resource.Subresource, asksConnect, "a connection of a kind that has no row"}
	}
	return row{r.Resource.Subresource, asksController, "this sub-resource has no row"}
}

// subresourceLane answers writes to sub-resources by their row (ruling 15), and the three writes to
// objects themselves that every operator makes at run time: deleting a Pod whose controller makes
// it anew, restarting a workload, and cordoning a node. What the row does not allow a runtime lane or break-glass
// still may; content from Git never explains a write to a sub-resource.
func subresourceLane(q *question) answer {
	if q.reserved {
		return pass()
	}
	if q.main() {
		return q.everyday()
	}
	r := rowOf(q.f.Request)
	switch r.asks {
	case asksStatusOnly:
		return q.statusOnly()
	case asksConnect:
		if q.t.Connect == tier.PolicyAllow {
			return admit(CodeSubresource, "the tier allows connections: "+plain(r.subresource))
		}
		return miss(unmet(CodeConnect, Deny, "tier "+Quote(q.t.Name)+" refuses "+plain(r.subresource)+": "+r.why))
	case asksScale:
		if q.t.Scale == tier.PolicyAllow && q.f.Request.Operation == change.Update {
			return admit(CodeSubresource, "the tier allows scaling")
		}
		return miss(unmet(CodeScale, Deny, "tier "+Quote(q.t.Name)+" refuses scaling by "+Quote(q.f.Request.User.Name)))
	case asksOwner:
		return q.ownerMakesAnother()
	}
	return miss(unmet(CodeSubresourceRow, Deny, Quote(r.subresource)+": "+r.why))
}

// blocked reports whether the tier closes a sub-resource to listed controllers too.
func (q *question) blocked() bool {
	if q.main() {
		return false
	}
	switch rowOf(q.f.Request).asks {
	case asksConnect:
		return q.t.Connect != tier.PolicyOwned
	case asksScale:
		return q.t.Scale != tier.PolicyOwned
	}
	return false
}

func (q *question) statusOnly() answer {
	if q.f.Request.Operation != change.Update {
		return miss(unmet(CodeStatus, Deny, "only an update of status is one of status alone"))
	}
	if q.forged() {
		return miss(unmet(CodeStatus, Deny, "the status of "+plain(q.f.Request.Kind.Kind)+" is written by the engines that the install lists, not by "+Quote(q.f.Request.User.Name)))
	}
	if !q.f.Gathered.Has(NeedShape) {
		return answer{need: NeedShape}
	}
	if o := outcomeOf(q.f.Shape.StatusOnly); o != Allow {
		return miss(unmet(CodeStatus, o, doubtful(o, "the write to /status changes something beside .status")))
	}
	return admit(CodeSubresource, "nothing but .status changes")
}

func (q *question) ownerMakesAnother() answer {
	if !q.f.Gathered.Has(NeedOwner) {
		return answer{need: NeedOwner}
	}
	if o := outcomeOf(q.f.Owner.Live); o != Allow {
		return miss(unmet(CodeOwner, o, doubtful(o, "no living controller would make this Pod anew")))
	}
	return admit(CodeSubresource, "its controller "+plain(q.f.Owner.ID.Kind)+" lives and makes it anew")
}

// everyday answers the writes to objects themselves that have a default at run time.
func (q *question) everyday() answer {
	r := &q.f.Request
	switch {
	case r.Operation == change.Delete && r.Kind.Group == "" && r.Kind.Kind == "Pod":
		return q.ownerMakesAnother()
	case r.Operation == change.Update && r.Kind.Group == "apps" && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, r.Kind.Kind):
		return q.restart()
	case r.Operation == change.Update && r.Kind.Group == "" && r.Kind.Kind == "Node":
		return q.cordon()
	}
	return pass()
}

// cordon: whether new Pods are placed on a node, and nothing else. A drain begins with it, and an upgrade of the node with
// a drain; evictions go by their own row.
func (q *question) cordon() answer {
	if q.shut {
		return pass()
	}
	if need := (NeedShape | NeedReach) &^ q.f.Gathered; need != 0 {
		return answer{need: need}
	}
	if q.f.Shape.CordonOnly != change.Present {
		return pass()
	}
	if o := outcomeOf(negate(q.f.Attested)); o != Allow {
		return miss(unmet(CodeBeyondLane, o, doubtful(o, "Git sets whether Pods are placed on the node")))
	}
	return admit(CodeSubresource, "nothing changes but whether Pods are placed on the node")
}

// restart: the annotation that `kubectl rollout restart` writes, and nothing else, by a person who
// is of an owning team. It is recorded; what Git says stays what it is.
func (q *question) restart() answer {
	owner, known := q.f.People.ByUser(q.f.Request.User.Name)
	if !known {
		return pass() // an engine's apply is no restart, and need not be looked at as one
	}
	if need := (NeedShape | NeedReach) &^ q.f.Gathered; need != 0 {
		return answer{need: need}
	}
	if q.f.Shape.RestartOnly != change.Present {
		return pass()
	}
	p, _ := q.f.People.Get(owner)
	if p.Robot || !q.f.People.InTeam(owner, q.f.Binding.Owners) {
		return miss(unmet(CodeRestart, Deny, plain(owner)+" is no owner of the namespace", teams(q.f.Binding.Owners)...))
	}
	if o := outcomeOf(negate(q.f.Attested)); o != Allow {
		return miss(unmet(CodeBeyondLane, o, doubtful(o, "Git sets the restart annotation itself")))
	}
	return admit(CodeSubresource, plain(owner)+" restarted the workload").
		warn("Fairway recorded this restart; the pod template in Git stays as it is")
}

// negate is Present where f is Absent, and the other way round.
func negate(f change.Found) change.Found {
	switch f {
	case change.Present:
		return change.Absent
	case change.Absent:
		return change.Present
	}
	return change.CouldNotTell
}
