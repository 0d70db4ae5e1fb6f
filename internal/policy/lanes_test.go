package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// situation is one row of the truth table of lanes.
type situation struct {
	name string
	make func(tier.Tier) Facts
}

// situations are the rows, in the order of the lanes. Rulings and threats are named where a row
// holds them.
func situations() []situation {
	var all []situation
	for _, part := range [][]situation{free(), content(), deletions(), subs(), children(), listedLanes(), fairwayKinds(), emergencies(), releases(), engineObjects()} {
		all = append(all, part...)
	}
	return all
}

func free() []situation {
	return []situation{
		{"an Event", func(t tier.Tier) Facts { return request(t, change.Create, core("Event"), "events", "e", "kubelet") }},
		{"a Lease", func(t tier.Tier) Facts {
			return request(t, change.Update, change.Kind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, "leases", "l", "kubelet")
		}},
		{"an access review", func(t tier.Tier) Facts {
			return cluster(t, change.Create, change.Kind{Group: "authorization.k8s.io", Version: "v1", Kind: "SubjectAccessReview"}, "subjectaccessreviews", "", "x")
		}},
		{"ruling 12: nothing changes", func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Update), "mallory"), func(f *Facts) { f.Request.Old = f.Request.Object })
		}},
		{"ruling 12: null stays null", func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Update), "mallory"), func(f *Facts) { f.Request.Object, f.Request.Old = []byte("null"), []byte("null") })
		}},
		{"ruling 12: a CREATE is no no-op", func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Create), "mallory"), func(f *Facts) { f.Request.Old = f.Request.Object })
		}},
		{"ruling 13: an engine's bookkeeping", func(t tier.Tier) Facts {
			return with(deployment(t, change.Update), func(f *Facts) { f.Shape.Hygiene = change.Present })
		}},
		{"ruling 13: the same by somebody else", func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Update), "mallory"), func(f *Facts) { f.Shape.Hygiene = change.Present })
		}},
	}
}

