package policy

import (
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// record is a write of Helm's record of the release "shop", by one whom its source lists.
func record(t tier.Tier, op change.Operation, more ...func(*Facts)) Facts {
	f := request(t, op, core("Secret"), "secrets", "sh.helm.release.v1.shop.v3", "deployer")
	f.Binding.Sources[0].Render = tier.Chart
	f.Binding.Sources[0].Helm = tier.Helm{Release: "shop"}
	f.Binding.Sources[0].Via = tier.Via{Engine: "Helm", Users: []string{"deployer"}}
	f.Shape.Release, f.Attested, f.Making = "shop", change.Absent, change.Absent
	for _, change := range more {
		change(&f)
	}
	return f
}

func releases() []situation {
	as := func(op change.Operation, more ...func(*Facts)) func(tier.Tier) Facts {
		return func(t tier.Tier) Facts { return record(t, op, more...) }
	}
	delivering := func(via tier.Via, user string, extra map[string][]string) func(tier.Tier) Facts {
		return func(t tier.Tier) Facts {
			f := by(proven(t, func(c *Candidate) { c.Via = via }), user)
			f.Request.User.Extra = extra
			return f
		}
	}
	hook := func(live change.Found, via tier.Via, user string) func(tier.Tier) Facts {
		return func(t tier.Tier) Facts {
			return with(by(deleted(t, change.Absent, change.Present), user), func(f *Facts) { f.Renders[0].Hook, f.Renders[0].Via = live, via })
		}
	}
	takesOver := func(user string, over change.Found) func(tier.Tier) Facts {
		return func(t tier.Tier) Facts {
			return with(by(deployment(t, change.Update), user), func(f *Facts) {
				f.Binding.Sources[0].Via, f.Shape.TakeOver = tier.Via{Engine: "Helm", Users: []string{"deployer"}}, over
			})
		}
	}
	ci := tier.Via{Engine: "CI", Users: []string{"deployer"}}
	token := tier.Via{Engine: "CI", Claims: []tier.Claim{{Key: "ci/repository", Values: []string{"acme/shop"}}, {Key: "ci/environment", Values: []string{"production", "canary"}}}}
	return []situation{
		{"helm takes over what it set before", takesOver("deployer", change.Present)},
		{"helm takes over more than that", takesOver("deployer", change.Absent)},
		{"somebody else takes it over", takesOver("mallory", change.Present)},
		{"helm notes a release", as(change.Create)},
		{"helm notes what became of it", as(change.Update)},
		{"helm forgets an old release", as(change.Delete)},
		{"a HelmRelease's controller notes a release", as(change.Create, func(f *Facts) { f.Binding.Sources[0].Via.Engine = "HelmRelease" })},
		{"a record by somebody else", as(change.Create, func(f *Facts) { f.Request.User.Name = "mallory" })},
		{"a Secret that is no record under the name of one", as(change.Create, func(f *Facts) { f.Shape.Release = "" })},
		{"a record of a release that no source delivers", as(change.Create, func(f *Facts) { f.Shape.Release = "other" })},
		{"a record of a release that kubectl delivers", as(change.Create, func(f *Facts) { f.Binding.Sources[0].Via.Engine = "CI" })},
		{"a record of a release in another namespace", as(change.Create, func(f *Facts) { f.Binding.Sources[0].Helm.Namespace = "other" })},
		{"a record of another binding's release here", as(change.Create, func(f *Facts) {
			beside := tier.Binding{Namespace: "fairway-system", Name: "cluster", Sources: f.Binding.Sources}
			beside.Sources[0].Helm.Namespace = "shop"
			f.Beside, f.Binding.Sources = []tier.Binding{beside}, nil
		})},
		{"a record of another binding's release elsewhere", as(change.Create, func(f *Facts) {
			f.Beside = []tier.Binding{{Namespace: "fairway-system", Name: "cluster", Sources: f.Binding.Sources}}
			f.Binding.Sources = nil
		})},
		{"a record that Git renders", as(change.Update, func(f *Facts) { f.Attested = change.Present })},
		{"a record of which nobody knows whether Git renders it", as(change.Update, func(f *Facts) { f.Attested = change.CouldNotTell })},
		{"the record's name on another kind", as(change.Create, func(f *Facts) {
			f.Request.Kind.Kind, f.Request.ID.Kind, f.Request.Resource.Resource = "ConfigMap", "ConfigMap", "configmaps"
		})},
		{"a hook goes that Git still renders", hook(change.Present, tier.Via{Engine: "Helm", Users: []string{"deployer"}}, "deployer")},
		{"a hook goes by somebody who does not deliver it", hook(change.Present, tier.Via{Engine: "Helm", Users: []string{"deployer"}}, "mallory")},
		{"a hook goes by an engine of the install", hook(change.Present, tier.Via{Engine: "ArgoCD"}, "system:serviceaccount:flux-system:kustomize-controller")},
		{"a hook goes by nobody's hand", hook(change.Present, tier.Via{}, "mallory")},
		{"a hook goes that nobody delivered so", hook(change.CouldNotTell, tier.Via{Engine: "Helm", Users: []string{"deployer"}}, "deployer")},
		{"delivered by a listed user", delivering(ci, "deployer", nil)},
		{"T-14: proven, and delivered by somebody else", delivering(ci, "alice", nil)},
		{"delivered with a fitting token", delivering(token, "ci-1", map[string][]string{"ci/repository": {"acme/shop"}, "ci/environment": {"x", "canary"}})},
		{"delivered with another repository's token", delivering(token, "ci-1", map[string][]string{"ci/repository": {"acme/shop-fork"}, "ci/environment": {"production"}})},
		{"delivered with half a token", delivering(token, "ci-1", map[string][]string{"ci/repository": {"acme/shop"}})},
	}
}
