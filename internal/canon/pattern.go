package canon

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// PathPattern names fields. It covers what it names and everything below. The grammar:
//
//	pattern  = part { part }
//	part     = [ "." ] name | "[" inside "]"
//	inside   = "*" | quoted | key { "," key } | "=" value | index
//	key      = name "=" value
//	value    = quoted | plain
//
//	spec.replicas                                      a field
//	spec.template.spec.containers[*].imagePullPolicy   of every item of a list
//	spec.template.spec.containers[name=istio-proxy]    the item with that key, and all below it
//	spec.ports[port=80,protocol=TCP].nodePort          an item with two keys
//	metadata.annotations["sidecar.istio.io/*"]         members of a map whose names are not plain
//	metadata.finalizers[="example.com/hold"]           an item of a set
//
// A name holds letters, digits, "_", "-", "$" and "*"; a plain value also ".", "/", ":" and "@".
// "*" in a name or value stands for any run of characters, and "[*]" for any one member or item.
// Between quotes a backslash takes the next character as it is, but for \uXXXX and \UXXXXXXXX.
// A key that an item has and the pattern does not name may hold anything.
//
// The paths that this package reports are patterns for what they name.
type PathPattern struct {
	text  string
	parts []part
}

// part matches one step.
type part struct {
	kind  partKind
	name  glob      // for partName and partValue
	keys  []keyGlob // for partKeys
	index string    // for partIndex
}

type partKind uint8

const (
	partName  partKind = iota // a member
	partAny                   // any one step
	partKeys                  // an item by its keys
	partValue                 // an item of a set
	partIndex                 // an item by its place
)

type keyGlob struct {
	name  string
	value glob
}

// glob is a text cut at its stars.
type glob []string

func (g glob) match(s string) bool {
	if len(g) == 1 {
		return s == g[0]
	}
	if len(g) == 0 || !strings.HasPrefix(s, g[0]) {
		return false
	}
	s = s[len(g[0]):]
	for _, piece := range g[1 : len(g)-1] {
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return strings.HasSuffix(s, g[len(g)-1])
}

const (
	maxPattern = 4096
	nameChars  = "a letter, digit, '_', '-', '$' or '*'"
)

var errPattern = errors.New("path pattern")

// ParsePattern reads a pattern. The empty pattern, which would cover everything, is an error.
func ParsePattern(s string) (PathPattern, error) {
	p := patternParser{rest: s}
	if s == "" || len(s) > maxPattern || !utf8.ValidString(s) {
		return PathPattern{}, fmt.Errorf("%w: want 1 to %d bytes of UTF-8", errPattern, maxPattern)
	}
	out := PathPattern{text: s}
	for p.rest != "" {
		part, err := p.part(len(out.parts) == 0)
		if err != nil {
			return PathPattern{}, fmt.Errorf("%w %q at byte %d: want %w", errPattern, s, len(s)-len(p.rest), err)
		}
		out.parts = append(out.parts, part)
	}
	return out, nil
}

// String is the pattern as it was written.
func (p PathPattern) String() string { return p.text }

type patternParser struct {
	rest string
}

type wanted string

func (w wanted) Error() string { return string(w) }

func (p *patternParser) accept(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *patternParser) part(first bool) (part, error) {
	if p.accept('[') {
		return p.bracket()
	}
	if !p.accept('.') && !first {
		return part{}, wanted(`"." or "["`)
	}
	name, ok := p.run(false)
	if !ok {
		return part{}, wanted(nameChars)
	}
	return part{kind: partName, name: name}, nil
}

func (p *patternParser) bracket() (out part, err error) {
	switch {
	case strings.HasPrefix(p.rest, "*]"):
		p.rest = p.rest[1:]
		out.kind = partAny
	case strings.HasPrefix(p.rest, `"`):
		out.kind = partName
		out.name, err = p.quoted()
	case p.accept('='):
		out.kind = partValue
		out.name, err = p.value()
	default:
		if i := strings.IndexByte(p.rest, ']'); i > 0 && isIndex(p.rest[:i]) {
			out.kind, out.index = partIndex, p.rest[:i]
			p.rest = p.rest[i:]
			break
		}
		out.kind = partKeys
		out.keys, err = p.keys()
	}
	if err == nil && !p.accept(']') {
		err = wanted(`"]"`)
	}
	return out, err
}

// isIndex reports whether s is a place in a list, without leading zeros.
func isIndex(s string) bool {
	n, err := strconv.ParseUint(s, 10, 31)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func (p *patternParser) keys() (keys []keyGlob, err error) {
	for {
		name, ok := p.run(false)
		if !ok || len(name) != 1 {
			return nil, wanted(`a key's name, "*" or a quoted name`)
		}
		if !p.accept('=') {
			return nil, wanted(`"="`)
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyGlob{name: name[0], value: value})
		if !p.accept(',') {
			return keys, nil
		}
	}
}

func (p *patternParser) value() (glob, error) {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted()
	}
	g, ok := p.run(true)
	if !ok {
		return nil, wanted("a value")
	}
	return g, nil
}

// run reads a name or, if wide, a plain value.
func (p *patternParser) run(wide bool) (glob, bool) {
	i := 0
	for i < len(p.rest) {
		c := p.rest[i]
		if !plain(p.rest[i:i+1]) && c != '*' && (!wide || !strings.ContainsRune("./:@", rune(c))) {
			break
		}
		i++
	}
	text := p.rest[:i]
	p.rest = p.rest[i:]
	return strings.Split(text, "*"), i > 0
}

func (p *patternParser) quoted() (glob, error) {
	p.rest = p.rest[1:]
	g, piece := glob{}, []byte(nil)
	for p.rest != "" {
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch c {
		case '"':
			return append(g, string(piece)), nil
		case '*':
			g, piece = append(g, string(piece)), nil
		case '\\':
			r, err := p.escape()
			if err != nil {
				return nil, err
			}
			piece = utf8.AppendRune(piece, r)
		default:
			piece = append(piece, c)
		}
	}
	return nil, wanted("a closing quote")
}

func (p *patternParser) escape() (rune, error) {
	r, n := utf8.DecodeRuneInString(p.rest)
	if n == 0 {
		return 0, wanted("a character after the backslash")
	}
	digits := map[rune]int{'u': 4, 'U': 8}[r]
	p.rest = p.rest[n:]
	if digits == 0 {
		return r, nil
	}
	if len(p.rest) < digits {
		return 0, wanted("hex digits")
	}
	v, err := strconv.ParseUint(p.rest[:digits], 16, 32)
	if err != nil || v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
		return 0, wanted("the hex digits of a character")
	}
	p.rest = p.rest[digits:]
	return rune(v), nil
}

