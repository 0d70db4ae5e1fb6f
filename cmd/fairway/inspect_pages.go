package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/prover"
)

// unheard is the forge of a clone: nobody asks it, and what it would say is not known. Where the
// proofs of a cluster tell on which page a change is reviewed, that page is shown.
type unheard struct {
	proofs client.Reader // nil: there is no cluster
	work   prover.Work
}

// noReviews is what a clone has to say of the reviews on a forge.
const noReviews = "a clone shows no reviews; those on the forge count in the cluster"

// Proposals are the changes that the cluster's proofs of the source name. Nobody checks here who wrote
// those, so they bring no approval: what landed is compared with git, and who had a part in it is only
// ever one more who cannot approve.
func (u unheard) Proposals(ctx context.Context, branch string) ([]change.Proposal, string, error) {
	if u.proofs == nil {
		return nil, noReviews, nil
	}
	var list v1alpha1.ProvenCommitList
	err := u.proofs.List(ctx, &list, client.InNamespace(u.work.Binding.Namespace))
	if apierrors.IsForbidden(err) {
		return nil, noReviews, nil // who may read Git need not read proofs
	}
	if err != nil {
		return nil, "", fmt.Errorf("listing the proofs of namespace %q: %w", u.work.Binding.Namespace, err)
	}
	var known []change.Proposal
	seen := map[[2]string]bool{}
	for _, proof := range list.Items {
		if at := proof.Spec.Source; at.Repository != u.work.Source.Repository || at.Branch != branch {
			continue
		}
		for _, r := range proof.Status.Reviews {
			if seen[[2]string{r.Page, r.Evidence}] {
				continue
			}
			seen[[2]string{r.Page, r.Evidence}] = true
			known = append(known, change.Proposal{
				Page: r.Page, Branch: branch, Contributors: r.Contributors,
				Unit: change.Unit{MergeBase: r.MergeBase, Head: r.Head, RawDiffID: r.RawDiffID},
			})
		}
	}
	return known, noReviews, nil
}

// Again could not be asked.
func (unheard) Again(_ context.Context, p change.Proposal) (change.Proposal, error) {
	p.Stale = noReviews
	return p, nil
}
