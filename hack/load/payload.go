package main

import (
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	applyconfigurations "k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fairway-dev/fairway/internal/change"
	canonical "github.com/fairway-dev/fairway/internal/schema"
)

const (
	uid       = "705ab4f5-6393-11e8-b7cc-42010a800002" // of every review, so that answers can be checked
	namespace = "shop"
	manager   = "kustomize-controller"
)

// payload is the review of a Deployment of about size bytes, encoded as the API server does.
func payload(size int, operation string) ([]byte, error) {
	raw, err := object(size)
	if err != nil {
		return nil, fmt.Errorf("making an object of %d bytes: %w", size, err)
	}
	object := runtime.RawExtension{Raw: raw}
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:             uid,
			Kind:            metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource:        metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			RequestKind:     &metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			RequestResource: &metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			Name:            name(size),
			Namespace:       namespace,
			Operation:       admissionv1.Operation(operation),
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:flux-system:kustomize-controller",
				UID:      "5d2b0c4e-33f5-4c0c-9a39-b0f7a4c8f2c5",
				Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:flux-system", "system:authenticated"},
			},
			Object:  object,
			DryRun:  new(bool),
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"PatchOptions","apiVersion":"meta.k8s.io/v1","force":true,"fieldManager":"` + manager + `"}`)},
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

// name is that of the object of a size: objects of two sizes are two objects.
func name(size int) string { return fmt.Sprintf("web-%d", size) }

// manifest is the Deployment that Git renders, with as many environment variables as make the
// object that the API server keeps of it about size bytes long.
func manifest(size int) map[string]any {
	const bare, each = 1240, 160 // bytes of the object without any, and of one more
	var env []any
	for i := range max(size-bare, 0) / each {
		env = append(env, map[string]any{
			"name":  fmt.Sprintf("VARIABLE_%d", i),
			"value": fmt.Sprintf("the value of variable number %d, with <some> text", i),
		})
	}
	container := map[string]any{"name": "web", "image": "registry.example/web:1.2.3"}
	if env != nil {
		container["env"] = env
	}
	labels := map[string]any{"app": "web"}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": name(size), "namespace": namespace, "labels": labels},
		"spec": map[string]any{
			"replicas": int64(3),
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{container}},
			},
		},
	}
}

// object is what a webhook is shown of the server-side apply of a manifest: with managedFields and
// defaults.
func object(size int) ([]byte, error) {
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	fields := managedfieldstest.NewTestFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), gvk)
	if err := fields.Apply(&unstructured.Unstructured{Object: runtime.DeepCopyJSON(manifest(size))}, manager, true); err != nil {
		return nil, err
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(fields.Live())
	if err != nil {
		return nil, err
	}
	m, err = canonical.BuiltIn().Canonical(change.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}, m)
	if err != nil {
		return nil, err
	}
	if err := fill(m); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// fill adds what the API server sets by itself.
func fill(m map[string]any) error {
	containers, found, err := unstructured.NestedSlice(m, "spec", "template", "spec", "containers")
	if err != nil || !found {
		return fmt.Errorf("no containers: %w", err)
	}
	container, ok := containers[0].(map[string]any)
	if !ok {
		return fmt.Errorf("a container is a %T", containers[0])
	}
	container["imagePullPolicy"] = "IfNotPresent"
	container["terminationMessagePath"] = "/dev/termination-log"
	container["terminationMessagePolicy"] = "File"
	for _, f := range []struct {
		value any
		path  []string
	}{
		{containers, []string{"spec", "template", "spec", "containers"}},
		{"Always", []string{"spec", "template", "spec", "restartPolicy"}},
		{"ClusterFirst", []string{"spec", "template", "spec", "dnsPolicy"}},
		{"default-scheduler", []string{"spec", "template", "spec", "schedulerName"}},
		{int64(30), []string{"spec", "template", "spec", "terminationGracePeriodSeconds"}},
		{"25%", []string{"spec", "strategy", "rollingUpdate", "maxSurge"}},
		{"25%", []string{"spec", "strategy", "rollingUpdate", "maxUnavailable"}},
		{"RollingUpdate", []string{"spec", "strategy", "type"}},
		{int64(10), []string{"spec", "revisionHistoryLimit"}},
		{int64(600), []string{"spec", "progressDeadlineSeconds"}},
		{"0a5c2f1e-6b6e-4d2f-8a39-5a1b7f3c9d10", []string{"metadata", "uid"}},
		{"2026-01-01T00:00:00Z", []string{"metadata", "creationTimestamp"}},
		{int64(1), []string{"metadata", "generation"}},
	} {
		if err := unstructured.SetNestedField(m, f.value, f.path...); err != nil {
			return err
		}
	}
	return nil
}
