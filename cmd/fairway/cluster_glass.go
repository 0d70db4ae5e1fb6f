package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/store"
	"github.com/fairway-dev/fairway/internal/tier"
	"github.com/fairway-dev/fairway/internal/webhook"
)

// judgeGlasses verifies every BreakGlass that is not closed, and notes for people what became of each.
func (in *install) judgeGlasses(all []v1alpha1.BreakGlass, world *tier.World) map[string][]policy.Grant {
	keyring, _ := signature.NewKeyring(world.People)
	grants := map[string][]policy.Grant{}
	glasses := map[[2]string]controller.Glass{}
	for _, b := range all {
		if b.Status.ClosedAt != nil {
			continue
		}
		g, refusals := grant(b, world, keyring, time.Now())
		glass := controller.Glass{Requester: g.Requester, Approvers: g.Approvers, Waits: len(refusals) > 0}
		for _, no := range refusals {
			glass.Refusals = append(glass.Refusals, no.String())
			glass.Waits = glass.Waits && no.Reason == attest.TooFewPeople
		}
		glasses[[2]string{b.Namespace, b.Name}] = glass
		if len(refusals) == 0 {
			grants[b.Namespace] = append(grants[b.Namespace], g)
		}
	}
	in.status.Glasses(glasses)
	return grants
}

// emergencies is a judge whose every admission by break-glass is recorded.
type emergencies struct {
	judge   webhook.Judge
	install *install
}

// Judge decides one request. The record is made after the answer (ruling 5).
func (e emergencies) Judge(ctx context.Context, req *change.Request) policy.Verdict {
	v := e.judge.Judge(ctx, req)
	e.install.denials.Tell(v, req.User.Name, req.DryRun)
	if v.Outcome == policy.Allow && v.Lane == policy.LaneBreakGlass && !req.DryRun {
		e.install.used(req, time.Now())
	}
	return v
}

// used notes on every break-glass that covers a request that it was used: which of several let it
// through makes no difference to what must be put right.
func (in *install) used(req *change.Request, now time.Time) {
	namespace := req.ID.Namespace
	switch {
	case req.Kind.Group == v1alpha1.Group && req.Kind.Kind == "TierBinding", namespace == "" && req.Kind.Kind != "Namespace":
		namespace = in.o.Namespace
	case namespace == "":
		namespace = req.ID.Name
	}
	use := controller.Use{At: now, User: req.User.Name, Operation: req.Operation, Object: req.ID}
	for _, g := range in.state.Grants(namespace) {
		if g.User == req.User.Name && !now.Before(g.From) && now.Before(g.Until) && g.Spent != change.Present {
			in.status.Used(namespace, g.Name, use)
		}
	}
	in.statusBell.Ring()
	in.auditBell.Ring()
}

// selfSigned says whether an object is a ProvenCommit that our own key signed.
func (in *install) selfSigned(raw []byte) change.Found {
	var p v1alpha1.ProvenCommit
	if json.Unmarshal(raw, &p) != nil {
		return change.Absent
	}
	return change.FoundIf(store.VerifyProven(&p, in.clusterID, in.keys) == "")
}
