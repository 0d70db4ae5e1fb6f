package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	gvs "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi3"
	"k8s.io/kube-openapi/pkg/spec3"
	"sigs.k8s.io/yaml"

	"github.com/fairway-dev/fairway/internal/canon"
	"github.com/fairway-dev/fairway/internal/change"
	"github.com/fairway-dev/fairway/internal/schema"
)

var (
	widget = change.Kind{Group: "binding.example", Version: "v1", Kind: "Widget"}
	loose  = change.Kind{Group: "binding.example", Version: "v1", Kind: "Loose"}
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// customKinds are the CRDs that the end-to-end tests bind objects of.
func customKinds(t *testing.T, edit ...func(string) string) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	raw, err := os.ReadFile("../../e2e/testdata/binding/crds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, e := range edit {
		text = e(text)
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, doc := range strings.Split(text, "\n---\n") {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(doc), crd); err != nil {
			t.Fatal(err)
		}
		out = append(out, crd)
	}
	return out
}

func fromCRDs(t *testing.T, edit ...func(string) string) *schema.Snapshot {
	t.Helper()
	s, err := schema.FromCRDs(customKinds(t, edit...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func replace(from, to string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, from) {
			panic("no " + from)
		}
		return strings.Replace(s, from, to, 1)
	}
}

func TestBuiltIn(t *testing.T) {
	s := schema.BuiltIn()
	for _, k := range []change.Kind{
		{Version: "v1", Kind: "Pod"}, {Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "autoscaling", Version: "v1", Kind: "HorizontalPodAutoscaler"}, {Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	} {
		if _, ok := s.Type(k); !ok {
			t.Errorf("%s is unknown", k)
		}
	}
	for _, k := range []change.Kind{{}, widget, {Group: "apps", Version: "v1beta9", Kind: "Deployment"}, {Version: "v1", Kind: "Nothing"}} {
		if _, ok := s.Type(k); ok {
			t.Errorf("%s is known", k)
		}
		if _, err := s.Canonical(k, map[string]any{}); err == nil {
			t.Errorf("%s has a canonical form", k)
		}
	}
}

func canonical(t *testing.T, s *schema.Snapshot, text string) any {
	t.Helper()
	m := parse(t, text)
	before, _ := json.Marshal(m)
	gvk := gvs.FromAPIVersionAndKind(m["apiVersion"].(string), m["kind"].(string))
	out, err := s.Canonical(change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}, m)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(m); !bytes.Equal(before, after) {
		t.Errorf("the manifest was changed: %s", after)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(raw))
}

func TestCanonicalOfNativeKinds(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {x: b2xk, y: YQ==}, stringData: {x: new}}`,
			`{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {x: bmV3, y: YQ==}}`},
		{
			`{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetPort: 0}, {port: 81, targetPort: ""}, {port: 82, targetPort: web}]}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetPort: 80}, {port: 81, targetPort: 81}, {port: 82, targetPort: web}]}, status: {loadBalancer: {}}}`,
		},
		{`{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {x: new}}`, `{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {x: bmV3}}`},
		{`{apiVersion: v1, kind: LimitRange, metadata: {name: a}, spec: {limits: [{type: Container, max: {cpu: 2000m, memory: 1Gi}, default: {cpu: 500m}, min: {storage: 1}}, {type: Pod, max: {cpu: 1}}]}}`,
			`{apiVersion: v1, kind: LimitRange, metadata: {name: a}, spec: {limits: [{type: Container, max: {cpu: "2", memory: 1Gi}, default: {cpu: 500m, memory: 1Gi}, min: {storage: "1"}, defaultRequest: {cpu: 500m, memory: 1Gi, storage: "1"}}, {type: Pod, max: {cpu: "1"}}]}}`},
		{`{apiVersion: v1, kind: ResourceQuota, metadata: {name: a}, spec: {hard: {cpu: 1.0001, memory: 100u}}}`,
			`{apiVersion: v1, kind: ResourceQuota, metadata: {name: a}, spec: {hard: {cpu: 1001m, memory: 1m}}, status: {}}`},
		{`{apiVersion: resource.k8s.io/v1, kind: ResourceClaim, metadata: {name: a}, spec: {devices: {requests: [{name: a, exactly: {deviceClassName: c}}, {name: b, exactly: {deviceClassName: c, allocationMode: All}}, {name: c, firstAvailable: [{name: d, deviceClassName: c}]}]}}}`,
			`{apiVersion: resource.k8s.io/v1, kind: ResourceClaim, metadata: {name: a}, spec: {devices: {requests: [{name: a, exactly: {deviceClassName: c, count: 1}}, {name: b, exactly: {deviceClassName: c, allocationMode: All}}, {name: c, firstAvailable: [{name: d, deviceClassName: c, count: 1}]}]}}, status: {}}`},
	} {
		if d := cmp.Diff(any(parse(t, tt.want)), canonical(t, schema.BuiltIn(), tt.in)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, d)
		}
	}
}

func TestCanonicalOfCustomKinds(t *testing.T) {
	s := fromCRDs(t)
	for _, tt := range []struct{ in, want string }{
		{`{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a, annotations: null, creationTimestamp: null}, spec: {}}`,
			`{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a}, spec: {size: 3, port: 8080, mode: a, nested: {level: {active: true, count: 7}}}}`},
		{`{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a}, spec: {size: 1, port: http, mode: null, note: null, nested: {}, rules: [{host: a, paths: [{path: /}]}], anything: {a: null}}}`,
			`{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a}, spec: {size: 1, port: http, mode: a, note: null, nested: {level: {active: false, count: 7}}, rules: [{host: a, tls: false, paths: [{path: /, weight: 1}]}], anything: {a: null}}}`},
		{`{apiVersion: binding.example/v1, kind: Loose, metadata: {name: a}, x: {y: null}}`, `{apiVersion: binding.example/v1, kind: Loose, metadata: {name: a}, x: {y: null}}`},
	} {
		if d := cmp.Diff(any(parse(t, tt.want)), canonical(t, s, tt.in)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, d)
		}
	}
}

func TestFromCRDsRefuses(t *testing.T) {
	twice := customKinds(t)
	if _, err := schema.FromCRDs(twice[0], twice[0]); err == nil {
		t.Error("one kind of two definitions")
	}
	for name, edit := range map[string]func(string) string{
		"a built-in kind": func(s string) string {
			return strings.Replace(strings.Replace(s, "group: binding.example", "group: apps", 1), "kind: Widget", "kind: Deployment", 1)
		},
		"a map list without keys": replace("x-kubernetes-list-map-keys: [name]", "description: no keys"),
		"a list without items":    replace("tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}", "tags: {type: array}"),
	} {
		if _, err := schema.FromCRDs(customKinds(t, edit)...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	bare := customKinds(t)
	bare[1].Spec.Versions[0].Schema = nil
	if _, err := schema.FromCRDs(bare...); err == nil {
		t.Error("a version without a schema was taken")
	}
	bare[1].Spec.Versions[0].Served = false
	s, err := schema.FromCRDs(bare...)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Type(loose); ok {
		t.Error("a version that is not served is known")
	}
}

// TestRuling23Layers: the schema of the render stands before the cluster's, and no snapshot changes.
func TestRuling23Layers(t *testing.T) {
	cluster, render := fromCRDs(t), fromCRDs(t, replace("default: 3}", "default: 4}"))
	both := schema.BuiltIn().Over(cluster).Over(render)
	size := func(s *schema.Snapshot) any {
		return canonical(t, s, `{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a}, spec: {}}`).(map[string]any)["spec"].(map[string]any)["size"]
	}
	if got := []any{size(cluster), size(render), size(both)}; !slices.Equal(got, []any{3.0, 4.0, 4.0}) {
		t.Errorf("sizes %v", got)
	}
	if _, ok := both.Type(change.Kind{Version: "v1", Kind: "Pod"}); !ok {
		t.Error("the layer below is gone")
	}
	if _, ok := cluster.Type(change.Kind{Version: "v1", Kind: "Pod"}); ok {
		t.Error("a layer was changed by the one below it")
	}
}

// TestRuling04SchemaDigest: the digest is a policy input. It changes with whatever shapes the
// canonical form of the kinds that are asked for, and with nothing else.
func TestRuling04SchemaDigest(t *testing.T) {
	base := fromCRDs(t)
	for range 5 { // maps in the schema have no order
		if a, b := base.Digest(widget, loose), fromCRDs(t).Digest(loose, widget, widget); a != b {
			t.Fatalf("digests %s and %s of one schema", a, b)
		}
	}
	for name, edit := range map[string]func(string) string{
		"default":  replace("default: 3}", "default: 4}"),
		"list":     replace("x-kubernetes-list-type: set", "x-kubernetes-list-type: atomic"),
		"field":    replace("weight: {type: number}", "weights: {type: number}"),
		"status":   replace("subresources: {status: {}}", "subresources: {}"),
		"nullable": replace("nullable: true", "nullable: false"),
	} {
		changed := fromCRDs(t, edit)
		if changed.Digest(widget) == base.Digest(widget) {
			t.Errorf("a change of %s does not show", name)
		}
		if changed.Digest(loose) != base.Digest(loose) {
			t.Errorf("a change of %s shows in another kind", name)
		}
	}
	pod, deploy := change.Kind{Version: "v1", Kind: "Pod"}, change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}
	b := schema.BuiltIn()
	seen := map[string]bool{}
	for _, d := range []string{b.Digest(), b.Digest(pod), b.Digest(deploy), b.Digest(pod, deploy), b.Digest(widget), base.Digest(widget), b.Over(base).Digest(widget, pod)} {
		if seen[d] {
			t.Errorf("digest %s twice", d)
		}
		seen[d] = true
	}
}

// TestFromOpenAPI: what a cluster publishes of a custom kind is as good as its definition.
func TestFromOpenAPI(t *testing.T) {
	raw, err := os.ReadFile("testdata/widgets-openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc := &spec3.OpenAPI{}
	if err := json.Unmarshal(raw, doc); err != nil {
		t.Fatal(err)
	}
	published, err := schema.FromOpenAPI(doc)
	if err != nil {
		t.Fatal(err)
	}
	key, err := canon.NewKey(make([]byte, canon.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{apiVersion: binding.example/v1, kind: Widget, metadata: {name: a, labels: {a: b}}, spec: {steps: [{name: a, retries: 2}], ports: [{port: 1}], tags: [a], rules: [{host: h, paths: [{path: /}]}]}, status: {dropped: true}}`,
		`{apiVersion: binding.example/v1, kind: Loose, metadata: {name: a}, spec: {a: [1]}, status: {kept: true}}`,
	} {
		a, err := canon.DigestManifest(parse(t, text), fromCRDs(t), key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := canon.DigestManifest(parse(t, text), published, key)
		if err != nil || a != b {
			t.Errorf("%s: digests %x and %x, error %v", text, a, b, err)
		}
	}
	if _, err := schema.FromOpenAPI(&spec3.OpenAPI{}); err != nil {
		t.Errorf("an empty document: %v", err)
	}
}