func content() []situation {
	return []situation{
		{"proven and current", func(t tier.Tier) Facts { return proven(t) }},
		{"a newer commit than the delivered", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Proof.Commit, c.Proof.Height = oldCommit, 21 })
		}},
		{"another commit of the same height", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Proof.Commit = oldCommit }) }},
		{"ruling 3: first delivery, newest", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Marked, c.Delivered = change.Absent, nil })
		}},
		{"ruling 3: first delivery, not newest", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Marked, c.Delivered, c.Standings[0].Newest = change.Absent, nil, change.Absent })
		}},
		{"what was delivered is not known", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Marked, c.Delivered = change.CouldNotTell, nil })
		}},
		{"T-01: other content", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) {
				c.Fit, c.Paths = FitDiffers, []string{"spec.template.spec.containers[name=\"web\"].image"}
			})
		}},
		{"T-08: a foreign field", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Fit, c.Paths = FitAddition, []string{"spec.template.spec.hostNetwork"} })
		}},
		{"ruling 20: another API version", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Fit = FitOtherVersion }) }},
		{"ruling 25: client-side apply", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Fit = FitNotApplied }) }},
		{"fit not known", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Fit = FitUnknown }) }},
		{"a fit that nobody knows", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Fit = "Perfect" }) }},
		{"a kind without schema", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Fit = FitUnknownKind }) }},
		{"approvals missing", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) {
				j := &c.Proof.Judgements[0]
				j.Admissible, j.Pending = change.Absent, true
				j.Missing = []string{`[FW103] needs approval: tier "production" needs 1 approval "owners", has 0 (bob)`}
			})
		}},
		{"refused by a rule", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) {
				j := &c.Proof.Judgements[0]
				j.Admissible, j.Missing = change.Absent, []string{"[FW105] not signed by a known person: commit 3f2c1ab is not signed"}
			})
		}},
		{"refused, nobody says why", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Proof.Judgements[0].Admissible = change.Absent })
		}},
		{"the tier could not tell", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Proof.Judgements[0].Admissible = change.CouldNotTell })
		}},
		{"origin required and declared", func(t tier.Tier) Facts { return declaring(t, change.Origin{Engine: "Flux"}) }},
		{"origin required and not declared", func(t tier.Tier) Facts { return declaring(t, change.Origin{}) }},
		{"origin required and contradicting", func(t tier.Tier) Facts {
			return declaring(t, change.Origin{Engine: "Flux", Conflicts: []string{"Flux says a, Argo CD says b"}})
		}},
		{"ruling 4: judged under another policy", func(t tier.Tier) Facts {
			return proven(t, func(c *Candidate) { c.Standings[0].Digests = []string{"later"} })
		}},
		{"judged by another tier only", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Proof.Judgements[0].Tier = "other" }) }},
		{"revoked", func(t tier.Tier) Facts { return proven(t, func(c *Candidate) { c.Proof.Revoked = true }) }},
		{"ruling 26: a proof in the making", func(t tier.Tier) Facts {
			return with(proven(t, func(c *Candidate) { c.Fit = FitDiffers }), func(f *Facts) { f.Making = change.Present })
		}},
		{"no proof at all", func(t tier.Tier) Facts {
			return with(deployment(t, change.Create), func(f *Facts) { f.Making = change.Absent })
		}},
		{"T-22: edited while being deleted", func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Update), "mallory"), func(f *Facts) { f.Shape.Deleting = change.Present })
		}},
		{"ruling 11: two sources render it", func(t tier.Tier) Facts {
			return with(proven(t), func(f *Facts) {
				other := candidate(t, oldCommit, 5)
				other.Proof.Source, other.Proof.Key.Path = "api", "api"
				f.Candidates = append(f.Candidates, other)
			})
		}},
		{"ruling 11: another source's commit, not judged", func(t tier.Tier) Facts {
			return with(proven(t), func(f *Facts) {
				other := candidate(t, oldCommit, 5)
				other.Proof.Source, other.Proof.Key.Path = "api", "api"
				other.Proof.Judgements = nil
				f.Candidates = append(f.Candidates, other)
			})
		}},
		{"ruling 11: moved from another source", func(t tier.Tier) Facts {
			return with(proven(t), func(f *Facts) {
				other := candidate(t, oldCommit, 5)
				other.Proof.Source, other.Proof.Key.Path = "api", "api"
				other.Standings[0].Newest = change.Absent
				f.Candidates = append(f.Candidates, other)
			})
		}},
		{"ruling 11: a push to another source, not approved", func(t tier.Tier) Facts {
			return with(proven(t), func(f *Facts) {
				other := candidate(t, oldCommit, 5)
				other.Proof.Source, other.Proof.Key.Path = "api", "api"
				other.Proof.Judgements[0].Admissible = change.Absent
				f.Candidates = append(f.Candidates, other)
			})
		}},
		{"T-10: an older commit, nobody signed", func(t tier.Tier) Facts { return proven(t, behind) }},
		{"T-10: rolled back with a signature", func(t tier.Tier) Facts {
			return proven(t, behind, func(c *Candidate) { c.Rollback = []string{"carol"} })
		}},
		{"rolled back with a robot's signature", func(t tier.Tier) Facts {
			return proven(t, behind, func(c *Candidate) { c.Rollback = []string{"robby", "nobody", ""} })
		}},
		{"rolled back beyond the window", func(t tier.Tier) Facts {
			return proven(t, behind, func(c *Candidate) { c.Rollback, c.DeliveredAt = []string{"carol"}, noon().Add(-721*time.Hour) })
		}},
		{"rolled back to what never was here", func(t tier.Tier) Facts {
			return proven(t, behind, func(c *Candidate) { c.Rollback, c.DeliveredAt = []string{"carol"}, time.Time{} })
		}},
		{"rolled back to a revoked proof", func(t tier.Tier) Facts {
			return proven(t, behind, func(c *Candidate) { c.Rollback, c.Proof.Revoked = []string{"carol"}, true })
		}},
		{"ruling 15: restarted by an owner", func(t tier.Tier) Facts { return restarted(t, "alice", change.Absent) }},
		{"restarted by somebody of another team", func(t tier.Tier) Facts { return restarted(t, "carol", change.Absent) }},
		{"restarted, and Git sets the annotation", func(t tier.Tier) Facts { return restarted(t, "alice", change.Present) }},
		{"restarted by a robot of the owners", func(t tier.Tier) Facts { return restarted(t, "robby", change.Absent) }},
	}
}

func declaring(t tier.Tier, o change.Origin) Facts {
	if t.Lane != tier.Open {
		t.Declared = tier.DeclaredRequired
	}
	return with(proven(t), func(f *Facts) { f.Origin = o })
}

func restarted(t tier.Tier, user string, attested change.Found) Facts {
	return with(by(deployment(t, change.Update), user), func(f *Facts) { f.Shape.RestartOnly, f.Attested, f.Making = change.Present, attested, change.Absent })
}

func deleted(t tier.Tier, absent, delivered change.Found) Facts {
	f := deployment(t, change.Delete)
	f.Renders = []RenderFact{{Source: "web", Tier: t.Name, Absent: absent, Delivered: delivered, LiveBound: change.Present, Fills: change.Absent}}
	return f
}

