package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// rehearsal reports whether a request only shows an engine the difference between Git and the cluster. Such a request
// is warned of what the apply itself would be told.
//
//   - Argo CD's server-side diff applies each live object of an Application, dry run, and also what nobody has
//     approved yet. Refused, it would leave the whole Application in ComparisonError, which stops the syncs of what is
//     approved.
//   - The drift detection of a HelmRelease applies each object of the release, dry run, missing ones too, and without
//     the marks that Helm puts on it. Refused, helm-controller cannot tell the state of the release, and upgrades it no
//     more. Source: Diff in internal/action/diff.go of helm-controller.
//
// Nothing is stored by a dry run, so the name of a field manager, which anybody may use, is enough here.
// A Kustomization is another matter: Flux applies a stage of it only where every dry run of it was admitted.
func rehearsal(f *Facts) bool {
	r := &f.Request
	if !r.DryRun || r.Resource.Subresource != "" || r.Resource.Group == ownGroup {
		return false
	}
	return slices.ContainsFunc(f.Binding.Sources, func(s tier.Source) bool {
		if s.FieldManager != r.FieldManager {
			return false
		}
		return s.Via.Engine == "ArgoCD" && r.Operation == change.Update ||
			s.Via.Engine == "HelmRelease" && (r.Operation == change.Update || r.Operation == change.Create)
	})
}
