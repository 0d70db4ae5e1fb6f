package main

import (
	"time"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/attest"
	"github.com/fairway-dev/fairway/internal/controller"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/signature"
	"github.com/fairway-dev/fairway/internal/tier"
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
	hear(in, func(h hooks) func(map[[2]string]controller.Glass) { return h.glasses }, func(f func(map[[2]string]controller.Glass)) { f(glasses) })
	return grants
}
