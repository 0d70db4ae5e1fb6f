package main

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// server is the API server that is asked.
type server struct {
	client     dynamic.Interface
	mapper     *restmapper.DeferredDiscoveryRESTMapper
	openapi    openapi3.Root
	converters map[schema.GroupVersion]managedfields.TypeConverter
	version    string
}

func newServer(cfg *rest.Config) (*server, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	cfg.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, err
	}
	v, err := d.ServerVersion()
	if err != nil {
		return nil, err
	}
	return &server{
		client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d)), openapi: openapi3.NewRoot(d.OpenAPIV3()),
		converters: map[schema.GroupVersion]managedfields.TypeConverter{}, version: v.GitVersion,
	}, nil
}

// pair is what was sent and what came back, with the schema of both.
type pair struct {
	kind      string // as the table spells it: group/Kind
	sent, got map[string]any
	typ       *typed.TypedValue
}

// apply applies a manifest, dry run, under a name and namespace of its own.
func (s *server) apply(ctx context.Context, m map[string]any, namespace string) (pair, error) {
	u := &unstructured.Unstructured{Object: m}
	gvk := u.GroupVersionKind()
	mapping, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return pair{}, err
	}
	var client dynamic.ResourceInterface = s.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == "namespace" {
		u.SetNamespace(namespace)
		client = s.client.Resource(mapping.Resource).Namespace(namespace)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return pair{}, err
	}
	options := metav1.PatchOptions{FieldManager: "defaults", DryRun: []string{metav1.DryRunAll}}
	got, err := client.Patch(ctx, u.GetName(), types.ApplyPatchType, raw, options)
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w\n%s", gvk.Kind, err, raw)
	}
	t, err := s.typed(got)
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w", gvk.Kind, err)
	}
	group := gvk.Group
	if group == "" {
		group = "v1"
	}
	return pair{kind: group + "/" + gvk.Kind, sent: m, got: got.Object, typ: t}, nil
}

// typed gives an object the type that the API server publishes for it.
func (s *server) typed(u *unstructured.Unstructured) (*typed.TypedValue, error) {
	gv := u.GroupVersionKind().GroupVersion()
	c, ok := s.converters[gv]
	if !ok {
		doc, err := s.openapi.GVSpec(gv)
		if err != nil {
			return nil, err
		}
		if c, err = managedfields.NewTypeConverter(doc.Components.Schemas, false); err != nil {
			return nil, err
		}
		s.converters[gv] = c
	}
	return c.ObjectToTyped(u)
}

// decode reads JSON as the API server does: an integer stays one.
func decode(raw []byte) (m map[string]any, err error) {
	err = utiljson.Unmarshal(raw, &m)
	return m, err
}
