package store

import (
	"cmp"
	"slices"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// Index finds the proofs that speak of an object. It holds verified proofs only: whoever puts one
// in has checked its signatures. Reading takes one short lock and makes no copy of a proof, so a
// proof must not be changed once it is in.
type Index struct {
	mu      sync.RWMutex
	sources map[change.SourceKey][]*change.Proof // by height, highest first
	objects map[change.ObjectID]*entry
}

// entry is one proof that speaks of an object; entries of one object are a list in no order.
type entry struct {
	proof *change.Proof
	place int32 // of the object in proof.Objects
	next  *entry
}

// NewIndex returns an index without any proof.
func NewIndex() *Index {
	return &Index{sources: map[change.SourceKey][]*change.Proof{}, objects: map[change.ObjectID]*entry{}}
}

// Put adds a proof or takes the place of the one of the same source and commit.
func (x *Index) Put(p change.Proof) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(p.Key, p.Commit)
	at := &p
	for i, o := range p.Objects {
		x.objects[o.ID] = &entry{proof: at, place: int32(i), next: x.objects[o.ID]} //nolint:gosec // a proof has far fewer objects than an int32 counts
	}
	list := append(slices.Clone(x.sources[p.Key]), at) // readers may hold the old slice
	slices.SortFunc(list, func(a, b *change.Proof) int { return cmp.Compare(b.Height, a.Height) })
	x.sources[p.Key] = list
}

// Remove takes the proof of a commit out.
func (x *Index) Remove(key change.SourceKey, commit string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(key, commit)
}

func (x *Index) remove(key change.SourceKey, commit string) {
	list := x.sources[key]
	i := slices.IndexFunc(list, func(p *change.Proof) bool { return p.Commit == commit })
	if i < 0 {
		return
	}
	gone := list[i]
	if list = slices.Delete(slices.Clone(list), i, i+1); len(list) == 0 {
		delete(x.sources, key)
	} else {
		x.sources[key] = list
	}
	for _, o := range gone.Objects {
		x.unlink(o.ID, gone)
	}
}

func (x *Index) unlink(id change.ObjectID, gone *change.Proof) {
	var kept *entry
	for e := x.objects[id]; e != nil; e = e.next {
		if e.proof != gone {
			kept = &entry{proof: e.proof, place: e.place, next: kept}
		}
	}
	if kept == nil {
		delete(x.objects, id)
		return
	}
	x.objects[id] = kept
}

// Speaking are the proofs that speak of an object, highest first.
func (x *Index) Speaking(id change.ObjectID) []change.Spoken {
	x.mu.RLock()
	var found []change.Spoken
	for e := x.objects[id]; e != nil; e = e.next {
		found = append(found, change.Spoken{Proof: e.proof, Object: &e.proof.Objects[e.place]})
	}
	x.mu.RUnlock()
	slices.SortFunc(found, func(a, b change.Spoken) int { return cmp.Compare(b.Proof.Height, a.Proof.Height) })
	return found
}

// Of are the proofs of a source, highest first. The slice must not be changed.
func (x *Index) Of(key change.SourceKey) []*change.Proof {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.sources[key]
}
