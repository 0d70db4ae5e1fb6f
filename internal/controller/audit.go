package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Lister lists live objects.
type Lister interface {
	// List calls with the raw JSON of each object of a kind in a namespace, or in the cluster scope
	// where that is empty. It stops at the first error of each.
	List(ctx context.Context, kind change.Kind, namespace string, each func(raw []byte) error) error
}

// Auditor holds what lives against what was proven. It is the only one who sees what admission could
// not: what was there before the tier, and what changed while the webhook was away.
type Auditor struct {
	Lister Lister
	World  func() *tier.World
	Types  func() canon.Types
	Key    canon.Key
	// Proofs are those of a source, highest first; Delivered its marks, newest first.
	Proofs    func(key change.SourceKey) []*change.Proof
	Delivered func(key change.SourceKey) ([]change.Delivered, change.Found)
	Now       func() time.Time
}

// Sweep is what one audit of one binding found. Lists are sorted.
type Sweep struct {
	At        time.Time         // when it began
	Bound     []change.ObjectID // as they were delivered
	Behind    []change.ObjectID // as an older delivered commit has it: an apply is under way, or stopped
	Drifted   []change.ObjectID // not what any delivered commit renders, or with fields beside it
	Beside    []Beside          // those fields
	Missing   []change.ObjectID // proven, and not there
	Inherited []change.ObjectID // there, and no proof speaks of it
	Unread    []string          // kinds that could not be read, and why
	read      map[groupKind]bool
}

// Clean reports whether every live object is accounted for.
func (s Sweep) Clean() bool { return len(s.Drifted) == 0 && len(s.Unread) == 0 }

// expected is one object that a proof speaks of.
type expected struct {
	source tier.Source
	proof  *change.Proof
	object change.ProvenObject
}

// Sweep audits what one binding's sources deliver, and beside it every other object of these kinds in
// the binding's namespace. Of the cluster scope only what is proven is looked at. The error says that
// nobody can tell what was delivered.
func (a *Auditor) Sweep(ctx context.Context, b tier.Binding) (Sweep, error) {
	sweep := Sweep{At: a.Now(), read: map[groupKind]bool{}}
	wanted := map[change.ObjectID]expected{}
	kinds := map[change.Kind]map[string]bool{} // to namespaces
	for _, s := range b.Sources {
		p, err := a.standing(b, s)
		if err != nil {
			return Sweep{}, err
		}
		if p == nil {
			continue
		}
		for _, o := range p.Objects {
			kind := change.Kind{Group: o.ID.Group, Version: o.Version, Kind: o.ID.Kind}
			if kinds[kind] == nil {
				kinds[kind] = map[string]bool{}
			}
			kinds[kind][o.ID.Namespace] = true
			wanted[o.ID] = expected{source: s, proof: p, object: o}
		}
	}
	for kind, namespaces := range kinds {
		for namespace := range namespaces {
			a.sweepKind(ctx, b, kind, namespace, wanted, &sweep)
		}
	}
	for id, e := range wanted {
		if !slices.ContainsFunc(sweep.Unread, func(why string) bool { return strings.HasPrefix(why, kindOf(e.object)+":") }) {
			sweep.Missing = append(sweep.Missing, id)
		}
	}
	for _, list := range [][]change.ObjectID{sweep.Bound, sweep.Behind, sweep.Drifted, sweep.Missing, sweep.Inherited} {
		slices.SortFunc(list, change.ObjectID.Compare)
	}
	slices.SortFunc(sweep.Beside, func(a, b Beside) int { return strings.Compare(a.Object, b.Object) })
	slices.Sort(sweep.Unread)
	return sweep, nil
}

func kindOf(o change.ProvenObject) string {
	return change.Kind{Group: o.ID.Group, Version: o.Version, Kind: o.ID.Kind}.String()
}

// standing is the proof that the live state of a source should be: the newest delivered one, or, where
// nothing was delivered, the newest that its tier admits; nil: there is none.
func (a *Auditor) standing(b tier.Binding, s tier.Source) (*change.Proof, error) {
	key := change.SourceKey{Repository: s.Repository, Branch: s.Branch, Path: s.Path, Namespace: b.Namespace}
	marks, found := a.Delivered(key)
	if found == change.CouldNotTell {
		return nil, errors.New("nobody can tell what was delivered")
	}
	proofs := a.Proofs(key)
	for _, d := range marks {
		for _, p := range proofs {
			if p.Commit == d.Commit {
				return p, nil
			}
		}
	}
	for _, p := range proofs {
		if !p.Revoked && len(p.Judgements) > 0 && p.Judgements[0].Admissible == change.Present {
			return p, nil
		}
	}
	return nil, nil
}

