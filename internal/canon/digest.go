package canon

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairway-dev/fairway/internal/change"
)

// context begins every message that is digested, so that no other use of the key can be mistaken
// for this one, and a change of the encoding changes every digest.
const context = "fairway.dev/canon/v1\x00"

// digest is the keyed digest of the leaves that s owns in o, by the apply of a manager.
func (o *Object) digest(key Key, t *Type, s *owned, manager string) (change.Digest, path, error) {
	var sum change.Digest
	if key.secret == "" {
		return sum, nil, errNoKey
	}
	w := encoder{d: o.doc, native: t.traits.Native, buf: make([]byte, 0, 512+len(o.doc.raw))}
	w.buf = append(w.buf, context...)
	m := &o.meta
	for _, s := range [...]string{m.Kind.Group, m.Kind.Version, m.Kind.Kind, m.Namespace, m.Name} {
		w.buf = appendSized(w.buf, []byte(s))
	}
	s = unstamped(s)
	if manager == hookManager {
		s = o.unhooked(s)
	}
	if w.set(s, 0, t.root, shippedDefaults().of(m.Kind)); w.err != nil {
		return sum, w.at, w.err
	}
	mac := hmac.New(sha256.New, []byte(key.secret))
	mac.Write(w.buf)
	mac.Sum(sum[:0])
	return sum, nil, nil
}

// DigestManifest is the digest of what a server-side apply of manifest would own: each field path
// with its value as the API server stores it. The manifest needs apiVersion, kind and
// metadata.name, and metadata.namespace if the kind is namespaced. A manifest that the API server
// would refuse to apply (unknown field, two items of one key, a kind without a schema) is an error.
func DigestManifest(manifest map[string]any, s Schema, key Key) (change.Digest, error) {
	o, t, set, err := applied(manifest, s)
	if err != nil {
		return change.Digest{}, err
	}
	sum, at, err := o.digest(key, t, &set, hookManager)
	if err != nil {
		return sum, fmt.Errorf("digesting %s, %s: %w", o.ID(), at, err)
	}
	return sum, nil
}

// unowned are the fields that an apply never owns, whatever the manifest says of them.
var unowned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"), fieldpath.MakePathOrDie("metadata", "namespace"),
	fieldpath.MakePathOrDie("metadata", "creationTimestamp"), fieldpath.MakePathOrDie("metadata", "selfLink"),
	fieldpath.MakePathOrDie("metadata", "uid"), fieldpath.MakePathOrDie("metadata", "clusterName"),
	fieldpath.MakePathOrDie("metadata", "generation"), fieldpath.MakePathOrDie("metadata", "managedFields"),
	fieldpath.MakePathOrDie("metadata", "resourceVersion"),
)

// applied is the object that an apply of manifest makes, its type, and the set that it owns.
func applied(manifest map[string]any, s Schema) (*Object, *Type, owned, error) {
	fail := func(err error) (*Object, *Type, owned, error) { return nil, nil, owned{}, err }
	sent, err := encodeManifest(manifest)
	if err != nil {
		return fail(err)
	}
	id, k := sent.ID(), sent.meta.Kind
	manifest = sent.plain() // a copy, with numbers as the API server reads them
	t, ok := s.Type(k)
	if !ok {
		return fail(fmt.Errorf("manifest of %s: no schema for %s", id, k))
	}
	set, err := sentFields(manifest, t, k)
	if err != nil {
		return fail(fmt.Errorf("manifest of %s: %w", id, err))
	}
	stored, err := s.Canonical(k, manifest)
	if err != nil {
		return fail(fmt.Errorf("manifest of %s: %w", id, err))
	}
	o, err := encodeManifest(stored)
	if err != nil {
		return fail(err)
	}
	if o.ID() != id || o.meta.Kind != k {
		return fail(fmt.Errorf("manifest of %s: its canonical form is another object", id))
	}
	return o, t, set, nil
}

// sentFields is the set of fields that an apply of manifest would own.
func sentFields(manifest map[string]any, t *Type, k change.Kind) (owned, error) {
	v, err := t.parseable.FromUnstructured(manifest)
	if err != nil {
		return owned{}, pathsOnly(err)
	}
	fields, err := v.ToFieldSet()
	if err != nil {
		return owned{}, pathsOnly(err)
	}
	fields = fields.Difference(unowned)
	if t.traits.ResetsStatus {
		fields = fields.RecursiveDifference(fieldpath.NewSet(fieldpath.MakePathOrDie("status")))
	}
	raw, err := fields.ToJSON()
	if err != nil {
		return owned{}, fmt.Errorf("field set: %w", err)
	}
	d, err := parseJSON(raw)
	if err != nil {
		return owned{}, fmt.Errorf("field set: %w", err)
	}
	r := setReader{d: d}
	set, err := r.read(0)
	if err == nil && isSecret(k) {
		foldStringData(&set)
	}
	return set, err
}

// encodeManifest is a manifest as an Object.
func encodeManifest(manifest map[string]any) (*Object, error) {
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("encoding manifest: %w", err)
	}
	return Parse(raw)
}

// Differ names the fields in which the server-side apply by manager that object holds differs from
// manifest: missing, added or of another value. Paths only, sorted; empty: they are the same.
func Differ(object *Object, manager string, manifest map[string]any, s Schema) ([]string, error) {
	want, t, wantSet, err := applied(manifest, s)
	if err != nil {
		return nil, err
	}
	all, err := entries(object.doc, object.meta.Kind, nil)
	if err != nil {
		return nil, err
	}
	var haveSet owned
	if e := find(all, &entry{manager: manager, operation: operationApply}); e != nil {
		haveSet = e.set
	}
	a, b := object.leaves(t, &haveSet), want.leaves(t, &wantSet)
	var out []string
	for p, v := range a.values {
		if w, ok := b.values[p]; !ok || v != w {
			out = append(out, p)
		}
	}
	for p := range b.values {
		if _, ok := a.values[p]; !ok {
			out = append(out, p)
		}
	}
	if len(out) == 0 { // with the same items, their order
		for p, v := range a.orders {
			if v != b.orders[p] {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// leaves are the owned fields of an object with their encoding, and the order of the owned items of
// its lists, by path.
type leaves struct {
	values, orders map[string]string
}

func (o *Object) leaves(t *Type, s *owned) leaves {
	out := leaves{map[string]string{}, map[string]string{}}
	w := encoder{d: o.doc, native: t.traits.Native}
	w.each = func(p path, written []byte) { out.values[p.String()] = string(written) }
	w.order = func(p path, written []byte) { out.orders[p.String()] = string(written) }
	w.set(o.unhooked(unstamped(s)), 0, t.root, shippedDefaults().of(o.meta.Kind))
	return out
}

// pathsOnly is a schema's complaint without the values that it quotes.
func pathsOnly(err error) error {
	var all typed.ValidationErrors
	if !errors.As(err, &all) {
		return errors.New("does not fit its schema")
	}
	out := make([]string, 0, len(all))
	for _, e := range all {
		what := "does not fit its schema"
		if e.ErrorMessage == "field not declared in schema" {
			what = e.ErrorMessage
		}
		out = append(out, strings.TrimPrefix(e.Path, ".")+": "+what)
	}
	slices.Sort(out)
	return errors.New(strings.Join(slices.Compact(out), "; "))
}
