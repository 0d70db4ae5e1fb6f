package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// ClusterShelf keeps proofs as signed ProvenCommits. What it wrote counts at once, before an informer
// shows it: a look at a repository that has ended has its proofs in the index.
type ClusterShelf struct {
	Client     client.Client // not cached
	Archive    *Archive
	Deliveries *Deliveries
	World      func() *tier.World
	Signer     Signer
	ClusterID  string
	Prover     string // version
	Now        func() time.Time
	// Heard is what a look at a source heard beside the commits: the number of the question that it
	// answers, and the signed statements of its ways back. It may be nil.
	Heard func(key change.SourceKey) (question int64, rollbacks []string)
	// Told is told of each look at a source: the proofs it made or judged anew, and why there are
	// none. It may be nil.
	Told func(key change.SourceKey, proofs []change.Proof, problem error)
}

// Known are the proofs of a source and the commits that its namespace admitted.
func (s *ClusterShelf) Known(key change.SourceKey) ([]change.Proof, []change.Delivered) {
	delivered, _ := s.Deliveries.Delivered(key)
	return s.Archive.Known(key), delivered
}

// Put writes the proofs that one look made or judged anew, where anything changed, and removes those
// that are neither among the newest nor delivered. What was judged under a world that is no longer in
// force is left out: the change of the world asks for another look.
func (s *ClusterShelf) Put(ctx context.Context, key change.SourceKey, proofs []change.Proof, problem error) error {
	var problems []error
	surplus := s.surplus(key, proofs)
	for _, p := range proofs {
		if slices.ContainsFunc(surplus, func(old *change.Proof) bool { return old.Commit == p.Commit }) {
			continue // it would be removed at once
		}
		if err := s.put(ctx, p); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, s.repair(ctx, key), s.prune(ctx, key), s.head(ctx, key))
	if s.Heard != nil { // last: who hears that the look has ended finds its proofs
		question, rollbacks := s.Heard(key)
		problems = append(problems, s.Deliveries.Answer(ctx, key, question, rollbacks))
	}
	err := errors.Join(problems...)
	if s.Told != nil {
		s.Told(key, proofs, errors.Join(problem, err))
	}
	return err
}

func (s *ClusterShelf) put(ctx context.Context, p change.Proof) error {
	world := s.World()
	binding, source, ok := SourceOf(world, p.Key)
	if !ok || !current(world, binding, source, p) {
		return nil
	}
	p.Name = ProofName(p)
	want, err := ToProven(p, Place{
		ClusterID: s.ClusterID, NamespaceUID: world.Namespaces[p.Key.Namespace].UID, SourceDigest: SourceDigest(source), Prover: s.Prover,
	})
	if err != nil {
		return err
	}
	stored, sequence, spoilt := s.Archive.stored(p.Key.Namespace, p.Name)
	have := make([]v1alpha1.ProvenCommit, len(stored))
	for i, o := range stored {
		have[i] = *o
	}
	first := (*v1alpha1.ProvenCommit)(nil)
	if len(have) == len(want) && sameContent(have, want) {
		first = stored[0]
	} else if first, err = s.replace(ctx, p, have, want); err != nil {
		return fmt.Errorf("writing proof %s/%s: %w", p.Key.Namespace, p.Name, err)
	}
	if err := s.status(ctx, first, ToStatus(p, s.Now()), sequence, spoilt); err != nil {
		return fmt.Errorf("writing the verdicts on proof %s/%s: %w", p.Key.Namespace, p.Name, err)
	}
	for _, old := range s.Archive.sameCommit(p.Key, p.Commit, p.Name) {
		if err := s.remove(ctx, p.Key.Namespace, old); err != nil {
			return err
		}
	}
	return nil
}

// current reports whether a proof was judged by what is in force.
func current(w *tier.World, b tier.Binding, source tier.Source, p change.Proof) bool {
	for _, j := range p.Judgements {
		if t := judging(w, b, j.Tier); j.PolicyDigest != w.PolicyDigest(t, b, source) {
			return false
		}
	}
	return true
}

// judging is the tier of that name that judges a binding: its own may not exist and be the strictest.
func judging(w *tier.World, b tier.Binding, name string) tier.Tier {
	if t, ok := w.Tiers[name]; ok {
		return t
	}
	own, _ := w.Tier(b.Namespace)
	if b.Name == v1alpha1.ClusterBindingName {
		own, _ = w.ClusterTier()
	}
	return own
}

// replace writes the shards of a proof in place of those that are there. A spec never changes, so old
// ones go first; until the last new one is written the proof does not count.
func (s *ClusterShelf) replace(ctx context.Context, p change.Proof, have, want []v1alpha1.ProvenCommit) (*v1alpha1.ProvenCommit, error) {
	if len(have) > 0 {
		if !have[0].Spec.ProvenAt.Before(&want[0].Spec.ProvenAt) { // see oneProof
			for i := range want {
				want[i].Spec.ProvenAt = metav1.NewTime(have[0].Spec.ProvenAt.Add(time.Second))
			}
		}
		if err := s.remove(ctx, p.Key.Namespace, p.Name); err != nil {
			return nil, err
		}
	}
	for i := range want {
		if err := SignSpec(&want[i], s.Signer); err != nil {
			return nil, err
		}
		if err := s.create(ctx, &want[i]); err != nil {
			return nil, err
		}
		s.Archive.Observe(want[i].DeepCopy())
	}
	return &want[0], nil
}

