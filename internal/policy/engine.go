package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// steering reports whether a group is one of an engine's: its objects say what the engine delivers, and
// their status what it believes to have delivered.
func steering(group string) bool {
	switch group {
	case "kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io":
		return true
	}
	return false
}

// besideEngines reports whether a group is one of Flux's whose objects deliver nothing: images that are looked at and
// commits made of them, calls and alerts, mixtures of sources. Their controllers keep finalizers on them likewise.
func besideEngines(group string) bool {
	switch group {
	case "image.toolkit.fluxcd.io", "notification.toolkit.fluxcd.io", "source.extensions.fluxcd.io":
		return true
	}
	return false
}

// forged reports whether somebody who is no engine writes the status of an engine's object: which
// commit it is about to apply, and from where it takes the files (T-15). Where the install lists no
// engine nobody can tell who they are.
func (q *question) forged() bool {
	r := &q.f.Request
	return steering(r.Resource.Group) && len(q.f.Install.Engines) > 0 && !listed(q.f.Install.Engines, r.User.Name)
}

// engineRemits are the runtime lanes of the objects of engines themselves: an engine keeps its
// finalizers on them, and whoever is known here may ask it to look again. Neither says what is
// delivered.
func engineRemits(f *Facts) []remit {
	r := &f.Request
	if !steering(r.Kind.Group) && !besideEngines(r.Kind.Group) || r.Operation != change.Update || r.Resource.Subresource != "" {
		return nil
	}
	kind := r.Kind.Group + "/" + r.Kind.Kind
	var rows []remit
	if listed(f.Install.Engines, r.User.Name) {
		rows = append(rows, user(r.User.Name, "u", kind).named("engine").sets("metadata.finalizers").
			since("an engine keeps its finalizers on its own objects"))
	}
	if _, person := f.People.ByUser(r.User.Name); person || listed(f.Install.Engines, r.User.Name) || ours(f) {
		rows = append(rows, user(r.User.Name, "u", kind).named("trigger").annotates(tier.TriggerAnnotations()...).
			since("it asks the engine to look again, at what Git says"))
	}
	for i := range rows {
		rows[i].aside = true
	}
	return rows
}
