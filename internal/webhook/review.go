package webhook

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fairway-dev/fairway/internal/change"
)

// malformed says what is wrong with a review, in words that hold nothing of what was sent: they
// are shown to clients, and a key or value of an object must never reach a message that way.
type malformed string

// Error is the text.
func (m malformed) Error() string { return string(m) }

// What can be wrong with a review.
const (
	badJSON      malformed = "it is not valid JSON"
	badType      malformed = "a field has the wrong type"
	badTrailer   malformed = "something follows the review"
	badDuplicate malformed = "a field that is decided on stands twice"
	badVersion   malformed = "it is not an admission.k8s.io/v1 AdmissionReview"
	badMissing   malformed = "a field that is always there is missing"
	badOperation malformed = "the operation is unknown"
	badObject    malformed = "the object of the operation is missing"
	badKind      malformed = "the object's kind is not the request's"
	badName      malformed = "the object's name or namespace is not the request's"
	badLength    malformed = "a field is longer than any API server sends"
)

// Bounds of what is copied out of a review; what stays raw costs nothing. A few bytes of JSON make
// a string of many, so a list without bound would cost a multiple of the body.
const (
	longestUID  = 256    // bytes; API servers send 36
	mostStrings = 10_000 // groups of a user, or values of one extra field
	mostExtra   = 1_000  // extra fields of a user
)

// review is what was read of one AdmissionReview.
type review struct {
	apiVersion, kind string
	req              *change.Request
	object, old      identity
	// requestKind and requestResource were sent.
	hasRequestKind, hasRequestResource bool
}

// identity is what an object says of itself.
type identity struct {
	apiVersion, kind, name, namespace string
}

// parser reads reviews in one pass. It takes what decides and jumps over the rest, checking only
// that it is JSON. Member names that are decided on may stand once: two parsers that disagree on
// which of two counts are a way past a check. Below an object's metadata duplicates are let through
// as raw bytes (real payloads have them in embedded values); who parses those bytes decides.
// Invalid UTF-8 becomes U+FFFD in strings and stays in raw bytes, as encoding/json has it.
type parser struct {
	dec   *jsontext.Decoder
	src   bytes.Buffer
	data  []byte
	names interner
	out   review
}

// parserPool keeps parsers with their stacks and interned names.
type parserPool struct{ pool sync.Pool }

// parse reads one review, as a parser does.
func (p *parserPool) parse(data []byte) (*change.Request, error) {
	used, ok := p.pool.Get().(*parser)
	if !ok {
		used = &parser{dec: new(jsontext.Decoder)}
	}
	req, err := used.parse(data)
	used.src, used.data, used.out = bytes.Buffer{}, nil, review{} // nothing of what it read is kept
	p.pool.Put(used)
	return req, err
}

