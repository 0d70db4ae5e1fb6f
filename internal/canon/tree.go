package canon

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// first is the first child of n.
func (d *doc) first(n ref) ref {
	if n == none || d.nodes[n].count == 0 {
		return none
	}
	return n + 1
}

func (d *doc) next(n ref) ref { return d.nodes[n].next }

// kind is null for an absent node.
func (d *doc) kind(n ref) kind {
	if n == none {
		return null
	}
	return d.nodes[n].kind
}

// empty reports a container without children.
func (d *doc) empty(n ref) bool { return n == none || d.nodes[n].count == 0 }

// bytes is the value as it stands in the text; a string without its quotes and with its escapes.
func (d *doc) bytes(n ref) []byte { return d.raw[d.nodes[n].start:d.nodes[n].end] }

// text is the decoded string.
func (d *doc) text(n ref) []byte {
	b := d.bytes(n)
	if d.nodes[n].escaped {
		return unescape(make([]byte, 0, len(b)), b)
	}
	return b
}

// str is the decoded string, or the empty one if n is no string.
func (d *doc) str(n ref) string {
	if d.kind(n) != text {
		return ""
	}
	return string(d.text(n))
}

// key is the decoded member name.
func (d *doc) key(n ref) []byte {
	b := d.raw[d.nodes[n].key : d.nodes[n].key+d.nodes[n].klen]
	if d.nodes[n].kescaped {
		return unescape(make([]byte, 0, len(b)), b)
	}
	return b
}

// member is the member of object n with that name.
func (d *doc) member(n ref, name string) ref { return d.memberAfter(n, []byte(name), none) }

// memberAfter is the member of object n with that name, searched for from behind hint on and then
// from the start: two walks in the same order cost no search. Where the members stand in order, a
// name that is not there is missed as soon.
func (d *doc) memberAfter(n ref, name []byte, hint ref) ref {
	if d.kind(n) != object {
		return none
	}
	if hint != none {
		if c, past := d.scan(d.next(hint), none, name, d.nodes[n].sorted); c != none || past && bytes.Compare(d.key(hint), name) < 0 {
			return c
		}
	}
	c, _ := d.scan(d.first(n), hint, name, d.nodes[n].sorted)
	return c
}

// scan looks for a name from c on, up to and with last. Past: a later name was met, in order.
func (d *doc) scan(c, last ref, name []byte, sorted bool) (found ref, past bool) {
	for ; c != none; c = d.next(c) {
		if d.named(c, name) {
			return c, false
		}
		if sorted && bytes.Compare(d.key(c), name) > 0 {
			return none, true
		}
		if c == last {
			break
		}
	}
	return none, sorted && last == none
}

func (d *doc) named(c ref, name []byte) bool {
	x := &d.nodes[c]
	if !x.kescaped {
		return bytes.Equal(d.raw[x.key:x.key+x.klen], name)
	}
	return bytes.Equal(d.key(c), name)
}

// at follows member names down from n.
func (d *doc) at(n ref, names ...string) ref {
	for _, s := range names {
		n = d.member(n, s)
	}
	return n
}

// unescape appends the decoded form of a string that text has checked.
func unescape(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			j := bytes.IndexByte(b[i:], '\\')
			if j < 0 {
				return append(dst, b[i:]...)
			}
			dst = append(dst, b[i:i+j]...)
			i += j
			continue
		}
		n := escapeLen(b[i:])
		switch b[i+1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(b[i:])
			if n == 12 {
				r = utf16.DecodeRune(r, hex4(b[i+6:]))
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, b[i+1])
		}
		i += n
	}
	return dst
}

// same reports whether two values are equal: by their bytes, or else by what they mean.
func same(a *doc, m ref, b *doc, n ref) bool {
	if m == none || n == none {
		return m == n
	}
	if a.nodes[m].kind != b.nodes[n].kind {
		return false
	}
	if bytes.Equal(a.bytes(m), b.bytes(n)) {
		return true
	}
	switch a.nodes[m].kind {
	case null:
		return true
	case boolean:
		return false
	case number:
		var x, y [32]byte
		return bytes.Equal(appendNumber(x[:0], a.bytes(m)), appendNumber(y[:0], b.bytes(n)))
	case text:
		return (a.nodes[m].escaped || b.nodes[n].escaped) && bytes.Equal(a.text(m), b.text(n))
	}
	if a.nodes[m].count != b.nodes[n].count {
		return false
	}
	if a.nodes[m].kind == list {
		for c, e := a.first(m), b.first(n); c != none; c, e = a.next(c), b.next(e) {
			if !same(a, c, b, e) {
				return false
			}
		}
		return true
	}
	hint := none
	for c := a.first(m); c != none; c = a.next(c) {
		e := b.memberAfter(n, a.key(c), hint)
		if e == none || !same(a, c, b, e) {
			return false
		}
		hint = e
	}
	return true
}

// value is n as plain Go values: int64 for an integer that fits, else float64.
func (d *doc) value(n ref) any {
	switch d.kind(n) {
	case boolean:
		return d.bytes(n)[0] == 't'
	case number:
		b := string(appendNumber(nil, d.bytes(n)))
		if i, err := strconv.ParseInt(b, 10, 64); err == nil {
			return i
		}
		f, _ := strconv.ParseFloat(b, 64) // out of range: infinite, which no schema takes
		return f
	case text:
		return d.str(n)
	case list:
		out := make([]any, 0, d.nodes[n].count)
		for c := d.first(n); c != none; c = d.next(c) {
			out = append(out, d.value(c))
		}
		return out
	case object:
		out := make(map[string]any, d.nodes[n].count)
		for c := d.first(n); c != none; c = d.next(c) {
			out[string(d.key(c))] = d.value(c)
		}
		return out
	}
	return nil
}
