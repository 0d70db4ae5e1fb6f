package schema_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/fairway-dev/fairway/internal/schema"
)

// TestMisfits: of an object everything that is wrong is named, wherever it is, and nothing of one that fits.
func TestMisfits(t *testing.T) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal([]byte(`{"metadata":{"name":"things"},"spec":{"versions":[{"name":"v1","storage":true,"schema":{"openAPIV3Schema":{
		"type":"object","properties":{"spec":{"type":"object","required":["lane"],"properties":{
			"lane":{"type":"string","enum":["Open","Gated"]},
			"keys":{"type":"array","maxItems":2,"items":{"type":"object","properties":{"id":{"type":"string","pattern":"^[a-z]+$"}}}}}},
		"status":{"type":"object","required":["at"]}}}}}]}}`), crd); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		object string
		want   []string
	}{
		"fits":             {`{"spec":{"lane":"Open","keys":[{"id":"a"}]}}`, nil},
		"a word":           {`{"spec":{"lane":"open"}}`, []string{"spec.lane should be one of [Open Gated]"}},
		"deep and shallow": {`{"spec":{"lane":"x","keys":[{"id":"a"},{"id":"1"}]}}`, []string{"spec.keys[1].id should match '^[a-z]+$'", "spec.lane should be one of [Open Gated]"}},
		"too much":         {`{"spec":{"lane":"Open","keys":[{},{},{}]}}`, []string{"spec.keys should have at most 2 items"}},
		"missing":          {`{"spec":{}}`, []string{"spec.lane is required"}},
	} {
		got, err := schema.Misfits(crd, json.RawMessage(tt.object))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := schema.Misfits(&apiextensionsv1.CustomResourceDefinition{}, struct{}{}); err == nil {
		t.Error("a definition without a schema fits everything")
	}
}
