package schema

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsapply "k8s.io/apiextensions-apiserver/pkg/client/applyconfiguration"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiregistrationapply "k8s.io/kube-aggregator/pkg/client/applyconfiguration"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
)

// BuiltIn is the snapshot of the kinds that client-go is compiled with, and of
// CustomResourceDefinition and APIService. It is made once.
var BuiltIn = sync.OnceValue(func() *Snapshot {
	s := &Snapshot{kinds: map[change.Kind]*kind{}}
	s.addScheme(scheme.Scheme, applyconfigurations.NewTypeConverter(scheme.Scheme))
	extensions := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(extensions); err != nil {
		panic(err) // two types of one name in the library
	}
	s.addScheme(extensions, apiextensionsapply.NewTypeConverter(extensions))
	registration := runtime.NewScheme()
	if err := apiregistrationv1.AddToScheme(registration); err != nil {
		panic(err) // likewise
	}
	s.addScheme(registration, apiregistrationapply.NewTypeConverter(registration))
	return s
})

// addScheme adds the kinds of a scheme that the converter has a type for.
func (s *Snapshot) addScheme(from *runtime.Scheme, c managedfields.TypeConverter) {
	for gvk := range from.AllKnownTypes() {
		t, ok := parseable(c, gvk)
		if !ok || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		s.kinds[change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}] = native(t, from, gvk)
	}
}

// parseable is the type that a converter has for a kind: that of an object with nothing in it.
func parseable(c managedfields.TypeConverter, gvk schema.GroupVersionKind) (typed.ParseableType, bool) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	v, err := c.ObjectToTyped(u)
	if err != nil {
		return typed.ParseableType{}, false
	}
	return typed.ParseableType{Schema: v.Schema(), TypeRef: v.TypeRef()}, true
}

// native is a kind that the API server holds in a Go type. Every such kind with a status keeps
// writes of the main resource away from it.
func native(t typed.ParseableType, from *runtime.Scheme, gvk schema.GroupVersionKind) *kind {
	return &kind{
		typ: canon.NewType(t, canon.Traits{Native: true, ResetsStatus: hasField(t, "status")}),
		canonical: func(manifest map[string]any) (map[string]any, error) {
			return roundTrip(manifest, from, gvk)
		},
		digest: onceSum(t, "native"),
	}
}

// onceSum is sumType where somebody first asks for it.
func onceSum(t typed.ParseableType, more string) func() [sha256.Size]byte {
	return sync.OnceValue(func() [sha256.Size]byte { return sumType(t, more) })
}

// builtInSchema is the schema that all built-in types share.
func builtInSchema() *smd.Schema {
	t, ok := parseable(applyconfigurations.NewTypeConverter(scheme.Scheme), schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	if !ok {
		panic("client-go has no type for a ConfigMap")
	}
	return t.Schema
}

func hasField(t typed.ParseableType, name string) bool {
	atom, ok := t.Schema.Resolve(t.TypeRef)
	if !ok || atom.Map == nil {
		return false
	}
	_, ok = atom.Map.FindField(name)
	return ok
}

// roundTrip puts a manifest through its Go type, which spells quantities, times and the like in
// their one way, as the API server does.
func roundTrip(manifest map[string]any, from *runtime.Scheme, gvk schema.GroupVersionKind) (map[string]any, error) {
	o, err := from.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("no Go type for %s", gvk)
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("encoding manifest: %w", err)
	}
	if err := json.Unmarshal(raw, o); err != nil {
		// The error may quote a value, and the manifest may be a Secret.
		return nil, fmt.Errorf("a field does not fit the Go type of %s", gvk)
	}
	if rounded[gvk.Group] {
		roundResources(reflect.ValueOf(o))
	}
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("a field cannot be encoded from the Go type of %s", gvk)
	}
	derive(gvk, out)
	return out, nil
}