// covers reports whether the pattern names p or something above it.
func (p PathPattern) covers(q path) bool {
	return len(p.parts) > 0 && len(p.parts) <= len(q) && p.along(q)
}

// meets reports whether the pattern covers q, or names something below it.
func (p PathPattern) meets(q path) bool { return len(p.parts) > 0 && p.along(q) }

// along matches as many steps as both have.
func (p PathPattern) along(q path) bool {
	for i := range min(len(p.parts), len(q)) {
		if !p.parts[i].match(q[i]) {
			return false
		}
	}
	return true
}

func (p *part) match(e elem) bool {
	switch p.kind {
	case partAny:
		return true
	case partName:
		return e[0] == 'f' && p.name.match(string(e[2:]))
	case partIndex:
		return e[0] == 'i' && p.index == string(e[2:])
	case partValue:
		return e[0] == 'v' && p.name.match(scalarText(e[2:]))
	}
	return e[0] == 'k' && p.matchKeys(e)
}

func (p *part) matchKeys(e elem) bool {
	found := 0
	for rest := []byte(e[2:]); len(rest) > 0; {
		name, r, _ := cutSized(rest)
		scalar, r, ok := cutSized(r)
		if !ok {
			return false
		}
		rest = r
		for i := range p.keys {
			if k := &p.keys[i]; k.name == string(name) && k.value.match(scalarText(scalar)) {
				found++
			}
		}
	}
	return found == len(p.keys)
}

// scalarText is a canonical scalar as patterns see it: a string's text, a number's digits, a word.
func scalarText(scalar []byte) string {
	if len(scalar) == 0 {
		return ""
	}
	switch scalar[0] {
	case 'n':
		return "null"
	case 't':
		return "true"
	case 'f':
		return "false"
	}
	return string(scalar[1:])
}

func coveredBy(patterns []PathPattern, q path) bool {
	for i := range patterns {
		if patterns[i].covers(q) {
			return true
		}
	}
	return false
}
