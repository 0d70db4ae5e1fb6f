package canon

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/util/managedfields"
)

// encodingOf is the encoding of the leaves that a set owns in an object, without a schema.
func encodingOf(t *testing.T, object, set string) string {
	t.Helper()
	d, err := parseJSON([]byte(object))
	if err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	e, err := parseJSON([]byte(set))
	if err != nil {
		t.Fatalf("%s: %v", set, err)
	}
	r := setReader{d: e}
	s, err := r.read(0)
	if err != nil {
		t.Fatalf("%s: %v", set, err)
	}
	w := encoder{d: d}
	w.set(&s, 0, nil, fills{})
	if w.err != nil {
		t.Fatal(w.err)
	}
	return string(w.buf)
}

// TestEncodingIsUnambiguous: what differs in a set or a value differs in the encoding, also where the
// same characters stand in both.
func TestEncodingIsUnambiguous(t *testing.T) {
	seen := map[string]string{}
	add := func(object, set string) {
		enc := encodingOf(t, object, set)
		if before, ok := seen[enc]; ok {
			t.Errorf("%s with %s is encoded as %s", object, set, before)
		}
		seen[enc] = object + " with " + set
	}
	const a, ab = `{"f:a":{}}`, `{"f:a":{},"f:b":{}}`
	for _, v := range []string{
		`null`, `true`, `false`, `"true"`, `"null"`, `""`, `0`, `"0"`, `1`, `"1"`, `12`, `1.5`, `"1.5"`, `[]`, `[[]]`, `[[],[]]`, `[1,2]`, `[12]`, `["1,2"]`, `[1,[2]]`,
		`[null]`, `["a","b"]`, `["ab"]`, `["a",["b"]]`, `[{}]`, `[{"a":1}]`, `[{"a":1},{}]`, `[{"a":1,"b":2}]`, `[{"a":1},{"b":2}]`, `[{"b":1,"a":2}]`, `"x\u0000"`, `"x"`,
		`9007199254740993`, `9007199254740992`, `1e400`, `1e401`, `-1`,
	} {
		add(`{"a":`+v+`}`, a)
	}
	add(`{"a":"x"}`, `{}`)
	add(`{"a":"x","b":""}`, ab)
	add(`{"a":"","b":"x"}`, ab)
	add(`{"a":"xf:b"}`, ab)
	add(`{"a":{"b":"x"}}`, `{"f:a":{"f:b":{}}}`)
	add(`{"a":{"b":"x"}}`, `{"f:a":{".":{},"f:b":{}}}`)
	add(`{"a":{"b":"x"},"b":"x"}`, `{"f:a":{"f:b":{}},"f:b":{}}`)
	add(`{"a":{"b":"x"}}`, `{"f:a":{},"f:b":{}}`)
	add(`{"ab":"x"}`, `{"f:ab":{}}`)
	add(`{"a":[{"n":"x"}]}`, `{"f:a":{"k:{\"n\":\"x\"}":{".":{}}}}`)
	add(`{"a":[{"n":1}]}`, `{"f:a":{"k:{\"n\":1}":{".":{}}}}`)
	add(`{"a":["x"]}`, `{"f:a":{"v:\"x\"":{}}}`)
	add(`{"a":["x"]}`, `{"f:a":{"i:0":{}}}`)
}

// TestEncodingOfOneMeaning: how a set or a number was written down does not matter.
func TestEncodingOfOneMeaning(t *testing.T) {
	for _, pair := range [][4]string{
		{`{"a":1,"b":2}`, `{"f:a":{},"f:b":{}}`, `{"b":2.0,"a":1e0}`, `{"f:b":{},"f:a":{".":{}}}`},
		{`{"a":[{"x":1,"y":"z"}]}`, `{"f:a":{"k:{\"x\":1,\"y\":\"z\"}":{}}}`, `{"a":[{"y":"z","x":1}]}`, `{"f:a":{"k:{\"y\":\"\\u007a\", \"x\":1.0}":{}}}`},
	} {
		if encodingOf(t, pair[0], pair[1]) != encodingOf(t, pair[2], pair[3]) {
			t.Errorf("%s and %s", pair[0], pair[2])
		}
	}
}

// TestSetsThatCannotBeRead: managedFields come from the API server, but it stores what a client may
// have sent.
func TestSetsThatCannotBeRead(t *testing.T) {
	for _, set := range []string{
		`[]`, `"x"`, `{"a":{}}`, `{"":{}}`, `{"x:a":{}}`, `{"f:a":1}`, `{"f:a":null}`, `{"k:":{}}`, `{"k:{}":{}}`, `{"k:[]":{}}`, `{"k:{\"a\":}":{}}`, `{"v:":{}}`, `{"v:1 2":{}}`,
		`{"v:1":{},"v:1.0":{}}`, `{"k:{\"a\":1}":{},"k:{\"a\":1e0}":{}}`,
	} {
		e, err := parseJSON([]byte(set))
		if err != nil {
			t.Fatal(err)
		}
		r := setReader{d: e}
		if s, err := r.read(0); err == nil {
			t.Errorf("%s was read as %+v", set, s)
		}
	}
}

// TestNullIsNotEmptyInACustomResource: without a Go type between, an empty map turns a feature on
// that null leaves off. A scalar may stand beside a map in a type and still counts.
func TestNullIsNotEmptyInACustomResource(t *testing.T) {
	m := fromYAML(t, podText)
	custom, native := typeFor(t, converter, m), typeFor(t, converter, m)
	custom.traits.Native = false
	digest := func(kind *Type, spec string) string {
		raw, err := json.Marshal(map[string]any{"spec": json.RawMessage(spec)})
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		s := owned{kids: []owned{{step: elem("f:spec"), kids: []owned{{step: elem("f:nodeSelector"), member: true}}}}}
		w := encoder{d: d, native: kind.traits.Native}
		w.set(&s, 0, kind.root, fills{})
		return string(w.buf)
	}
	if digest(custom, `{"nodeSelector":null}`) == digest(custom, `{"nodeSelector":{}}`) {
		t.Error("null and {} are one in a custom resource")
	}
	if digest(native, `{"nodeSelector":null}`) != digest(native, `{}`) {
		t.Error("null and nothing differ in a native kind")
	}
	open := managedfields.NewDeducedTypeConverter()
	kind := typeFor(t, open, m)
	if digest(kind, `{"nodeSelector":1}`) == digest(kind, `{"nodeSelector":2}`) {
		t.Error("a scalar does not count where the type leaves open what may stand there")
	}
}
