package policy

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// rehearsal reports whether a request only shows Argo CD the difference between Git and the cluster: its
// server-side diff applies each live object of an Application, dry run, and also what nobody has approved
// yet. Refused, it would leave the whole Application in ComparisonError, which stops the syncs of what is
// approved. Such a request is warned of what the apply itself would be told.
//
// Nothing is stored by a dry run, so the name of a field manager, which anybody may use, is enough here.
// Flux is another matter: it applies a stage only where every dry run of it was admitted.
func rehearsal(f *Facts) bool {
	r := &f.Request
	return r.DryRun && r.Operation == change.Update && r.Resource.Subresource == "" && r.Resource.Group != ownGroup &&
		slices.ContainsFunc(f.Binding.Sources, func(s tier.Source) bool {
			return s.Via.Engine == "ArgoCD" && s.FieldManager == r.FieldManager
		})
}
