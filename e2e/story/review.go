package story

import (
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/apimachinery/pkg/util/uuid"
	applyv1 "k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Server plays the part of the API server that matters to a webhook: it keeps objects, runs the
// API server's own field management on each write, and makes the AdmissionReview of it. It neither
// defaults nor validates: a story that needs that runs on a real one.
type Server struct {
	live   map[string]*unstructured.Unstructured
	custom managedfields.TypeConverter // nil: no custom kinds
}

// NewServer is a server without objects.
func NewServer() *Server { return &Server{live: map[string]*unstructured.Unstructured{}} }

// Write is one write that somebody tries.
type Write struct {
	Object  string // YAML
	User    string
	Groups  []string
	Manager string // field manager
	Apply   bool   // server-side apply; else a create or replace
	DryRun  bool
}

// Try makes the review of a write. Keep makes the server hold what was written, as it does where
// the answer is yes.
func (s *Server) Try(w Write) (review *admissionv1.AdmissionReview, keep func(), err error) {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(w.Object), &object.Object); err != nil {
		return nil, nil, fmt.Errorf("reading the object: %w", err)
	}
	key := keyOf(object)
	old := s.live[key]
	before := old
	if old == nil {
		before = &unstructured.Unstructured{}
		before.SetGroupVersionKind(object.GroupVersionKind())
	}
	converter := s.custom
	if converter == nil || scheme.Scheme.Recognizes(object.GroupVersionKind()) {
		converter = applyv1.NewTypeConverter(scheme.Scheme)
	}
	fields := managedfieldstest.NewFakeFieldManager(converter, object.GroupVersionKind())
	var written runtime.Object
	if w.Apply {
		written, err = fields.Apply(before.DeepCopy(), object, w.Manager, true)
	} else {
		object.SetManagedFields(before.GetManagedFields())
		written, err = fields.Update(before.DeepCopy(), object, w.Manager)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("writing %s: %w", key, err)
	}
	after, ok := written.(*unstructured.Unstructured)
	if !ok {
		return nil, nil, fmt.Errorf("writing %s: got a %T", key, written)
	}
	if after.GetUID() == "" {
		after.SetUID(uuid.NewUUID())
		after.SetCreationTimestamp(metav1.Now())
	}
	review, err = reviewOf(w, after, old)
	return review, func() { s.live[key] = after }, err
}

// Delete makes the review of a deletion.
func (s *Server) Delete(kind schema.GroupVersionKind, namespace, name, user string) (review *admissionv1.AdmissionReview, keep func(), err error) {
	key := kind.GroupKind().String() + " " + namespace + "/" + name
	before, ok := s.live[key]
	if !ok {
		return nil, nil, fmt.Errorf("there is no %s", key)
	}
	review, err = reviewOf(Write{User: user}, nil, before)
	return review, func() { delete(s.live, key) }, err
}

func keyOf(o *unstructured.Unstructured) string {
	return o.GroupVersionKind().GroupKind().String() + " " + o.GetNamespace() + "/" + o.GetName()
}

func reviewOf(w Write, object, old *unstructured.Unstructured) (*admissionv1.AdmissionReview, error) {
	request := &admissionv1.AdmissionRequest{
		UID: uuid.NewUUID(), UserInfo: authenticationv1.UserInfo{Username: w.User, Groups: w.Groups}, DryRun: &w.DryRun,
	}
	subject := object
	switch {
	case object == nil:
		request.Operation, subject = admissionv1.Delete, old
		request.Options = runtime.RawExtension{Raw: []byte(`{"apiVersion":"meta.k8s.io/v1","kind":"DeleteOptions"}`)}
	case old == nil:
		request.Operation = admissionv1.Create
		request.Options = options("CreateOptions", w.Manager)
	default:
		request.Operation = admissionv1.Update
		request.Options = options("UpdateOptions", w.Manager)
	}
	var err error
	if request.Object, err = raw(object); err != nil {
		return nil, err
	}
	if request.OldObject, err = raw(old); err != nil {
		return nil, err
	}
	gvk := subject.GroupVersionKind()
	resource, _ := meta.UnsafeGuessKindToResource(gvk)
	request.Kind = metav1.GroupVersionKind(gvk)
	request.Resource = metav1.GroupVersionResource(resource)
	request.RequestKind, request.RequestResource = &request.Kind, &request.Resource
	request.Namespace, request.Name = subject.GetNamespace(), subject.GetName()
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: request,
	}, nil
}

func options(kind, manager string) runtime.RawExtension {
	body, err := json.Marshal(map[string]string{"apiVersion": "meta.k8s.io/v1", "kind": kind, "fieldManager": manager})
	if err != nil {
		return runtime.RawExtension{}
	}
	return runtime.RawExtension{Raw: body}
}

func raw(o *unstructured.Unstructured) (runtime.RawExtension, error) {
	if o == nil {
		return runtime.RawExtension{}, nil
	}
	body, err := o.MarshalJSON()
	if err != nil {
		return runtime.RawExtension{}, fmt.Errorf("encoding the object: %w", err)
	}
	return runtime.RawExtension{Raw: body}, nil
}
