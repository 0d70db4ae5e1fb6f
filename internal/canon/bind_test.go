package canon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

// TestBindFailsClosed: what cannot be judged is not bound, and says why.
func TestBindFailsClosed(t *testing.T) {
	git := manifest("web:1", "")
	want := digest(t, git)
	s := newServer(t).apply(git, flux)
	object := s.live()
	good := canon.Binding{Kind: change1(deployment), Object: object, Manager: flux, Types: schema.BuiltIn(), Key: key}
	if r := canon.Bind(good); !r.BoundTo(want) {
		t.Fatalf("the object itself is not bound: %+v", r)
	}
	broken := func(set string) *canon.Object {
		return parsed([]byte(strings.Replace(string(encode(t, s.object())), `"f:app":{}`, set, 1)))
	}
	for name, tt := range map[string]struct {
		edit func(b *canon.Binding)
		want canon.Reason
	}{
		"no object":               {func(b *canon.Binding) { b.Object = nil }, canon.Unreadable},
		"no key":                  {func(b *canon.Binding) { b.Key = canon.Key{} }, canon.Unreadable},
		"another manager":         {func(b *canon.Binding) { b.Manager = "argocd-controller" }, canon.NotApplied},
		"no manager":              {func(b *canon.Binding) { b.Manager = "" }, canon.NotApplied},
		"another kind asked":      {func(b *canon.Binding) { b.Kind.Kind = "ReplicaSet" }, canon.Unreadable},
		"an unknown kind asked":   {func(b *canon.Binding) { b.Kind.Kind = "Deploy" }, canon.UnknownKind},
		"another version asked":   {func(b *canon.Binding) { b.Kind.Version = "v2" }, canon.UnknownKind},
		"another object before":   {func(b *canon.Binding) { b.Old = s.live(setPath("other", "metadata", "name")) }, canon.Unreadable},
		"fields that do not read": {func(b *canon.Binding) { b.Object = broken(`"app":{}`) }, canon.Unreadable},
		"a field that is no set":  {func(b *canon.Binding) { b.Object = broken(`"f:app":[]`) }, canon.Unreadable},
		"the same before, broken": {func(b *canon.Binding) { b.Old = broken(`"f:app":1`) }, canon.Unreadable},
	} {
		b := good
		tt.edit(&b)
		if r := canon.Bind(b); r.Reason != tt.want || r.BoundTo(want) || r.BoundTo(change.Digest{}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if (canon.Result{Reason: canon.Applied}).BoundTo(change.Digest{}) {
		t.Error("a result that nobody made is bound")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range []string{
		``, `null`, `[]`, `{}`, `{"apiVersion":"v1","kind":"Pod"}`, `{"apiVersion":"v1","metadata":{}}`, `{"kind":"Pod","metadata":{}}`,
		`{"apiVersion":"/v1","kind":"Pod","metadata":{}}`, `{"apiVersion":"a/","kind":"Pod","metadata":{}}`, `{"apiVersion":"","kind":"Pod","metadata":{}}`,
		`{"apiVersion":1,"kind":"Pod","metadata":{}}`, `{"apiVersion":"v1","kind":"Pod","metadata":[]}`, `{"apiVersion":"v1","kind":"Pod","metadata":{},"metadata":{}}`,
	} {
		if o, err := canon.Parse([]byte(raw)); err == nil {
			t.Errorf("%s was read as %v", raw, o.ID())
		}
	}
}

func TestMeta(t *testing.T) {
	o := parsed([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"u-1","deletionTimestamp":"2026-01-02T03:04:05Z",
		"labels":{"a":"b"},"annotations":{"c":"d\u0065"},"finalizers":["f"],
		"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u-2","controller":true},{"apiVersion":"x.example/v1","kind":"K","name":"k","uid":"u-3"}]}}`))
	want := canon.Meta{
		Kind: change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: "shop", Name: "web", UID: "u-1",
		Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "de"}, Finalizers: []string{"f"}, Deleting: true,
		Owners: []canon.Owner{
			{Kind: change.Kind{Version: "v1", Kind: "Pod"}, Name: "p", UID: "u-2", Controller: true},
			{Kind: change.Kind{Group: "x.example", Version: "v1", Kind: "K"}, Name: "k", UID: "u-3"},
		},
	}
	if d := cmp.Diff(want, o.Meta()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if id := (change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}); o.ID() != id {
		t.Errorf("identity %v", o.ID())
	}
}

// FuzzBind: whatever stands in an object and the one before it, Bind does not panic, and what it
// binds to a manifest does not differ from it.
func FuzzBind(f *testing.F) {
	old, object, git := pair(f)
	f.Add(object, old)
	f.Add(object, object)
	f.Add(object, []byte(nil))
	f.Add([]byte(strings.Replace(string(object), `"f:args":{}`, `"f:args":{},"f:env":{}`, 1)), old)
	manifest := sixKiB("2")
	f.Fuzz(func(t *testing.T, object, old []byte) {
		o, err := canon.Parse(object)
		if err != nil {
			return
		}
		before, err := canon.Parse(old)
		if err != nil && len(old) > 0 {
			return
		}
		b := canon.Binding{Kind: o.Meta().Kind, Object: o, Old: before, Manager: flux, Types: schema.BuiltIn(), Key: key, Residue: true}
		if !canon.Bind(b).BoundTo(git) {
			return
		}
		if paths, err := canon.Differ(o, flux, manifest, schema.BuiltIn()); err != nil || len(paths) > 0 {
			t.Fatalf("bound, and differs in %q (%v)", paths, err)
		}
	})
}