// sweepKind audits the objects of one kind in one place, and takes those that it finds out of wanted.
func (a *Auditor) sweepKind(ctx context.Context, b tier.Binding, kind change.Kind, namespace string, wanted map[change.ObjectID]expected, sweep *Sweep) {
	err := a.Lister.List(ctx, kind, namespace, func(raw []byte) error {
		object, err := canon.Parse(raw)
		if err != nil {
			return fmt.Errorf("reading a live object: %w", err)
		}
		id := object.ID()
		e, proven := wanted[id]
		switch {
		case proven:
			delete(wanted, id)
			a.judge(object, b, e, sweep)
		case namespace != "" && b.Name != v1alpha1.ClusterBindingName && !furniture(object):
			sweep.Inherited = append(sweep.Inherited, id)
		}
		return nil
	})
	if err != nil {
		sweep.Unread = append(sweep.Unread, kind.String()+": "+err.Error())
		return
	}
	sweep.read[groupKind{kind.Group, kind.Kind}] = true
}

// judge says how a live object stands to what was delivered.
func (a *Auditor) judge(object *canon.Object, b tier.Binding, e expected, sweep *Sweep) {
	id := object.ID()
	t := a.World().Tiers[b.Tier] // without one, nothing is explained
	// An update of a live object to itself binds exactly if it still is what was applied.
	result := canon.Bind(canon.Binding{
		Kind: object.Meta().Kind, Object: object, Old: object, Manager: e.source.FieldManager, Types: a.Types(), Key: a.Key,
		Tolerate: explained(object, b, t), Residue: true,
	})
	beside := owned(result.Inherited)
	switch {
	case result.Reason == canon.Applied && len(beside) > 0:
		sweep.Drifted = append(sweep.Drifted, id)
		sweep.Beside = append(sweep.Beside, Beside{Object: id.String(), Fields: beside})
		return
	case result.BoundTo(e.object.Digest):
		sweep.Bound = append(sweep.Bound, id)
		return
	}
	for _, older := range a.Proofs(e.proof.Key) {
		for _, o := range older.Objects {
			if o.ID == id && older.Height < e.proof.Height && result.BoundTo(o.Digest) {
				sweep.Behind = append(sweep.Behind, id)
				return
			}
		}
	}
	sweep.Drifted = append(sweep.Drifted, id)
}

// furniture are objects that every namespace has, and children of controllers, which are judged by
// their owners.
func furniture(o *canon.Object) bool {
	m := o.Meta()
	if slices.ContainsFunc(m.Owners, func(o canon.Owner) bool { return o.Controller }) || m.Deleting || m.Kind.Group == v1alpha1.Group {
		return true
	}
	switch m.Kind.Group + "/" + m.Kind.Kind {
	case "/ConfigMap":
		return m.Name == "kube-root-ca.crt"
	case "/ServiceAccount":
		return m.Name == "default"
	case "/Endpoints", "discovery.k8s.io/EndpointSlice", "/Event", "events.k8s.io/Event", "coordination.k8s.io/Lease":
		return true
	}
	return false
}

// Differs reports whether an object is not as Git has it, for the debt of a break-glass. One of a kind
// that the sweep did not read could be anything, and counts as differing.
func (s Sweep) Differs(id change.ObjectID) bool {
	switch {
	case slices.Contains(s.Bound, id):
		return false
	case slices.Contains(s.Drifted, id), slices.Contains(s.Missing, id), slices.Contains(s.Inherited, id), slices.Contains(s.Behind, id):
		return true
	}
	return !s.read[groupKind{id.Group, id.Kind}]
}

// enforcing is the condition that a sweep amounts to (ruling 10).
func enforcing(s *Sweep) finding {
	f := finding{kind: v1alpha1.ConditionEnforcing}
	switch {
	case s == nil:
		f.reason, f.message = v1alpha1.ReasonSweeping, "the first sweep has not finished"
	case len(s.Unread) > 0:
		f.reason, f.message = v1alpha1.ReasonSweeping, "these kinds could not be read: "+strings.Join(s.Unread, "; ")
	case len(s.Drifted) > 0:
		f.reason, f.message = v1alpha1.ReasonUnproven, fmt.Sprintf("%d live objects are not what was delivered: %s", len(s.Drifted), names(s.Drifted))
		for _, b := range s.Beside[:min(len(s.Beside), namesShown)] {
			f.message += fmt.Sprintf("; Git does not set in %s: %s", b.Object, strings.Join(b.Fields[:min(len(b.Fields), namesShown)], ", "))
		}
	default:
		f.is, f.reason = true, v1alpha1.ReasonSwept
		f.message = fmt.Sprintf("%d objects are as they were delivered", len(s.Bound))
		if len(s.Behind) > 0 {
			f.message += "; still of an older commit: " + names(s.Behind)
		}
		if len(s.Missing) > 0 {
			f.message += "; proven and not there: " + names(s.Missing)
		}
		if len(s.Inherited) > 0 {
			f.message += fmt.Sprintf("; %d inherited", len(s.Inherited))
		}
	}
	return f
}

// namesShown is how many objects a message names.
const namesShown = 5

func names(ids []change.ObjectID) string {
	var shown []string
	for _, id := range ids[:min(len(ids), namesShown)] {
		shown = append(shown, id.String())
	}
	if more := len(ids) - namesShown; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}
