package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairway-dev/fairway/internal/tier"
)

// asKubectl reads manifests with the libraries and in the steps of kubectl's resource builder, which
// the server-side apply of Flux and Argo CD shares: decode YAML or JSON document by document, drop
// empty ones, expand lists.
func asKubectl(text []byte) ([]map[string]any, error) {
	var objects []map[string]any
	decoder := k8syaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var ext runtime.RawExtension
		err := decoder.Decode(&ext)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		ext.Raw = bytes.TrimSpace(ext.Raw)
		if len(ext.Raw) == 0 || bytes.Equal(ext.Raw, []byte("null")) {
			continue
		}
		object, _, err := unstructured.UnstructuredJSONScheme.Decode(ext.Raw, nil, nil)
		if err != nil {
			return nil, err
		}
		if objects, err = expand(objects, object); err != nil {
			return nil, err
		}
	}
}

func expand(objects []map[string]any, object runtime.Object) ([]map[string]any, error) {
	switch object := object.(type) {
	case *unstructured.Unstructured:
		return append(objects, object.Object), nil
	case *unstructured.UnstructuredList:
		for _, item := range object.Items {
			text, err := item.MarshalJSON()
			if err != nil {
				return nil, err
			}
			inner, _, err := unstructured.UnstructuredJSONScheme.Decode(text, nil, nil)
			if err != nil {
				return nil, err
			}
			if objects, err = expand(objects, inner); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}

// asKustomize reads manifests the way Flux delivers a plain directory: as the resources of a
// kustomization, whose output kubectl's reader takes.
func asKustomize(text []byte) (objects []map[string]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	files := filesys.MakeFsInMemory()
	if err := files.WriteFile("/kustomization.yaml", []byte("resources: [a.yaml]")); err != nil {
		return nil, err
	}
	if err := files.WriteFile("/a.yaml", text); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/")
	if err != nil {
		return nil, err
	}
	out, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	return asKubectl(out)
}

// scalars are texts whose meaning readers of YAML disagree on, or could.
var scalars = []string{
	"yes", "no", "on", "off", "y", "n", "Y", "N", "Yes", "NO", "On", "OFF", "true", "True", "TRUE", "tRue", "false",
	"null", "Null", "NULL", "~", "nil", "none", "''", `""`, "' '",
	"0", "00", "01", "08", "0644", "0o644", "0O644", "0x1F", "0X1f", "0b11", "1_000", "0x1_F", "_1", "1_", "+1", "-1", "-0", "+0", "--1",
	"1.", ".5", "-.5", "1.0", "0.1", "1e3", "1E3", "1e+3", "1e-3", "1.5e3", "1e", "e3", "1e400", "1.7976931348623157e308",
	".inf", "-.Inf", "+.INF", ".nan", "inf", "NaN", "Infinity",
	"1:30", "190:20:30", "1:2:3.4", "2001-01-01", "2001-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43", "12:00",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
	"18446744073709551616", "12345678901234567890.5", "0.30000000000000004", "100m", "1Gi", "1e3Gi", "0.5", "1,000",
	`"yes"`, `'yes'`, `"1"`, `'0644'`, `"a\u0041"`, `"\x41"`, `"\/"`, `"\e"`, `"\ud83d\ude00"`, `"\U0001F600"`, `"a\tb"`, `"a\
    b"`, `'it''s'`, `"\0"`,
	"!!str 1", "!!str yes", "!!int '1'", "!!float 1", "!!bool yes", "!!bool 'true'", "!!null ''", "! 1", "!!timestamp 2001-01-01",
	"!!binary aGk=", "!x 1", "!!set {a}", "!!str {a: b}", "!!map {}", "!!seq []",
	"=", "<<", "<", "a b", "a: b", "a:b", "a#b", "a # b", "'#'", "-", "- a", "-a", "?", "? a", "?a", ":a", "@a", "`a", "%a", "*a", "&a b", "|", ">", "{", "[", "}", ",",
	"{}", "[]", "{a}", "{a: }", "{a: 1, b: 2,}", "[a, b,]", "[a, , b]", "{a: 1, a: 2}", "[[], {}]",
	"é", "日本", "😀", "\u00a0a", "a\u2028b", "a\u0085b", "\ufeffa", "\u200b", "a\u0301",
	"|\n    a\n    b\n", "|-\n    a\n", "|+\n    a\n\n\n", "|2\n      a\n", ">\n    a\n    b\n\n    c\n", ">-\n    a\n      b\n", "|\n    a \n    \tb\n", "|\n\n    a\n",
	"a\n    b", "\"a\n    b\n\n    c\"", "'a\n    b'",
}

// documents are files whose structure readers disagree on, or could.
var documents = map[string]string{
	"merge":                     "x: &x {a: 1, b: 2}\ndata: {<<: *x, b: 3}\n",
	"merge after the name":      "x: &x {a: 1, b: 2}\ndata:\n  b: 3\n  <<: *x\n",
	"merge of two":              "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\ndata:\n  <<: [*x, *y]\n",
	"merge of two, overridden":  "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\ndata:\n  <<: [*x, *y]\n  b: 5\n",
	"merge in a merge":          "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\ndata: {<<: *y, c: 3}\n",
	"merge twice":               "x: &x {a: 1}\ny: &y {b: 2}\ndata:\n  <<: *x\n  <<: *y\n",
	"merge of a map":            "data: {<<: {a: 1}, b: 2}\n",
	"merge of a list of maps":   "data: {<<: [{a: 1}, {b: 2}]}\n",
	"merge of a word":           "data: {<<: a}\n",
	"merge of null":             "data: {<<: , a: 1}\n",
	"quoted merge":              "x: &x {a: 1}\ndata: {'<<': *x}\n",
	"alias":                     "x: &x {a: [1, 2]}\ndata: *x\n",
	"alias twice":               "x: &x [1]\ndata: {a: *x, b: *x}\n",
	"alias in a name":           "x: &x a\ndata: {*x : b}\n",
	"anchor redefined":          "x: &x 1\ny: &x 2\ndata: {a: *x}\n",
	"anchor on a name":          "data: {&x a: 1, b: *x}\n",
	"anchor of another":         "x: &x 1\n---\n" + configMap + "data: {a: *x}\n",
	"set twice":                 "data: {a: 1}\ndata: {b: 2}\n",
	"set twice, deep":           "data:\n  a: 1\n  a: 2\n",
	"set twice, quoted":         "data: {a: 1, 'a': 2}\n",
	"set twice, as number":      "data: {1: a, '1': b}\n",
	"set twice, in two bases":   "data: {0x1: a, 1: b}\n",
	"set twice, as bool":        "data: {yes: a, true: b}\n",
	"set in two cases":          "data: {a: 1, A: 2}\n",
	"number for a name":         "data: {8080: a, 1.5: b}\n",
	"long name":                 "? " + strings.Repeat("a", 130) + "\n: b\n",
	"two documents":             "data: {a: b}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n",
	"empty documents":           "data: {a: b}\n---\n---\n# c\n---\n",
	"null document":             "data: {a: b}\n---\nnull\n",
	"separator with a comment":  "data: {a: b}\n--- # c\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n",
	"separator with spaces":     "data: {a: b}\n---   \napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n",
	"separator with text":       "data: {a: b}\n--- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n",
	"separator with a tag":      "data: {a: b}\n--- !!map\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
	"separator at the end":      "data: {a: b}\n---",
	"separator in a block":      "data:\n  a: |\n    ---\n    b\n",
	"separator indented":        "data:\n  a: b\n  ---\n",
	"separator in quotes":       "data:\n  a: \"b\n---\n  c\"\n",
	"dashes":                    "data: {a: b}\n----\n",
	"end of a document":         "data: {a: b}\n...\n",
	"text after an end":         "data: {a: b}\n...\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n",
	"document after an end":     "data: {a: b}\n...\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\n",
	"windows lines":             "data:\r\n  a: |\r\n    b\r\n    c\r\n---\r\napiVersion: v1\r\nkind: Secret\r\nmetadata: {name: a, namespace: shop}\r\n",
	"old lines":                 "data:\r  a: b\r",
	"no line at the end":        "data: {a: b}",
	"block without line at end": "data:\n  a: |\n    b",
	"block before a separator":  "data:\n  a: |\n    b\n---\n",
	"kept lines, separator":     "data:\n  a: |+\n    b\n\n---\n",
	"folded before a separator": "data:\n  a: >\n    b\n---\n",
	"directive":                 "---\n%YAML 1.1\n---\na: b\n",
	"comment":                   "data: # c\n  # d\n  a: b # e\n",
	"tab after a colon":         "data:\n  a:\tb\n",
	"tab before a comment":      "data:\n  a: b\t# c\n",
	"tab for indentation":       "data:\n\ta: b\n",
	"flow over lines":           "data: {a: b,\n  c: d}\n",
	"flow without indentation":  "data: {\na: b\n}\n",
	"list not indented":         "data:\n- a\n- b\n",
	"list of lists":             "data:\n- - a\n  - b\n",
	"map in a list":             "data:\n- a: 1\n  b: 2\n-\n  c: 3\n",
	"null in a list":            "data:\n- a\n-\n",
	"null in a map":             "data:\n  a:\n  b: 1\n",
	"pair in a flow list":       "data: [a: b, c]\n",
	"quoted name, no space":     "data: {\"a\":b}\n",
	"name, no space":            "data: {a:b}\n",
	"explicit names":            "data:\n  ? a\n  : b\n",
	"items":                     "items: []\n",
	"items of null":             "items:\n",
	"local":                     "data: {a: b}\n",
	"status":                    "status: {a: b}\n",
}

// stricter are the only reasons for which what kubectl and kustomize read alike is refused.
var stricter = []string{
	"sets the name ", // kubectl takes the last one, a reader the first
	"uses a YAML tag that JSON does not know", // rare, and read by few as meant
	"goes on after the end of a document",     // both stop reading, a reviewer does not
	"uses something other than plain text as a name",
	"whose kind does not end in List",
}

// TestT60ReadAsTheEnginesRead compares what a plain source holds with how kubectl and kustomize read
// it. What is accepted means the same to both, or only kubectl can read it. What is refused has two
// meanings, or none.
func TestT60ReadAsTheEnginesRead(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
	texts := map[string]string{}
	for _, s := range scalars {
		texts["value "+s] = head + "data:\n  k: " + s + "\n"
		texts["item "+s] = head + "data:\n  k:\n  - " + s + "\n"
		texts["name "+s] = head + "data:\n  " + s + ": v\n"
		texts["flow "+s] = head + "data: {k: [" + s + "]}\n"
		texts["root "+s] = "x: " + s + "\n" + head
	}
	for name, body := range documents {
		texts[name] = head + body
	}
	for name, text := range map[string]string{
		"json":          `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"},"data":{"a":1e3,"b":12345678901234567890,"c":1.0,"d":"\/\u0041"}}`,
		"json stream":   `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}} {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"shop"}}`,
		"json on lines": "\n{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"a\", \"namespace\": \"shop\"}\n}\n",
		"json and yaml": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}` + "\n---\n" + head,
		"byte order":    "\ufeff" + head,
		"list":          "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: shop}}\n",
		"list, typed":   "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}\n",
		"list, bare":    "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: a, namespace: shop}}\n",
		"list of list":  "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}]}\n",
		"list of null":  "apiVersion: v1\nkind: List\nitems:\n",
	} {
		texts[name] = text
	}
	agreed := map[string]int{}
	for name, text := range texts {
		agreed[compareReadings(t, name, []byte(text))]++
	}
	t.Logf("%d texts: %v", len(texts), agreed)
	if len(texts) < 700 || agreed["accepted"] < 300 || agreed["refused"] < 100 {
		t.Errorf("%d texts: %v", len(texts), agreed)
	}
}

// compareReadings says what became of a text.
func compareReadings(t *testing.T, name string, text []byte) string {
	t.Helper()
	kubectl, kubectlErr := asKubectl(text)
	kustomize, kustomizeErr := asKustomize(text)
	result, refused, err := New(DefaultLimits(), nil).Render(context.Background(), files("a.yaml", string(text)), Source{Kind: tier.Plain, Path: ".", Namespace: "shop"})
	if err != nil {
		t.Errorf("%q: %v", name, err)
		return "failed"
	}
	if refused != nil {
		alike := kubectlErr == nil && kustomizeErr == nil && cmp.Equal(kubectl, kustomize)
		known := false
		for _, reason := range stricter {
			known = known || strings.Contains(refused.Detail, reason)
		}
		if alike && !known {
			t.Errorf("%q: refused (%s), though kubectl and kustomize read it alike: %v", name, refused, kubectl)
		}
		return "refused"
	}
	var ours []map[string]any
	for _, o := range result.Objects {
		ours = append(ours, o.Content)
	}
	if kubectlErr != nil {
		t.Errorf("%q: accepted, and kubectl cannot read it: %v", name, kubectlErr)
	}
	if diff := cmp.Diff(kubectl, ours, cmp.Transformer("sorted", byName)); diff != "" {
		t.Errorf("%q: kubectl reads it differently (-kubectl +ours):\n%s", name, diff)
	}
	if kustomizeErr != nil {
		return "accepted, not read by kustomize"
	}
	if diff := cmp.Diff(kustomize, ours, cmp.Transformer("sorted", byName)); diff != "" {
		t.Errorf("%q: kustomize reads it differently (-kustomize +ours):\n%s", name, diff)
	}
	return "accepted"
}

// byName makes the order of objects irrelevant.
func byName(objects []map[string]any) map[string]any {
	named := map[string]any{}
	for _, o := range objects {
		u := unstructured.Unstructured{Object: o}
		named[u.GetKind()+"/"+u.GetName()] = o
	}
	return named
}
