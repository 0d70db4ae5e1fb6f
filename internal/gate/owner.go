package gate

import (
	"context"
	"strings"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/policy"
)

// owner looks up who controls the object. What the cluster does not answer could not be told.
func (g *Gate) owner(ctx context.Context, c *inquiry) policy.Owner {
	subject, found := g.owned(ctx, c)
	if found != change.Present {
		return policy.Owner{Live: found}
	}
	meta := subject.Meta()
	out := policy.Owner{Live: change.Absent, Kept: kept(c), Gone: g.gone(ctx, meta)}
	for _, ref := range controllers(meta) {
		live, found := g.live(ctx, ref, meta.Namespace)
		if found == change.Present && ref.UID == "" && !makes(live, subject) {
			continue
		}
		out.ID = change.ObjectID{Group: ref.Kind.Group, Kind: ref.Kind.Kind, Namespace: meta.Namespace, Name: ref.Name}
		if out.Live = found; found == change.Present {
			out.Ending = change.FoundIf(live.Meta().Deleting)
			out.Template = g.fromTemplate(ctx, c, live)
		}
		if found != change.Absent {
			break
		}
	}
	return out
}

// makes reports whether an owner that was found by its name is one of the kind that makes such objects:
// any Service, and a StatefulSet that has a template for this very claim.
func makes(owner, child *canon.Object) bool {
	if owner.Meta().Kind.Kind == "Service" {
		return true
	}
	_, known := canon.FromTemplate(owner, child, nil)
	return known
}

// owned is the object whose owner is asked for: the one of the request, or for an eviction the Pod
// that it names.
func (g *Gate) owned(ctx context.Context, c *inquiry) (*canon.Object, change.Found) {
	req := c.facts.Request
	if req.Resource.Resource == "pods" && req.Resource.Group == "" && req.Resource.Subresource == "eviction" {
		return g.live(ctx, canon.Owner{Kind: change.Kind{Version: "v1", Kind: "Pod"}, Name: req.ID.Name}, req.ID.Namespace)
	}
	switch {
	case c.object != nil:
		return c.object, change.Present
	case c.old != nil:
		return c.old, change.Present
	}
	return nil, change.CouldNotTell
}

// controllers are the references by one of which an object may be controlled: the one that says so.
// Two kinds have none and are controlled by name: Endpoints by the Service of the same name, and a
// claim by the StatefulSet whose claim template and name its own name is made of.
func controllers(meta canon.Meta) []canon.Owner {
	for _, o := range meta.Owners {
		if o.Controller {
			return []canon.Owner{o}
		}
	}
	switch meta.Kind.Group + "/" + meta.Kind.Kind {
	case "/Endpoints":
		return []canon.Owner{{Kind: change.Kind{Version: "v1", Kind: "Service"}, Name: meta.Name}}
	case "/PersistentVolumeClaim":
		return claimants(meta.Name)
	}
	return nil
}

// claimantLimit bounds how many StatefulSets are looked up for one claim.
const claimantLimit = 8

// claimants are the StatefulSets by whose template a claim may be called <template>-<set>-<ordinal>:
// both names may hold dashes, so that only the templates of those that live can tell.
func claimants(claim string) []canon.Owner {
	end := strings.LastIndexByte(claim, '-')
	var sets []canon.Owner
	for i := 1; i < end-1 && len(sets) < claimantLimit; i++ {
		if claim[i] == '-' {
			sets = append(sets, canon.Owner{Kind: change.Kind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, Name: claim[i+1 : end]})
		}
	}
	return sets
}

// live is the owner that a reference means: it must have the UID of the reference, unless that was
// made up from names and has none.
func (g *Gate) live(ctx context.Context, ref canon.Owner, namespace string) (*canon.Object, change.Found) {
	raw, found := g.rooms.Live.Object(ctx, ref.Kind, namespace, ref.Name)
	if found != change.Present {
		return nil, found
	}
	object, err := canon.Parse(raw)
	if err != nil {
		return nil, change.CouldNotTell
	}
	if ref.UID != "" && object.Meta().UID != ref.UID {
		return nil, change.Absent
	}
	return object, change.Present
}

// gone says whether the object has owners and none of them lives: then the garbage collector may
// take it.
func (g *Gate) gone(ctx context.Context, meta canon.Meta) change.Found {
	if len(meta.Owners) == 0 {
		return change.Absent
	}
	for _, o := range meta.Owners {
		if _, found := g.live(ctx, o, meta.Namespace); found != change.Absent {
			if found == change.Present {
				return change.Absent
			}
			return change.CouldNotTell
		}
	}
	return change.Present
}

// kept says whether an update leaves the owner references as they were.
func kept(c *inquiry) change.Found {
	d, ok := c.diff()
	if !ok || c.facts.Request.Operation != change.Update {
		return change.CouldNotTell
	}
	owners, err := canon.ParsePattern("metadata.ownerReferences")
	if err != nil {
		return change.CouldNotTell
	}
	return change.FoundIf(len(d.Within(owners)) == 0)
}

// fromTemplate says whether a new object is what its owner's template asks for, and of one that is
// there whether what came from the template stays as it was: an old ReplicaSet is scaled down long
// after its Deployment's template has moved on.
func (g *Gate) fromTemplate(ctx context.Context, c *inquiry, owner *canon.Object) change.Found {
	if c.object == nil {
		return change.CouldNotTell
	}
	if c.facts.Request.Operation == change.Update {
		part := "spec.template"
		if c.facts.Request.Kind.Group == "" && c.facts.Request.Kind.Kind == "Pod" {
			part = "spec"
		}
		pattern, err := canon.ParsePattern(part)
		d, ok := c.diff()
		if err != nil || !ok {
			return change.CouldNotTell
		}
		return change.FoundIf(len(d.Within(pattern)) == 0)
	}
	made, ok := canon.FromTemplate(owner, c.object, c.typed, c.tolerated()...)
	if !ok {
		return change.CouldNotTell
	}
	if !made {
		return g.heldBack(ctx, c, owner)
	}
	return change.Present
}

// heldBack says whether a new Pod is what a template asks for that its StatefulSet had before and whose partition holds
// the Pod back. The template is that of a revision which the set keeps; none comes to be but with the template
// that the set has at that time.
func (g *Gate) heldBack(ctx context.Context, c *inquiry, set *canon.Object) change.Found {
	name := canon.HeldBack(set, c.object)
	if name == "" {
		return change.Absent
	}
	kind := change.Kind{Group: "apps", Version: "v1", Kind: "ControllerRevision"}
	revision, found := g.live(ctx, canon.Owner{Kind: kind, Name: name}, set.Meta().Namespace)
	if found != change.Present {
		return found
	}
	before, ok := canon.AtRevision(set, revision)
	if !ok {
		return change.Absent
	}
	made, _ := canon.FromTemplate(before, c.object, c.typed, c.tolerated()...)
	return change.FoundIf(made)
}
