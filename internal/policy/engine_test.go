package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// engineObjects are the rows about the objects by which an engine is told what to deliver.
func engineObjects() []situation {
	kind := change.Kind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
	on := func(t tier.Tier, user, subresource string, within, attested change.Found) Facts {
		f := request(t, change.Update, kind, "kustomizations", "shop", user)
		f.Request.Resource.Subresource, f.Attested = subresource, attested
		f.reach(within)
		return f
	}
	status := func(t tier.Tier, user string) Facts {
		f := on(t, user, "status", change.Absent, change.Absent)
		f.Shape.StatusOnly = change.Present
		return f
	}
	receiver := func(t tier.Tier, user string, within change.Found) Facts {
		f := on(t, user, "", within, change.Absent)
		f.Request.Kind.Group, f.Request.Kind.Kind, f.Request.Resource.Group = "notification.toolkit.fluxcd.io", "Receiver", "notification.toolkit.fluxcd.io"
		f.Request.ID.Group, f.Request.ID.Kind = f.Request.Kind.Group, f.Request.Kind.Kind
		f.reach(within)
		return f
	}
	return []situation{
		{"T-15: an engine's status by the engine", func(t tier.Tier) Facts { return status(t, flux) }},
		{"T-15: the same by somebody else", func(t tier.Tier) Facts { return status(t, "mallory") }},
		{"T-15: where no engine is listed", func(t tier.Tier) Facts {
			return with(status(t, "mallory"), func(f *Facts) { f.Install.Engines = nil })
		}},
		{"an engine's finalizer on its own object", func(t tier.Tier) Facts { return on(t, flux, "", change.Present, change.Absent) }},
		{"an engine changes more of it", func(t tier.Tier) Facts { return on(t, flux, "", change.Absent, change.Absent) }},
		{"an engine applies a commit that is being proven", func(t tier.Tier) Facts {
			return with(on(t, flux, "", change.Absent, change.Present), func(f *Facts) { f.Making, f.Origin.Commit = change.Present, "36c93c1aaa" })
		}},
		{"Fairway asks an engine to look again", func(t tier.Tier) Facts { return on(t, fairway, "", change.Present, change.Absent) }},
		{"a stranger asks", func(t tier.Tier) Facts { return on(t, "mallory", "", change.Present, change.Absent) }},
		{"the finalizer of another controller of Flux", func(t tier.Tier) Facts { return receiver(t, flux, change.Present) }},
		{"more of a Receiver by that controller", func(t tier.Tier) Facts { return receiver(t, flux, change.Absent) }},
		{"a finalizer of a Receiver by somebody else", func(t tier.Tier) Facts { return receiver(t, "mallory", change.Present) }},
		{"what it touches comes from Git", func(t tier.Tier) Facts { return on(t, fairway, "", change.Present, change.Present) }},
	}
}
