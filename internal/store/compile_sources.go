package store

import (
	"slices"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// oneKey takes sources out of force that share the key under which proofs and deliveries are kept (ruling
// 3) with another: the proofs of the one would stand in the other's places. The API server refuses two in
// one binding; files are not asked, and in Fairway's own namespace there are two bindings. There the
// cluster binding has precedence: without its proofs no tier, team or binding changes any more.
func (c *compiler) oneKey() {
	type key struct{ repository, branch, path string }
	distinct := func(b tier.Binding, taken map[key]string) tier.Binding {
		b.Sources = slices.DeleteFunc(b.Sources, func(s tier.Source) bool {
			k := key{s.Repository, s.Branch, s.Path}
			if other, twice := taken[k]; twice {
				c.problem("binding %s/%s: source %q reads what source %q reads, and counts for nothing: give it a path of its own", b.Namespace, b.Name, s.Name, other)
				return true
			}
			taken[k] = s.Name
			return false
		})
		return b
	}
	ofCluster := map[key]string{}
	if c.world.Cluster != nil {
		b := distinct(*c.world.Cluster, ofCluster)
		c.world.Cluster = &b
	}
	for namespace, b := range c.world.Bindings {
		taken := map[key]string{}
		if namespace == c.world.Install.Namespace && b.Name == v1alpha1.BindingName {
			taken = ofCluster
		}
		c.world.Bindings[namespace] = distinct(b, taken)
	}
}
