package store

import (
	"cmp"
	"slices"
	"sync"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/tier"
)

// Archive is what the ProvenCommits of a cluster amount to: it verifies each as it comes, joins the
// shards of one proof, and keeps in an Index the proofs that count under the world in force. Who
// wrote an object is never asked; an object that is not signed by the pinned key, stands under another
// name, or was made for another cluster or another namespace of the same name is left out, and told.
//
// It fails closed: what cannot be verified is as good as not there. A status that is older than one
// that was seen, or not signed, does not take the place of the one that was.
type Archive struct {
	index     *Index
	verifier  Verifier
	clusterID string
	// Rejected is told once of each object that is not believed; it must not block. It may be nil.
	Rejected func(namespace, name, why string)
	// Changed is told of each source whose proofs changed; it must not block. It may be nil.
	Changed func(key change.SourceKey)

	mu      sync.Mutex
	world   *tier.World
	objects map[objectName]*record
	sets    map[objectName]*set                      // by the name of the first shard
	sources map[change.SourceKey]map[objectName]*set // those that are whole
	seen    map[string]int64                         // signature of a spec to the highest sequence of its status
}

type objectName struct{ namespace, name string }

// record is one ProvenCommit. The object is shared with the informer and never changed.
type record struct {
	object *v1alpha1.ProvenCommit // the last one that was believed; nil: none
	// latest is the resource version that was looked at last, believed or not.
	latest string
	// spoilt: what stands in the cluster now is not believed, and object is older than it.
	spoilt bool
}

// set is one proof with its shards.
type set struct {
	shards  map[string]bool // names
	proof   *change.Proof   // nil: not whole
	place   Place           // that it was signed for
	indexed *change.Proof   // what the index holds of it; nil: nothing
}

// NewArchive is an archive of one cluster that fills an index.
func NewArchive(index *Index, verifier Verifier, clusterID string) *Archive {
	return &Archive{
		index: index, verifier: verifier, clusterID: clusterID, world: &tier.World{},
		objects: map[objectName]*record{}, sets: map[objectName]*set{}, sources: map[change.SourceKey]map[objectName]*set{},
		seen: map[string]int64{},
	}
}

// Observe takes in a ProvenCommit as it stands in the cluster. The object must not be changed
// afterwards.
func (a *Archive) Observe(p *v1alpha1.ProvenCommit) {
	at := objectName{p.Namespace, p.Name}
	a.mu.Lock()
	have, known := a.objects[at]
	if known && have.latest == p.ResourceVersion && p.ResourceVersion != "" {
		a.mu.Unlock()
		return
	}
	a.mu.Unlock()
	why := VerifyProven(p, a.clusterID, a.verifier) // without the lock: it takes its time

	a.mu.Lock()
	if have, known = a.objects[at]; !known {
		have = &record{}
		a.objects[at] = have
	}
	have.latest = p.ResourceVersion
	if why == "" && p.Status.Sequence < a.seen[p.Spec.Signature.Value] {
		why = a.outdated(have, p)
	}
	var touched []change.SourceKey
	switch {
	case why == "":
		have.object, have.spoilt = p, false
		a.remember(p)
		touched = a.join(objectName{p.Namespace, baseName(p)}, p.Name)
	case why != stale:
		have.spoilt = true
	}
	a.mu.Unlock()
	a.tell(touched)
	if why != "" && why != stale && a.Rejected != nil {
		a.Rejected(p.Namespace, p.Name, why)
	}
}

// seenLimit bounds how many specs' sequences are remembered after their objects are gone.
const seenLimit = 1 << 17

// remember keeps the highest sequence of a spec's status, also when the object goes: one who puts the
// object back puts an old status back.
func (a *Archive) remember(p *v1alpha1.ProvenCommit) {
	if len(a.seen) > seenLimit {
		live := map[string]int64{}
		for _, r := range a.objects {
			if r.object != nil {
				live[r.object.Spec.Signature.Value] = a.seen[r.object.Spec.Signature.Value]
			}
		}
		a.seen = live
	}
	a.seen[p.Spec.Signature.Value] = max(a.seen[p.Spec.Signature.Value], p.Status.Sequence)
}

