package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Archive keeps proofs.
type Archive interface {
	// Known are the proofs of a source, highest first.
	Known(key change.SourceKey) []change.Proof
}

// Recorder records Kubernetes Events on an object. events.EventRecorder is one.
type Recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Status writes the statuses of Fairway's kinds from what is in force. It reads all objects of a kind
// from a cache, computes each status anew, and writes those that differ: a status that was lost or
// changed by somebody comes back.
type Status struct {
	Reader client.Reader // cache
	Writer client.StatusClient
	World  func() *tier.World
	Proofs Archive
	Events Recorder
	Now    func() time.Time

	mu      sync.Mutex
	stuck   map[change.SourceKey]string // why a source cannot be proven
	sweeps  map[bindingName]*Sweep
	fetches map[string]Fetch
	glasses map[objectName]Glass
	gaps    *[]string // nil: not known
	loops   *[]string // the same
}

type (
	bindingName struct{ namespace, name string }
	objectName  struct{ namespace, name string }
)

// Looked notes the outcome of a look at a source; a nil problem means that it could be proven.
func (s *Status) Looked(key change.SourceKey, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		s.stuck = map[change.SourceKey]string{}
	}
	delete(s.stuck, key)
	if problem != nil {
		s.stuck[key] = problem.Error()
	}
}

// Swept notes the outcome of an audit.
func (s *Status) Swept(b tier.Binding, sweep Sweep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweeps == nil {
		s.sweeps = map[bindingName]*Sweep{}
	}
	s.sweeps[bindingName{b.Namespace, b.Name}] = &sweep
}

// Write brings every status up to date. What another writer got ahead of, or what cannot be written
// now, is an error, and is tried again by the next call.
func (s *Status) Write(ctx context.Context) error {
	w := s.World()
	return errors.Join(
		each(ctx, s, &v1alpha1.EnvironmentTierList{}, func(l *v1alpha1.EnvironmentTierList) []v1alpha1.EnvironmentTier { return l.Items },
			func(o *v1alpha1.EnvironmentTier) { s.tier(o, w) }),
		each(ctx, s, &v1alpha1.TeamList{}, func(l *v1alpha1.TeamList) []v1alpha1.Team { return l.Items },
			func(o *v1alpha1.Team) { s.team(o, w) }),
		each(ctx, s, &v1alpha1.TierBindingList{}, func(l *v1alpha1.TierBindingList) []v1alpha1.TierBinding { return l.Items },
			func(o *v1alpha1.TierBinding) { s.binding(o, w) }),
		each(ctx, s, &v1alpha1.RepositoryList{}, func(l *v1alpha1.RepositoryList) []v1alpha1.Repository { return l.Items }, s.repository),
		each(ctx, s, &v1alpha1.BreakGlassList{}, func(l *v1alpha1.BreakGlassList) []v1alpha1.BreakGlass { return l.Items }, s.glass),
	)
}

// object is a pointer to a T that is an object.
type object[T any] interface {
	*T
	client.Object
}

// each computes the status of every object of a kind and writes those that changed.
func each[T any, P object[T], L client.ObjectList](ctx context.Context, s *Status, list L, items func(L) []T, compute func(P)) error {
	if err := s.Reader.List(ctx, list); err != nil {
		return fmt.Errorf("reading %T: %w", list, err)
	}
	var problems []error
	all := items(list)
	for i := range all {
		before := P(&all[i])
		after, ok := before.DeepCopyObject().(P)
		if !ok {
			continue // a deep copy is of the same type
		}
		compute(after)
		if equality.Semantic.DeepEqual(before, after) {
			continue
		}
		err := s.Writer.Status().Update(ctx, after)
		if err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("writing the status of %T %s/%s: %w", after, after.GetNamespace(), after.GetName(), err))
			continue
		}
		if err == nil {
			s.announce(before, after)
		}
	}
	return errors.Join(problems...)
}

func (s *Status) tier(o *v1alpha1.EnvironmentTier, w *tier.World) {
	o.Status.ObservedGeneration = o.Generation
	o.Status.Digest = w.Tiers[o.Name].Digest
	o.Status.Namespaces = 0
	for name := range w.Namespaces {
		if t, _ := w.Tier(name); t.Name == o.Name {
			o.Status.Namespaces++
		}
	}
	set(&o.Status.Conditions, o.Generation, tierReady(o.Name, w))
}

func (s *Status) team(o *v1alpha1.Team, w *tier.World) {
	o.Status.ObservedGeneration = o.Generation
	o.Status.Principals = int32(len(o.Spec.Principals)) //nolint:gosec // the API takes 64
	set(&o.Status.Conditions, o.Generation, teamReady(o, w))
}

