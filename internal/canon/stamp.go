package canon

import (
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// unstamped is the set without the annotations of a stamp. A stamp names the commit, and a commit
// cannot name itself, so Git holds the manifest without it; and since a stamp proves nothing, it
// may say what it likes. Annotations that are sent empty, or null, say nothing, and a stamp stands in their
// place: they are left out too. The set that is given stays as it is.
func unstamped(s *owned) *owned {
	out := *s
	without(&out, "f:metadata", func(meta *owned) {
		without(meta, "f:annotations", func(annotations *owned) {
			keys := change.StampKeys()
			annotations.kids = slices.DeleteFunc(slices.Clone(annotations.kids), func(k owned) bool {
				return slices.ContainsFunc(keys, k.step.isField)
			})
		})
		meta.kids = slices.DeleteFunc(slices.Clone(meta.kids), func(k owned) bool {
			return string(k.step) == "f:annotations" && len(k.kids) == 0
		})
	})
	return &out
}

// without changes a copy of the child at a step, and drops the child where nothing is left of it.
func without(s *owned, step string, edit func(*owned)) {
	i := slices.IndexFunc(s.kids, func(k owned) bool { return string(k.step) == step })
	if i < 0 || len(s.kids[i].kids) == 0 {
		return
	}
	s.kids = slices.Clone(s.kids)
	if edit(&s.kids[i]); len(s.kids[i].kids) == 0 && !s.kids[i].member {
		s.kids = slices.Delete(s.kids, i, i+1)
	}
}
