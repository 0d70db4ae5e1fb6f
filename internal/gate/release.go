package gate

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// releaseOf is the name of the release whose record an object is: a Secret as Helm writes it, and
// nothing beside. Empty for everything else. What the record holds is not looked at.
func releaseOf(raw []byte) string {
	var s struct {
		Type       string            `json:"type"`
		Immutable  *bool             `json:"immutable"`
		Data       map[string]string `json:"data"`
		StringData map[string]string `json:"stringData"`
		Metadata   struct {
			Name            string            `json:"name"`
			Labels          map[string]string `json:"labels"`
			Annotations     map[string]string `json:"annotations"`
			OwnerReferences []json.RawMessage `json:"ownerReferences"`
			Finalizers      []string          `json:"finalizers"`
		} `json:"metadata"`
	}
	if json.Unmarshal(raw, &s) != nil || s.Type != "helm.sh/release.v1" || s.Immutable != nil {
		return ""
	}
	m := s.Metadata
	if len(m.Annotations)+len(m.OwnerReferences)+len(m.Finalizers)+len(s.StringData) > 0 || len(s.Data) != 1 || s.Data["release"] == "" {
		return ""
	}
	for key := range m.Labels {
		if !slices.Contains([]string{"owner", "name", "status", "version", "createdAt", "modifiedAt"}, key) {
			return ""
		}
	}
	release, version := m.Labels["name"], m.Labels["version"]
	if m.Labels["owner"] != "helm" || release == "" || version == "" || strings.Trim(version, "0123456789") != "" ||
		m.Name != "sh.helm.release.v1."+release+".v"+version {
		return ""
	}
	return release
}

// release is the release whose record a request writes or removes: what it was and what it becomes
// must both be one.
func (c *inquiry) release() string {
	req := c.facts.Request
	if req.Operation == change.Delete {
		return releaseOf(req.Old)
	}
	name := releaseOf(req.Object)
	if req.Operation == change.Update && releaseOf(req.Old) != name {
		return ""
	}
	return name
}

// hookMark is the annotation that makes an object one that Helm runs at some moment of a release.
const hookMark = "helm.sh/hook"

// ofRollback reports whether an object is a hook that Helm runs in a roll-back alone. Where the object binds,
// the annotation is part of what was approved.
func ofRollback(o *canon.Object) bool {
	moments := strings.Split(o.Meta().Annotations[hookMark], ",")
	return !slices.ContainsFunc(moments, func(m string) bool {
		m = strings.ToLower(strings.TrimSpace(m))
		return m != "pre-rollback" && m != "post-rollback"
	})
}

// runs reports whether whoever delivers a source runs an object with these annotations at some moment, and removes
// it: Helm, and Argo CD, which knows the hooks of charts beside its own. Source: IsHook in pkg/sync/hook of
// gitops-engine.
func runs(s tier.Source, annotations map[string]string) bool {
	moments, marked := annotations[hookMark]
	if s.Via.Engine != "ArgoCD" {
		return marked && s.Render == tier.Chart
	}
	if own, set := annotations["argocd.argoproj.io/hook"]; set {
		return strings.TrimSpace(own) != "Skip"
	}
	return marked && moments != "crd-install"
}

// liveHook says whether the live object is a hook that a delivered proof of its source renders. Its
// annotations are then part of what was approved.
func (g *Gate) liveHook(c *inquiry, key change.SourceKey, s tier.Source) change.Found {
	if c.old == nil || !runs(s, c.old.Meta().Annotations) {
		return change.Absent
	}
	marks, known := g.rooms.Marks.Delivered(key)
	if known == change.CouldNotTell {
		return change.CouldNotTell
	}
	// As in liveBound: an update of the live object to itself.
	live := canon.Bind(canon.Binding{
		Kind: c.facts.Request.Kind, Object: c.old, Old: c.old, Manager: s.FieldManager, Types: g.rooms.Types(), Key: g.rooms.Key,
	})
	for _, p := range g.rooms.Proofs.Of(key) {
		o := spokenIn(p, c.facts.Request.ID)
		if o != nil && o.Version == c.facts.Request.Kind.Version && live.BoundTo(o.Digest) &&
			slices.ContainsFunc(marks, func(d change.Delivered) bool { return d.Commit == p.Commit }) {
			return change.Present
		}
	}
	return change.Absent
}

// tokenCommit takes the commit that the token of who applies names, where a source that they deliver says
// which claim holds it. It is a hint like a stamp; where both are there and differ, that is a conflict.
func (c *inquiry) tokenCommit() {
	user, o := c.facts.Request.User, &c.facts.Origin
	for _, b := range c.bindings {
		for _, s := range b.Sources {
			named := user.Extra[s.Via.CommitClaim]
			if s.Via.CommitClaim == "" || len(named) != 1 || !isCommit(named[0]) || !s.Via.Delivers(user.Name, user.Extra) {
				continue
			}
			if o.Commit != "" && o.Commit != named[0] {
				o.Conflicts = append(o.Conflicts, "it names commit "+o.Commit+", and the token of who applies it names "+named[0])
				return
			}
			o.Commit = named[0]
			if o.Repository == "" {
				o.Repository = s.Repository
			}
		}
	}
}

// isCommit reports whether s is a full commit id.
func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
