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
	ref, ok := controller(meta)
	if !ok {
		return policy.Owner{Live: change.Absent, Gone: g.gone(ctx, meta), Kept: kept(c)}
	}
	out := policy.Owner{
		ID:   change.ObjectID{Group: ref.Kind.Group, Kind: ref.Kind.Kind, Namespace: meta.Namespace, Name: ref.Name},
		Kept: kept(c), Gone: g.gone(ctx, meta),
	}
	live, found := g.live(ctx, ref, meta.Namespace)
	if out.Live = found; found != change.Present {
		return out
	}
	out.Ending = change.FoundIf(live.Meta().Deleting)
	out.Template = g.fromTemplate(c, live)
	return out
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

// controller is the reference by which an object is controlled. Two kinds have none and are
// controlled by name: Endpoints by the Service of the same name, and a claim by the StatefulSet
// whose name and claim template its own name is made of.
func controller(meta canon.Meta) (canon.Owner, bool) {
	for _, o := range meta.Owners {
		if o.Controller {
			return o, true
		}
	}
	if meta.Kind.Group != "" {
		return canon.Owner{}, false
	}
	switch meta.Kind.Kind {
	case "Endpoints":
		return canon.Owner{Kind: change.Kind{Version: "v1", Kind: "Service"}, Name: meta.Name}, true
	case "PersistentVolumeClaim":
		// <template>-<set>-<ordinal>; the template's name holds no dash that could be told from the set's,
		// so the label that the controller copies from the set's own selector cannot help either. The
		// longest set that exists would be a guess: only the pod owner reference or this name counts.
		if i := strings.LastIndexByte(meta.Name, '-'); i > 0 {
			if j := strings.IndexByte(meta.Name[:i], '-'); j > 0 {
				return canon.Owner{Kind: change.Kind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, Name: meta.Name[j+1 : i]}, true
			}
		}
	}
	return canon.Owner{}, false
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
func (g *Gate) fromTemplate(c *inquiry, owner *canon.Object) change.Found {
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
	return change.FoundIf(made)
}
