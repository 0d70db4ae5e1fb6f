package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairway-dev/fairway/internal/change"
)

const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"name":"no"},"name":"web","namespace":"shop","managedFields":[{"manager":"m"}]},"spec":{"metadata":{"name":"inner"}}}`

// typed is a review as the API server builds one.
func typed() *admissionv1.AdmissionReview {
	dry := true
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:                "705ab4f5-6393-11e8-b7cc-42010a800002",
			Kind:               metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource:           metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			RequestKind:        &metav1.GroupVersionKind{Group: "apps", Version: "v1beta1", Kind: "Deployment"},
			RequestResource:    &metav1.GroupVersionResource{Group: "apps", Version: "v1beta1", Resource: "deployments"},
			RequestSubResource: "",
			Name:               "web",
			Namespace:          "shop",
			Operation:          admissionv1.Update,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:flux-system:kustomize-controller",
				UID:      "u1",
				Groups:   []string{"system:serviceaccounts", "system:authenticated"},
				Extra:    map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/pod-name": {"p"}},
			},
			Object:    runtime.RawExtension{Raw: []byte(deployment)},
			OldObject: runtime.RawExtension{Raw: []byte(deployment)},
			DryRun:    &dry,
			Options:   runtime.RawExtension{Raw: []byte(`{"kind":"PatchOptions","apiVersion":"meta.k8s.io/v1","force":true,"fieldManager":"kustomize-controller"}`)},
		},
	}
}

// encoded is a review's bytes after some changes.
func encoded(t testing.TB, with ...func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	review := typed()
	for _, w := range with {
		w(review.Request)
	}
	data, err := json.Marshal(review)
	if err != nil {
		t.Fatalf("encoding a review: %v", err)
	}
	return data
}

func raw(s string) runtime.RawExtension { return runtime.RawExtension{Raw: []byte(s)} }

func TestParse(t *testing.T) {
	got, err := new(parserPool).parse(encoded(t))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	want := &change.Request{
		UID:             "705ab4f5-6393-11e8-b7cc-42010a800002",
		Operation:       change.Update,
		Kind:            change.Kind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Resource:        change.Resource{Group: "apps", Version: "v1", Resource: "deployments"},
		RequestKind:     change.Kind{Group: "apps", Version: "v1beta1", Kind: "Deployment"},
		RequestResource: change.Resource{Group: "apps", Version: "v1beta1", Resource: "deployments"},
		Namespace:       "shop",
		Name:            "web",
		User: change.User{
			Name:   "system:serviceaccount:flux-system:kustomize-controller",
			UID:    "u1",
			Groups: []string{"system:serviceaccounts", "system:authenticated"},
			Extra:  map[string][]string{"authentication.kubernetes.io/pod-name": {"p"}},
		},
		DryRun:       true,
		FieldManager: "kustomize-controller",
		Object:       []byte(deployment),
		Old:          []byte(deployment),
		ID:           change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestParseIdentity(t *testing.T) {
	type request = admissionv1.AdmissionRequest
	shop := change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
	tests := []struct {
		name string
		with func(*request)
		want change.ObjectID
	}{
		{"T-07 deletecollection has no name in the request", func(r *request) {
			r.Operation, r.Name, r.Object = admissionv1.Delete, "", raw("null")
		}, shop},
		{"a deletion is of the old object", func(r *request) {
			r.Operation = admissionv1.Delete
			r.Object = raw(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"other","namespace":"shop"}}`)
		}, shop},
		{"a generated name stands in the object", func(r *request) {
			r.Operation, r.Name, r.OldObject = admissionv1.Create, "", raw("null")
			r.Object = raw(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"generateName":"web-","name":"web-x7k2q","namespace":"shop"}}`)
		}, change.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web-x7k2q"}},
		{"a connection is named by its URL", func(r *request) {
			r.Operation, r.Name = admissionv1.Connect, "web-0"
			r.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "PodExecOptions"}
			r.Object, r.OldObject = raw(`{"apiVersion":"v1","kind":"PodExecOptions","command":["sh"]}`), raw("null")
		}, change.ObjectID{Kind: "PodExecOptions", Namespace: "shop", Name: "web-0"}},
		{"a sub-resource body without a name is named by its URL", func(r *request) {
			r.Operation, r.Name, r.OldObject = admissionv1.Create, "robot", raw("null")
			r.Kind = metav1.GroupVersionKind{Group: "authentication.k8s.io", Version: "v1", Kind: "TokenRequest"}
			r.Resource, r.SubResource = metav1.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, "token"
			r.Object = raw(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":{}}`)
		}, change.ObjectID{Group: "authentication.k8s.io", Kind: "TokenRequest", Namespace: "shop", Name: "robot"}},
		{"a Namespace is in no namespace", func(r *request) {
			r.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "Namespace"}
			r.Resource = metav1.GroupVersionResource{Version: "v1", Resource: "namespaces"}
			r.Name, r.Namespace = "shop", "shop"
			r.Object = raw(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`)
			r.OldObject = r.Object
		}, change.ObjectID{Kind: "Namespace", Name: "shop"}},
		{"cluster scope", func(r *request) {
			r.Kind = metav1.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}
			r.Resource = metav1.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
			r.Name, r.Namespace = "viewer", ""
			r.Object = raw(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"viewer"}}`)
		}, change.ObjectID{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "viewer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := new(parserPool).parse(encoded(t, tt.with))
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			if diff := cmp.Diff(tt.want, got.ID); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseSides holds which objects a request carries for each operation.
func TestParseSides(t *testing.T) {
	for op, want := range map[admissionv1.Operation][2]bool{
		admissionv1.Create:  {true, false},
		admissionv1.Update:  {true, true},
		admissionv1.Delete:  {false, true},
		admissionv1.Connect: {false, false},
	} {
		got, err := new(parserPool).parse(encoded(t, func(r *admissionv1.AdmissionRequest) { r.Operation = op }))
		if err != nil {
			t.Fatalf("parse %s: %v", op, err)
		}
		if diff := cmp.Diff(want, [2]bool{got.Object != nil, got.Old != nil}); diff != "" {
			t.Errorf("%s: object and old object (-want +got):\n%s", op, diff)
		}
	}
}

// countless are many members of an object.
func countless(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":[],`, i)
	}
	return b.String()
}

