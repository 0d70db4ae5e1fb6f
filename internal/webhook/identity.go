package webhook

import (
	"cmp"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// finish checks that the review can be read in one way only, and takes the identity of what it
// changes from the object itself: a deletecollection leaves the request's name empty (T-07).
func (r *review) finish() error {
	req := r.req
	switch {
	case r.apiVersion != "admission.k8s.io/v1" || r.kind != "AdmissionReview":
		return badVersion
	case req.UID == "" || req.Kind.Kind == "" || req.Resource.Resource == "":
		return badMissing
	}
	if !r.hasRequestKind {
		req.RequestKind = req.Kind
	}
	if !r.hasRequestResource {
		req.RequestResource = req.Resource
	}
	switch req.Operation {
	case change.Create:
		req.Old = nil
		return r.identify(r.object, req.Object)
	case change.Update:
		return r.identify(r.object, req.Object)
	case change.Delete:
		// A deletion has no new state, whatever is said of one.
		req.Object = nil
		return r.identify(r.old, req.Old)
	case change.Connect:
		// What the API server sends as the object are the options of the connection.
		req.Object, req.Old = nil, nil
		req.ID = change.ObjectID{
			Group: req.Kind.Group, Kind: req.Kind.Kind,
			Namespace: req.Namespace, Name: req.Name,
		}
		return nil
	}
	return badOperation
}

// identify takes the identity from the object that decides. Where the object leaves a part out, as
// the bodies of some sub-resources do, the request's stands in: it comes from the URL then. Where
// both say something they must agree, or a check of one would be a way past a check of the other.
func (r *review) identify(o identity, raw []byte) error {
	req := r.req
	if raw == nil {
		return badObject
	}
	group, version, found := strings.Cut(o.apiVersion, "/")
	if !found {
		group, version = "", o.apiVersion
	}
	if o.kind != "" && (o.kind != req.Kind.Kind || group != req.Kind.Group || version != req.Kind.Version) {
		return badKind
	}
	namespace := req.Namespace
	if req.Resource.Group == "" && req.Resource.Resource == "namespaces" {
		namespace = "" // the API server gives a Namespace's own name as the request's namespace
	}
	if (o.name != "" && req.Name != "" && o.name != req.Name) ||
		(o.namespace != "" && o.namespace != namespace) {
		return badName
	}
	req.ID = change.ObjectID{
		Group: req.Kind.Group, Kind: req.Kind.Kind,
		Namespace: namespace, Name: cmp.Or(o.name, req.Name),
	}
	return nil
}