func deletions() []situation {
	return []situation{
		{"ruling 17: gone from Git", func(t tier.Tier) Facts { return deleted(t, change.Present, change.Present) }},
		{"T-21: still in Git", func(t tier.Tier) Facts { return deleted(t, change.Absent, change.Present) }},
		{"T-21: never delivered", func(t tier.Tier) Facts { return deleted(t, change.Present, change.Absent) }},
		{"T-21: the source has no proof yet", func(t tier.Tier) Facts { return deleted(t, change.CouldNotTell, change.Present) }},
		{"nobody knows what was delivered", func(t tier.Tier) Facts { return deleted(t, change.Present, change.CouldNotTell) }},
		{"a source is not spoken for", func(t tier.Tier) Facts {
			return with(deleted(t, change.Present, change.Present), func(f *Facts) {
				f.Binding.Sources = append(f.Binding.Sources, tier.Source{Name: "api", Repository: "deploy", Branch: "main", Path: "api"})
			})
		}},
		{"asked of another tier only", func(t tier.Tier) Facts {
			return with(deleted(t, change.Present, change.Present), func(f *Facts) { f.Renders[0].Tier = "other" })
		}},
		{"a namespace without sources", func(t tier.Tier) Facts {
			return with(deleted(t, change.Present, change.Present), func(f *Facts) { f.Binding.Sources, f.Renders = nil, nil })
		}},
		{"re-created: the live object is no more what Git renders", func(t tier.Tier) Facts {
			return with(deleted(t, change.Absent, change.Present), func(f *Facts) {
				f.Renders[0].Recreate, f.Renders[0].LiveBound = tier.RecreateAllow, change.Absent
			})
		}},
		{"re-created, though it is what Git renders", func(t tier.Tier) Facts {
			return with(deleted(t, change.Absent, change.Present), func(f *Facts) { f.Renders[0].Recreate = tier.RecreateAllow })
		}},
		{"re-created by a source that may not", func(t tier.Tier) Facts {
			return with(deleted(t, change.Absent, change.Present), func(f *Facts) { f.Renders[0].LiveBound = change.Absent })
		}},
		{"T-21: a namespace in which a source still renders something", func(t tier.Tier) Facts {
			return with(deleted(t, change.Present, change.Present), func(f *Facts) { f.Renders[0].Fills = change.Present })
		}},
		{"an ending namespace is emptied, whatever Git renders", func(t tier.Tier) Facts { return emptied(t, change.Present) }},
		{"T-21: a namespace that does not end is emptied", func(t tier.Tier) Facts { return emptied(t, change.Absent) }},
		{"a namespace of which nobody knows whether it ends is emptied", func(t tier.Tier) Facts { return emptied(t, change.CouldNotTell) }},
		{"the cluster is emptied with Fairway's namespace", func(t tier.Tier) Facts {
			return with(emptied(t, change.Present), func(f *Facts) { f.Request.ID.Namespace = "" })
		}},
		{"ruling 15: a Pod whose controller lives", func(t tier.Tier) Facts {
			return by(child(t, change.Delete, core("Pod"), "pods", "", "ReplicaSet"), "alice")
		}},
		{"a bare Pod", func(t tier.Tier) Facts {
			return with(by(child(t, change.Delete, core("Pod"), "pods", "", "ReplicaSet"), "alice"), func(f *Facts) { f.Owner = Owner{Live: change.Absent} })
		}},
		{"a Pod whose owner is not known", func(t tier.Tier) Facts {
			return with(by(child(t, change.Delete, core("Pod"), "pods", "", "ReplicaSet"), "alice"), func(f *Facts) { f.Owner = Owner{} })
		}},
	}
}

func emptied(t tier.Tier, ending change.Found) Facts {
	return with(by(deleted(t, change.Absent, change.Present), controllerAccounts+"namespace-controller"), func(f *Facts) {
		f.Ending, f.Attested = ending, change.Present
		f.reach(change.Present)
	})
}

