package policy

import (
	"time"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

const (
	allStages = NeedShape | NeedSignature | NeedOwner | NeedReach | NeedProofs | NeedRenders | NeedGrants | NeedGlass
	flux      = "system:serviceaccount:flux-system:kustomize-controller"
	fairway   = "system:serviceaccount:fairway-system:fairway"
	webCommit = "3f2c1ab9e0d17c6b5a49382716f5e4d3c2b1a098"
	oldCommit = "1a0b2c3d4e5f60718293a4b5c6d7e8f901234567"
)

// noon is when all requests of the tests are made.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func everybody() tier.People {
	people, _ := tier.NewPeople("people", []tier.TeamSpec{
		{Name: "shop", Principals: []tier.Principal{person("alice", false), person("bob", false), person("robby", true)}},
		{Name: "platform", Principals: []tier.Principal{person("carol", false), person("dave", false)}},
	})
	return people
}

// production is a strict tier, staging a gated one that leaves people and autoscalers more room.
func production() tier.Tier {
	return tier.Tier{
		Name: "production", Generation: 7, Lane: tier.Gated, Enforcement: tier.Enforce, Declared: tier.DeclaredOptional,
		Connect: tier.PolicyDeny, Scale: tier.PolicyDeny,
		Rollback:   tier.RollbackRule{Enabled: true, Window: 720 * time.Hour, Approvals: 1},
		BreakGlass: tier.BreakGlassRule{MaxDuration: time.Hour, Approvals: 1, ReviewWithin: 72 * time.Hour},
	}
}

func staging() tier.Tier {
	t := production()
	t.Name, t.Connect, t.Scale = "staging", tier.PolicyAllow, tier.PolicyOwned
	t.Rollback.Approvals = 0
	t.BreakGlass = tier.BreakGlassRule{}
	t.Controllers = []tier.Controller{{
		Name: "cert-manager", Users: []string{"system:serviceaccount:cert-manager:cert-manager"},
		Groups: []string{""}, Kinds: []string{"Secret"}, Fields: []string{"data", "metadata.annotations"}, Why: "it renews certificates",
	}}
	return t
}

func sandbox() tier.Tier { return tier.Tier{Name: "sandbox", Lane: tier.Open} }

func audited() tier.Tier {
	t := production()
	t.Name, t.Enforcement = "audited", tier.Audit
	return t
}

// request makes facts of a request about an object of the namespace shop before a tier, in an
// install that is sealed. Every stage is gathered, and nothing was found.
func request(t tier.Tier, op change.Operation, kind change.Kind, resource, name, user string) Facts {
	f := Facts{
		Repositories: map[string]tier.Repository{"deploy": {URL: "https://git.example.com/deploy"}},
		Request: change.Request{
			Operation: op, Kind: kind, Resource: change.Resource{Group: kind.Group, Version: kind.Version, Resource: resource},
			Namespace: "shop", Name: name, User: change.User{Name: user},
			ID: change.ObjectID{Group: kind.Group, Kind: kind.Kind, Namespace: "shop", Name: name},
		},
		Tiers: []tier.Tier{t},
		Binding: tier.Binding{
			Namespace: "shop", Name: "tier", Tier: t.Name, Owners: []string{"shop"},
			Sources: []tier.Source{{Name: "web", Repository: "deploy", Branch: "main", Path: "shop", FieldManager: "kustomize-controller"}},
		},
		Install: tier.Install{Namespace: "fairway-system", Sealed: true, Engines: []string{flux}, ProverUsers: []string{fairway}},
		People:  everybody(), Now: noon(), NamespaceUID: "uid-shop",
		Sealed: change.Present, ClusterBinding: change.Present, Gathered: allStages,
	}
	switch op {
	case change.Create:
		f.Request.Object = []byte(`{"new":1}`)
	case change.Update:
		f.Request.Object, f.Request.Old = []byte(`{"new":1}`), []byte(`{"old":1}`)
	case change.Delete:
		f.Request.Old = []byte(`{"old":1}`)
	}
	return f
}

func deploymentKind() change.Kind {
	return change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}
}
func core(kind string) change.Kind { return change.Kind{Version: "v1", Kind: kind} }

func deployment(t tier.Tier, op change.Operation) Facts {
	return request(t, op, deploymentKind(), "deployments", "web", flux)
}

