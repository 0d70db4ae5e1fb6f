package controller

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
)

// announce tells of what changed in an object that people watch.
func (s *Status) announce(before, after client.Object) {
	s.announceConditions(before, after)
	was, ok := before.(*v1alpha1.TierBinding)
	now, both := after.(*v1alpha1.TierBinding)
	if !ok || !both {
		return
	}
	s.announceSources(was, now)
	for _, c := range now.Status.Conditions {
		if c.Type == v1alpha1.ConditionEnforcing && c.Reason == v1alpha1.ReasonUnproven && !hasMessage(was, c.Message) {
			s.Events.Eventf(now, nil, corev1.EventTypeWarning, "Drifted", "Audit", "%s", cut(c.Message, 1000))
		}
	}
}

func (s *Status) announceSources(was, now *v1alpha1.TierBinding) {
	old := map[string]v1alpha1.SourceStatus{}
	for _, source := range was.Status.Sources {
		old[source.Name] = source
	}
	for _, source := range now.Status.Sources {
		if o := old[source.Name]; source.Verdict == "" || o.Commit == source.Commit && o.Verdict == source.Verdict {
			continue
		}
		kind, note := corev1.EventTypeNormal, "source %s at %.12s: %s"
		if source.Verdict != v1alpha1.VerdictAllow {
			kind, note = corev1.EventTypeWarning, "source %s at %.12s: %s\n%s"
		}
		// Of a repository that could not be read at all there is no commit.
		args := []any{source.Name, cmp.Or(source.Commit, "no commit"), source.Verdict}
		if source.Verdict != v1alpha1.VerdictAllow {
			args = append(args, cut(source.Message, 900))
		}
		s.Events.Eventf(now, nil, kind, "Judged"+string(source.Verdict), "Prove", note, args...)
	}
}

// announceConditions tells of a condition that somebody should act on, and of its end.
func (s *Status) announceConditions(before, after client.Object) {
	old := conditionsOf(before)
	for _, c := range conditionsOf(after) {
		was := meta.FindStatusCondition(old, c.Type)
		switch {
		case bad(c) && (was == nil || !saysAsBefore(*was, c)):
			s.Events.Eventf(after, nil, corev1.EventTypeWarning, c.Reason, "Check", "%s", cut(c.Message, 1000))
		case !bad(c) && was != nil && bad(*was):
			s.Events.Eventf(after, nil, corev1.EventTypeNormal, c.Reason, "Check", "%s", cut(c.Message, 1000))
		}
	}
}

// bad says of a condition whether it is one that somebody should act on. The others are told of in
// their own words.
func bad(c metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionReady, v1alpha1.ConditionFetched, v1alpha1.ConditionForgeAsked:
		return c.Status == metav1.ConditionFalse
	case v1alpha1.ConditionRewound, v1alpha1.ConditionCoverageGap, v1alpha1.ConditionWebhookLoop:
		return c.Status == metav1.ConditionTrue
	}
	return false
}

// saysAsBefore reports whether a condition says what it said. What is said of a remote or a forge that
// cannot be reached differs from time to time, and is told once.
func saysAsBefore(a, b metav1.Condition) bool {
	differs := a.Type == v1alpha1.ConditionFetched || a.Type == v1alpha1.ConditionForgeAsked
	return a.Status == b.Status && a.Reason == b.Reason && (differs || a.Message == b.Message)
}

func conditionsOf(o client.Object) []metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.EnvironmentTier:
		return o.Status.Conditions
	case *v1alpha1.Team:
		return o.Status.Conditions
	case *v1alpha1.TierBinding:
		return o.Status.Conditions
	case *v1alpha1.Repository:
		return o.Status.Conditions
	}
	return nil
}

func hasMessage(b *v1alpha1.TierBinding, message string) bool {
	return slices.ContainsFunc(b.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionEnforcing && c.Message == message
	})
}