// stale is no reason to tell anybody: the informer lags behind what this process wrote.
const stale = "stale"

// outdated says what a lower sequence than the highest seen means: the object as it was before our own
// write, which the informer shows a moment later, or an old status put back.
func (a *Archive) outdated(have *record, p *v1alpha1.ProvenCommit) string {
	if have.object == nil || have.object.UID != p.UID || newer(p.ResourceVersion, have.object.ResourceVersion) {
		return RejectedReplay
	}
	return stale
}

// newer compares resource versions of one resource, which are numbers in every supported API server.
// Where they are none, nobody can tell.
func newer(a, b string) bool {
	return len(a) > len(b) || len(a) == len(b) && a > b
}

// Forget takes out a ProvenCommit that is gone from the cluster.
func (a *Archive) Forget(namespace, name string) {
	at := objectName{namespace, name}
	a.mu.Lock()
	have, known := a.objects[at]
	delete(a.objects, at)
	var touched []change.SourceKey
	if known && have.object != nil {
		touched = a.join(objectName{namespace, baseName(have.object)}, name)
	}
	a.mu.Unlock()
	a.tell(touched)
}

func (a *Archive) tell(keys []change.SourceKey) {
	if a.Changed == nil {
		return
	}
	for _, k := range keys {
		a.Changed(k)
	}
}

// join makes a set anew, one shard of which came, changed or went. The caller holds the lock.
func (a *Archive) join(base objectName, shard string) []change.SourceKey {
	s, ok := a.sets[base]
	if !ok {
		s = &set{shards: map[string]bool{}}
		a.sets[base] = s
	}
	if a.believed(objectName{base.namespace, shard}) != nil {
		s.shards[shard] = true
	} else {
		delete(s.shards, shard)
	}
	before := s.proof
	s.proof = nil
	if first := a.believed(base); first != nil {
		if p, err := FromProven(a.shards(base, int(first.Spec.Shard.Count))); err == nil {
			s.proof = &p
			s.place = Place{NamespaceUID: first.Spec.NamespaceUID, SourceDigest: first.Spec.Source.SourceDigest}
		}
	}
	a.place(s)
	if len(s.shards) == 0 {
		delete(a.sets, base)
	}
	var touched []change.SourceKey
	if before != nil {
		delete(a.sources[before.Key], base)
		touched = append(touched, before.Key)
	}
	if s.proof != nil {
		if a.sources[s.proof.Key] == nil {
			a.sources[s.proof.Key] = map[objectName]*set{}
		}
		a.sources[s.proof.Key][base] = s
		touched = append(touched, s.proof.Key)
	}
	return slices.Compact(touched)
}

// shards are the first n shards of a set; fewer where one is not there.
func (a *Archive) shards(base objectName, n int) []v1alpha1.ProvenCommit {
	var shards []v1alpha1.ProvenCommit
	for i := range n {
		o := a.believed(objectName{base.namespace, shardName(base.name, i)})
		if o == nil {
			break
		}
		shards = append(shards, *o)
	}
	return shards
}

func (a *Archive) believed(at objectName) *v1alpha1.ProvenCommit {
	if r, ok := a.objects[at]; ok {
		return r.object
	}
	return nil
}

// place puts a set in the index or takes it out, as it counts under the world in force.
func (a *Archive) place(s *set) {
	want := s.proof
	if want == nil || !a.counts(s) {
		want = nil
	}
	if want == s.indexed {
		return
	}
	if s.indexed != nil && (want == nil || want.Key != s.indexed.Key || want.Commit != s.indexed.Commit) {
		a.index.Remove(s.indexed.Key, s.indexed.Commit)
	}
	if want != nil {
		a.index.Put(*want)
	}
	s.indexed = want
}

// counts reports whether a proof is for the live namespace and for the source as its binding spells it
// now.
func (a *Archive) counts(s *set) bool {
	source, ok := a.source(s.proof.Key)
	return ok && a.here(s) && s.place.SourceDigest == SourceDigest(source)
}

