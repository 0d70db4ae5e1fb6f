package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"

	"github.com/fairway-dev/fairway/internal/change"
)

// reference is the request that the API machinery's own decoder reads from the same bytes.
func reference(t *testing.T, data []byte) (*change.Request, bool) {
	var review admissionv1.AdmissionReview
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &review); err != nil || review.Request == nil {
		return nil, false
	}
	r := review.Request
	req := &change.Request{
		UID:          string(r.UID),
		Operation:    change.Operation(r.Operation),
		Kind:         change.Kind(r.Kind),
		Namespace:    r.Namespace,
		Name:         r.Name,
		User:         change.User{Name: r.UserInfo.Username, UID: r.UserInfo.UID, Groups: r.UserInfo.Groups},
		DryRun:       r.DryRun != nil && *r.DryRun,
		FieldManager: fieldManager(t, r.Options.Raw),
		Object:       r.Object.Raw,
		Old:          r.OldObject.Raw,
		Resource: change.Resource{
			Group: r.Resource.Group, Version: r.Resource.Version,
			Resource: r.Resource.Resource, Subresource: r.SubResource,
		},
	}
	for key, values := range r.UserInfo.Extra {
		if req.User.Extra == nil {
			req.User.Extra = map[string][]string{}
		}
		req.User.Extra[key] = values
	}
	req.RequestKind, req.RequestResource = req.Kind, req.Resource
	if r.RequestKind != nil {
		req.RequestKind = change.Kind(*r.RequestKind)
	}
	if r.RequestResource != nil {
		req.RequestResource = change.Resource{
			Group: r.RequestResource.Group, Version: r.RequestResource.Version,
			Resource: r.RequestResource.Resource, Subresource: r.RequestSubResource,
		}
	}
	req.ID = referenceID(t, req)
	switch req.Operation {
	case change.Create:
		req.Old = nil
	case change.Delete:
		req.Object = nil
	case change.Connect:
		req.Object, req.Old = nil, nil
	}
	return req, true
}

// referenceID is the identity by the API machinery's decoder.
func referenceID(t *testing.T, req *change.Request) change.ObjectID {
	id := change.ObjectID{Group: req.Kind.Group, Kind: req.Kind.Kind, Namespace: req.Namespace, Name: req.Name}
	raw := req.Object
	switch req.Operation {
	case change.Delete:
		raw = req.Old
	case change.Connect:
		return id
	}
	var object struct {
		Metadata struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &object); err != nil {
		t.Errorf("accepted an object that the API machinery does not: %v", err)
	}
	if object.Metadata.Name != "" {
		id.Name = object.Metadata.Name
	}
	if object.Metadata.Namespace != "" || req.Resource.Resource == "namespaces" && req.Resource.Group == "" {
		id.Namespace = object.Metadata.Namespace
	}
	return id
}

func fieldManager(t *testing.T, raw []byte) string {
	if raw == nil {
		return ""
	}
	var options struct {
		FieldManager string `json:"fieldManager"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &options); err != nil {
		t.Errorf("accepted options that the API machinery does not: %v", err)
	}
	return options.FieldManager
}

// FuzzReview: the lean reader never panics, and whatever both it and the API machinery's decoder
// accept, both read alike. It may refuse more (duplicates, contradictions), never read otherwise.
func FuzzReview(f *testing.F) {
	good := string(encoded(f))
	f.Add([]byte(good))
	for _, op := range []admissionv1.Operation{admissionv1.Create, admissionv1.Delete, admissionv1.Connect} {
		f.Add(encoded(f, func(r *admissionv1.AdmissionRequest) { r.Operation = op }))
	}
	for _, swap := range [][2]string{
		{`"web"`, `"w\u0065b"`}, {`"shop"`, "\"sh\xffp\""}, {`"shop"`, `"\ud800"`}, {`"name"`, `"n\u0061me"`},
		{`"dryRun":true`, `"dryRun":null`}, {`"groups":[`, `"groups":[null,`}, {`"requestKind":{`, `"requestKind":null,"x":{`},
		{`"object":{`, "\"object\" :\n\t{ "}, {`"extra":{`, `"extra":{"":null,`}, {`"metadata":{`, `"metadata":null,"meta":{`},
		{`"uid":`, `"UID":"x","uid":`}, {`"response"`, `"response"`}, {`"options":{`, `"options":null,"o":{`},
		{`"resource":"deployments"`, `"resource":"namespaces"`}, {`"Deployment"`, `"Deployment\u0000"`},
	} {
		f.Add([]byte(strings.ReplaceAll(good, swap[0], swap[1])))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p parserPool
		got, err := p.parse(data)
		if uid := headUID(data); err == nil && uid != got.UID {
			t.Errorf("uid in the head is %q, in the whole %q", uid, got.UID)
		}
		if err != nil {
			return
		}
		want, ok := reference(t, data)
		if !ok {
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("the API machinery reads otherwise (-typed +lean):\n%s", diff)
		}
		again, err := p.parse(data)
		if err != nil {
			t.Fatalf("second reading: %v", err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("second reading differs (-first +second):\n%s", diff)
		}
	})
}
