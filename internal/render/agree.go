package render

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/kyaml/kio"
)

// sameForKustomize refuses a document that kustomize reads differently than kubectl did (T-60).
// kubectl reads YAML 1.1, kustomize mostly 1.2, and engines deliver plain manifests through either:
// what yes, 1_000 or a merge key means must not depend on who applies it. What kustomize cannot read
// at all, such as a number for a name, it cannot read differently.
func (r reader) sameForKustomize(doc document, v any) error {
	other, err := kustomizeReading(doc.text)
	if err != nil || reflect.DeepEqual(v, other) {
		return nil
	}
	where := "this document"
	if at := difference(v, other, ""); at != "" {
		where = cut(at)
	}
	remedy := "quote the value, or write true, false or a decimal number"
	if ended, err := kustomizeReading(slices.Concat(doc.text, []byte("\n"))); err == nil && reflect.DeepEqual(v, ended) {
		remedy = "end the file with a line break, which kubectl adds and kustomize does not"
	}
	return r.refuse(Ambiguous, doc.line, "kubectl and kustomize read %s differently; %s", where, remedy)
}

// kustomizeReading is what kustomize's YAML library makes of a document that was scanned.
func kustomizeReading(text []byte) (any, error) {
	nodes, err := (&kio.ByteReader{
		Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true, AnchorsAweigh: true,
	}).Read()
	if err != nil || len(nodes) != 1 {
		return nil, err
	}
	data, err := nodes[0].MarshalJSON()
	if err != nil {
		return nil, err
	}
	var v any
	err = json.Unmarshal(data, &v)
	return v, err
}

// difference is the first place where two values part: the names on the way, never a value.
func difference(a, b any, at string) string {
	switch a := a.(type) {
	case map[string]any:
		b, same := b.(map[string]any)
		if !same {
			return at
		}
		for _, key := range slices.Sorted(maps.Keys(a)) {
			if !reflect.DeepEqual(a[key], b[key]) {
				return difference(a[key], b[key], strings.TrimPrefix(at+"."+key, "."))
			}
		}
	case []any:
		b, same := b.([]any)
		if !same || len(a) != len(b) {
			return at
		}
		for i := range a {
			if !reflect.DeepEqual(a[i], b[i]) {
				return difference(a[i], b[i], fmt.Sprintf("%s[%d]", at, i))
			}
		}
	}
	return at
}
