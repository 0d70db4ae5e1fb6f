package policy

import "github.com/fairway-dev/fairway/internal/change"

// clusterBinding is the name of the TierBinding that seals the install.
const clusterBinding = "cluster"

// clusterScope reports whether the cluster binding guards the object: it is cluster-scoped, or
// configuration of Fairway. A Namespace is judged at its own tiers instead (ruling 7).
func clusterScope(f *Facts) bool {
	r := &f.Request
	if r.Resource.Group == ownGroup && configuration(r.Kind.Kind) {
		return true
	}
	return r.ID.Namespace == "" && !(r.Kind.Group == "" && r.Kind.Kind == "Namespace")
}

// shut reports whether the cluster scope can be judged by nothing: the install is sealed, or
// nobody can tell, and its binding could not be read (ruling 9).
func shut(f *Facts) bool {
	return clusterScope(f) && f.Sealed != change.Absent && (f.Sealed != change.Present || f.ClusterBinding != change.Present)
}

// unsealedLane: until the install is sealed, RBAC alone guards the cluster scope and Fairway's own
// configuration, and every such change is admitted with a warning (ruling 9). Sealed is a latch: set,
// or not known, with no binding to be read, it admits nothing but what the system's controllers
// need to keep the cluster alive. The write that seals must name what was given at install, so that
// the right to create a TierBinding is not enough to seal the install to one's own repository.
func unsealedLane(q *question) answer {
	if !clusterScope(q.f) || q.reserved {
		return pass()
	}
	if q.shut {
		outcome := Unknown
		if q.f.Sealed == change.Present && q.f.ClusterBinding == change.Absent {
			outcome = Deny
		}
		return miss(unmet(CodeSealed, outcome, told(q.f)))
	}
	if q.f.Sealed != change.Absent {
		return pass()
	}
	if seals(q.f) && q.f.Request.Operation != change.Delete && q.f.SealingWrite != change.Present {
		return last(unmet(CodeSealing, outcomeOf(q.f.SealingWrite), "this TierBinding would seal the install to something else than it was told at install"))
	}
	return admit(CodeUnsealed, "RBAC alone guards this").
		warn("Fairway is not sealed: RBAC alone guards " + plain(q.f.Request.Kind.Kind) + "; create the TierBinding \"cluster\" to seal the install")
}

// told says what is known of the seal.
func told(f *Facts) string {
	switch {
	case f.Sealed != change.Present:
		return "could not tell whether the install is sealed"
	case f.ClusterBinding == change.Absent:
		return "the install is sealed, and its cluster binding is gone"
	}
	return "the install is sealed, and its cluster binding could not be read"
}

// seals reports whether the request is about the binding that seals the install: it comes, or it
// goes.
func seals(f *Facts) bool {
	r := &f.Request
	if r.Resource.Group != ownGroup || r.Kind.Kind != "TierBinding" || r.ID.Name != clusterBinding || r.Resource.Subresource != "" {
		return false
	}
	return r.Operation == change.Delete || f.Sealed != change.Present
}
