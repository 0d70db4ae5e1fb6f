// Package change is Fairway's vocabulary: what is asked of a cluster, by whom, where it says it
// comes from, and what was found out about it.
//
// The package holds values only. It decides nothing, reads nothing and knows no clock; every
// other room speaks in these words. Evidence is three-valued (see Found), and the zero value of
// every type here is the one that proves least, so that a forgotten field can never admit anything.
package change

import "strings"

// Operation is the admission operation of a request, spelled as in admission.k8s.io/v1.
type Operation string

// The operations that Kubernetes sends to a validating webhook.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Kind names a group, version and kind, for example apps, v1 and Deployment.
type Kind struct {
	Group, Version, Kind string
}

// APIVersion is the group and version as an object spells them: "apps/v1", or "v1" for the core group.
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// String is the kind for people: "apps/v1 Deployment", "v1 ConfigMap".
func (k Kind) String() string { return k.APIVersion() + " " + k.Kind }

// Resource names a group, version, plural resource and, where there is one, a sub-resource.
type Resource struct {
	Group, Version, Resource, Subresource string
}

// String is the resource for people: "deployments.apps", "deployments.apps/scale", "pods".
func (r Resource) String() string {
	s := r.Resource
	if r.Group != "" {
		s += "." + r.Group
	}
	if r.Subresource != "" {
		s += "/" + r.Subresource
	}
	return s
}

// ObjectID is the identity of an object whatever version it is served in. Namespace is empty for
// a cluster-scoped object.
type ObjectID struct {
	Group, Kind, Namespace, Name string
}

// String is the identity for people: "Deployment shop/web" or "ClusterRole viewer".
func (o ObjectID) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// Compare orders identities by group, kind, namespace and name.
func (o ObjectID) Compare(p ObjectID) int {
	for _, c := range [...]int{
		strings.Compare(o.Group, p.Group), strings.Compare(o.Kind, p.Kind),
		strings.Compare(o.Namespace, p.Namespace), strings.Compare(o.Name, p.Name),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// User is who asks, as the API server authenticated (or impersonated) them. It is a hint: an
// impersonated user looks the same as a real one.
type User struct {
	Name   string
	UID    string
	Groups []string
	Extra  map[string][]string
}

// Request is one admission request. Object and Old are the raw JSON as the API server sent it:
// Object is empty for DELETE and CONNECT, Old for CREATE and CONNECT.
type Request struct {
	UID       string
	Operation Operation
	Kind      Kind
	Resource  Resource
	// RequestKind and RequestResource are what the client addressed. They differ from Kind and
	// Resource only where the API server converted the object for a rule (matchPolicy Equivalent).
	RequestKind     Kind
	RequestResource Resource
	// Namespace is the request's: for a Namespace its own name, as the API server sends it, while
	// ID.Namespace is empty.
	Namespace    string
	Name         string // empty for each item of a deletecollection: decide on ID, never on this
	User         User
	DryRun       bool
	FieldManager string // chosen by the client: a hint
	Object, Old  []byte
	// ID is the identity taken from the object (from the old object for DELETE, from the request
	// for CONNECT), never from the request's name, which a deletecollection leaves empty.
	ID ObjectID
}
