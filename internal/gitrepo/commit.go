package gitrepo

import (
	"bytes"
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// maxCommit bounds the bytes of one commit object, message and signature included.
const (
	maxCommit = 1 << 20
	tooLarge  = "is larger than 1 MiB"
)

// Object is a commit with the bytes that its signature covers. The signature itself is Unchecked:
// whoever has keys judges it.
type Object struct {
	change.Commit
	Payload   []byte // the stored bytes without the signature header
	Signature []byte // the armoured block, as it is given to a verifier; empty where unsigned
}

// header is one header of a commit, with the lines that go on with it.
type header struct {
	key   string
	value []byte // continuation lines joined by line feeds, each without its one leading space
	folds bool
	// Where it stands in the object's bytes.
	from, to int
}

// ParseCommit reads the raw bytes of the commit with this id. It refuses with a MalformedError what
// git, or another reader of the same bytes, could understand in a different way (threat T-11):
//
//   - bytes whose id is not the one asked for, that show an attack on SHA-1, or more than 1 MiB;
//   - anything but one tree, its parents directly after it, one author and one committer, in this
//     order, and any of these headers again further down;
//   - more than one encoding or signature header, and any other header that begins with "gpgsig":
//     git leaves all of those out of the signed payload;
//   - a signature that is not exactly one armoured block, but for the one blank line that GitHub
//     writes after its own;
//   - a header that goes on in lines although its kind has one line, NUL anywhere, CR in a header;
//   - an author, committer or date that git fsck refuses, a message in an unknown encoding.
func ParseCommit(id string, raw []byte) (Object, error) {
	var o Object
	refuse := func(reason string) (Object, error) { return Object{}, &MalformedError{ID: id, Reason: reason} }
	if len(raw) > maxCommit {
		return refuse(tooLarge)
	}
	if err := checkID(id, "commit", raw); err != nil {
		return o, err
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return refuse("has a NUL byte")
	}
	headers, message, refused := splitHeaders(raw)
	if refused != "" {
		return refuse(refused)
	}
	o.ID = id
	rest, refused := o.readFixed(headers)
	if refused != "" {
		return refuse(refused)
	}
	encoding, refused := o.readOptional(rest, raw)
	if refused != "" {
		return refuse(refused)
	}
	text, ok := decode(encoding, message)
	if !ok {
		return refuse("message is in an encoding that is not read")
	}
	o.Subject, _, _ = strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	o.Subject = strings.Trim(o.Subject, gitSpace)
	o.Trailers = parseTrailers(text)
	return o, nil
}

// splitHeaders cuts the headers of an object, which end with an empty line, from its message.
func splitHeaders(raw []byte) (headers []header, message []byte, refused string) {
	for at := 0; at < len(raw); {
		line, _, ended := bytes.Cut(raw[at:], []byte("\n"))
		from := at
		at += len(line) + 1
		switch {
		case !ended:
			return nil, nil, "last header does not end"
		case len(line) == 0:
			return headers, raw[at:], ""
		case bytes.IndexByte(line, '\r') >= 0:
			return nil, nil, "has a carriage return in a header"
		case line[0] == ' ' && len(headers) == 0:
			return nil, nil, "begins with a continuation line"
		case line[0] == ' ':
			h := &headers[len(headers)-1]
			h.value = append(append(h.value, '\n'), line[1:]...)
			h.to, h.folds = at, true
		default:
			key, value, ok := bytes.Cut(line, []byte(" "))
			if !ok || !headerKey(key) {
				return nil, nil, "has a header that is not a name and a value"
			}
			headers = append(headers, header{key: string(key), value: bytes.Clone(value), from: from, to: at})
		}
	}
	return nil, nil, "has no empty line after its headers"
}

func headerKey(key []byte) bool {
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(key) > 0
}

// readFixed reads the headers that every commit has, in the one order they may have.
func (o *Object) readFixed(headers []header) (rest []header, refused string) {
	next := func(key string) (string, bool) {
		if len(headers) == 0 || headers[0].key != key || headers[0].folds {
			return "", false
		}
		value := string(headers[0].value)
		headers = headers[1:]
		return value, true
	}
	tree, ok := next("tree")
	if !ok || !fullID(tree) || len(tree) != len(o.ID) {
		return nil, "does not begin with one tree"
	}
	o.Tree = tree
	for parent, ok := next("parent"); ok; parent, ok = next("parent") {
		if !fullID(parent) || len(parent) != len(o.ID) {
			return nil, "has a parent that is not a full object id"
		}
		o.Parents = append(o.Parents, parent)
	}
	for _, who := range []struct {
		key string
		to  *change.Person
	}{{"author", &o.Author}, {"committer", &o.Committer}} {
		line, ok := next(who.key)
		if !ok {
			return nil, "has no " + who.key + " where it must stand"
		}
		if *who.to, refused = parseIdent(line); refused != "" {
			return nil, who.key + ": " + refused
		}
	}
	return headers, ""
}

// readOptional reads what may follow: an encoding, a signature, and headers that decide nothing.
func (o *Object) readOptional(headers []header, raw []byte) (encoding, refused string) {
	signature := "gpgsig"
	if len(o.ID) == sha256Hex {
		signature = "gpgsig-sha256"
	}
	o.Payload = raw
	encoded := false
	for _, h := range headers {
		switch {
		case h.key == "tree" || h.key == "parent" || h.key == "author" || h.key == "committer":
			return "", "has a second or misplaced " + h.key
		case h.key == "encoding":
			if encoded || h.folds {
				return "", "has a second or folded encoding"
			}
			encoding, encoded = string(h.value), true
		case h.key == signature:
			if o.Signature != nil {
				return "", "has a second signature"
			}
			if o.Signature, refused = oneBlock(h.value); refused != "" {
				return "", refused
			}
			o.Payload = append(bytes.Clone(raw[:h.from]), raw[h.to:]...)
		case strings.HasPrefix(h.key, "gpgsig"):
			return "", "has a header that signatures leave out: " + strings.ToValidUTF8(h.key, "?")
		}
	}
	return encoding, ""
}

// decode is the message as UTF-8. Encodings in which other bytes than ASCII's mean ASCII letters
// are not read: a trailer could say one thing to git and another to us.
func decode(encoding string, message []byte) (string, bool) {
	switch strings.ToLower(encoding) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return clean(string(message)), true
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
		runes := make([]rune, len(message))
		for i, b := range message {
			runes[i] = rune(b)
		}
		return string(runes), true
	}
	return "", false
}
