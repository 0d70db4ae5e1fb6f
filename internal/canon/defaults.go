package canon

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/fairway-dev/fairway/internal/change"
)

// The defaults table says what the API server itself adds to an object: the fields that nobody
// owns after a server-side apply. It is generated from a real API server (hack/defaults) and is
// checked against one in the end-to-end tests (ruling 18). Each line is a group and kind, a path
// pattern, a mark and values, set apart by tabs:
//
//	apps/Deployment	spec.replicas	always	1
//	v1/Service	spec.ports[*].nodePort	any
//	apps/Deployment	spec.template.spec.containers[*].imagePullPolicy	some	"Always"	"IfNotPresent"
//
// "always": the server fills the field with this value whenever it is absent, so that absent and
// this value say the same. "some": the server fills in one of the values, depending on the rest of
// the object. "any": the server chooses, for example an address. "like": the server copies the
// sibling of that name, or fills in one of the values behind it. The core group is written "v1".
//
//go:embed defaults.txt
var defaultsText string

// shippedDefaults is the embedded table, read once.
var shippedDefaults = sync.OnceValue(func() *defaults {
	t, err := parseDefaults(defaultsText)
	if err != nil {
		panic(err) // the table is part of the program, and a test reads it
	}
	return t
})

// defaults is the compiled table.
type defaults struct {
	kinds map[groupKind]*fill
}

type groupKind struct{ group, kind string }

// fill is one position in the table: what the server may put there, and what lies below.
type fill struct {
	parts  []part // of below
	below  []*fill
	named  map[string]*fill // the parts that are plain names
	values [][]byte         // canonical
	any    bool
	always bool   // values holds one, and absent means that one
	like   string // a sibling of the same value
}

// fills are the positions that one place of an object is at: patterns may overlap.
type fills struct {
	n  int
	at [6]*fill
}

func (f *fills) add(x *fill) {
	if f.n < len(f.at) { // what does not fit is no default: refused rather than believed
		f.at[f.n] = x
		f.n++
	}
}

// of is where the walk of an object of kind k begins.
func (t *defaults) of(k change.Kind) (f fills) {
	if x := t.kinds[groupKind{k.Group, k.Kind}]; x != nil {
		f.add(x)
	}
	return f
}

// field are the positions of a member. What the server chooses, it chooses with all that is in it.
func (f *fills) field(name []byte) (out fills) {
	for _, x := range f.at[:f.n] {
		if x.any {
			out.add(x)
		}
		if y := x.named[string(name)]; y != nil {
			out.add(y)
		}
		for i := range x.parts {
			if p := &x.parts[i]; p.kind == partAny || p.kind == partName && p.name.match(string(name)) {
				out.add(x.below[i])
			}
		}
	}
	return out
}

// item are the positions of a list item, by what the item holds.
func (f *fills) item(d *doc, n ref) (out fills) {
	for _, x := range f.at[:f.n] {
		if x.any {
			out.add(x)
		}
		for i := range x.parts {
			if x.parts[i].matchItem(d, n) {
				out.add(x.below[i])
			}
		}
	}
	return out
}

func (p *part) matchItem(d *doc, n ref) bool {
	switch p.kind {
	case partAny:
		return true
	case partValue:
		return p.name.match(scalarText(appendScalar(nil, d, n)))
	case partKeys:
		for i := range p.keys {
			if !p.keys[i].value.match(scalarText(appendScalar(nil, d, d.member(n, p.keys[i].name)))) {
				return false
			}
		}
		return true
	}
	return false
}

// allows reports whether the server may have put the value at n there.
func (f *fills) allows(d *doc, n ref) bool {
	var value []byte
	for _, x := range f.at[:f.n] {
		if x.any {
			return true
		}
		if len(x.values) > 0 && value == nil {
			value = appendWhole(nil, d, n, true, nil)
		}
		for _, v := range x.values {
			if bytes.Equal(v, value) {
				return true
			}
		}
	}
	return false
}

// like are the siblings that the server may have copied.
func (f *fills) like() (names []string) {
	for _, x := range f.at[:f.n] {
		if x.like != "" {
			names = append(names, x.like)
		}
	}
	return names
}

