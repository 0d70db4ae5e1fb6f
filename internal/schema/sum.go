package schema

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// sumType is a digest of a type and of all types that it is made of, together with what else
// decides the canonical form.
func sumType(t typed.ParseableType, more string) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", more)
	w := typeWriter{w: h, schema: t.Schema, seen: map[string]bool{}}
	w.ref(t.TypeRef)
	return [sha256.Size]byte(h.Sum(nil))
}

// typeWriter writes a type in an order that does not depend on how the schema was made. A named
// type is written where it is first met.
type typeWriter struct {
	w      io.Writer
	schema *smd.Schema
	seen   map[string]bool
}

func (w *typeWriter) ref(r smd.TypeRef) {
	if r.ElementRelationship != nil {
		fmt.Fprintf(w.w, "as %s ", *r.ElementRelationship)
	}
	if r.NamedType == nil {
		w.atom(r.Inlined)
		return
	}
	fmt.Fprintf(w.w, "%q ", *r.NamedType)
	if w.seen[*r.NamedType] {
		return
	}
	w.seen[*r.NamedType] = true
	if d, ok := w.schema.FindNamedType(*r.NamedType); ok {
		w.atom(d.Atom)
	}
}

func (w *typeWriter) atom(a smd.Atom) {
	if a.Scalar != nil {
		fmt.Fprintf(w.w, "scalar %s\n", *a.Scalar)
	}
	if a.List != nil {
		fmt.Fprintf(w.w, "list %s %q of ", a.List.ElementRelationship, a.List.Keys)
		w.ref(a.List.ElementType)
	}
	if a.Map != nil {
		fmt.Fprintf(w.w, "map %s of ", a.Map.ElementRelationship)
		w.ref(a.Map.ElementType)
		fields := slices.SortedFunc(slices.Values(a.Map.Fields), func(a, b smd.StructField) int { return strings.Compare(a.Name, b.Name) })
		for _, f := range fields {
			fallback, _ := json.Marshal(f.Default) // plain data: cannot fail
			fmt.Fprintf(w.w, "field %q default %s ", f.Name, fallback)
			w.ref(f.Type)
		}
	}
	fmt.Fprintln(w.w, "end")
}
