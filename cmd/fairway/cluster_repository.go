package main

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/gitrepo"
	"github.com/fairway-dev/fairway/internal/prover"
	"github.com/fairway-dev/fairway/internal/tier"
)

// openings opens mirrors and tells what was seen of each.
type openings struct{ install *proving }

// Open fetches a repository and gives the rooms that prove its sources.
func (o *openings) Open(ctx context.Context, r tier.Repository, world *tier.World) (prover.Rooms, error) {
	in := o.install
	in.listens(r.Name, world)
	rooms, err := o.open(ctx, r, world)
	if ctx.Err() == nil || err == nil {
		in.status.Fetched(r.Name, o.fetch(ctx, r, rooms, err))
		in.statusBell.Ring()
	}
	return rooms, err
}

func (o *openings) open(ctx context.Context, r tier.Repository, world *tier.World) (prover.Rooms, error) {
	version, err := o.install.access.version(ctx, r.Name)
	if err != nil {
		return prover.Rooms{}, err
	}
	forgeVersion, err := o.install.access.forgeVersion(ctx, r.Name)
	if err != nil {
		return prover.Rooms{}, err
	}
	r.Digest += " " + version + " " + forgeVersion // a mirror is opened again for new credentials
	return o.install.mirrors.Open(ctx, r, world)
}

// fetch is what people are told of one look.
func (o *openings) fetch(ctx context.Context, r tier.Repository, rooms prover.Rooms, err error) controller.Fetch {
	f := controller.Fetch{Heads: map[string]string{}, Refs: map[string]string{}, Forge: r.FromForge, Unasked: o.install.mirrors.unasked(r.Name)}
	var limit *gitrepo.LimitError
	switch {
	case errors.Is(err, errCredentials):
		f.Problem, f.Reason = err.Error(), v1alpha1.ReasonCredentials
	case errors.As(err, &limit):
		f.Problem, f.Reason = err.Error(), v1alpha1.ReasonOverLimit
	case err != nil:
		f.Problem, f.Reason = err.Error(), v1alpha1.ReasonFetchFailed
	}
	if err != nil {
		return f
	}
	for _, branch := range r.Branches {
		if tip, err := rooms.History.Tip(ctx, branch); err == nil {
			f.Heads[branch] = tip
		}
	}
	mirror := o.install.mirrors.mirrorOf(r.Name)
	refs, err := mirror.Refs(ctx, attest.RefPrefix)
	if err != nil {
		f.Problem, f.Reason = err.Error(), v1alpha1.ReasonFetchFailed
		return f
	}
	for _, ref := range refs {
		f.Refs[ref.Name] = ref.ID
	}
	f.Rewound = o.rewound(ctx, r, rooms, mirror, f)
	return f
}

// rewound names the refs that went back behind what is pinned in the status of the Repository: that
// tells of a rewinding which this process did not see. A Repository whose spec was changed since
// accepts what is there.
func (o *openings) rewound(ctx context.Context, r tier.Repository, rooms prover.Rooms, mirror *gitrepo.Mirror, f controller.Fetch) []string {
	var stored v1alpha1.Repository
	if err := o.install.cache.Get(ctx, client.ObjectKey{Name: r.Name}, &stored); err != nil || stored.Status.ObservedGeneration != stored.Generation {
		return nil
	}
	var rewound []string
	for _, head := range stored.Status.Heads {
		if tip, ok := f.Heads[head.Branch]; !ok || tip == head.Commit {
			continue
		}
		if _, on, err := rooms.History.Place(ctx, head.Branch, head.Commit); err != nil || !on {
			rewound = append(rewound, fmt.Sprintf("branch %s no longer holds %.12s", head.Branch, head.Commit))
		}
	}
	for _, pinned := range stored.Status.ApprovalRefs {
		if f.Refs[pinned.Ref] == pinned.Head {
			continue
		}
		if _, err := mirror.ReadRefLog(ctx, pinned.Ref, pinned.Head); err != nil {
			rewound = append(rewound, fmt.Sprintf("%s no longer holds %.12s", pinned.Ref, pinned.Head))
		}
	}
	return rewound
}
