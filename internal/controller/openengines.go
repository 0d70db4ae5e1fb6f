package controller

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/tier"
)

// OpenEngines are the engines of a sealed install whose own namespace is open, in words and sorted: whoever can
// place a Pod there is that engine, with all its rights, the reading of Fairway's keys among them as a rule.
func OpenEngines(w *tier.World) []string {
	if !w.Install.Sealed {
		return nil
	}
	var gaps []string
	for _, user := range w.Install.Engines {
		account, is := strings.CutPrefix(user, "system:serviceaccount:")
		namespace, _, _ := strings.Cut(account, ":")
		if !is || w.Install.Unhooked(namespace) {
			continue
		}
		if t, _ := w.Tier(namespace); t.Lane == tier.Open {
			gaps = append(gaps, "who can place a Pod in "+namespace+", which is open, acts as the engine "+user)
		}
	}
	slices.Sort(gaps)
	return gaps
}
