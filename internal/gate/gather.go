package gate

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// gather finds the facts of the stages that the judge asks for. A stage counts as gathered however
// little was found.
func (g *Gate) gather(ctx context.Context, c *inquiry, need policy.Need) {
	g.parse(c)
	for _, stage := range []struct {
		need policy.Need
		find func()
	}{
		{policy.NeedShape, func() { c.facts.Shape = g.shape(c) }},
		{policy.NeedSignature, func() { c.facts.SelfSigned = g.rooms.Records.SelfSigned(c.facts.Request.Object) }},
		{policy.NeedOwner, func() { c.facts.Owner = g.owner(ctx, c) }},
		{policy.NeedReach, func() { g.reach(ctx, c) }},
		{policy.NeedProofs, func() { g.proofs(ctx, c) }},
		{policy.NeedRenders, func() { c.facts.Renders = g.renders(c) }},
		{policy.NeedGrants, func() { c.facts.Grants = g.rooms.Records.Grants(c.recordsNamespace()) }},
		{policy.NeedGlass, func() { c.facts.Glass = g.glass(c) }},
	} {
		if need.Has(stage.need) {
			stage.find()
		}
	}
	c.facts.Gathered |= need
}

// recordsNamespace is where break-glass for a request is kept: the namespace of the object, or
// Fairway's own for the cluster scope.
func (c *inquiry) recordsNamespace() string {
	id := c.facts.Request.ID
	switch {
	case c.facts.Request.Kind.Group == ownGroup && clusterJudged(id.Kind):
		return c.world.Install.Namespace
	case id.Kind == "Namespace" && id.Group == "":
		return id.Name
	case id.Namespace == "":
		return c.world.Install.Namespace
	}
	return id.Namespace
}

// glass reads a request for break-glass. Where nobody can read it, nothing is known of it.
func (g *Gate) glass(c *inquiry) policy.GlassRequest {
	if g.rooms.Glasses == nil {
		return policy.GlassRequest{}
	}
	req := c.facts.Request
	return g.rooms.Glasses.Asked(req.ID.Namespace, req.Object, req.Old)
}

// parse reads the objects once. One that cannot be read stays nil.
func (g *Gate) parse(c *inquiry) {
	if c.parsed {
		return
	}
	c.parsed = true
	req := c.facts.Request
	if len(req.Object) > 0 {
		if o, err := canon.Parse(req.Object); err == nil {
			c.object = o
		}
	}
	if len(req.Old) > 0 {
		if o, err := canon.Parse(req.Old); err == nil {
			c.old = o
		}
	}
	if t, ok := g.rooms.Types().Type(req.Kind); ok {
		c.typed = t
	}
}

// diff compares the objects once; ok is false where they cannot be compared. An object that is created
// is compared with one that has nothing but its identity; one that is deleted with nothing.
func (c *inquiry) diff() (canon.Changes, bool) {
	if c.changes == nil {
		old := c.old
		if c.facts.Request.Operation == change.Create {
			old = identity(c.facts.Request.Object)
		}
		if c.object == nil || old == nil {
			return canon.Changes{}, false
		}
		d, err := canon.Compare(old, c.object, c.typed)
		if err != nil {
			return canon.Changes{}, false
		}
		c.changes = &d
	}
	return *c.changes, true
}

// identity is an object without anything that its creator chose but its name; nil where it cannot be
// read.
func identity(raw []byte) *canon.Object {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name              string `json:"name,omitempty"`
			GenerateName      string `json:"generateName,omitempty"`
			Namespace         string `json:"namespace,omitempty"`
			UID               string `json:"uid,omitempty"`
			CreationTimestamp string `json:"creationTimestamp,omitempty"`
		} `json:"metadata"`
	}
	if json.Unmarshal(raw, &head) != nil {
		return nil
	}
	only, err := json.Marshal(head)
	if err != nil {
		return nil
	}
	object, err := canon.Parse(only)
	if err != nil {
		return nil
	}
	return object
}

// What `kubectl rollout restart` writes, and `kubectl cordon`.
const (
	restartedAt   = `spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]`
	unschedulable = "spec.unschedulable"
)