// means reports whether the value at n says the same as its absence: it is what the server fills in,
// or the empty string, which a Go type cannot tell from none.
func (f *fills) means(d *doc, n ref) bool {
	for _, x := range f.at[:f.n] {
		if x.always && (d.kind(n) == text && len(d.bytes(n)) == 0 || bytes.Equal(x.values[0], appendWhole(nil, d, n, true, nil))) {
			return true
		}
	}
	return false
}

// filledIn reports whether the server makes a map at the place whenever there is none.
func (f *fills) filledIn() bool {
	for _, x := range f.at[:f.n] {
		if x.always && x.values[0][0] == '{' {
			return true
		}
	}
	return false
}

// here reports whether the table speaks of the very place.
func (f *fills) here() bool {
	for _, x := range f.at[:f.n] {
		if x.any || len(x.values) > 0 || x.like != "" {
			return true
		}
	}
	return false
}

// covers reports whether the table speaks of p or of something above it. Items are matched by their
// keys alone.
func (f fills) covers(p path) bool {
	for _, e := range p {
		if f = f.step(e); f.here() {
			return true
		}
	}
	return false
}

// step are the positions one step further.
func (f *fills) step(e elem) (out fills) {
	if e[0] == 'f' {
		return f.field(e[2:])
	}
	for _, x := range f.at[:f.n] {
		for i := range x.parts {
			if x.parts[i].match(e) {
				out.add(x.below[i])
			}
		}
	}
	return out
}

// parseDefaults reads the table.
func parseDefaults(s string) (*defaults, error) {
	t := &defaults{kinds: map[groupKind]*fill{}}
	for i, line := range strings.Split(s, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if err := t.line(strings.Split(line, "\t")); err != nil {
			return nil, fmt.Errorf("defaults table, line %d: %w", i+1, err)
		}
	}
	return t, nil
}

func (t *defaults) line(cols []string) error {
	if len(cols) < 3 {
		return fmt.Errorf("want a kind, a path and a mark")
	}
	gk, err := parseGroupKind(cols[0])
	if err != nil {
		return err
	}
	pattern, err := ParsePattern(cols[1])
	if err != nil {
		return err
	}
	x := t.kinds[gk]
	if x == nil {
		x = &fill{}
		t.kinds[gk] = x
	}
	for _, p := range pattern.parts {
		x = x.grow(p)
	}
	return x.set(cols[2], cols[3:])
}

func parseGroupKind(s string) (groupKind, error) {
	group, kind, ok := strings.Cut(s, "/")
	if !ok || group == "" || kind == "" {
		return groupKind{}, fmt.Errorf("%q: want group/Kind", s)
	}
	if group == "v1" {
		group = ""
	}
	return groupKind{group, kind}, nil
}

// grow is the position that p leads to.
func (f *fill) grow(p part) *fill {
	if p.kind == partName && len(p.name) == 1 {
		if f.named == nil {
			f.named = map[string]*fill{}
		}
		if f.named[p.name[0]] == nil {
			f.named[p.name[0]] = &fill{}
		}
		return f.named[p.name[0]]
	}
	for i := range f.parts {
		if f.parts[i].equal(&p) {
			return f.below[i]
		}
	}
	f.parts, f.below = append(f.parts, p), append(f.below, &fill{})
	return f.below[len(f.below)-1]
}

func (p *part) equal(o *part) bool { return fmt.Sprint(*p) == fmt.Sprint(*o) }

func (f *fill) set(mark string, values []string) error {
	if f.any || f.values != nil || f.like != "" {
		return fmt.Errorf("a second line for one path")
	}
	if mark == "like" && len(values) > 0 {
		sibling, err := strconv.Unquote(values[0])
		if err != nil || sibling == "" {
			return fmt.Errorf("sibling %s: want a quoted name", values[0])
		}
		f.like, values = sibling, values[1:]
	}
	for _, s := range values {
		d, err := parseJSON([]byte(s))
		if err != nil {
			return fmt.Errorf("value %s: %w", s, err)
		}
		f.values = append(f.values, appendWhole(nil, d, 0, true, nil))
	}
	switch {
	case mark == "any" && len(values) == 0:
		f.any = true
	case mark == "always" && len(values) == 1:
		f.always = true
	case mark == "some" && len(values) > 0, mark == "like" && f.like != "":
	default:
		return fmt.Errorf("mark %q with %d values", mark, len(values))
	}
	return nil
}
