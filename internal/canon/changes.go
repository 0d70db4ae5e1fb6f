package canon

import "github.com/fairway-dev/fairway/internal/change"

// NoOp reports whether the request changes nothing at all: an UPDATE whose object and old object
// are both there and equal byte for byte (ruling 12).
func NoOp(r change.Request) bool {
	return r.Operation == change.Update && len(r.Object) > 0 && string(r.Object) != "null" && string(r.Object) == string(r.Old)
}

// Changes is what an UPDATE changes. Of metadata, resourceVersion, generation and managedFields
// are left out of the fields; the entries of managedFields stand apart.
type Changes struct {
	fields []string
	// Entries are the managedFields entries that are not the same before and after.
	Entries []EntryChange
}

// EntryChange is one managedFields entry that the request changes. Gained and Lost are field paths.
type EntryChange struct {
	Manager, Operation, APIVersion, Subresource string
	Gained, Lost                                []string
}

// Compare is what changed from old to object. Without a type (nil) lists are compared whole.
// Either object may be nil: then every field of the other is a change.
func Compare(old, object *Object, t *Type) (Changes, error) { return Changes{}, nil }

// Paths are the fields that were added, removed or given another value, sorted.
func (c Changes) Paths() []string { return c.fields }

// Outside are the changed fields that none of the patterns covers.
func (c Changes) Outside(allowed ...PathPattern) []string { return c.fields }

// Within are the changed fields that one of the patterns covers, or that cover such a field. Use it
// to see whether metadata.ownerReferences or metadata.finalizers was touched (T-13).
func (c Changes) Within(patterns ...PathPattern) []string { return nil }

// Attested are the changed fields that manager owns in old by a server-side apply: those that a
// proof attests. No runtime lane may change them (ruling 16).
func (c Changes) Attested(old *Object, manager string) []string { return c.fields }

// Hygiene reports whether an UPDATE is nothing but bookkeeping (ruling 13): it only removes Update
// entries, or parts of them, from managedFields and annotations of a closed list. No Apply entry
// changes. The paths are what was removed, or, where it is not bookkeeping, what else changed.
func Hygiene(old, object *Object) (paths []string, ok bool) { return nil, false }

// StatusOnly reports whether an UPDATE of the sub-resource status changes .status alone, with the
// managedFields entries of that sub-resource. The paths are what else changed.
func StatusOnly(old, object *Object) (paths []string, ok bool) { return nil, false }
