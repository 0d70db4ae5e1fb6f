package main

import (
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// uid is that of every review, so that answers can be checked.
const uid = "705ab4f5-6393-11e8-b7cc-42010a800002"

// payload is the review of a Deployment of about size bytes, a third of it managedFields, encoded
// as the API server does.
func payload(size int, operation string) ([]byte, error) {
	object := runtime.RawExtension{Raw: []byte(deployment(size))}
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:             uid,
			Kind:            metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource:        metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			RequestKind:     &metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			RequestResource: &metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			Name:            "web",
			Namespace:       "shop",
			Operation:       admissionv1.Operation(operation),
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:flux-system:kustomize-controller",
				UID:      "5d2b0c4e-33f5-4c0c-9a39-b0f7a4c8f2c5",
				Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:flux-system", "system:authenticated"},
			},
			Object:  object,
			DryRun:  new(bool),
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"PatchOptions","apiVersion":"meta.k8s.io/v1","force":true,"fieldManager":"kustomize-controller"}`)},
		},
	}
	switch operation {
	case "CREATE":
	case "UPDATE":
		review.Request.OldObject = object
	default:
		return nil, fmt.Errorf("operation %q is neither CREATE nor UPDATE", operation)
	}
	return json.Marshal(review)
}

// deployment is a Deployment with as many environment variables as fill the size.
func deployment(size int) string {
	const frame = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",` +
		`"uid":"0a5c2f1e-6b6e-4d2f-8a39-5a1b7f3c9d10","resourceVersion":"12345","generation":3,"creationTimestamp":"2026-01-01T00:00:00Z",` +
		`"labels":{"app":"web"},"managedFields":[{"manager":"kustomize-controller","operation":"Apply","apiVersion":"apps/v1",` +
		`"time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:template":{"f:spec":{"f:containers":{` +
		`"k:{\"name\":\"web\"}":{".":{},"f:name":{},"f:image":{},"f:env":{%s}}}}}}}}]},` +
		`"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},` +
		`"spec":{"containers":[{"name":"web","image":"registry.example/web:1.2.3","env":[%s]}]}}}}`
	var env, fields strings.Builder
	for i := 0; i == 0 || len(frame)+env.Len()+fields.Len() < size; i++ {
		if i > 0 {
			env.WriteByte(',')
			fields.WriteByte(',')
		}
		fmt.Fprintf(&fields, `"k:{\"name\":\"V%d\"}":{".":{},"f:name":{},"f:value":{}}`, i)
		fmt.Fprintf(&env, `{"name":"V%d","value":"the value of variable number %d, with <some> text & \"quotes\" in it"}`, i, i)
	}
	return fmt.Sprintf(frame, fields.String(), env.String())
}
