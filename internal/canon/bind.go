package canon

import (
	"crypto/hmac"

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
}

// Reason says what became of a Binding. Codes are stable; the zero value binds nothing.
type Reason string

// The reasons.
const (
	NotJudged      Reason = ""               // nobody looked
	Applied        Reason = "Applied"        // a pure server-side apply; Digest says of what
	NotApplied     Reason = "NotApplied"     // the manager has no Apply entry: not a server-side apply
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
	// Digest is that of the manifest whose server-side apply explains the request; set only for
	// Applied. The request is bound to every proof of this object that holds the same digest.
	Digest change.Digest
	// Paths are the fields that Reason speaks of.
	Paths []string
	// Tolerated are the unowned fields that only a pattern of Tolerate admits.
	Tolerated []string
	// Inherited are fields that Git does not set and that stood in the object before: drift that a
	// server-side apply cannot remove. They are reported, not refused.
	Inherited []string
}

// BoundTo reports whether the request is the apply of the manifest that d was made of.
func (r Result) BoundTo(d change.Digest) bool {
	return r.Reason == Applied && hmac.Equal(r.Digest[:], d[:])
}