func (g *Gate) shape(c *inquiry) policy.Shape {
	s := policy.Shape{Release: c.release()}
	if c.old != nil {
		s.Deleting = change.FoundIf(c.old.Meta().Deleting)
	}
	if c.facts.Request.Operation != change.Update || c.old == nil || c.object == nil {
		return s
	}
	_, hygiene := canon.Hygiene(c.old, c.object, g.heirs(c)...)
	s.Hygiene = change.FoundIf(hygiene)
	s.TakeOver = change.FoundIf(g.takesOver(c))
	_, status := canon.StatusOnly(c.old, c.object)
	s.StatusOnly = change.FoundIf(status)
	s.RestartOnly, s.CordonOnly = c.changesOnly(restartedAt), c.changesOnly(unschedulable)
	return s
}

// changesOnly says whether a request changes something, and nothing that a pattern does not cover.
func (c *inquiry) changesOnly(pattern string) change.Found {
	p, err := canon.ParsePattern(pattern)
	d, ok := c.diff()
	if err != nil || !ok {
		return change.CouldNotTell
	}
	return change.FoundIf(len(d.Paths()) > 0 && len(d.Outside(p)) == 0)
}

// heirs are the field managers of the sources that render the object: to them goes what kubectl leaves
// behind. Where the engine may re-create what is not as it was applied, nothing is handed over, since an
// object whose manager owns more than it applied is not.
func (g *Gate) heirs(c *inquiry) []string {
	var managers []string
	for _, s := range g.rooms.Proofs.Speaking(c.facts.Request.ID) {
		source, binding := c.sourceOf(s.Proof)
		if binding == nil {
			continue
		}
		if source.Recreate == tier.RecreateAllow {
			return nil
		}
		managers = append(managers, source.FieldManager)
	}
	return managers
}

// takesOver reports whether Helm, run by one of those who deliver the object, hands to its server-side apply what
// it set on the client's side before: so a release that Helm 3 made is upgraded by Helm 4.
func (g *Gate) takesOver(c *inquiry) bool {
	user := c.facts.Request.User.Name
	heirs := g.heirs(c)
	for _, s := range g.rooms.Proofs.Speaking(c.facts.Request.ID) {
		source, binding := c.sourceOf(s.Proof)
		if binding != nil && source.Via.ByHelm() && slices.Contains(source.Via.Users, user) &&
			slices.Contains(heirs, source.FieldManager) && canon.TakesOver(c.old, c.object, source.FieldManager) {
			return true
		}
	}
	return false
}

// replicasAttested says whether a proof attests the replicas that a scale request changes: those of
// the live object of the request's resource, if its engine applies them.
func (g *Gate) replicasAttested(ctx context.Context, c *inquiry) change.Found {
	for _, b := range c.bindings {
		for _, s := range b.Sources {
			for _, p := range g.rooms.Proofs.Of(keyOf(b, s)) {
				if !g.attests(c, p) {
					continue
				}
				if found := g.scaled(ctx, c.facts.Request, p, s.FieldManager); found != change.Absent {
					return found
				}
			}
		}
	}
	return change.Absent
}

// scaled says whether the engine of a source applies the replicas of an object that a proof renders
// and a scale request changes.
func (g *Gate) scaled(ctx context.Context, req change.Request, p *change.Proof, manager string) change.Found {
	for _, o := range p.Objects {
		if o.ID.Group != req.Resource.Group || o.ID.Namespace != req.ID.Namespace || o.ID.Name != req.ID.Name || !plural(o.ID.Kind, req.Resource.Resource) {
			continue
		}
		live, found := g.live(ctx, canon.Owner{Kind: change.Kind{Group: o.ID.Group, Version: o.Version, Kind: o.ID.Kind}, Name: o.ID.Name}, o.ID.Namespace)
		if found != change.Present {
			return change.CouldNotTell
		}
		if applies, err := canon.Applies(live, manager, "spec", "replicas"); err != nil {
			return change.CouldNotTell
		} else if applies {
			return change.Present
		}
	}
	return change.Absent
}

// keyOf is the key of a binding's source.
func keyOf(b tier.Binding, s tier.Source) change.SourceKey {
	return change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}
}

