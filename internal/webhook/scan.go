package webhook

import (
	"hash/maphash"

	"github.com/go-json-experiment/json/jsontext"
)

// once remembers which members of an object were met.
type once uint32

// then is err, or badDuplicate where the member with this number was met before.
func (o *once) then(number int, err error) error {
	bit := once(1) << number
	if *o&bit != 0 {
		return badDuplicate
	}
	*o |= bit
	return err
}

// open reads the beginning of an object; null is none.
func (p *parser) open() (bool, error) {
	switch p.dec.PeekKind() {
	case '{', 'n':
		token, err := p.dec.ReadToken()
		return err == nil && token.Kind() == '{', err
	}
	return false, p.wrongType()
}

// fields calls field at the value of each member of an object that was opened, and reads its end.
// The name is valid until the value is read.
func (p *parser) fields(field func(name []byte) error) error {
	for p.dec.PeekKind() == '"' {
		raw, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := field(unquote(raw)); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// members reads an object with field; null has no members.
func (p *parser) members(field func(name []byte) error) error {
	if opened, err := p.open(); err != nil || !opened {
		return err
	}
	return p.fields(field)
}

// skip reads over a value and checks that it is JSON.
func (p *parser) skip() error {
	_, err := p.dec.ReadValue()
	return err
}

// text reads a string; null leaves it as it is.
func (p *parser) text(to *string) error {
	switch p.dec.PeekKind() {
	case '"':
		raw, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		*to = p.names.text(unquote(raw))
		return nil
	case 'n':
		return p.skip()
	}
	return p.wrongType()
}

// texts reads a list of strings; null is none.
func (p *parser) texts(to *[]string) error {
	switch p.dec.PeekKind() {
	case '[':
	case 'n':
		return p.skip()
	default:
		return p.wrongType()
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	list := []string{}
	for p.dec.PeekKind() != ']' {
		if len(list) == mostStrings {
			return badLength
		}
		var s string
		if err := p.text(&s); err != nil {
			return err
		}
		list = append(list, s)
	}
	*to = list
	_, err := p.dec.ReadToken()
	return err
}

// flag reads a boolean; null leaves it as it is.
func (p *parser) flag(to *bool) error {
	switch p.dec.PeekKind() {
	case 't', 'f':
		token, err := p.dec.ReadToken()
		*to = err == nil && token.Bool()
		return err
	case 'n':
		return p.skip()
	}
	return p.wrongType()
}

// wrongType is badType where a value of another type comes next, and the syntax error where none
// does.
func (p *parser) wrongType() error {
	if err := p.skip(); err != nil {
		return err
	}
	return badType
}

// unquote is the text of a JSON string that the decoder has checked. It is part of raw where there
// is nothing to unescape.
func unquote(raw jsontext.Value) []byte {
	for _, c := range raw {
		if c == '\\' || c >= 0x80 {
			// The one error left is invalid UTF-8, which stands as U+FFFD in the result.
			text, _ := jsontext.AppendUnquote(nil, []byte(raw))
			return text
		}
	}
	return raw[1 : len(raw)-1]
}

// interner keeps strings that come with request after request (kinds, groups, users), so that they
// are not allocated anew. A pair of slots holds the two latest strings that fell into it.
type interner struct {
	seed  maphash.Seed
	ready bool
	slots [256][2]string
}

// internLongest bounds what a slot holds, in bytes.
const internLongest = 64

// text is b as a string.
func (n *interner) text(b []byte) string {
	if len(b) == 0 || len(b) > internLongest {
		return string(b)
	}
	if !n.ready {
		n.seed, n.ready = maphash.MakeSeed(), true
	}
	pair := &n.slots[maphash.Bytes(n.seed, b)%uint64(len(n.slots))]
	if pair[0] == string(b) {
		return pair[0]
	}
	if pair[1] == string(b) {
		return pair[1]
	}
	pair[0], pair[1] = string(b), pair[0]
	return pair[0]
}
