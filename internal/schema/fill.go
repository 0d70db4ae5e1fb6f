package schema

import (
	"path"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// A filler does to a custom resource what the API server does before it stores one: it fills in the
// defaults of the schema, also for a null that the field does not allow. Metadata is left alone.
type filler struct {
	root  *spec.Schema
	named map[string]*spec.Schema // what references name; nil: there are none to follow
}

func (f *filler) fill(o map[string]any) {
	if f.root != nil {
		f.value(o, f.root)
	}
}

// resolve follows a reference. A reference to metadata, or to nowhere, says nothing.
func (f *filler) resolve(s *spec.Schema) *spec.Schema {
	ref := s.Ref.String()
	if ref == "" && len(s.AllOf) == 1 {
		ref = s.AllOf[0].Ref.String()
	}
	if ref == "" {
		return s
	}
	if name := path.Base(ref); name != objectMeta {
		return f.named[name]
	}
	return nil
}

// value fills what is inside v, in place.
func (f *filler) value(v any, s *spec.Schema) {
	if s = f.resolve(s); s == nil {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		f.object(v, s)
	case []any:
		if s.Items == nil || s.Items.Schema == nil {
			return
		}
		for i := range v {
			if v[i] == nil && !s.Items.Schema.Nullable && s.Items.Schema.Default != nil {
				v[i] = runtime.DeepCopyJSONValue(s.Items.Schema.Default)
			}
			f.value(v[i], s.Items.Schema)
		}
	}
}

func (f *filler) object(m map[string]any, s *spec.Schema) {
	for name, v := range m {
		if p := member(s, name); p != nil && v == nil && !p.Nullable && p.Default != nil {
			m[name] = runtime.DeepCopyJSONValue(p.Default)
		}
	}
	for name, p := range s.Properties {
		if _, ok := m[name]; !ok && p.Default != nil {
			m[name] = runtime.DeepCopyJSONValue(p.Default)
		}
	}
	for name, v := range m {
		if p := member(s, name); p != nil {
			f.value(v, p)
		}
	}
}

// member is the schema of a member; nil: none.
func member(s *spec.Schema, name string) *spec.Schema {
	if p, ok := s.Properties[name]; ok {
		return &p
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Schema
	}
	return nil
}
