package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// ownGroup is the API group of Fairway's kinds.
const ownGroup = "fairway.dev"

// Fairway's kinds are of two sorts. Configuration is changed by people, through Git (ruling 6).
// Everything else in the group is a record that Fairway writes; so is a kind of the group that
// this version does not know.
func configuration(kind string) bool {
	switch kind {
	case "EnvironmentTier", "TierBinding", "Team", "Repository":
		return true
	}
	return false
}

// reserved reports whether somebody who is not Fairway writes what Fairway alone may write: a
// record, or the status of any of its kinds.
func reserved(f *Facts) bool {
	r := &f.Request
	if r.Resource.Group != ownGroup || ours(f) {
		return false
	}
	return r.Resource.Subresource == "status" || !configuration(r.Kind.Kind)
}

// evidence reports whether the request is about a record of Fairway's, whoever writes it.
func evidence(f *Facts) bool {
	r := &f.Request
	return r.Resource.Group == ownGroup && (reserved(f) || !configuration(r.Kind.Kind))
}

func ours(f *Facts) bool { return listed(f.Install.ProverUsers, f.Request.User.Name) }

// selfLane: Fairway's own writes of its own kinds (ruling 14). The user name alone is never
// enough for evidence, since whoever may impersonate it has it too: a ProvenCommit needs the
// prover's signature. Of configuration Fairway writes the status and nothing else.
func selfLane(q *question) answer {
	r := &q.f.Request
	if r.Resource.Group != ownGroup {
		return pass()
	}
	if q.reserved {
		return miss(unmet(CodeReserved, Deny, plain(r.Kind.Kind)+" is written by Fairway alone, not by "+Quote(r.User.Name)))
	}
	if !ours(q.f) {
		return pass()
	}
	if configuration(r.Kind.Kind) {
		return q.ownStatus()
	}
	if r.Kind.Kind == "ProvenCommit" && r.Operation != change.Delete {
		return q.ownProof()
	}
	if r.Kind.Kind == "BreakGlass" && r.Operation == change.Delete {
		return q.glassGoes()
	}
	return admit(CodeSelf, "Fairway's own record")
}

func (q *question) ownStatus() answer {
	if q.f.Request.Resource.Subresource != "status" || q.f.Request.Operation != change.Update || q.t.Lane == tier.Open {
		return pass()
	}
	if !q.f.Gathered.Has(NeedShape) {
		return answer{need: NeedShape}
	}
	if q.f.Shape.StatusOnly != change.Present {
		return pass() // the row of /status refuses it with its reason
	}
	return admit(CodeSelf, "Fairway's own status")
}

func (q *question) ownProof() answer {
	if !q.f.Gathered.Has(NeedSignature) {
		return answer{need: NeedSignature}
	}
	if o := outcomeOf(q.f.SelfSigned); o != Allow {
		return last(unmet(CodeReserved, o, doubtful(o, "the proof does not carry the prover's good signature")))
	}
	return admit(CodeSelf, "a proof with the prover's signature")
}
