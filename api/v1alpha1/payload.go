package v1alpha1

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The domains of the prover's signatures: the first line of what is signed. A signature made for
// one can never stand for the other, nor for any other statement of the same key.
const (
	SpecSigningDomain   = "fairway.dev/v1alpha1 ProvenCommit spec"
	StatusSigningDomain = "fairway.dev/v1alpha1 ProvenCommit status"
)

// errLossy is a string that JSON cannot hold.
var errLossy = errors.New("a string in it is not valid UTF-8 and would be stored as another one")

// SigningPayload is what the prover signs of the spec: SpecSigningDomain, a line feed, and the
// canonical JSON of {"namespace", "name", "spec"}, the spec without its signature (keys sorted, no
// spaces, what is empty left out). The namespace and name are the object's, so that no spec can
// stand under another name.
//
// It is the same before writing and after reading back, and depends on no order of fields. A field
// that this version does not know is not in it, so that the signature of a newer prover's spec
// fails here rather than being believed in part. The error says that a string is not valid UTF-8.
func (p *ProvenCommit) SigningPayload() ([]byte, error) {
	spec := p.Spec
	spec.Signature = Signature{}
	return payload(SpecSigningDomain, struct {
		Namespace string           `json:"namespace"`
		Name      string           `json:"name"`
		Spec      ProvenCommitSpec `json:"spec"`
	}{p.Namespace, p.Name, spec})
}

// StatusSigningPayload is what the prover signs of the status: StatusSigningDomain, a line feed,
// and the canonical JSON of {"namespace", "name", "specSignature", "status"}, the status without
// its signature, so that no status can stand under another proof. It fails as SigningPayload does.
func (p *ProvenCommit) StatusSigningPayload() ([]byte, error) {
	status := p.Status
	status.Signature = nil
	return payload(StatusSigningDomain, struct {
		Namespace     string             `json:"namespace"`
		Name          string             `json:"name"`
		SpecSignature string             `json:"specSignature"`
		Status        ProvenCommitStatus `json:"status"`
	}{p.Namespace, p.Name, p.Spec.Signature.Value, status})
}

// payload is the domain, a line feed and the canonical JSON of v.
func payload(domain string, v any) ([]byte, error) {
	once, err := marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the payload: %w", err)
	}
	// Read back into maps, whose keys are written in sorted order; numbers stay as they are written.
	var generic any
	dec := json.NewDecoder(bytes.NewReader(once))
	dec.UseNumber()
	if err := dec.Decode(&generic); err != nil {
		return nil, fmt.Errorf("sorting the payload: %w", err)
	}
	sorted, err := marshal(generic)
	if err != nil {
		return nil, fmt.Errorf("sorting the payload: %w", err)
	}
	// The encoder writes bytes that are no UTF-8 as the escape \ufffd and the character itself as
	// it is. Sorting keeps the length unless it replaced such an escape.
	if len(once) != len(sorted) {
		return nil, fmt.Errorf("encoding the payload: %w", errLossy)
	}
	return append([]byte(domain+"\n"), sorted...), nil
}

// marshal is JSON without escapes for HTML and without a line feed at the end.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
