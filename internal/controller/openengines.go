package controller

import (
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/tier"
)

// OpenEngines are the engines of a sealed install by which somebody could get around the gates, in words and
// sorted: those whose own namespace keeps nobody out, since whoever can place a Pod there, connect to one or make a
// token is that engine, with all its rights, the reading of Fairway's keys among them as a rule; and those of
// sources while the install lists none, since of an engine that is not listed no gate judges what it brings to the
// system namespaces.
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
		if t, _ := w.Tier(namespace); !t.Refuses() {
			gaps = append(gaps, "who can place a Pod in "+namespace+", whose tier refuses nothing, acts as the engine "+user)
		} else if t.Connect == tier.PolicyAllow {
			gaps = append(gaps, "who may connect to a Pod or make a token in "+namespace+", whose tier allows it, acts as the engine "+user)
		}
	}
	if len(w.Install.Engines) == 0 {
		for engine := range unlisted(w) {
			gaps = append(gaps, "sources are delivered by "+engine+", and the cluster binding lists no engine")
		}
	}
	slices.Sort(gaps)
	return gaps
}

// unlisted are the engines, by kind, that deliver sources in the cluster.
func unlisted(w *tier.World) map[string]bool {
	found := map[string]bool{}
	note := func(b tier.Binding) {
		for _, s := range b.Sources {
			if e := s.Via.Engine; e != "" && e != "Helm" && e != "CI" { // those are people and pipelines
				found[e] = true
			}
		}
	}
	for _, b := range w.Bindings {
		note(b)
	}
	if w.Cluster != nil {
		note(*w.Cluster)
	}
	return found
}