// parse reads one review. The request is never nil and holds the uid as soon as that was read, also
// when an error is returned; its Object and Old are parts of data.
func (p *parser) parse(data []byte) (*change.Request, error) {
	p.src, p.data = *bytes.NewBuffer(data), data
	p.out = review{req: new(change.Request)}
	p.dec.Reset(&p.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := p.review(); err != nil {
		if m := malformed(""); errors.As(err, &m) {
			return p.out.req, err
		}
		return p.out.req, badJSON
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return p.out.req, badTrailer
	}
	return p.out.req, p.out.finish()
}

// review reads the outermost object.
func (p *parser) review() error {
	var seen once
	return p.members(func(name []byte) error {
		switch string(name) {
		case "apiVersion":
			return seen.then(0, p.text(&p.out.apiVersion))
		case "kind":
			return seen.then(1, p.text(&p.out.kind))
		case "request":
			return seen.then(2, p.request())
		}
		return p.skip()
	})
}

// request reads the AdmissionRequest.
func (p *parser) request() error {
	var seen once
	req := p.out.req
	return p.members(func(name []byte) error {
		switch string(name) {
		case "uid":
			return seen.then(0, p.uid(&req.UID))
		case "kind":
			return seen.then(1, p.kind(&req.Kind))
		case "resource":
			return seen.then(2, p.resource(&req.Resource))
		case "subResource":
			return seen.then(3, p.text(&req.Resource.Subresource))
		case "requestKind":
			p.out.hasRequestKind = p.dec.PeekKind() == '{'
			return seen.then(4, p.kind(&req.RequestKind))
		case "requestResource":
			p.out.hasRequestResource = p.dec.PeekKind() == '{'
			return seen.then(5, p.resource(&req.RequestResource))
		case "requestSubResource":
			return seen.then(6, p.text(&req.RequestResource.Subresource))
		case "name":
			return seen.then(7, p.text(&req.Name))
		case "namespace":
			return seen.then(8, p.text(&req.Namespace))
		case "operation":
			return seen.then(9, p.text((*string)(&req.Operation)))
		case "userInfo":
			return seen.then(10, p.user(&req.User))
		case "object":
			return seen.then(11, p.object(&req.Object, &p.out.object))
		case "oldObject":
			return seen.then(12, p.object(&req.Old, &p.out.old))
		case "dryRun":
			return seen.then(13, p.flag(&req.DryRun))
		case "options":
			return seen.then(14, p.options(&req.FieldManager))
		}
		return p.skip()
	})
}

// uid reads the uid, unless it is too long to be echoed.
func (p *parser) uid(to *string) error {
	err := p.text(to)
	if len(*to) > longestUID {
		*to = ""
		return badLength
	}
	return err
}

// kind reads a GroupVersionKind.
func (p *parser) kind(k *change.Kind) error {
	var seen once
	return p.members(func(name []byte) error {
		switch string(name) {
		case "group":
			return seen.then(0, p.text(&k.Group))
		case "version":
			return seen.then(1, p.text(&k.Version))
		case "kind":
			return seen.then(2, p.text(&k.Kind))
		}
		return p.skip()
	})
}

// resource reads a GroupVersionResource.
func (p *parser) resource(r *change.Resource) error {
	var seen once
	return p.members(func(name []byte) error {
		switch string(name) {
		case "group":
			return seen.then(0, p.text(&r.Group))
		case "version":
			return seen.then(1, p.text(&r.Version))
		case "resource":
			return seen.then(2, p.text(&r.Resource))
		}
		return p.skip()
	})
}

// user reads a UserInfo.
func (p *parser) user(u *change.User) error {
	var seen once
	return p.members(func(name []byte) error {
		switch string(name) {
		case "username":
			return seen.then(0, p.text(&u.Name))
		case "uid":
			return seen.then(1, p.text(&u.UID))
		case "groups":
			return seen.then(2, p.texts(&u.Groups))
		case "extra":
			return seen.then(3, p.extra(u))
		}
		return p.skip()
	})
}

// extra reads the free part of a UserInfo.
func (p *parser) extra(u *change.User) error {
	return p.members(func(name []byte) error {
		key := string(name)
		if _, twice := u.Extra[key]; twice {
			return badDuplicate
		}
		if len(u.Extra) == mostExtra {
			return badLength
		}
		var values []string
		if err := p.texts(&values); err != nil {
			return err
		}
		if u.Extra == nil {
			u.Extra = make(map[string][]string)
		}
		u.Extra[key] = values
		return nil
	})
}

// object takes an object as raw bytes and reads its identity on the way; null is no object.
func (p *parser) object(raw *[]byte, id *identity) error {
	opened, err := p.open()
	if err != nil || !opened {
		return err
	}
	start := p.dec.InputOffset() - 1 // the brace
	if err := p.identity(id); err != nil {
		return err
	}
	end := p.dec.InputOffset()
	*raw = p.data[start:end:end]
	return nil
}

// identity reads the inside of an object.
func (p *parser) identity(id *identity) error {
	var seen once
	return p.fields(func(name []byte) error {
		switch string(name) {
		case "apiVersion":
			return seen.then(0, p.text(&id.apiVersion))
		case "kind":
			return seen.then(1, p.text(&id.kind))
		case "metadata":
			return seen.then(2, p.metadata(id))
		}
		return p.skip()
	})
}

// metadata reads the two names of an object's metadata.
func (p *parser) metadata(id *identity) error {
	var seen once
	return p.members(func(name []byte) error {
		switch string(name) {
		case "name":
			return seen.then(0, p.text(&id.name))
		case "namespace":
			return seen.then(1, p.text(&id.namespace))
		}
		return p.skip()
	})
}

// options reads the field manager from the operation's options.
func (p *parser) options(manager *string) error {
	var seen once
	return p.members(func(name []byte) error {
		if string(name) == "fieldManager" {
			return seen.then(0, p.text(manager))
		}
		return p.skip()
	})
}