func subs() []situation {
	pod := func(t tier.Tier, op change.Operation, kind change.Kind, name, user string, groups ...string) Facts {
		return sub(by(request(t, op, kind, "pods", "web-1", user), user, groups...), name)
	}
	exec := change.Kind{Version: "v1", Kind: "PodExecOptions"}
	scale := change.Kind{Group: "autoscaling", Version: "v1", Kind: "Scale"}
	eviction := change.Kind{Group: "policy", Version: "v1", Kind: "Eviction"}
	token := change.Kind{Group: "authentication.k8s.io", Version: "v1", Kind: "TokenRequest"}
	scaled := func(t tier.Tier, user string, attested change.Found) Facts {
		f := sub(request(t, change.Update, scale, "deployments", "web", user), "scale")
		f.Attested = attested
		return f
	}
	return []situation{
		{"status alone", func(t tier.Tier) Facts {
			return with(sub(deployment(t, change.Update), "status"), func(f *Facts) { f.Shape.StatusOnly = change.Present })
		}},
		{"T-13: owners changed through status", func(t tier.Tier) Facts {
			return with(sub(by(deployment(t, change.Update), "mallory"), "status"), func(f *Facts) { f.Shape.StatusOnly = change.Absent })
		}},
		{"status and the revision by its controller", func(t tier.Tier) Facts {
			return with(sub(by(deployment(t, change.Update), controllerAccounts+"deployment-controller"), "status"), func(f *Facts) {
				f.Shape.StatusOnly, f.Attested = change.Absent, change.Absent
			})
		}},
		{"T-23: exec", func(t tier.Tier) Facts { return pod(t, change.Connect, exec, "exec", "alice") }},
		{"T-23: proxy", func(t tier.Tier) Facts {
			return pod(t, change.Connect, change.Kind{Version: "v1", Kind: "PodProxyOptions"}, "proxy", "alice")
		}},
		{"a connection of an unknown kind", func(t tier.Tier) Facts { return pod(t, change.Connect, exec, "teleport", "alice") }},
		{"T-03: an ephemeral container", func(t tier.Tier) Facts { return pod(t, change.Update, core("Pod"), "ephemeralcontainers", "alice") }},
		{"T-24: scale by a user", func(t tier.Tier) Facts { return scaled(t, "alice", change.Absent) }},
		{"T-24: scale by the autoscaler", func(t tier.Tier) Facts {
			return scaled(t, controllerAccounts+"horizontal-pod-autoscaler", change.Absent)
		}},
		{"T-24: the autoscaler, and Git sets replicas", func(t tier.Tier) Facts {
			return scaled(t, controllerAccounts+"horizontal-pod-autoscaler", change.Present)
		}},
		{"T-24: eviction, the controller lives", func(t tier.Tier) Facts {
			return with(pod(t, change.Create, eviction, "eviction", "alice"), func(f *Facts) { f.Owner = child(t, change.Delete, core("Pod"), "pods", "", "ReplicaSet").Owner })
		}},
		{"eviction of a bare Pod", func(t tier.Tier) Facts {
			return with(pod(t, change.Create, eviction, "eviction", "alice"), func(f *Facts) { f.Owner.Live = change.Absent })
		}},
		{"binding by the scheduler", func(t tier.Tier) Facts {
			return with(pod(t, change.Create, core("Binding"), "binding", "system:kube-scheduler"), func(f *Facts) { f.Attested = change.Absent })
		}},
		{"binding by a user", func(t tier.Tier) Facts { return pod(t, change.Create, core("Binding"), "binding", "mallory") }},
		{"a token by a kubelet", func(t tier.Tier) Facts {
			return with(pod(t, change.Create, token, "token", "system:node:n1", "system:nodes"), func(f *Facts) { f.Attested = change.Absent })
		}},
		{"a token by one who is only called like a node", func(t tier.Tier) Facts { return pod(t, change.Create, token, "token", "system:node:n1") }},
		{"a token by a user", func(t tier.Tier) Facts { return pod(t, change.Create, token, "token", "mallory") }},
		{"resize", func(t tier.Tier) Facts { return pod(t, change.Update, core("Pod"), "resize", "alice") }},
		{"a sub-resource without a row", func(t tier.Tier) Facts { return pod(t, change.Update, core("Pod"), "novel", "alice") }},
	}
}

