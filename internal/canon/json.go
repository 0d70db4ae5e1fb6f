package canon

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// A doc is JSON parsed into one flat slice of nodes in the order of the text: the first child of a
// container stands right behind it. Nothing is copied; strings are decoded only where somebody asks
// for them, and two subtrees are compared by their bytes first. That makes the binding cheap, since
// of an UPDATE almost everything is the same before and after.
type doc struct {
	raw   []byte
	nodes []node
}

// ref is a node of a doc. none is no node: an absent member.
type ref int32

const none ref = -1

// kind is the JSON type of a node.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

type node struct {
	start, end int32 // of the value in raw; a text without its quotes
	key, klen  int32 // of the member name in raw, without its quotes; for members of objects
	next       ref   // the next sibling
	count      int32 // children
	kind       kind
	escaped    bool // the text has escapes
	kescaped   bool // the member name has escapes
	sorted     bool // the members of the object stand in the order of their names
}

const (
	maxDepth = 256
	maxBytes = 1 << 30
)

var (
	errDepth   = errors.New("nested too deep")
	errSyntax  = errors.New("not valid JSON")
	errTooLong = errors.New("too long")
)

// parseJSON parses one JSON value with nothing behind it.
func parseJSON(raw []byte) (*doc, error) {
	p := &parser{doc: doc{nodes: make([]node, 0, 8+len(raw)/14)}}
	if err := p.parse(raw); err != nil {
		return nil, err
	}
	return &p.doc, nil
}

type parser struct {
	doc
	at int
}

// parse makes p the doc of raw; whatever it held before is gone.
func (p *parser) parse(raw []byte) error {
	if len(raw) > maxBytes {
		return errTooLong
	}
	if !utf8.Valid(raw) {
		return errSyntax
	}
	p.raw, p.nodes, p.at = raw, p.nodes[:0], 0
	if err := p.value(0); err != nil {
		return err
	}
	if p.space(); p.at != len(raw) {
		return errSyntax
	}
	return nil
}

func (p *parser) space() {
	for p.at < len(p.raw) {
		switch p.raw[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.at < len(p.raw) {
		return p.raw[p.at]
	}
	return 0
}

// value parses the value at p.at into a new node.
func (p *parser) value(depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	p.space()
	n := ref(len(p.nodes))
	p.nodes = append(p.nodes, node{start: int32(p.at), next: none})
	var err error
	switch c := p.peek(); {
	case c == '{':
		err = p.object(n, depth)
	case c == '[':
		err = p.list(n, depth)
	case c == '"':
		p.nodes[n].kind = text
		p.nodes[n].start++
		p.nodes[n].escaped, err = p.text()
		p.nodes[n].end = int32(p.at) - 1
		return err
	case c == '-' || c >= '0' && c <= '9':
		p.nodes[n].kind = number
		err = p.number()
	default:
		err = p.literal(n)
	}
	p.nodes[n].end = int32(p.at)
	return err
}

func (p *parser) literal(n ref) error {
	rest := p.raw[p.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("null")):
		p.at += 4
	case bytes.HasPrefix(rest, []byte("true")):
		p.nodes[n].kind = boolean
		p.at += 4
	case bytes.HasPrefix(rest, []byte("false")):
		p.nodes[n].kind = boolean
		p.at += 5
	default:
		return errSyntax
	}
	return nil
}

func (p *parser) object(n ref, depth int) error {
	p.nodes[n].kind = object
	p.at++
	if p.space(); p.peek() == '}' {
		p.at++
		return nil
	}
	for last := none; ; {
		p.space()
		if p.peek() != '"' {
			return errSyntax
		}
		start := p.at + 1
		escaped, err := p.text()
		if err != nil {
			return err
		}
		end := p.at - 1
		if p.space(); p.peek() != ':' {
			return errSyntax
		}
		p.at++
		c := ref(len(p.nodes))
		if err := p.value(depth + 1); err != nil {
			return err
		}
		p.nodes[c].key, p.nodes[c].klen, p.nodes[c].kescaped = int32(start), int32(end-start), escaped
		p.adopt(n, c, &last)
		p.space()
		p.at++
		switch p.before() {
		case ',':
		case '}':
			return p.distinct(n)
		default:
			return errSyntax
		}
	}
}

func (p *parser) list(n ref, depth int) error {
	p.nodes[n].kind = list
	p.at++
	if p.space(); p.peek() == ']' {
		p.at++
		return nil
	}
	for last := none; ; {
		c := ref(len(p.nodes))
		if err := p.value(depth + 1); err != nil {
			return err
		}
		p.adopt(n, c, &last)
		p.space()
		p.at++
		switch p.before() {
		case ',':
		case ']':
			return nil
		default:
			return errSyntax
		}
	}
}

// before is the byte that p.at has just passed.
func (p *parser) before() byte {
	if p.at <= len(p.raw) {
		return p.raw[p.at-1]
	}
	return 0
}

// adopt makes c the last child of n.
func (p *parser) adopt(n, c ref, last *ref) {
	if *last != none {
		p.nodes[*last].next = c
	}
	p.nodes[n].count++
	*last = c
}

// distinct refuses an object with two members of one name: readers differ in which one they take.
func (p *parser) distinct(n ref) error {
	count, sorted, prev := p.nodes[n].count, true, []byte(nil)
	for c := p.first(n); c != none && sorted; c = p.nodes[c].next {
		k := p.key(c)
		sorted = prev == nil || bytes.Compare(prev, k) < 0
		prev = k
	}
	switch {
	case sorted:
		p.nodes[n].sorted = true
		return nil
	case count <= 24:
		for c := p.first(n); c != none; c = p.nodes[c].next {
			for d := p.nodes[c].next; d != none; d = p.nodes[d].next {
				if bytes.Equal(p.key(c), p.key(d)) {
					return fmt.Errorf("%w: a member stands twice", errSyntax)
				}
			}
		}
		return nil
	}
	seen := make(map[string]bool, count)
	for c := p.first(n); c != none; c = p.nodes[c].next {
		k := string(p.key(c))
		if seen[k] {
			return fmt.Errorf("%w: a member stands twice", errSyntax)
		}
		seen[k] = true
	}
	return nil
}

// text passes the string at p.at and reports whether it has escapes.
func (p *parser) text() (escaped bool, err error) {
	for i := p.at + 1; i < len(p.raw); i++ {
		switch c := p.raw[i]; {
		case c == '"':
			p.at = i + 1
			return escaped, nil
		case c == '\\':
			n := escapeLen(p.raw[i:])
			if n == 0 {
				return false, errSyntax
			}
			escaped = true
			i += n - 1
		case c < ' ':
			return false, errSyntax
		}
	}
	return false, errSyntax
}

// escapeLen is the length of the escape that b begins with; 0: it is none. A surrogate must be one
// half of a pair.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r := hex4(b)
		switch {
		case r < 0:
			return 0
		case !utf16.IsSurrogate(r):
			return 6
		case utf16.DecodeRune(r, hex4(b[6:])) != utf8.RuneError:
			return 12
		}
	}
	return 0
}

// hex4 is the code unit of the \uXXXX that b begins with, or -1.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func (p *parser) number() error {
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if p.digits() == 0 {
		return errSyntax
	}
	if p.peek() == '.' {
		p.at++
		if p.digits() == 0 {
			return errSyntax
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if p.digits() == 0 {
			return errSyntax
		}
	}
	return nil
}

func (p *parser) digits() (n int) {
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
		n++
	}
	return n
}
