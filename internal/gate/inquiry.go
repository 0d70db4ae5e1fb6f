package gate

import (
	"maps"
	"slices"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// ownGroup is the API group of Fairway's kinds.
const ownGroup = "fairway.dev"

// inquiry is one request with what was found out about it so far.
type inquiry struct {
	facts policy.Facts
	world *tier.World
	// bindings are those whose sources may deliver the object: that of its namespace, or for the
	// cluster scope and Fairway's kinds the cluster binding; for a Namespace both.
	bindings []tier.Binding
	// chained: the object tells an engine what to deliver, so that the cluster binding may bring it too.
	chained bool
	// unhooked: it is what an engine delivers to a namespace of which nothing else is judged; likewise.
	unhooked bool

	parsed      bool
	object, old *canon.Object // nil where the request has none or it cannot be read
	typed       *canon.Type   // nil for a kind without a schema
	bound       map[bindingWay]canon.Result
	changes     *canon.Changes
}

// begin collects the facts that cost nothing: the tiers and bindings that a request is judged by.
func (g *Gate) begin(req *change.Request) *inquiry {
	w := g.rooms.World()
	c := &inquiry{world: w, facts: policy.Facts{
		Request: *req, Install: w.Install, People: w.People, Repositories: w.Repositories, Now: g.rooms.Now(),
		Sealed: change.FoundIf(w.Install.Sealed), ClusterBinding: change.FoundIf(w.Cluster != nil),
	}}
	switch {
	case req.Kind.Group == "" && req.Kind.Kind == "Namespace":
		g.beginNamespace(c)
	case req.Kind.Group == ownGroup && clusterJudged(req.Kind.Kind):
		g.beginOwn(c)
	case req.ID.Namespace == "", req.Kind.Group == ownGroup && req.Kind.Kind == "BreakGlass" && req.ID.Namespace == w.Install.Namespace && w.Cluster != nil:
		g.beginCluster(c) // a break-glass there is one for the cluster's scope
	default:
		c.in(req.ID.Namespace)
		g.chain(c)
		c.system()
	}
	if len(c.bindings) > 0 {
		c.facts.Binding = c.bindings[0]
		for _, b := range c.bindings[1:] {
			if c.delivers(b) {
				c.facts.Beside = append(c.facts.Beside, b)
			}
		}
	}
	return c
}

// clusterJudged reports whether one of our kinds changes only by sources of the cluster binding
// (ruling 6). The others are records of a namespace and judged there.
func clusterJudged(kind string) bool {
	switch kind {
	case "EnvironmentTier", "TierBinding", "Team", "Repository":
		return true
	}
	return false
}

// in judges by the tier of a namespace.
func (c *inquiry) in(namespace string) {
	t, b := c.world.Tier(namespace)
	c.judgedBy(t)
	if b != nil {
		c.bindings = append(c.bindings, *b)
	}
	ns, known := c.world.Namespaces[namespace]
	c.facts.NamespaceUID = ns.UID
	if known {
		c.facts.Ending = change.FoundIf(ns.Terminating)
	}
}

func (c *inquiry) judgedBy(tiers ...tier.Tier) {
	for _, t := range tiers {
		known := false
		for _, have := range c.facts.Tiers {
			known = known || have.Name == t.Name && have.Digest == t.Digest
		}
		if !known {
			c.facts.Tiers = append(c.facts.Tiers, t)
		}
	}
}

// beginCluster judges a cluster-scoped object by the cluster binding.
func (g *Gate) beginCluster(c *inquiry) {
	t, b := c.world.ClusterTier()
	c.judgedBy(t)
	if b != nil {
		c.bindings = append(c.bindings, *b)
	}
	ns, known := c.world.Namespaces[c.world.Install.Namespace]
	c.facts.NamespaceUID = ns.UID
	if known {
		c.facts.Ending = change.FoundIf(ns.Terminating)
	}
}

// beginNamespace judges a Namespace at its own tiers before and after; its creation at the tier
// that it enters and the default tier (ruling 7). Before is what the cluster has in force and what the
// request says it was: either may be ahead of the other.
func (g *Gate) beginNamespace(c *inquiry) {
	req := c.facts.Request
	if req.Operation == change.Create {
		if t, ok := c.world.Tiers[c.world.Install.DefaultTier]; ok {
			c.judgedBy(t)
		}
	} else {
		c.in(req.ID.Name)
		c.lasting(req.ID.Name)
	}
	for _, raw := range [][]byte{req.Old, req.Object} {
		if len(raw) == 0 {
			continue
		}
		if ns, ok := g.rooms.Compile.Namespace(raw); ok {
			t, _ := c.world.Entering(ns)
			c.judgedBy(t)
		} else {
			c.judgedBy(tier.Strictest("(unreadable namespace)"))
		}
	}
	ns := c.world.Namespaces[req.ID.Name]
	c.facts.NamespaceUID, c.facts.Ending = ns.UID, change.FoundIf(ns.Terminating)
	if _, b := c.world.ClusterTier(); b != nil {
		c.bindings = append(c.bindings, *b)
	}
}

// beginOwn judges a change of tiers, bindings, teams and repositories by the cluster tier and by
// every tier that it touches, before and after (ruling 6).
func (g *Gate) beginOwn(c *inquiry) {
	g.beginCluster(c)
	req := c.facts.Request
	if req.Kind.Kind == "TierBinding" {
		g.touchedByBinding(c)
	} else {
		// A tier's selector and rank can take namespaces out of any other; a Team or Repository decides
		// in all of them. As a tier will be nobody has judged by it yet: that it may ask for more is no
		// way around anything.
		for _, name := range slices.Sorted(maps.Keys(c.world.Tiers)) {
			if t := c.world.Tiers[name]; t.Lane != tier.Open {
				c.judgedBy(t)
			}
		}
	}
	c.facts.SealingWrite = g.sealing(c)
}

// chain judges an object that tells an engine what to deliver by the tiers that it reaches, before and
// after, beside its own. The cluster binding may bring it, since its sources are judged by every tier;
// where it reaches more than its own tier, no other may. Before the install is sealed there is no such
// binding, and RBAC alone guards these objects as it does Fairway's own.
//
// Its status is judged like the object: an engine goes by it.
//
// What such an object can do is bounded anyway: it renders nothing that the gate believes, since proofs
// are made by the recipes of bindings.
func (g *Gate) chain(c *inquiry) {
	req := c.facts.Request
	if sub := req.Resource.Subresource; !c.world.Install.Sealed || sub != "" && sub != "status" {
		return
	}
	own := len(c.facts.Tiers)
	for _, raw := range [][]byte{req.Old, req.Object} {
		if len(raw) == 0 {
			continue
		}
		namespaces, everywhere, chained := g.rooms.Engines.Reaches(req.Kind, raw)
		if !chained {
			return
		}
		c.chained = true
		if everywhere {
			namespaces = slices.Sorted(maps.Keys(c.world.Namespaces))
			if t, _ := c.world.ClusterTier(); t.Lane != tier.Open {
				c.judgedBy(t) // no namespace need be in it
			}
		}
		for _, ns := range namespaces {
			c.brought(ns)
		}
	}
	if len(c.facts.Tiers) > own {
		c.bindings = nil
	}
	if _, b := c.world.ClusterTier(); b != nil {
		c.bindings = append(c.bindings, *b)
	}
}

// system judges what an engine delivers to the namespaces of the cluster and of Fairway itself. The cluster
// binding may bring it.
func (c *inquiry) system() {
	f := &c.facts
	if !f.Install.Sealed || !f.Install.Unhooked(f.Request.ID.Namespace) || !slices.Contains(f.Install.Engines, f.Request.User.Name) {
		return
	}
	c.brought(f.Request.ID.Namespace)
	c.unhooked = true
	if _, b := c.world.ClusterTier(); b != nil && !c.chained {
		c.bindings = append(c.bindings, *b)
	}
}

// brought judges what an engine brings to a namespace by its tier. Those of the cluster and of Fairway itself
// are judged by the cluster binding's tier as well unless they were bound to one that refuses, since who
// can place something there is beyond every tier.
func (c *inquiry) brought(namespace string) {
	t, b := c.world.Tier(namespace)
	judges := []tier.Tier{t}
	if c.world.Install.Unhooked(namespace) && (b == nil || !t.Refuses()) {
		cluster, _ := c.world.ClusterTier()
		judges = append(judges, cluster)
	}
	for _, t := range judges {
		if t.Lane != tier.Open {
			c.judgedBy(t)
		}
	}
}

// lasting judges by the cluster binding's tier who changes Fairway's own Namespace, which everything that was
// proven goes with, and an engine that changes one without which the cluster cannot start.
func (c *inquiry) lasting(namespace string) {
	f := &c.facts
	if f.Install.Sealed && (namespace == f.Install.Namespace || f.Install.Unhooked(namespace) && slices.Contains(f.Install.Engines, f.Request.User.Name)) {
		c.brought(namespace)
	}
}

// touchedByBinding judges by the tier that a namespace is in, by those that its binding names before
// and after, and, where the binding goes, by the one that the namespace falls to.
func (g *Gate) touchedByBinding(c *inquiry) {
	req := c.facts.Request
	if req.ID.Name != "cluster" || req.ID.Namespace != c.world.Install.Namespace {
		t, _ := c.world.Tier(req.ID.Namespace)
		c.judgedBy(t)
	}
	if ns, known := c.world.Namespaces[req.ID.Namespace]; known {
		c.facts.Ending = change.FoundIf(ns.Terminating)
		falls := tier.Of(ns, nil, c.world.Tiers, c.world.Install.DefaultTier)
		if _, exists := c.world.Tiers[falls.Name]; exists && req.Operation == change.Delete && req.ID.Name != "cluster" {
			c.judgedBy(falls)
		}
	}
	for _, raw := range [][]byte{req.Old, req.Object} {
		if len(raw) == 0 {
			continue
		}
		b, ok := g.rooms.Compile.Binding(raw)
		if !ok {
			c.judgedBy(tier.Strictest("(unreadable binding)"))
			continue
		}
		if t, ok := c.world.Tiers[b.Tier]; ok {
			c.judgedBy(t)
		} else {
			c.judgedBy(tier.Strictest(b.Tier))
		}
	}
}

// sealing says whether a request is the write that seals the install; could not tell for any other
// object than the cluster binding.
func (g *Gate) sealing(c *inquiry) change.Found {
	req := c.facts.Request
	if req.Kind.Kind != "TierBinding" || req.Operation != change.Create ||
		req.ID.Namespace != c.world.Install.Namespace || req.ID.Name != "cluster" {
		return change.CouldNotTell
	}
	b, ok := g.rooms.Compile.Binding(req.Object)
	if !ok {
		return change.Absent
	}
	return g.rooms.Sealing(b, c.world)
}
