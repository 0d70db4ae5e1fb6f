package controller

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/client-go/rest"

	"github.com/fairway-dev/fairway/internal/change"
)

// Live reads the live objects that own others. It asks the API server each time, under the deadline of
// the request that is judged, and only for kinds that may own something: those of the built-in
// controllers, and custom ones. Who names another kind, or one that Fairway may not read, gets no
// answer, which in a gated tier means no.
type Live struct {
	client rest.Interface
	custom atomic.Pointer[map[groupKind]place]
}

type groupKind struct{ group, kind string }

// place is where the objects of a kind are served.
type place struct {
	version, resource string
	namespaced        bool
}

// owners are the built-in kinds that may own something. The version is the one that every supported API
// server serves: that of a reference is its writer's choice, and one that is not served would look like
// an owner that is gone.
func owners() map[groupKind]place {
	return map[groupKind]place{
		{"apps", "Deployment"}:            {"v1", "deployments", true},
		{"apps", "ReplicaSet"}:            {"v1", "replicasets", true},
		{"apps", "StatefulSet"}:           {"v1", "statefulsets", true},
		{"apps", "DaemonSet"}:             {"v1", "daemonsets", true},
		{"apps", "ControllerRevision"}:    {"v1", "controllerrevisions", true}, // owns nothing, and holds what its owner was
		{"batch", "Job"}:                  {"v1", "jobs", true},
		{"batch", "CronJob"}:              {"v1", "cronjobs", true},
		{"", "ReplicationController"}:     {"v1", "replicationcontrollers", true},
		{"", "Service"}:                   {"v1", "services", true},
		{"", "Endpoints"}:                 {"v1", "endpoints", true},
		{"", "Pod"}:                       {"v1", "pods", true},
		{"", "ConfigMap"}:                 {"v1", "configmaps", true},
		{"", "ServiceAccount"}:            {"v1", "serviceaccounts", true},
		{"", "PersistentVolumeClaim"}:     {"v1", "persistentvolumeclaims", true},
		{"", "Node"}:                      {"v1", "nodes", false},
		{"", "Namespace"}:                 {"v1", "namespaces", false},
		{"networking.k8s.io", "Ingress"}:  {"v1", "ingresses", true},
		{"storage.k8s.io", "CSINode"}:     {"v1", "csinodes", false},
		{"policy", "PodDisruptionBudget"}: {"v1", "poddisruptionbudgets", true},
	}
}

// NewLive reads with a client of the API server's root.
func NewLive(client rest.Interface) *Live {
	l := &Live{client: client}
	l.Define(nil)
	return l
}

// Define puts the custom kinds in force that may own something: those that have been established.
func (l *Live) Define(crds []apiextensionsv1.CustomResourceDefinition) {
	kinds := owners()
	for _, crd := range crds {
		at := groupKind{crd.Spec.Group, crd.Spec.Names.Kind}
		if _, builtin := kinds[at]; builtin {
			continue
		}
		for _, v := range crd.Spec.Versions {
			if v.Served && (v.Storage || kinds[at].version == "") {
				kinds[at] = place{v.Name, crd.Spec.Names.Plural, crd.Spec.Scope == apiextensionsv1.NamespaceScoped}
			}
		}
	}
	l.custom.Store(&kinds)
}

// Object is the raw JSON of the live object of a kind. Absent: there is none.
func (l *Live) Object(ctx context.Context, kind change.Kind, namespace, name string) ([]byte, change.Found) {
	at, ok := (*l.custom.Load())[groupKind{kind.Group, kind.Kind}]
	if !ok || name == "" || len(content.IsPathSegmentName(name)) > 0 || len(content.IsPathSegmentName(namespace)) > 0 {
		return nil, change.CouldNotTell
	}
	segments := []string{"/apis", kind.Group, at.version}
	if kind.Group == "" {
		segments = []string{"/api", at.version}
	}
	if at.namespaced {
		if namespace == "" {
			return nil, change.CouldNotTell
		}
		segments = append(segments, "namespaces", namespace)
	}
	segments = append(segments, at.resource, name)
	result := l.client.Get().AbsPath(strings.Join(segments, "/")).SetHeader("Accept", "application/json").Do(ctx)
	if err := result.Error(); err != nil { // unlike Raw, it reads what the API server says of the error
		if isGone(err, name) {
			return nil, change.Absent
		}
		return nil, change.CouldNotTell
	}
	raw, err := result.Raw()
	if err != nil {
		return nil, change.CouldNotTell
	}
	return raw, change.Present
}

// isGone reports whether the API server says that the object is not there, and not that it does not
// know the path.
func isGone(err error, name string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Name == name
}