// here reports whether a proof was made for the namespace that lives.
func (a *Archive) here(s *set) bool {
	ns, ok := a.world.Namespaces[s.proof.Key.Namespace]
	return ok && ns.UID != "" && ns.UID == s.place.NamespaceUID
}

func (a *Archive) source(key change.SourceKey) (tier.Source, bool) {
	_, source, ok := SourceOf(a.world, key)
	return source, ok
}

// SourceOf is the binding of the world that has a source, and the source.
func SourceOf(w *tier.World, key change.SourceKey) (tier.Binding, tier.Source, bool) {
	bindings := []tier.Binding{}
	if b, ok := w.Bindings[key.Namespace]; ok {
		bindings = append(bindings, b)
	}
	if w.Cluster != nil && key.Namespace == w.Install.Namespace {
		bindings = append(bindings, *w.Cluster)
	}
	for _, b := range bindings {
		for _, s := range b.Sources {
			if s.Repository == key.Repository && s.Branch == key.Branch && s.Path == key.Path {
				return b, s, true
			}
		}
	}
	return tier.Binding{}, tier.Source{}, false
}

// Reindex decides again which proofs count, under a world that is about to be in force.
func (a *Archive) Reindex(w *tier.World) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.world = w
	for _, s := range a.sets { // first out, then in: two sets may speak of one commit of one source
		if s.indexed != nil && (s.proof == nil || !a.counts(s)) {
			a.index.Remove(s.indexed.Key, s.indexed.Commit)
			s.indexed = nil
		}
	}
	for _, s := range a.sets {
		a.place(s)
	}
}

// Known are the proofs of a source in its live namespace, highest first, whether its binding still
// spells the source as it did or not: what was proven before is where the prover goes on.
func (a *Archive) Known(key change.SourceKey) []change.Proof {
	a.mu.Lock()
	defer a.mu.Unlock()
	byCommit := map[string]*set{}
	for _, s := range a.sources[key] {
		if !a.here(s) {
			continue
		}
		if have, twice := byCommit[s.proof.Commit]; !twice || have.indexed == nil {
			byCommit[s.proof.Commit] = s
		}
	}
	var known []change.Proof
	for _, s := range byCommit {
		known = append(known, *s.proof)
	}
	slices.SortFunc(known, func(a, b change.Proof) int {
		return cmp.Or(cmp.Compare(b.Height, a.Height), cmp.Compare(a.Commit, b.Commit))
	})
	return known
}

// Proven reports whether a signed proof of a commit exists.
func (a *Archive) Proven(key change.SourceKey, commit string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sources[key] {
		if s.proof.Commit == commit {
			return true
		}
	}
	return false
}

// InNamespace reports whether a signed proof for that very namespace exists.
func (a *Archive) InNamespace(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, sets := range a.sources {
		if key.Namespace == name && len(sets) > 0 {
			return true
		}
	}
	return false
}

// stored are the objects of a proof as they were last believed, the highest sequence that any status
// of it had, and whether the cluster holds something else now. Objects may be there although the set
// is not whole.
func (a *Archive) stored(namespace, name string) (shards []*v1alpha1.ProvenCommit, sequence int64, spoilt bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range shardLimit {
		r, ok := a.objects[objectName{namespace, shardName(name, i)}]
		if !ok {
			if i > 0 {
				break
			}
			continue
		}
		spoilt = spoilt || r.spoilt
		if r.object != nil {
			shards = append(shards, r.object)
			sequence = max(sequence, a.seen[r.object.Spec.Signature.Value])
		}
	}
	return shards, sequence, spoilt
}

// sameCommit are the names of other proofs of a commit of a source than the named one: those that were
// made before the source was renamed.
func (a *Archive) sameCommit(key change.SourceKey, commit, except string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for at, s := range a.sources[key] {
		if s.proof.Commit == commit && at.name != except {
			names = append(names, at.name)
		}
	}
	return names
}
