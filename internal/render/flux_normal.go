package render

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// normalised is an object as kustomize-controller sends it. It puts kinds that it has a Go type for
// through that type, which adds what the type always writes (resources: {}, strategy: {}) and drops
// what it does not know, fills in the protocol of ports, folds stringData into data, and leaves
// status out. Flux's own package for it is not used: it would bring kubectl and a status poller into
// a program that renders what strangers wrote.
//
// What was added is a field that the controller applies and owns, so without it the object would be
// another one.
func normalised(o Object) map[string]any {
	content := o.Content
	if typed := retyped(o); typed != nil {
		content = typed
	}
	if !isCRD(o) { // the controller keeps that of a definition
		delete(content, "status")
	}
	return content
}

// retyped is an object after its Go type; nil where it has none or does not fit it.
func retyped(o Object) map[string]any {
	kind := schema.GroupVersionKind{Group: o.ID.Group, Version: o.Version, Kind: o.ID.Kind}
	if kind.GroupVersion().String() == "rbac.authorization.k8s.io/v1" && (kind.Kind == "Role" || kind.Kind == "ClusterRole") {
		return nil // the controller leaves them as they are
	}
	typed, err := scheme.Scheme.New(kind)
	if err != nil {
		return nil
	}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(o.Content, typed) != nil {
		return nil
	}
	switch t := typed.(type) {
	case *corev1.Pod:
		portsOf(&t.Spec)
	case *appsv1.Deployment:
		portsOf(&t.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		portsOf(&t.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		portsOf(&t.Spec.Template.Spec)
	case *appsv1.ReplicaSet:
		portsOf(&t.Spec.Template.Spec)
	case *batchv1.Job:
		portsOf(&t.Spec.Template.Spec)
	case *batchv1.CronJob:
		portsOf(&t.Spec.JobTemplate.Spec.Template.Spec)
	case *corev1.Service:
		for i := range t.Spec.Ports {
			protocol(&t.Spec.Ports[i].Protocol)
		}
	case *corev1.Secret:
		fold(t)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil
	}
	return content
}

// portsOf names the protocol of the ports of containers, not of those that run first: the controller
// leaves these to the server.
func portsOf(spec *corev1.PodSpec) {
	for i := range spec.Containers {
		for j := range spec.Containers[i].Ports {
			protocol(&spec.Containers[i].Ports[j].Protocol)
		}
	}
}

func protocol(p *corev1.Protocol) {
	if *p == "" {
		*p = corev1.ProtocolTCP
	}
}

func fold(s *corev1.Secret) {
	for key, text := range s.StringData {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[key] = []byte(text)
	}
	s.StringData = nil
}
