package canon

import (
	"crypto/hmac"
	"slices"

	"github.com/fairway-dev/fairway/internal/change"
)

// Binding is the question whether a CREATE or UPDATE of a main resource (no sub-resource) is the
// server-side apply, by one manager, of one manifest.
type Binding struct {
	Kind    change.Kind // of the request; the apply must be in this very version (ruling 20)
	Object  *Object     // as admitted
	Old     *Object     // nil for CREATE
	Manager string      // the field manager that the source declares
	Types   Types
	Key     Key
	// Tolerate are the fields that nobody needs to own (ruling 18): those of the tier's
	// content.tolerate that speak of this kind.
	Tolerate []PathPattern
	// Made takes a create for an apply: of an object that nothing but the create wrote, all that its client sent is
	// what is judged. See docs/adr/0027.
	Made bool
	// Residue asks for Result.Inherited, which means walking what did not change as well.
	Residue bool
}

// Reason says what became of a Binding. Codes are stable; the zero value binds nothing.
type Reason string

// The reasons.
const (
	NotJudged      Reason = ""               // nobody looked
	Applied        Reason = "Applied"        // a pure server-side apply; Digest says of what
	NotApplied     Reason = "NotApplied"     // the manager has no Apply entry: no server-side apply, or of nothing
	OtherVersion   Reason = "OtherVersion"   // applied in another API version than the request's
	ForeignGain    Reason = "ForeignGain"    // another manager took fields: the request was an update
	ForeignLoss    Reason = "ForeignLoss"    // another manager lost fields that did not change
	ForeignChange  Reason = "ForeignChange"  // a field that another manager owns changed
	ForeignRemoval Reason = "ForeignRemoval" // a field was removed that the manager had never applied
	Addition       Reason = "Addition"       // a field that nobody owns, and that is no default
	Duplicate      Reason = "Duplicate"      // two items of one key in a list: ownership cannot be told
	UnknownKind    Reason = "UnknownKind"    // no schema for the kind
	Unreadable     Reason = "Unreadable"     // the object or its managedFields cannot be read
)

// Result is the answer to a Binding. Paths are field paths, never values, for people.
type Result struct {
	Reason Reason
	// Digest is that of the manifest whose server-side apply explains the request. The request is
	// bound to every proof of this object that holds the same digest; ask BoundTo.
	Digest change.Digest
	// Paths are the fields that Reason speaks of.
	Paths []string
	// Tolerated are the new unowned fields that only a pattern of Tolerate admits.
	Tolerated []string
	// Inherited are fields that Git does not set and that stood in the object before: drift that a
	// server-side apply cannot remove. They are reported, not refused; no more than 64 of them, and
	// only where Binding.Residue asks for them.
	Inherited []Residue
	// explained: an apply of a manifest with this digest explains the request.
	explained bool
}

// BoundTo reports whether the request is the apply of the manifest that d was made of.
func (r Result) BoundTo(d change.Digest) bool {
	return r.explained && hmac.Equal(r.Digest[:], d[:])
}

// Bind judges whether the request is a pure server-side apply by the manager, and of what. It holds
// the rules of the API server's field management against the request:
//
//  1. The manager has an Apply entry, in the request's version (or, where Made says so, the object was created). A request that is no apply cannot
//     make one, and takes what it changes out of the one that is there. Only the apply of a manifest
//     without any field, such as a plain ServiceAccount, leaves no entry: a request without one is
//     judged as that.
//  2. No other entry gains a field, and none loses one that the apply does not explain.
//  3. On an update, nothing changed that another entry owns, and nothing was removed but what the
//     manager had applied before and has now dropped.
//  4. What nobody owns is a default of the API server, was there before, or is tolerated.
//  5. The digest of what the entry owns is the answer; the caller compares it with proofs.
//
// So everything that the request itself changed is in the digest. Bind fails closed: what it
// cannot read or explain is not Applied. It looks at no name, label or annotation but the
// object's identity.
func Bind(b Binding) Result {
	j := judge{Binding: b}
	reason, paths := j.run()
	switch {
	case j.bare && reason != UnknownKind && reason != Unreadable:
		reason, paths = NotApplied, nil // whatever else is wrong follows from it
	case reason != Applied:
		slices.Sort(paths)
		return Result{Reason: reason, Paths: paths}
	}
	j.result.Reason, j.result.Paths = reason, paths
	return j.result
}

// judge is one Bind at work.
type judge struct {
	Binding
	kind        *Type
	now, before []entry // of managedFields; the manager's own entry first in now
	own         *entry  // the manager's entry before; nil: none
	bare        bool    // the manager has no entry now
	changes     []change1
	result      Result
}

// change1 is one field that the request changed.
type change1 struct {
	what changeKind
	path path
}

func (j *judge) run() (Reason, []string) {
	t, ok := j.Types.Type(j.Kind)
	if !ok {
		return UnknownKind, nil
	}
	j.kind = t
	for _, step := range []func() (Reason, []string){j.read, j.foreignEntries, j.foreignFields, j.removals, j.lost, j.additions, j.sum} {
		if reason, paths := step(); reason != Applied {
			return reason, paths
		}
	}
	return Applied, nil
}

// read finds the entries of both objects.
func (j *judge) read() (Reason, []string) {
	if j.Object == nil || j.Object.meta.Kind != j.Kind || j.Old != nil && (j.Old.meta.Kind != j.Kind || j.Old.ID() != j.Object.ID()) {
		return Unreadable, nil
	}
	var err error
	if j.now, err = entries(j.Object.doc, j.Kind, nil); err != nil {
		return Unreadable, []string{"metadata.managedFields"}
	}
	if j.Old != nil {
		if j.before, err = entries(j.Old.doc, j.Kind, j.now); err != nil {
			return Unreadable, []string{"metadata.managedFields"}
		}
	}
	wanted := entry{manager: j.Manager, operation: operationApply}
	mine := find(j.now, &wanted)
	switch {
	case mine == nil && j.made():
	case mine == nil:
		j.bare = true
		j.now = slices.Insert(j.now, 0, wanted)
	case mine.apiVersion != j.Kind.APIVersion():
		return OtherVersion, nil
	default:
		j.now[0], *mine = *mine, j.now[0]
	}
	j.own = find(j.before, &wanted)
	return Applied, nil
}

// mine is the set that the manager owns after the request.
func (j *judge) mine() *owned { return &j.now[0].set }

// owned is the set that the manager owned before the request; nil: nothing.
func (j *judge) owned() *owned {
	if j.own == nil {
		return nil
	}
	return &j.own.set
}