func children() []situation {
	rs := change.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	replicaSet := func(t tier.Tier, op change.Operation) Facts {
		return child(t, op, rs, "replicasets", "deployment-controller", "Deployment")
	}
	pod := func(t tier.Tier, op change.Operation) Facts {
		return child(t, op, core("Pod"), "pods", "replicaset-controller", "ReplicaSet")
	}
	gc := func(t tier.Tier, gone, attested change.Found) Facts {
		f := child(t, change.Delete, core("ConfigMap"), "configmaps", "generic-garbage-collector", "Deployment")
		f.Owner.Gone, f.Attested = gone, attested
		f.Owner.Live = negate(gone)
		return f
	}
	ns := func(t tier.Tier, ending change.Found) Facts {
		f := child(t, change.Delete, core("ConfigMap"), "configmaps", "namespace-controller", "")
		f.Owner, f.Ending = Owner{}, ending
		return f
	}
	cordons := func(t tier.Tier, only, attested change.Found) Facts {
		f := request(t, change.Update, core("Node"), "nodes", "n1", "oncall")
		f.Request.ID.Namespace = ""
		f.Shape.CordonOnly, f.Attested, f.Making = only, attested, change.Absent
		f.reach(change.Absent)
		return f
	}
	takes := func(t tier.Tier, gained ...string) Facts {
		f := child(t, change.Update, core("ConfigMap"), "configmaps", "generic-garbage-collector", "Deployment")
		for i := range f.Reach {
			f.Reach[i].Gained = gained
		}
		return f
	}
	given := func(t tier.Tier, gone change.Found) Facts {
		f := child(t, change.Update, core("PersistentVolumeClaim"), "persistentvolumeclaims", "statefulset-controller", "")
		f.Owner = Owner{Gone: gone}
		return f
	}
	endpoints := func(t tier.Tier, op change.Operation, service change.Found) Facts {
		f := child(t, op, core("Endpoints"), "endpoints", "endpoint-controller", "Service")
		f.Owner.ID.Group, f.Owner.Live = "", service
		return f
	}
	return []situation{
		{"a Deployment makes its ReplicaSet", func(t tier.Tier) Facts { return replicaSet(t, change.Create) }},
		{"a Deployment scales its ReplicaSet", func(t tier.Tier) Facts { return replicaSet(t, change.Update) }},
		{"a ReplicaSet makes its Pod", func(t tier.Tier) Facts { return pod(t, change.Create) }},
		{"T-12: no owner under that UID", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Owner.Live = change.Absent })
		}},
		{"T-12: owner not known", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Owner.Live = change.CouldNotTell })
		}},
		{"T-12: made by somebody else", func(t tier.Tier) Facts { return by(pod(t, change.Create), "mallory") }},
		{"T-12: made by another kind's controller", func(t tier.Tier) Facts { return by(pod(t, change.Create), controllerAccounts+"job-controller") }},
		{"T-12: not from the template", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Owner.Template = change.Absent })
		}},
		{"T-12: template not known", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Owner.Template = change.CouldNotTell })
		}},
		{"T-12: an orphan is adopted", func(t tier.Tier) Facts {
			return with(replicaSet(t, change.Update), func(f *Facts) { f.Owner.Kept = change.Absent })
		}},
		{"T-12: the Pod itself is in Git", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Attested = change.Present })
		}},
		{"nobody knows whether Git has it", func(t tier.Tier) Facts {
			return with(pod(t, change.Create), func(f *Facts) { f.Attested = change.CouldNotTell })
		}},
		{"the garbage collector, owners gone", func(t tier.Tier) Facts { return gc(t, change.Present, change.Absent) }},
		{"T-13: the garbage collector, an owner lives", func(t tier.Tier) Facts { return gc(t, change.Absent, change.Absent) }},
		{"T-13: the garbage collector, the object is in Git", func(t tier.Tier) Facts { return gc(t, change.Present, change.Present) }},
		{"a load balancer is noted on its Service", func(t tier.Tier) Facts {
			return sub(child(t, change.Update, core("Service"), "services", "service-controller", ""), "status")
		}},
		{"T-13: another finalizer comes with the status of a Service", func(t tier.Tier) Facts {
			return with(sub(child(t, change.Update, core("Service"), "services", "service-controller", ""), "status"), func(f *Facts) { f.reach(change.Absent) })
		}},
		{"a node is cordoned", func(t tier.Tier) Facts { return cordons(t, change.Present, change.Absent) }},
		{"T-26: more of a node than that changes", func(t tier.Tier) Facts { return cordons(t, change.Absent, change.Absent) }},
		{"a node is cordoned, and Git says that it is not", func(t tier.Tier) Facts { return cordons(t, change.Present, change.Present) }},
		{"a node is cordoned, the binding that seals is gone", func(t tier.Tier) Facts {
			return with(cordons(t, change.Present, change.Absent), func(f *Facts) { f.ClusterBinding = change.Absent })
		}},
		{"the garbage collector takes references off", func(t tier.Tier) Facts { return takes(t) }},
		{"T-13: a reference is put there as the garbage collector", func(t tier.Tier) Facts {
			return takes(t, `metadata.ownerReferences[uid="1"]`)
		}},
		{"T-13: a claim is given to owners that live", func(t tier.Tier) Facts { return given(t, change.Absent) }},
		{"T-13: a claim is given to an owner that is gone", func(t tier.Tier) Facts { return given(t, change.Present) }},
		{"T-13: a claim is given to an owner, not known", func(t tier.Tier) Facts { return given(t, change.CouldNotTell) }},
		{"T-12: a Pod's label is changed as its controller", func(t tier.Tier) Facts {
			return child(t, change.Update, core("Pod"), "pods", "replicaset-controller", "ReplicaSet")
		}},
		{"T-12: a revision that is not the template", func(t tier.Tier) Facts {
			return with(child(t, change.Create, change.Kind{Group: "apps", Version: "v1", Kind: "ControllerRevision"}, "controllerrevisions", "statefulset-controller", "StatefulSet"),
				func(f *Facts) { f.Owner.Template = change.Absent })
		}},
		{"the Endpoints of a living Service go", func(t tier.Tier) Facts { return endpoints(t, change.Delete, change.Present) }},
		{"the Endpoints of a Service that is gone go", func(t tier.Tier) Facts { return endpoints(t, change.Delete, change.Absent) }},
		{"Endpoints go, their Service not known", func(t tier.Tier) Facts { return endpoints(t, change.Delete, change.CouldNotTell) }},
		{"T-12: Endpoints are made for a Service that is gone", func(t tier.Tier) Facts { return endpoints(t, change.Create, change.Absent) }},
		{"T-12: Endpoints change for a Service that is gone", func(t tier.Tier) Facts { return endpoints(t, change.Update, change.Absent) }},
		{"T-13: the Endpoints of a Service that is gone are in Git", func(t tier.Tier) Facts {
			return with(endpoints(t, change.Delete, change.Absent), func(f *Facts) { f.Attested = change.Present })
		}},
		{"T-13: Endpoints of another owner that is gone", func(t tier.Tier) Facts {
			return with(endpoints(t, change.Delete, change.Absent), func(f *Facts) { f.Owner.ID.Group, f.Owner.ID.Kind = "example.org", "Lock" })
		}},
		{"T-13: Endpoints without a Service go by somebody else", func(t tier.Tier) Facts {
			return by(endpoints(t, change.Delete, change.Absent), "mallory")
		}},
		{"T-13: another kind goes since its Service is gone", func(t tier.Tier) Facts {
			f := child(t, change.Delete, core("ConfigMap"), "configmaps", "endpoint-controller", "Service")
			f.Owner.ID.Group, f.Owner.Live = "", change.Absent
			return f
		}},
		{"a namespace ends", func(t tier.Tier) Facts { return ns(t, change.Present) }},
		{"a namespace does not end", func(t tier.Tier) Facts { return ns(t, change.Absent) }},
		{"T-30: a mirror Pod", func(t tier.Tier) Facts {
			f := by(child(t, change.Create, core("Pod"), "pods", "", "Node"), "system:node:n1", "system:nodes")
			f.Owner.ID = change.ObjectID{Kind: "Node", Name: "n1"}
			return f
		}},
		{"a kubelet ends a deletion", func(t tier.Tier) Facts {
			f := by(child(t, change.Delete, core("Pod"), "pods", "", ""), "system:node:n1", "system:nodes")
			f.Owner, f.Attested, f.Shape.Deleting = Owner{Live: change.Absent}, change.Present, change.Present
			return f
		}},
		{"a kubelet begins a deletion", func(t tier.Tier) Facts {
			f := by(child(t, change.Delete, core("Pod"), "pods", "", ""), "system:node:n1", "system:nodes")
			f.Owner, f.Shape.Deleting = Owner{Live: change.Absent}, change.Absent
			return f
		}},
		{"the root certificate of a namespace", func(t tier.Tier) Facts {
			f := child(t, change.Create, core("ConfigMap"), "configmaps", "root-ca-cert-publisher", "")
			f.Request.ID.Name = "kube-root-ca.crt"
			f.reach(change.Present)
			return f
		}},
		{"another ConfigMap by the same identity", func(t tier.Tier) Facts {
			return child(t, change.Create, core("ConfigMap"), "configmaps", "root-ca-cert-publisher", "")
		}},
	}
}

