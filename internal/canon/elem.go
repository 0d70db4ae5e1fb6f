package canon

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// An elem is one step of a field path in canonical bytes, so that the same step is the same bytes
// whoever wrote it down: a field "f:name", a list item by its keys "k:" with each key's length,
// name, length and scalar, a set item "v:" with its scalar, an index "i:" with decimal digits. The
// letters are those of fieldsV1.
type elem []byte

// appendScalar appends a scalar in canonical bytes: a letter for its type and what it says. A
// container, which no scalar is, becomes the letter 'x'.
func appendScalar(dst []byte, d *doc, n ref) []byte {
	switch d.kind(n) {
	case null:
		return append(dst, 'n')
	case boolean:
		return append(dst, d.bytes(n)[0])
	case number:
		return appendNumber(append(dst, '#'), d.bytes(n))
	case text:
		dst = append(dst, 's')
		if d.nodes[n].escaped {
			return unescape(dst, d.bytes(n))
		}
		return append(dst, d.bytes(n)...)
	}
	return append(dst, 'x')
}

// appendNumber appends a number in its one spelling: an integer in digits, also where it was
// written with a fraction or exponent that says nothing; any other number as the shortest decimal
// of its double. Integers keep every digit.
func appendNumber(dst, raw []byte) []byte {
	if !bytes.ContainsAny(raw, ".eE") {
		if string(raw) == "-0" {
			return append(dst, '0')
		}
		return append(dst, raw...)
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil: // beyond a double
		return append(dst, raw...)
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// appendSized appends a length and then the bytes.
func appendSized(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// cutSized splits what appendSized appended off b.
func cutSized(b []byte) (head, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// isField reports whether e is the field of that name.
func (e elem) isField(name string) bool {
	return len(e) == len(name)+2 && e[0] == 'f' && string(e[2:]) == name
}

// appendTo appends e for people: .name, ["odd name"], [key="value"], [="value"] or [0].
func (e elem) appendTo(dst []byte) []byte {
	switch e[0] {
	case 'f':
		if name := string(e[2:]); plain(name) {
			if len(dst) > 0 {
				dst = append(dst, '.')
			}
			return append(dst, name...)
		}
		return append(appendQuoted(append(dst, '['), e[2:]), ']')
	case 'k':
		dst = append(dst, '[')
		for rest, first := []byte(e[2:]), true; len(rest) > 0; first = false {
			name, r, ok := cutSized(rest)
			scalar, r, ok2 := cutSized(r)
			if !ok || !ok2 {
				break
			}
			if rest = r; !first {
				dst = append(dst, ',')
			}
			dst = appendForPeople(append(append(dst, name...), '='), scalar)
		}
		return append(dst, ']')
	case 'v':
		return append(appendForPeople(append(dst, '[', '='), e[2:]), ']')
	}
	return append(append(append(dst, '['), e[2:]...), ']')
}

// appendForPeople appends a canonical scalar as JSON would spell it.
func appendForPeople(dst, scalar []byte) []byte {
	if len(scalar) == 0 {
		return dst
	}
	switch scalar[0] {
	case 'n':
		return append(dst, "null"...)
	case 't':
		return append(dst, "true"...)
	case 'f':
		return append(dst, "false"...)
	case '#':
		return append(dst, scalar[1:]...)
	}
	return appendQuoted(dst, scalar[1:])
}

// appendQuoted appends a string in the quotes of PathPattern: a backslash before a quote, a backslash
// and a star, and \u or \U before the code of what cannot be printed.
func appendQuoted(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, r := range string(b) {
		switch {
		case r == '"' || r == '\\' || r == '*':
			dst = append(dst, '\\', byte(r))
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			dst = fmt.Appendf(dst, "\\U%08x", r)
		default:
			dst = fmt.Appendf(dst, "\\u%04x", r)
		}
	}
	return append(dst, '"')
}

// plain reports whether a member name needs no quotes in a path.
func plain(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if c != '_' && c != '-' && c != '$' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// path is a field path.
type path []elem

// String is the path for people. It is written so that ParsePattern reads it back.
func (p path) String() string {
	var b []byte
	for _, e := range p {
		b = e.appendTo(b)
	}
	return string(b)
}

// clone is a copy that shares nothing with the path, which walks reuse.
func (p path) clone() path {
	out := make(path, len(p))
	for i, e := range p {
		out[i] = slices.Clone(e)
	}
	return out
}

// under reports whether p lies below q.
func (p path) under(q path) bool {
	return len(p) > len(q) && slices.EqualFunc(p[:len(q)], q, func(a, b elem) bool { return bytes.Equal(a, b) })
}