func (s *Status) binding(o *v1alpha1.TierBinding, w *tier.World) {
	b, t, ok := compiled(o, w)
	newest := map[string]change.Proof{}
	o.Status.ObservedGeneration = o.Generation
	o.Status.Digest, o.Status.Sources = b.Digest, nil
	for _, source := range b.Sources {
		key := change.SourceKey{Repository: source.Repository, Branch: source.Branch, Path: source.Path, Namespace: b.Namespace}
		proofs := s.Proofs.Known(key)
		if i := slices.IndexFunc(proofs, func(p change.Proof) bool { return admits(p, t.Name) }); i >= 0 {
			newest[source.Name] = proofs[i]
		}
		s.mu.Lock()
		stuck := s.stuck[key]
		s.mu.Unlock()
		o.Status.Sources = append(o.Status.Sources, sourceStatus(source.Name, t, proofs, stuck))
	}
	set(&o.Status.Conditions, o.Generation, bindingReady(o, w, newest))
	if ok && t.Lane != tier.Open {
		s.mu.Lock()
		sweep := s.sweeps[bindingName{b.Namespace, b.Name}]
		s.mu.Unlock()
		set(&o.Status.Conditions, o.Generation, enforcing(sweep))
		o.Status.Inherited = inherited(sweep)
	}
	if o.Name == v1alpha1.ClusterBindingName {
		set(&o.Status.Conditions, o.Generation, unsealed(w))
		if gaps, known := s.gapsNow(); known {
			set(&o.Status.Conditions, o.Generation, coverage(gaps))
		}
		if loops, known := s.loopsNow(); known {
			set(&o.Status.Conditions, o.Generation, looped(loops))
		}
	}
}

// admits reports whether a tier admits a proof.
func admits(p change.Proof, name string) bool {
	j, ok := judgement(p, name)
	return ok && !p.Revoked && j.Admissible == change.Present
}

func judgement(p change.Proof, name string) (change.Judgement, bool) {
	i := slices.IndexFunc(p.Judgements, func(j change.Judgement) bool { return j.Tier == name })
	if i < 0 {
		return change.Judgement{}, false
	}
	return p.Judgements[i], true
}

// sourceStatus says how far a source has come; proofs are highest first.
func sourceStatus(name string, t tier.Tier, proofs []change.Proof, stuck string) v1alpha1.SourceStatus {
	out := v1alpha1.SourceStatus{Name: name, Message: cut(stuck, messageLimit)}
	if stuck != "" {
		out.Verdict = v1alpha1.VerdictUnknown
	}
	for _, p := range proofs {
		if out.Commit == "" {
			out.Commit = p.Commit
			if j, ok := judgement(p, t.Name); ok && stuck == "" {
				out.Verdict, out.Message = verdict(j), cut(strings.Join(j.Missing, "\n"), messageLimit)
			}
		}
		if admits(p, t.Name) {
			out.ProvenHead = p.Commit
			break
		}
	}
	return out
}

func verdict(j change.Judgement) v1alpha1.JudgedVerdict {
	switch {
	case j.Admissible == change.Present:
		return v1alpha1.VerdictAllow
	case j.Admissible == change.CouldNotTell:
		return v1alpha1.VerdictUnknown
	case j.Pending:
		return v1alpha1.VerdictPending
	}
	return v1alpha1.VerdictDeny
}

// inheritedShown is how many inherited objects a status lists.
const inheritedShown = 64

func inherited(s *Sweep) *v1alpha1.InheritedObjects {
	if s == nil {
		return nil
	}
	out := &v1alpha1.InheritedObjects{Count: int32(min(len(s.Inherited), 1<<30))} //nolint:gosec // bounded
	for _, id := range s.Inherited[:min(len(s.Inherited), inheritedShown)] {
		out.Objects = append(out.Objects, reference(id))
	}
	return out
}

func reference(id change.ObjectID) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{Group: id.Group, Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
}

// Gated are the bindings of a world that a gated tier judges, in a fixed order.
func Gated(w *tier.World) []tier.Binding {
	var bindings []tier.Binding
	for _, name := range slices.Sorted(maps.Keys(w.Bindings)) {
		if t, b := w.Tier(name); b != nil && t.Lane != tier.Open {
			bindings = append(bindings, *b)
		}
	}
	if t, b := w.ClusterTier(); b != nil && t.Lane != tier.Open {
		bindings = append(bindings, *b)
	}
	return bindings
}