func listedLanes() []situation {
	secret := func(t tier.Tier, user string, within, attested change.Found) Facts {
		f := request(t, change.Update, core("Secret"), "secrets", "web-tls", user)
		f.reach(within)
		f.Attested, f.Making = attested, change.Absent
		return f
	}
	const certManager = "system:serviceaccount:cert-manager:cert-manager"
	return []situation{
		{"ruling 16: a listed controller within its fields", func(t tier.Tier) Facts { return secret(t, certManager, change.Present, change.Absent) }},
		{"ruling 16: beyond its fields", func(t tier.Tier) Facts { return secret(t, certManager, change.Absent, change.Absent) }},
		{"ruling 16: fields not known", func(t tier.Tier) Facts { return secret(t, certManager, change.CouldNotTell, change.Absent) }},
		{"ruling 16: it would change what Git attests", func(t tier.Tier) Facts { return secret(t, certManager, change.Present, change.Present) }},
		{"ruling 16: somebody else", func(t tier.Tier) Facts { return secret(t, "mallory", change.Present, change.Absent) }},
	}
}

func fairwayKinds() []situation {
	role := change.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}
	clusterRole := func(t tier.Tier, sealed, binding change.Found) Facts {
		f := cluster(t, change.Create, role, "clusterroles", "viewer", "alice")
		f.Sealed, f.ClusterBinding, f.Making = sealed, binding, change.Absent
		return f
	}
	binding := func(t tier.Tier, sealing change.Found) Facts {
		f := request(t, change.Create, own("TierBinding"), "tierbindings", "cluster", "alice")
		f.Request.ID.Namespace, f.Sealed, f.SealingWrite = "fairway-system", change.Absent, sealing
		return f
	}
	proof := func(t tier.Tier, user string, signed change.Found) Facts {
		f := request(t, change.Create, own("ProvenCommit"), "provencommits", "p", user)
		f.SelfSigned = signed
		return f
	}
	status := func(t tier.Tier, user string, only change.Found) Facts {
		f := sub(request(t, change.Update, own("TierBinding"), "tierbindings", "tier", user), "status")
		f.Shape.StatusOnly = only
		return f
	}
	return []situation{
		{"ruling 9: unsealed, a ClusterRole", func(t tier.Tier) Facts { return clusterRole(t, change.Absent, change.Absent) }},
		{"ruling 9: sealed, no binding", func(t tier.Tier) Facts { return clusterRole(t, change.Present, change.Absent) }},
		{"ruling 9: sealed, binding not readable", func(t tier.Tier) Facts { return clusterRole(t, change.Present, change.CouldNotTell) }},
		{"ruling 9: latch not readable", func(t tier.Tier) Facts { return clusterRole(t, change.CouldNotTell, change.Absent) }},
		{"T-26: sealed, a ClusterRole that Git does not know", func(t tier.Tier) Facts { return clusterRole(t, change.Present, change.Present) }},
		{"ruling 9: the write that seals", func(t tier.Tier) Facts { return binding(t, change.Present) }},
		{"ruling 9: sealing to another repository", func(t tier.Tier) Facts { return binding(t, change.Absent) }},
		{"ruling 9: the sealing binding is deleted", func(t tier.Tier) Facts {
			f := request(t, change.Delete, own("TierBinding"), "tierbindings", "cluster", flux)
			f.Request.ID.Namespace = "fairway-system"
			f.Renders = []RenderFact{{Source: "web", Tier: t.Name, Absent: change.Present, Delivered: change.Present, Fills: change.Absent}}
			return f
		}},
		{"ruling 9: sealing, not known to what", func(t tier.Tier) Facts { return binding(t, change.CouldNotTell) }},
		{"ruling 14: a proof by the prover", func(t tier.Tier) Facts { return proof(t, fairway, change.Present) }},
		{"ruling 14: the prover's name without its signature", func(t tier.Tier) Facts { return proof(t, fairway, change.Absent) }},
		{"ruling 14: a signed proof by somebody else", func(t tier.Tier) Facts { return proof(t, "mallory", change.Present) }},
		{"ruling 14: status by Fairway", func(t tier.Tier) Facts { return status(t, fairway, change.Present) }},
		{"ruling 14: more than status by Fairway", func(t tier.Tier) Facts { return status(t, fairway, change.Absent) }},
		{"ruling 14: status by somebody else", func(t tier.Tier) Facts { return status(t, "mallory", change.Present) }},
		{"a mark of delivery by somebody else", func(t tier.Tier) Facts {
			return request(t, change.Update, own("Delivery"), "deliveries", "d", "mallory")
		}},
		{"a kind of Fairway's that nobody knows", func(t tier.Tier) Facts { return request(t, change.Create, own("Novelty"), "novelties", "n", "mallory") }},
		{"a mark of delivery by Fairway", func(t tier.Tier) Facts { return request(t, change.Update, own("Delivery"), "deliveries", "d", fairway) }},
		{"T-16: a tier by somebody", func(t tier.Tier) Facts {
			return with(cluster(t, change.Update, own("EnvironmentTier"), "environmenttiers", "production", "mallory"), func(f *Facts) { f.Making = change.Absent })
		}},
		{"T-16: Fairway edits a tier", func(t tier.Tier) Facts {
			return with(cluster(t, change.Update, own("EnvironmentTier"), "environmenttiers", "production", fairway), func(f *Facts) { f.Making = change.Absent })
		}},
		{"a request for break-glass", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create)
		}},
		{"T-58: a request that nobody known signed", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) {
				g.Good, g.Why = change.Absent, "NotSigned: the signature is not good: unknown key"
			})
		}},
		{"T-58: a request in a namespace made just now", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.Good = change.CouldNotTell })
		}},
		{"T-58: a request too many", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.Here = GlassesHere })
		}},
		{"T-58: an approved request too many", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.InAll, g.This.Approved = GlassesInAll, true })
		}},
		{"T-58: a copy of a request", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.Twin = "a" })
		}},
		{"T-58: a request whose window is over", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.This.Until = noon() })
		}},
		{"T-58: a request for a time far away", func(t tier.Tier) Facts {
			return askedGlass(t, change.Create, func(g *GlassRequest) { g.This.From = noon().Add(glassAhead + time.Second) })
		}},
		{"T-54: a record of break-glass gets an owner", func(t tier.Tier) Facts {
			return askedGlass(t, change.Update, func(g *GlassRequest) { g.Tied = change.Present })
		}},
		{"T-54: a break-glass loses an approval", func(t tier.Tier) Facts {
			return askedGlass(t, change.Update, func(g *GlassRequest) { g.Stripped = change.Present })
		}},
		{"T-54: a record of break-glass is deleted by break-glass", func(t tier.Tier) Facts {
			return with(askedGlass(t, change.Delete), func(f *Facts) { f.Grants = []Grant{grant()} })
		}},
		{"T-54: a record of break-glass is deleted by Fairway", func(t tier.Tier) Facts {
			return by(askedGlass(t, change.Delete), fairway)
		}},
		{"a closed record of break-glass is deleted by Fairway", func(t tier.Tier) Facts {
			return by(askedGlass(t, change.Delete, func(g *GlassRequest) { g.ClosedAt = noon().Add(-GlassKept) }), fairway)
		}},
		{"a record of break-glass is deleted", func(t tier.Tier) Facts {
			return request(t, change.Delete, own("BreakGlass"), "breakglasses", "b", "alice")
		}},
	}
}