// plural reports whether a resource can be that of a kind. Kinds of one group that begin alike are
// all taken for it: the more is attested, the less is let through.
func plural(kind, resource string) bool {
	stem := strings.ToLower(kind)
	return strings.HasPrefix(resource, stem[:max(len(stem)-1, 1)])
}

// sourceOf is the source, in a binding that may deliver the object, that a proof was made for; nil
// where no binding has such a source any more or it may not deliver this object.
func (c *inquiry) sourceOf(p *change.Proof) (tier.Source, *tier.Binding) {
	for i, b := range c.bindings {
		if !c.delivers(b) {
			continue
		}
		for _, s := range b.Sources {
			if keyOf(b, s) == p.Key {
				return s, &c.bindings[i]
			}
		}
	}
	return tier.Source{}, nil
}

// delivers reports whether a binding's sources may bring the object at all: those of a namespace's
// binding what is in it and the Namespace itself, those of the cluster binding the cluster scope,
// Fairway's kinds, what tells engines where to deliver, and what engines deliver to system namespaces.
func (c *inquiry) delivers(b tier.Binding) bool {
	id := c.facts.Request.ID
	if b.Name == "cluster" {
		return id.Namespace == "" || c.chained || c.unhooked || id.Group == ownGroup && clusterJudged(id.Kind)
	}
	return id.Namespace == b.Namespace || id.Group == "" && id.Kind == "Namespace" && id.Name == b.Namespace
}

// proofs finds the candidates, and whether one is being made.
func (g *Gate) proofs(ctx context.Context, c *inquiry) {
	subject := c.object
	if subject == nil {
		subject = c.old
	}
	c.facts.Origin = g.rooms.Origins.Of(&c.facts.Request, subject)
	c.tokenCommit()
	claimed := false
	for _, s := range g.rooms.Proofs.Speaking(c.facts.Request.ID) {
		source, binding := c.sourceOf(s.Proof)
		if binding == nil {
			continue
		}
		candidate := g.candidate(c, s, source, *binding)
		claimed = claimed || s.Proof.Commit == c.facts.Origin.Commit
		c.facts.Candidates = append(c.facts.Candidates, candidate)
	}
	c.nameDifferences()
	c.contradictions()
	c.facts.Making = change.Absent
	if !claimed {
		g.making(ctx, c)
	}
}

// nameDifferences says in which fields the request differs from Git, where nothing binds: only a
// refusal has a use for it.
func (c *inquiry) nameDifferences() {
	if c.binds() {
		return
	}
	for i := range c.facts.Candidates {
		if c.facts.Candidates[i].Fit == policy.FitDiffers {
			c.facts.Candidates[i].Paths = c.changed()
		}
	}
}

// contradictions adds what a stamp says against the binding: a repository or source that does not
// deliver here. What content proves stands above it; the tier may still ask for a stamp that is true.
func (c *inquiry) contradictions() {
	o := &c.facts.Origin
	if o.Repository != "" && !c.deliveredFrom(o.Repository) {
		o.Conflicts = append(o.Conflicts, "it names repository "+policy.Quote(o.Repository)+", and no source here is of that repository")
	}
	if o.Source == "" {
		return
	}
	for _, b := range c.bindings {
		if _, ok := b.SourceNamed(o.Source); ok {
			return
		}
	}
	o.Conflicts = append(o.Conflicts, "it names source "+policy.Quote(o.Source)+", which is no source here")
}

// deliveredFrom reports whether some source that may deliver the object comes from a repository: a
// claim of another one is not worth a look at it.
func (c *inquiry) deliveredFrom(repository string) bool {
	for _, b := range c.bindings {
		if slices.ContainsFunc(b.Sources, func(s tier.Source) bool { return s.Repository == repository }) {
			return true
		}
	}
	return false
}

// proven reports whether the claimed commit has a proof, one that does not render the object.
func (g *Gate) proven(c *inquiry, o change.Origin) bool {
	for _, b := range c.bindings {
		for _, s := range b.Sources {
			if slices.ContainsFunc(g.rooms.Proofs.Of(keyOf(b, s)), func(p *change.Proof) bool { return p.Commit == o.Commit }) {
				return true
			}
		}
	}
	return false
}
