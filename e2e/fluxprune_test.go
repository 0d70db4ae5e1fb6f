package e2e

import (
	"context"
	"errors"
	"time"
)

// fluxPrunesLate: what a commit drops that nobody approved stays, and is pruned once it is approved, without another
// commit: kustomize-controller keeps what it was not allowed to prune on its list (from 1.9 on).
func fluxPrunesLate(l *fluxLab) {
	fluxNight := reference("batch/v1", "CronJob", "shop", "night-eu")
	merge, head, err := l.shop.Land(l.t.Context(), "sara", "Drop the store\n\nTicket: SHOP-15", map[string]string{
		"shop/production/kustomization.yaml": "resources: [web.yaml, service.yaml, settings.yaml]\n", "shop/production/store.yaml": "",
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.until("the prune is refused", func(context.Context) error {
		if len(l.asked(`"operation":"DELETE"`, `"name":"night-eu"`, `"admitted":false`, kustomizeController)) == 0 {
			return errors.New("nobody tried to prune")
		}
		return nil
	})
	l.stuck("shop", merge, "fairway.dev")
	l.judged("shop", "tier", merge, "Pending")
	if _, err := l.get(l.t.Context(), fluxNight); err != nil {
		l.t.Fatal(err)
	}
	began := time.Now()
	l.approve(head, "sam", "paula")
	l.gone(fluxNight)
	l.t.Logf("pruned %s after the last approval, at an interval of an hour", time.Since(began).Round(100*time.Millisecond))
	l.ready("shop", merge)
}