// halfDown is a cluster one of whose aggregated API servers does not answer.
type halfDown struct {
	openapi3.Root
	doc *spec3.OpenAPI
}

func (halfDown) GroupVersions() ([]gvs.GroupVersion, error) {
	return []gvs.GroupVersion{{Group: "metrics.example", Version: "v1"}, {Group: "binding.example", Version: "v1"}}, nil
}

func (r halfDown) GVSpec(gv gvs.GroupVersion) (*spec3.OpenAPI, error) {
	if gv.Group == "metrics.example" {
		return nil, errors.New("no endpoints")
	}
	return r.doc, nil
}

func TestFromClusterWithoutOneGroup(t *testing.T) {
	doc := &spec3.OpenAPI{}
	raw, err := os.ReadFile("testdata/widgets-openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, doc); err != nil {
		t.Fatal(err)
	}
	s, err := schema.FromCluster(halfDown{doc: doc})
	if err == nil || !strings.Contains(err.Error(), "metrics.example/v1") {
		t.Errorf("error %v, want one that names the group", err)
	}
	if _, ok := s.Type(widget); !ok {
		t.Error("the group that answers is left out")
	}
}

// TestStatusOfACustomKind: status is the server's where there is a sub-resource for it, else content.
func TestStatusOfACustomKind(t *testing.T) {
	key, _ := canon.NewKey(make([]byte, canon.MinKey))
	for k, same := range map[change.Kind]bool{widget: true, loose: false} {
		digest := func(status string) change.Digest {
			d, err := canon.DigestManifest(parse(t, `{apiVersion: binding.example/v1, kind: `+k.Kind+`, metadata: {name: a}, status: `+status+`}`), fromCRDs(t), key)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		if got := digest("{phase: a}") == digest("{phase: b}"); got != same {
			t.Errorf("%s: status left out %t", k.Kind, got)
		}
	}
}