func emergencies() []situation {
	return []situation{
		{"ruling 24: break-glass", func(t tier.Tier) Facts { return glass(t) }},
		{"break-glass without good signatures", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Verified = change.Absent }) }},
		{"break-glass not verified yet", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Verified = change.CouldNotTell }) }},
		{"break-glass approved by the requester", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Approvers = []string{"alice"} }) }},
		{"break-glass approved by a robot", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Approvers = []string{"robby"} }) }},
		{"break-glass of a user who is somebody else", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Requester = "bob" }) }},
		{"break-glass of another user", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.User = "bob" }) }},
		{"break-glass of another namespace", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.NamespaceUID = "uid-api" }) }},
		{"break-glass not open yet", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.From = noon().Add(time.Minute) }) }},
		{"break-glass over", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Until = noon() }) }},
		{"break-glass too long", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Until = noon().Add(2 * time.Hour) }) }},
		{"break-glass spent", func(t tier.Tier) Facts { return glass(t, func(g *Grant) { g.Spent = change.Present }) }},
		{"no tier is known", func(t tier.Tier) Facts { return with(proven(t), func(f *Facts) { f.Tiers = nil }) }},
	}
}

// TestLanes holds the truth table: what each situation comes to in each tier.
func TestLanes(t *testing.T) {
	tiers := []tier.Tier{production(), staging(), audited(), sandbox()}
	var b strings.Builder
	fmt.Fprintf(&b, "%-58s", "")
	for i, x := range tiers {
		width := 28
		if i == len(tiers)-1 {
			width = 0
		}
		fmt.Fprintf(&b, "| %-*s", width, x.Name)
	}
	for _, s := range situations() {
		fmt.Fprintf(&b, "\n%-58s", s.name)
		for i, x := range tiers {
			width := 28
			if i == len(tiers)-1 {
				width = 0
			}
			fmt.Fprintf(&b, "| %-*s", width, cell(Admit(s.make(x))))
		}
	}
	golden(t, "testdata/lanes.golden", b.String()+"\n")
}

func cell(v Verdict) string {
	if v.Outcome == Allow {
		return "Allow " + string(v.Lane)
	}
	s := v.Outcome.String() + " " + string(v.gravest().Code)
	if v.RetryAfter > 0 {
		s += " later"
	}
	if v.Admits() {
		s += " (admits)"
	}
	return s
}

// TestMessages holds what people read when production refuses.
func TestMessages(t *testing.T) {
	var b strings.Builder
	for _, s := range situations() {
		if v := Admit(s.make(production())); v.Outcome != Allow {
			fmt.Fprintf(&b, "== %s\n%s\n\n", s.name, v.Message())
		}
	}
	golden(t, "testdata/messages.golden", b.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