// create makes an object in place of one that is in the way: nobody but the prover has a use for the
// name.
func (s *ClusterShelf) create(ctx context.Context, o *v1alpha1.ProvenCommit) error {
	err := s.Client.Create(ctx, o)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old := &v1alpha1.ProvenCommit{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name}}
	if err := client.IgnoreNotFound(s.Client.Delete(ctx, old)); err != nil {
		return err
	}
	s.Archive.Forget(o.Namespace, o.Name)
	return s.Client.Create(ctx, o)
}

// status rewrites the verdicts of a proof where they changed. The sequence grows beyond every one that
// was ever seen for this spec.
func (s *ClusterShelf) status(ctx context.Context, o *v1alpha1.ProvenCommit, want v1alpha1.ProvenCommitStatus, sequence int64, force bool) error {
	if !force && o.Status.Signature != nil && sameStatus(o.Status, want) {
		return nil
	}
	for range swapLimit {
		next := o.DeepCopy()
		next.Status = want
		next.Status.Sequence = max(sequence, o.Status.Sequence) + 1
		if err := SignStatus(next, s.Signer); err != nil {
			return err
		}
		err := s.Client.Status().Update(ctx, next)
		if err == nil {
			s.Archive.Observe(next)
			return nil
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		live := &v1alpha1.ProvenCommit{}
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), live); err != nil {
			return err
		}
		if live.Spec.Signature != o.Spec.Signature {
			return fmt.Errorf("another proof stands in its place")
		}
		o = live
	}
	return fmt.Errorf("others changed it %d times", swapLimit)
}

// repair writes the verdicts again of proofs whose status in the cluster is not believed.
func (s *ClusterShelf) repair(ctx context.Context, key change.SourceKey) error {
	var problems []error
	for _, p := range s.Archive.Known(key) {
		stored, sequence, spoilt := s.Archive.stored(key.Namespace, p.Name)
		if !spoilt || len(stored) == 0 {
			continue
		}
		if err := s.status(ctx, stored[0], stored[0].Status, sequence, true); err != nil {
			problems = append(problems, fmt.Errorf("repairing proof %s/%s: %w", key.Namespace, p.Name, err))
		}
	}
	return errors.Join(problems...)
}

// prune removes what need not be kept.
func (s *ClusterShelf) prune(ctx context.Context, key change.SourceKey) error {
	var problems []error
	for _, old := range s.surplus(key, nil) {
		problems = append(problems, s.remove(ctx, key.Namespace, old.Name))
	}
	return errors.Join(problems...)
}

// surplus are the proofs that need not be kept, of those that are known with what one look brings in their
// places. Where nobody can tell what was delivered all are.
func (s *ClusterShelf) surplus(key change.SourceKey, fresh []change.Proof) []*change.Proof {
	delivered, known := s.Deliveries.Delivered(key)
	if known != change.Present {
		return nil
	}
	all := slices.DeleteFunc(s.Archive.Known(key), func(p change.Proof) bool {
		return slices.ContainsFunc(fresh, func(f change.Proof) bool { return f.Commit == p.Commit })
	})
	all = append(all, fresh...)
	slices.SortStableFunc(all, func(a, b change.Proof) int { return cmp.Compare(b.Height, a.Height) })
	ordered := make([]*change.Proof, len(all))
	for i := range all {
		ordered[i] = &all[i]
	}
	return Surplus(ordered, delivered)
}

// remove deletes a proof, its first shard first, so that what is left is no whole proof.
func (s *ClusterShelf) remove(ctx context.Context, namespace, name string) error {
	stored, _, _ := s.Archive.stored(namespace, name)
	for _, o := range stored {
		err := s.Client.Delete(ctx, o.DeepCopy(), client.Preconditions{UID: &o.UID})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("removing proof %s/%s: %w", o.Namespace, o.Name, err)
		}
		s.Archive.Forget(o.Namespace, o.Name)
	}
	return nil
}

// head notes the newest commit that the binding's own tier admits.
func (s *ClusterShelf) head(ctx context.Context, key change.SourceKey) error {
	i := slices.IndexFunc(s.Archive.Known(key), admitted)
	if i < 0 {
		return nil
	}
	p := s.Archive.Known(key)[i]
	return s.Deliveries.Prove(ctx, key, v1alpha1.ProvenHead{
		Commit: p.Commit, Height: p.Height, PolicyDigest: p.Judgements[0].PolicyDigest, At: metav1.NewTime(p.ProvenAt),
	})
}

// admitted reports whether the binding's own tier, which judges first, admits a proof.
func admitted(p change.Proof) bool {
	return !p.Revoked && len(p.Judgements) > 0 && p.Judgements[0].Admissible == change.Present
}
