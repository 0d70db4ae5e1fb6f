package controller

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// Fetch is what one look at a repository saw.
type Fetch struct {
	Problem string // why it failed, without credentials; empty: it succeeded
	Reason  string // of the condition, where it failed
	Heads   map[string]string
	Refs    map[string]string
	Rewound []string // what went back behind what was seen, for people
	Forge   bool     // reviews on a forge count
	Unasked string   // why the forge could not be asked; empty: it was
}

// Fetched notes a look at a repository.
func (s *Status) Fetched(repository string, f Fetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetches == nil {
		s.fetches = map[string]Fetch{}
	}
	s.fetches[repository] = f
}

func (s *Status) repository(o *v1alpha1.Repository) {
	s.mu.Lock()
	f, looked := s.fetches[o.Name]
	s.mu.Unlock()
	o.Status.ObservedGeneration = o.Generation
	set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionReady, true, v1alpha1.ReasonCompiled, "the repository is registered"})
	if !looked {
		return
	}
	if f.Problem != "" {
		set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionFetched, false, f.Reason, f.Problem})
		return
	}
	set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionFetched, true, v1alpha1.ReasonFetched, "the mirror is as the remote showed it"})
	asked(o, f)
	if len(f.Rewound) > 0 {
		// What was seen before stays pinned, so that the alarm outlives a restart.
		set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionRewound, true, v1alpha1.ReasonHistoryRewritten, strings.Join(f.Rewound, "; ")})
		return
	}
	set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionRewound, false, v1alpha1.ReasonFetched, "every ref only grew"})
	o.Status.Heads = heads(o.Status.Heads, f.Heads, metav1.NewTime(s.Now()))
	o.Status.ApprovalRefs = nil
	for ref, head := range f.Refs {
		o.Status.ApprovalRefs = append(o.Status.ApprovalRefs, v1alpha1.ApprovalRef{Ref: ref, Head: head})
	}
	slices.SortFunc(o.Status.ApprovalRefs, func(a, b v1alpha1.ApprovalRef) int { return strings.Compare(a.Ref, b.Ref) })
	o.Status.ApprovalRefs = o.Status.ApprovalRefs[:min(len(o.Status.ApprovalRefs), 256)]
}

// asked says whether the forge answered. Of a repository for which no forge counts it says nothing.
func asked(o *v1alpha1.Repository, f Fetch) {
	switch {
	case !f.Forge:
		meta.RemoveStatusCondition(&o.Status.Conditions, v1alpha1.ConditionForgeAsked)
	case f.Unasked != "":
		set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionForgeAsked, false, v1alpha1.ReasonForgeUnasked, f.Unasked})
	default:
		set(&o.Status.Conditions, o.Generation, finding{v1alpha1.ConditionForgeAsked, true, v1alpha1.ReasonForgeAnswered, "the forge answered"})
	}
}

// heads are the branches as they are now; one that did not move keeps its time.
func heads(before []v1alpha1.BranchHead, now map[string]string, at metav1.Time) []v1alpha1.BranchHead {
	var out []v1alpha1.BranchHead
	for branch, commit := range now {
		head := v1alpha1.BranchHead{Branch: branch, Commit: commit, SeenAt: at}
		for _, old := range before {
			if old.Branch == branch && old.Commit == commit {
				head.SeenAt = old.SeenAt
			}
		}
		out = append(out, head)
	}
	slices.SortFunc(out, func(a, b v1alpha1.BranchHead) int { return strings.Compare(a.Branch, b.Branch) })
	return out
}
