package main

import (
	"context"
	"errors"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/gate"
	"github.com/fairway-dev/fairway/internal/policy"
	"github.com/fairway-dev/fairway/internal/tier"
)

// faulty stands between a gate and its rooms, and has one call fail: as the room says that it could not tell, or by a
// panic. What is read from memory as a whole, the world and the types, cannot fail.
type faulty struct {
	real   gate.Rooms
	fails  int    // the call that does, counted from 0; -1: none
	name   string // all calls of this name do; empty: none
	panics bool
	calls  []string // what was called
	failed bool     // the call came
}

// rooms are those that the gate gets.
func (f *faulty) rooms() gate.Rooms {
	rooms := f.real
	rooms.Proofs, rooms.Marks, rooms.Live, rooms.Records = faultyProofs{f}, faultyMarks{f}, faultyLive{f}, faultyRecords{f}
	rooms.Making, rooms.Origins, rooms.Engines, rooms.Compile = faultyMaking{f}, faultyOrigins{f}, faultyEngines{f}, faultyCompile{f}
	rooms.Sealing = func(b tier.Binding, w *tier.World) change.Found {
		if f.fail("Sealing") {
			return change.CouldNotTell
		}
		return f.real.Sealing(b, w)
	}
	return rooms
}

// fail notes a call, and reports whether it is the one that fails.
func (f *faulty) fail(call string) bool {
	f.calls = append(f.calls, call)
	failed := len(f.calls)-1 == f.fails || call == f.name
	f.failed = f.failed || failed
	if failed && f.panics {
		panic("the test has " + call + " panic")
	}
	return failed
}

type (
	faultyProofs  struct{ *faulty }
	faultyMarks   struct{ *faulty }
	faultyLive    struct{ *faulty }
	faultyRecords struct{ *faulty }
	faultyMaking  struct{ *faulty }
	faultyOrigins struct{ *faulty }
	faultyEngines struct{ *faulty }
	faultyCompile struct{ *faulty }
)

func (f faultyProofs) Speaking(id change.ObjectID) []change.Spoken {
	if f.fail("Proofs.Speaking") {
		return nil
	}
	return f.real.Proofs.Speaking(id)
}

func (f faultyProofs) Of(key change.SourceKey) []*change.Proof {
	if f.fail("Proofs.Of") {
		return nil
	}
	return f.real.Proofs.Of(key)
}

func (f faultyMarks) Delivered(key change.SourceKey) ([]change.Delivered, change.Found) {
	if f.fail("Marks.Delivered") {
		return nil, change.CouldNotTell
	}
	return f.real.Marks.Delivered(key)
}

func (f faultyMarks) Deliver(ctx context.Context, key change.SourceKey, d change.Delivered, proof string) error {
	if f.fail("Marks.Deliver") {
		return errors.New("the test has it fail")
	}
	return f.real.Marks.Deliver(ctx, key, d, proof)
}

func (f faultyLive) Object(ctx context.Context, kind change.Kind, namespace, name string) ([]byte, change.Found) {
	if f.fail("Live.Object") {
		return nil, change.CouldNotTell
	}
	return f.real.Live.Object(ctx, kind, namespace, name)
}

func (f faultyRecords) Grants(namespace string) []policy.Grant {
	if f.fail("Records.Grants") {
		return nil
	}
	return f.real.Records.Grants(namespace)
}

func (f faultyRecords) Rollbacks(key change.SourceKey, commit, proof string) []string {
	if f.fail("Records.Rollbacks") {
		return nil
	}
	return f.real.Records.Rollbacks(key, commit, proof)
}

func (f faultyRecords) SelfSigned(raw []byte) change.Found {
	if f.fail("Records.SelfSigned") {
		return change.CouldNotTell
	}
	return f.real.Records.SelfSigned(raw)
}

func (f faultyMaking) Wanted(repository, commit string) bool {
	return !f.fail("Making.Wanted") && f.real.Making.Wanted(repository, commit)
}

func (f faultyOrigins) Of(req *change.Request, object *canon.Object) change.Origin {
	if f.fail("Origins.Of") {
		return change.Origin{}
	}
	return f.real.Origins.Of(req, object)
}

// Reaches, Repeats and what Compile does read the bytes of the request: one that cannot be read reaches everywhere.
func (f faultyEngines) Reaches(kind change.Kind, raw []byte) (namespaces []string, everywhere, chained bool) {
	if f.fail("Engines.Reaches") {
		return f.real.Engines.Reaches(kind, []byte("{"))
	}
	return f.real.Engines.Reaches(kind, raw)
}

func (f faultyEngines) Repeats(kind change.Kind, raw []byte) []string {
	if f.fail("Engines.Repeats") {
		return nil
	}
	return f.real.Engines.Repeats(kind, raw)
}

func (f faultyEngines) Claimed(ctx context.Context, o change.Origin) []string {
	if f.fail("Engines.Claimed") {
		return nil
	}
	return f.real.Engines.Claimed(ctx, o)
}

func (f faultyCompile) Binding(raw []byte) (tier.Binding, bool) {
	if f.fail("Compile.Binding") {
		return tier.Binding{}, false
	}
	return f.real.Compile.Binding(raw)
}

func (f faultyCompile) Namespace(raw []byte) (tier.Namespace, bool) {
	if f.fail("Compile.Namespace") {
		return tier.Namespace{}, false
	}
	return f.real.Compile.Namespace(raw)
}