// candidate is a proof that the tier admits, bound, current and delivered.
func candidate(t tier.Tier, commit string, height int64) Candidate {
	return Candidate{
		OfRollback: change.Absent,
		Proof: change.Proof{
			Name: "web-" + short(commit), Source: "web", Commit: commit, Tree: "tree-" + short(commit), Height: height,
			Key:        change.SourceKey{Repository: "deploy", Branch: "main", Path: "shop", Namespace: "shop"},
			Approvers:  []string{"bob", "carol"},
			Judgements: []change.Judgement{{Tier: t.Name, Admissible: change.Present, PolicyDigest: "now"}},
		},
		Fit: FitBound, Manager: "kustomize-controller", Marked: change.Present,
		Delivered: &change.Delivered{Commit: webCommit, Height: 20, At: noon().Add(-time.Hour)},
		Standings: []Standing{{Tier: t.Name, Digests: []string{"now"}, Newest: change.Present}},
	}
}

// proven is the request that a proof admits; with changes to the candidate it is not.
func proven(t tier.Tier, changes ...func(*Candidate)) Facts {
	f := deployment(t, change.Update)
	c := candidate(t, webCommit, 20)
	for _, change := range changes {
		change(&c)
	}
	f.Candidates = []Candidate{c}
	f.Making = change.Absent
	f.Origin = change.Origin{Engine: "Flux", Commit: webCommit}
	return f
}

// behind makes a candidate an older one that was delivered a day ago.
func behind(c *Candidate) {
	c.Proof.Commit, c.Proof.Height, c.DeliveredAt = oldCommit, 10, noon().Add(-24*time.Hour)
}

// child is a Pod's or ReplicaSet's request with its owner alive and its template kept.
func child(t tier.Tier, op change.Operation, kind change.Kind, resource, account, owner string) Facts {
	f := request(t, op, kind, resource, "web-1", controllerAccounts+account)
	f.Owner = Owner{
		ID: change.ObjectID{Group: "apps", Kind: owner, Namespace: "shop", Name: "web"}, Live: change.Present,
		Ending: change.Absent, Gone: change.Absent, Template: change.Present, Kept: change.Present,
	}
	f.Attested = change.Absent
	f.reach(change.Present)
	return f
}

// reach answers for every runtime lane alike.
func (f *Facts) reach(w change.Found) {
	f.Reach = nil
	for _, c := range Controllers(*f) {
		f.Reach = append(f.Reach, Reach{Controller: c.Name, Within: w})
	}
}

// sub makes a request one about a sub-resource.
func sub(f Facts, name string) Facts {
	f.Request.Resource.Subresource = name
	f.reach(change.Present)
	return f
}

// by makes a request somebody else's.
func by(f Facts, user string, groups ...string) Facts {
	f.Request.User = change.User{Name: user, Groups: groups}
	f.reach(change.Present)
	return f
}

// with changes facts.
func with(f Facts, changes ...func(*Facts)) Facts {
	for _, change := range changes {
		change(&f)
	}
	return f
}

// grant is a break-glass of alice, approved by carol, open now.
func grant() Grant {
	return Grant{
		Name: "outage", Verified: change.Present, NamespaceUID: "uid-shop", User: "alice", Requester: "alice", Approvers: []string{"carol"},
		From: noon().Add(-10 * time.Minute), Until: noon().Add(20 * time.Minute), Spent: change.Absent,
	}
}

// askedGlass is a request for break-glass of alice that is stored, added to or deleted, in order.
func askedGlass(t tier.Tier, op change.Operation, changes ...func(*GlassRequest)) Facts {
	f := request(t, op, own("BreakGlass"), "breakglasses", "b", "alice")
	f.Glass = GlassRequest{Good: change.Present, Tied: change.Absent, Stripped: change.Absent, Used: change.Present, This: OpenGlass{
		Namespace: "shop", Name: "b", Requester: "alice", Request: "digest", From: noon().Add(-time.Minute), Until: noon().Add(time.Hour),
	}}
	for _, change := range changes {
		change(&f.Glass)
	}
	return f
}

func glass(t tier.Tier, changes ...func(*Grant)) Facts {
	f := by(deployment(t, change.Update), "alice")
	g := grant()
	for _, change := range changes {
		change(&g)
	}
	f.Grants, f.Making = []Grant{g}, change.Absent
	return f
}

// cluster is a request about a cluster-scoped object.
func cluster(t tier.Tier, op change.Operation, kind change.Kind, resource, name, user string) Facts {
	f := request(t, op, kind, resource, name, user)
	f.Request.Namespace, f.Request.ID.Namespace = "", ""
	f.Binding.Namespace, f.Binding.Name = "fairway-system", "cluster"
	return f
}

func own(kind string) change.Kind {
	return change.Kind{Group: ownGroup, Version: "v1alpha1", Kind: kind}
}