func TestParseRefuses(t *testing.T) {
	good := string(encoded(t))
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the review does not contain %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := []struct {
		name, body string
		want       malformed
	}{
		{"empty", "", badJSON},
		{"cut off", good[:len(good)-3], badJSON},
		{"array", "[]", badType},
		{"null", "null", badVersion},
		{"trailing value", good + "{}", badTrailer},
		{"trailing garbage", good + "x", badTrailer},
		{"version", swap("admission.k8s.io/v1", "admission.k8s.io/v1beta1"), badVersion},
		{"no uid", swap(`"uid":"705`, `"uld":"705`), badMissing},
		{"uid is a number", swap(`"uid":"705ab4f5-6393-11e8-b7cc-42010a800002"`, `"uid":7`), badType},
		{"no such operation", swap(`"UPDATE"`, `"PATCH"`), badOperation},
		{"operation in lower case", swap(`"UPDATE"`, `"update"`), badOperation},
		{"two uids", swap(`"uid":"705`, `"uid":"1","uid":"705`), badDuplicate},
		{"two uids, one escaped", swap(`"uid":"705`, `"\u0075id":"1","uid":"705`), badDuplicate},
		{"two requests", swap(`"request":`, `"request":{},"request":`), badDuplicate},
		{"two objects", swap(`"object":`, `"object":null,"object":`), badDuplicate},
		{"two names", swap(`"name":"web","namespace":"shop","managed`, `"name":"web","name":"db","namespace":"shop","managed`), badDuplicate},
		{"two metadata", swap(`"metadata":{"labels"`, `"metadata":{},"metadata":{"labels"`), badDuplicate},
		{"two user names", swap(`"username":`, `"username":"admin","username":`), badDuplicate},
		{"two extra values", swap(`"extra":{`, `"extra":{"authentication.kubernetes.io/pod-name":["q"],`), badDuplicate},
		{"two field managers", swap(`"fieldManager":`, `"fieldManager":"a","fieldManager":`), badDuplicate},
		{"object is a string", swap(`"object":`+deployment, `"object":"x"`), badType},
		{"no object", swap(`"object":`+deployment, `"object":null`), badObject},
		{"deletion of nothing", strings.Replace(swap(`"UPDATE"`, `"DELETE"`), `"oldObject":`+deployment, `"oldObject":null`, 1), badObject},
		{"name is a number", swap(`"name":"web","namespace":"shop","managed`, `"name":1,"managed`), badType},
		{"long uid", swap(`"uid":"705`, `"uid":"`+strings.Repeat("7", 300)), badLength},
		{"countless groups", swap(`"groups":[`, `"groups":[`+strings.Repeat(`"",`, mostStrings)), badLength},
		{"countless extra fields", swap(`"extra":{`, `"extra":{`+countless(mostExtra)), badLength},
		{"another kind", swap(`"object":{"apiVersion":"apps/v1","kind":"Deployment"`, `"object":{"apiVersion":"apps/v1","kind":"StatefulSet"`), badKind},
		{"another group", swap(`"object":{"apiVersion":"apps/v1"`, `"object":{"apiVersion":"v1"`), badKind},
		{"another name", swap(`"name":"web","namespace":"shop","managed`, `"name":"db","namespace":"shop","managed`), badName},
		{"another namespace", swap(`"name":"web","namespace":"shop","managed`, `"name":"web","namespace":"bank","managed`), badName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := new(parserPool).parse([]byte(tt.body))
			if !errors.Is(err, tt.want) {
				t.Errorf("parse: %v, want: %v", err, tt.want)
			}
		})
	}
}

// TestParseAcceptsDuplicatesInside: duplicate keys are refused where they decide, and nowhere else.
func TestParseAcceptsDuplicatesInside(t *testing.T) {
	object := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","annotations":{"a":"1","a":"2"}},"spec":{"a":1,"a":2},"spec":3}`
	got, err := new(parserPool).parse(encoded(t, func(r *admissionv1.AdmissionRequest) { r.Object = raw(object) }))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	if diff := cmp.Diff(object, string(got.Object)); diff != "" {
		t.Errorf("raw object (-want +got):\n%s", diff)
	}
}

// TestParseKeepsNothing: a pooled parser must not carry anything from one request into the next.
func TestParseKeepsNothing(t *testing.T) {
	var p parserPool
	if _, err := p.parse(encoded(t)); err != nil {
		t.Fatalf("parse: %v", err)
	}
	minimal := []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"2","kind":{"version":"v1","kind":"Pod"},"resource":{"version":"v1","resource":"pods"},"operation":"CONNECT"}}`)
	got, err := p.parse(minimal)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	pod, pods := change.Kind{Version: "v1", Kind: "Pod"}, change.Resource{Version: "v1", Resource: "pods"}
	want := &change.Request{
		UID: "2", Operation: change.Connect, Kind: pod, Resource: pods, RequestKind: pod, RequestResource: pods,
		ID: change.ObjectID{Kind: "Pod"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}
