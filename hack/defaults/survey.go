package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// place is one position of one kind, over all objects of the corpus that reach it.
type place struct {
	kind, pattern string
	values        map[string]int // JSON of what was added, and how often
	varies        bool           // the same manifest was given different values
	absent        int            // how often the field was absent from the manifest and from the answer
}

// survey collects what the API server adds.
type survey struct {
	places map[[2]string]*place
	noise  []string // scalars that came back in another form; for the reader of the log
	kind   string
	schema *smd.Schema
}

func (s *survey) at(pattern string) *place {
	k := [2]string{s.kind, pattern}
	if s.places[k] == nil {
		s.places[k] = &place{kind: s.kind, pattern: pattern, values: map[string]int{}}
	}
	return s.places[k]
}

// object looks at one pair. The fields of the identity, and status, are the server's business.
func (s *survey) object(p pair) {
	s.kind, s.schema = p.kind, p.typ.Schema()
	skip := func(m map[string]any) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			if k != "apiVersion" && k != "kind" && k != "status" && k != "metadata" {
				out[k] = v
			}
		}
		if meta, ok := m["metadata"].(map[string]any); ok {
			kept := map[string]any{}
			for _, k := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
				if v, ok := meta[k]; ok {
					kept[k] = v
				}
			}
			out["metadata"] = kept
		}
		return out
	}
	sent := skip(p.sent)
	if p.kind == "v1/Secret" { // the server folds stringData into data
		sent["data"] = skip(p.got)["data"]
	}
	s.walk(sent, skip(p.got), p.typ.TypeRef(), "", false)
}

// walk compares a value with what came back. Inside is set within what is owned as a whole.
func (s *survey) walk(sent, got any, t smd.TypeRef, at string, inside bool) {
	atom, _ := s.schema.Resolve(t)
	switch got := got.(type) {
	case map[string]any:
		if m, ok := sent.(map[string]any); ok || sent == nil {
			inside = inside || atom.Map != nil && atom.Map.ElementRelationship == smd.Atomic
			s.members(m, got, atom.Map, at, inside)
		}
	case []any:
		l, _ := sent.([]any)
		var of smd.TypeRef
		if atom.List != nil {
			of = atom.List.ElementType
			inside = inside || atom.List.ElementRelationship == smd.Atomic
		}
		s.items(l, got, of, at, inside)
	default:
		if !reflect.DeepEqual(sent, got) {
			s.noise = append(s.noise, fmt.Sprintf("%s %s: %v became %v", s.kind, at, sent, got))
		}
	}
}

func (s *survey) members(sent, got map[string]any, m *smd.Map, at string, inside bool) {
	for _, name := range keys(sent, got) {
		t, known := fieldType(m, name)
		pattern := join(at, name, known)
		g, there := got[name]
		was, had := sent[name]
		switch {
		case there && g != nil && (!had || was == nil):
			s.added(g, t, pattern, inside)
		case there && g != nil:
			s.walk(was, g, t, pattern, inside)
		}
	}
	if m == nil {
		return
	}
	for _, f := range m.Fields { // absent here and there: not always a default
		g, there := got[f.Name]
		if was := sent[f.Name]; was == nil && (!there || g == nil) {
			s.at(join(at, f.Name, true)).absent++
		}
	}
}

// added books a field that was not sent: as a whole where it is owned as a whole, else part by part.
func (s *survey) added(got any, t smd.TypeRef, at string, inside bool) {
	atom, _ := s.schema.Resolve(t)
	switch v := got.(type) {
	case map[string]any:
		if !inside && (atom.Map == nil || atom.Map.ElementRelationship != smd.Atomic) {
			s.book(at, map[string]any{})
			s.members(nil, v, atom.Map, at, inside)
			return
		}
	case []any:
		if !inside && atom.List != nil && atom.List.ElementRelationship == smd.Associative {
			s.items(nil, v, atom.List.ElementType, at, inside)
			return
		}
	}
	s.book(at, got)
}

func (s *survey) book(at string, v any) {
	raw, _ := json.Marshal(v) // came from JSON
	s.at(at).values[string(raw)]++
}

// items pairs the items of two lists: each that was sent with the first that holds all its scalars.
func (s *survey) items(sent, got []any, of smd.TypeRef, at string, inside bool) {
	used := make([]bool, len(got))
	for i, item := range sent {
		j := slices.IndexFunc(got, func(g any) bool { return contains(g, item) })
		if j < 0 || used[j] {
			j = i // came back in another form: trust the order
		}
		if j < len(got) {
			used[j] = true
			s.walk(item, got[j], of, at+s.which(item, at), inside)
		}
	}
	for j, g := range got {
		if !used[j] && len(got) > len(sent) {
			s.newItem(g, of, at, inside)
		}
	}
}

// which is the part of a pattern for an item that was sent.
func (s *survey) which(item any, at string) string {
	if m, ok := item.(map[string]any); ok && split[s.kind+" "+at] != "" {
		field := split[s.kind+" "+at]
		return fmt.Sprintf("[%s=%v]", field, m[field])
	}
	return "[*]"
}

// newItem books an item that the server put into a list.
func (s *survey) newItem(g any, of smd.TypeRef, at string, inside bool) {
	m, ok := g.(map[string]any)
	switch {
	case inside:
		s.book(at+"[*]", g)
	case !ok:
		s.book(fmt.Sprintf("%s[=%s]", at, quote(fmt.Sprint(g))), g)
	default:
		key := "name"
		for _, k := range []string{"mountPath", "key", "type"} {
			if m[k] != nil {
				key = k
			}
		}
		s.added(g, of, fmt.Sprintf("%s[%s=%s]", at, key, quote(generic(fmt.Sprint(m[key])))), inside)
	}
}

// contains reports whether g holds every scalar of what was sent.
func contains(g, sent any) bool {
	m, ok := sent.(map[string]any)
	if !ok {
		return reflect.DeepEqual(g, sent)
	}
	gm, _ := g.(map[string]any)
	for k, v := range m {
		switch v.(type) {
		case map[string]any, []any, nil:
			if v != nil && gm[k] == nil {
				return false
			}
		default:
			if !reflect.DeepEqual(gm[k], v) {
				return false
			}
		}
	}
	return gm != nil
}

func fieldType(m *smd.Map, name string) (smd.TypeRef, bool) {
	if m == nil {
		return smd.TypeRef{}, false
	}
	if f, ok := m.FindField(name); ok {
		return f.Type, true
	}
	return m.ElementType, false
}

func join(at, name string, known bool) string {
	if !known {
		return at + "[" + quote(name) + "]"
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

// quote puts a name into the quotes of a path pattern, but for its stars.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

func keys(a, b map[string]any) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}
