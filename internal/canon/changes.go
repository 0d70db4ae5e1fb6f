package canon

import (
	"bytes"
	"slices"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// NoOp reports whether the request changes nothing at all: an UPDATE whose object and old object
// are both there and equal byte for byte (ruling 12).
func NoOp(r change.Request) bool {
	return r.Operation == change.Update && len(r.Object) > 0 && !bytes.Equal(r.Object, []byte("null")) && bytes.Equal(r.Object, r.Old)
}

// Changes is what an UPDATE changes. Of metadata, resourceVersion, generation and managedFields
// are left out of the fields; the entries of managedFields stand apart.
type Changes struct {
	fields []change1 // a container that came or went stands right before what is in it
	// Entries are the managedFields entries that are not the same before and after.
	Entries []EntryChange
}

// EntryChange is one managedFields entry that the request changes. Gained and Lost are field paths.
type EntryChange struct {
	Manager, Operation, APIVersion, Subresource string
	Gained, Lost                                []string
	// OtherVersion: the entry stood there before, in another API version.
	OtherVersion bool
}

// Compare is what changed from old to object, which must both be there. Without a type (nil) a list
// is compared whole, and so is one in which two items have one key: a pattern for an item does not
// cover such a change. managedFields that cannot be read are an error.
func Compare(old, object *Object, t *Type) (Changes, error) {
	var c Changes
	root := (*shape)(nil)
	if t != nil {
		root = t.root
	}
	w := differ{a: old.doc, b: object.doc}
	w.skip = func(p path) bool {
		return len(p) == 2 && p[0].isField("metadata") &&
			(p[1].isField("resourceVersion") || p[1].isField("generation") || p[1].isField("managedFields"))
	}
	w.visit = func(what changeKind, p path) { c.fields = append(c.fields, change1{what, p.clone()}) }
	w.walk(0, 0, root)
	var err error
	c.Entries, err = compareEntries(old, object)
	return c, err
}

func compareEntries(old, object *Object) ([]EntryChange, error) {
	before, err := entries(old.doc, old.meta.Kind, nil)
	if err != nil {
		return nil, err
	}
	now, err := entries(object.doc, object.meta.Kind, nil)
	if err != nil {
		return nil, err
	}
	var out []EntryChange
	add := func(e, was, is *entry) {
		if was != nil && is != nil && bytes.Equal(was.raw, is.raw) && was.apiVersion == is.apiVersion {
			return
		}
		var a, b owned
		if was != nil {
			a = was.set
		}
		if is != nil {
			b = is.set
		}
		c := EntryChange{Manager: e.manager, Operation: e.operation, APIVersion: e.apiVersion, Subresource: e.subresource}
		c.OtherVersion = was != nil && is != nil && was.apiVersion != is.apiVersion
		b.without(&a, nil, func(p path) { c.Gained = append(c.Gained, p.String()) })
		a.without(&b, nil, func(p path) { c.Lost = append(c.Lost, p.String()) })
		out = append(out, c)
	}
	for i := range now {
		add(&now[i], find(before, &now[i]), &now[i])
	}
	for i := range before {
		if find(now, &before[i]) == nil {
			add(&before[i], &before[i], nil)
		}
	}
	return out, nil
}

// Empty reports that neither a field nor an entry changed.
func (c Changes) Empty() bool { return len(c.fields) == 0 && len(c.Entries) == 0 }

// Paths are the fields that were added, removed or given another value, sorted.
func (c Changes) Paths() []string { return c.where(func(path) bool { return true }) }

// Outside are the changed fields that none of the patterns covers. A container that came or went is
// judged by what is in it.
func (c Changes) Outside(allowed ...PathPattern) []string {
	var out []string
	for i, f := range c.fields {
		if !carrier(c.fields, i) && !coveredBy(allowed, f.path) {
			out = append(out, f.path.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// carrier reports whether the field at i is a container that came or went with what follows.
func carrier(all []change1, i int) bool {
	return all[i].what != modified && i+1 < len(all) && all[i+1].path.under(all[i].path)
}

// Gained are the changed fields covered by one of the patterns that hold something new: they came, or have another
// value.
func (c Changes) Gained(patterns ...PathPattern) []string {
	var out []string
	for i, f := range c.fields {
		if f.what != removed && !carrier(c.fields, i) && coveredBy(patterns, f.path) {
			out = append(out, f.path.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Within are the changed fields that one of the patterns covers, or that lie above one. Use it to
// see whether metadata.ownerReferences or metadata.finalizers was touched (T-13).
func (c Changes) Within(patterns ...PathPattern) []string {
	return c.where(func(p path) bool {
		return slices.ContainsFunc(patterns, func(q PathPattern) bool { return q.meets(p) })
	})
}

func (c Changes) where(keep func(path) bool) []string {
	var out []string
	for _, f := range c.fields {
		if keep(f.path) {
			out = append(out, f.path.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Attested are the changed fields that manager owns in old by a server-side apply, as a whole or in
// part: those that a proof attests. No runtime lane may change them (ruling 16).
func (c Changes) Attested(old *Object, manager string) ([]string, error) {
	all, err := entries(old.doc, old.meta.Kind, nil)
	if err != nil {
		return nil, err
	}
	e := find(all, &entry{manager: manager, operation: operationApply})
	if e == nil {
		return nil, nil
	}
	return c.where(func(p path) bool { return e.set.touches(p) }), nil
}

// touches reports whether the set has p, something below it, or something above it as a whole.
func (s *owned) touches(p path) bool {
	for _, e := range p {
		if s = s.kid(e); s == nil {
			return false
		}
		if s.member && len(s.kids) == 0 {
			return true
		}
	}
	return true
}

// bookkeeping are the annotations that engines leave behind and clean up, and that say nothing of
// what runs: a name, or with a star at its end the beginning of one.
var bookkeeping = [...]string{
	"kubectl.kubernetes.io/last-applied-configuration",
	"kustomize.toolkit.fluxcd.io/checksum",
	"fluxcd.io/sync-*",
}

func isBookkeeping(p path) bool {
	if len(p) != 3 || !p[0].isField("metadata") || !p[1].isField("annotations") || p[2][0] != 'f' {
		return false
	}
	name := string(p[2][2:])
	return slices.ContainsFunc(bookkeeping[:], func(s string) bool {
		if prefix, ok := strings.CutSuffix(s, "*"); ok {
			return strings.HasPrefix(name, prefix)
		}
		return name == s
	})
}

// Hygiene reports whether an UPDATE is nothing but bookkeeping (ruling 13): it only removes Update
// entries, or parts of them, from managedFields and annotations of a closed list. No Apply entry
// changes, but that one of the managers may take over what leftovers of kubectl or its own Update entry own: the fields
// stay what they are, and the manager's next apply sets them to what it attests or drops them; and that Argo CD takes
// its finalizer off a hook. The paths are what was removed, or, where it is not bookkeeping, what else changed.
func Hygiene(old, object *Object, managers ...string) (paths []string, ok bool) {
	annotations, finalizers := path{elem("f:metadata"), elem("f:annotations")}, path{elem("f:metadata"), elem("f:finalizers")}
	released := letsGo(old, object)
	var removedPaths, other []string
	w := differ{a: old.doc, b: object.doc}
	w.skip = func(p path) bool {
		return len(p) == 2 && p[0].isField("metadata") && (p[1].isField("resourceVersion") || p[1].isField("managedFields"))
	}
	w.visit = func(what changeKind, p path) {
		switch {
		case what == removed && isBookkeeping(p):
			removedPaths = append(removedPaths, p.String())
		case what == removed && p.String() == annotations.String(): // with the last of them
		case released && (p.under(finalizers) || p.String() == finalizers.String()):
			removedPaths = append(removedPaths, p.String())
		default:
			other = append(other, p.String())
		}
	}
	w.walk(0, 0, nil)
	changes, err := compareEntries(old, object)
	if err != nil {
		return []string{"metadata.managedFields"}, false
	}
	handed := handedOver(changes)
	for _, c := range changes {
		if (c.Operation == operationApply || len(c.Gained) > 0) && !handed.to(c, managers) && !(released && c.letGo()) {
			other = append(other, "metadata.managedFields")
		} else {
			removedPaths = append(removedPaths, "metadata.managedFields")
		}
	}
	if len(other) > 0 {
		slices.Sort(other)
		return slices.Compact(other), false
	}
	slices.Sort(removedPaths)
	return slices.Compact(removedPaths), len(removedPaths) > 0
}

// StatusOnly reports whether an UPDATE of the sub-resource status changes .status alone, with the
// managedFields entries of that sub-resource. The paths are what else changed: the caller may admit
// some of them (ruling 15).
func StatusOnly(old, object *Object) (paths []string, ok bool) {
	c, err := Compare(old, object, nil)
	if err != nil {
		return []string{"metadata.managedFields"}, false
	}
	paths = c.where(func(p path) bool { return len(p) == 0 || !p[0].isField("status") })
	for _, e := range c.Entries {
		if e.Subresource != "status" {
			paths = append(paths, "metadata.managedFields")
			break
		}
	}
	return paths, len(paths) == 0
}
