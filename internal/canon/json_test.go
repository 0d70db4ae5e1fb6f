package canon

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSONValues(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want any
	}{
		{`null`, nil}, {` true `, true}, {"false\n", false}, {`0`, int64(0)}, {`-0`, int64(0)}, {`12`, int64(12)},
		{`9007199254740993`, int64(9007199254740993)}, {`1.0`, int64(1)}, {`1e3`, int64(1000)}, {`0.25`, 0.25}, {`1E-2`, 0.01},
		{`"a"`, "a"}, {`"\u0061\n\"\\\/\ud83d\ude00"`, "a\n\"\\/😀"}, {`""`, ""},
		{`[]`, []any{}}, {`[1,[2],{}]`, []any{int64(1), []any{int64(2)}, map[string]any{}}},
		{`{"a":{"b":[null]},"\u0063":"d"}`, map[string]any{"a": map[string]any{"b": []any{nil}}, "c": "d"}},
	} {
		d, err := parseJSON([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, d.value(0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

// T-60: what two readers may read in two ways is not read at all.
func TestT60ParseJSONRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `nul`, `tru`, `+1`, `01`, `1.`, `.5`, `1e`, `-`, `--1`, `0x1`, `NaN`, `"a`, `"\x"`, `"\u12"`, `"\ud800"`, `"\ud800\u0041"`,
		`"\udc00"`, "\"\n\"", "\"\xff\"", `[1,]`, `[1 2]`, `[`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `{"a":1`, `{"a":}`, `{} {}`, `[]]`, `'a'`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `{"b":1,"a":2,"b":3}`, `{"x":{"a":1,"a":2}}`,
		`{` + many(40, `"k%":1`) + `,"k7":2}`,
		strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
	} {
		if _, err := parseJSON([]byte(in)); err == nil {
			t.Errorf("%.60q was read", in)
		}
	}
}

// many is n items, with % replaced by a number that puts them out of order.
func many(n int, item string) string {
	var out []string
	for i := range n {
		out = append(out, strings.ReplaceAll(item, "%", string(rune('a'+i%26))+string(rune('0'+(n-i)/26))+string(rune('0'+i%10))))
	}
	return strings.Join(append(out, `"k7":1`), ",")
}

func TestMemberLookup(t *testing.T) {
	for _, in := range []string{
		`{"a":1,"b":2,"c":3,"e":5}`, `{"c":3,"a":1,"e":5,"b":2}`, `{"\u0061":1,"b":2,"c":3,"e":5}`,
	} {
		d, err := parseJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		hints := []ref{none}
		for c := d.first(0); c != none; c = d.next(c) {
			hints = append(hints, c)
		}
		for name, want := range map[string]any{"a": int64(1), "b": int64(2), "c": int64(3), "e": int64(5), "": nil, "d": nil, "f": nil, "0": nil} {
			for _, hint := range hints {
				if got := d.value(d.memberAfter(0, []byte(name), hint)); got != want {
					t.Errorf("%s: member %q from hint %d is %v, want %v", in, name, hint, got, want)
				}
			}
		}
	}
}

func TestSameIsByMeaning(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[1,"x"]}`, `{"b":[1.0,"\u0078"],"a":1e0}`, true},
		{`{"a":1}`, `{"a":1,"b":null}`, false}, {`[1,2]`, `[2,1]`, false}, {`"1"`, `1`, false}, {`null`, `{}`, false}, {`true`, `false`, false},
		{`9007199254740993`, `9007199254740992`, false}, {`{}`, `[]`, false}, {`1`, `2`, false},
	} {
		a, errA := parseJSON([]byte(tt.a))
		b, errB := parseJSON([]byte(tt.b))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := same(a, 0, b, 0); got != tt.want {
			t.Errorf("same(%s, %s) = %t", tt.a, tt.b, got)
		}
		whole := bytes.Equal(appendWhole(nil, a, 0, false, nil), appendWhole(nil, b, 0, false, nil))
		if whole != tt.want {
			t.Errorf("the encodings of %s and %s are equal: %t", tt.a, tt.b, whole)
		}
	}
}

// FuzzParseJSON holds the parser against the standard library's: what it reads, the library reads,
// and to the same value. It may refuse more.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true,{}]}`, `"\ud83d\ude00"`, `[[],{},""]`, `-1.5e+3`, `{"a":1,"a":2}`, `{"b":1,"a":{"b":[]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseJSON(raw)
		if err != nil {
			return
		}
		var want any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("read %q, which the standard library refuses: %v", raw, err)
		}
		if got := plainValue(d, 0); !cmp.Equal(want, got) {
			t.Fatalf("%q: %s", raw, cmp.Diff(want, got))
		}
		again, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		e, err := parseJSON(again)
		if err != nil {
			t.Fatalf("%q is not read: %v", again, err)
		}
		if !same(d, 0, e, 0) || !bytes.Equal(appendWhole(nil, d, 0, false, nil), appendWhole(nil, e, 0, false, nil)) {
			t.Fatalf("%q and %q are not the same", raw, again)
		}
	})
}

// plainValue is the value with numbers as they are written.
func plainValue(d *doc, n ref) any {
	switch d.kind(n) {
	case boolean:
		return d.bytes(n)[0] == 't'
	case number:
		return json.Number(d.bytes(n))
	case text:
		if s := d.str(n); utf8.ValidString(s) {
			return s
		}
		return nil
	case list:
		out := []any{}
		for c := d.first(n); c != none; c = d.next(c) {
			out = append(out, plainValue(d, c))
		}
		return out
	case object:
		out := map[string]any{}
		for c := d.first(n); c != none; c = d.next(c) {
			out[string(d.key(c))] = plainValue(d, c)
		}
		return out
	}
	return nil
}

// FuzzParse: whatever the bytes, reading an object and asking it everything neither panics nor binds.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:a":{},"k:{\"a\":1}":{},"v:1":{},"i:0":{}}}}]},"data":{"a":"b"}}`))
	f.Add([]byte(`{"apiVersion":"a/v1","kind":"K","metadata":{"labels":{"a":1},"ownerReferences":[{"apiVersion":"v1","controller":true}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := Parse(raw)
		if err != nil {
			return
		}
		_ = o.Meta()
		if _, err := entries(o.doc, o.meta.Kind, nil); err != nil {
			return
		}
		if c, err := Compare(o, o, nil); err != nil || !c.Empty() {
			t.Fatalf("%q differs from itself: %v %v", raw, c.Paths(), err)
		}
		if r := Bind(Binding{Kind: o.meta.Kind, Object: o, Manager: "m", Types: nothing{}}); r.Reason == Applied {
			t.Fatalf("%q is bound without a schema", raw)
		}
	})
}
