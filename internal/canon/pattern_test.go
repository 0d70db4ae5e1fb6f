package canon

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/change"
)

// nothing knows no kind.
type nothing struct{}

func (nothing) Type(change.Kind) (*Type, bool) { return nil, false }

// steps reads a path in fieldsV1's spelling, one step each.
func steps(t *testing.T, all ...string) path {
	t.Helper()
	var p path
	for _, s := range all {
		r := setReader{}
		e, err := r.step([]byte(s))
		if err != nil {
			t.Fatalf("step %s: %v", s, err)
		}
		p = append(p, e)
	}
	return p
}

func TestPathPatternCovers(t *testing.T) {
	env := steps(t, "f:spec", "f:containers", `k:{"name":"app"}`, "f:env", `k:{"name":"A"}`, "f:value")
	port := steps(t, "f:spec", "f:ports", `k:{"port":80,"protocol":"TCP"}`, "f:nodePort")
	note := steps(t, "f:metadata", "f:annotations", "f:sidecar.istio.io/status")
	fin := steps(t, "f:metadata", "f:finalizers", `v:"example.com/hold"`)
	at := steps(t, "f:spec", "f:rules", "i:2", "f:host")
	for _, tt := range []struct {
		pattern string
		path    path
		want    bool
	}{
		{"spec", env, true}, {"spec.containers", env, true}, {"spec.containers[*]", env, true}, {"spec.containers[name=app]", env, true},
		{"spec.containers[name=ap*]", env, true}, {"spec.containers[name=*p]", env, true},
		{"spec.containers[name=a*p*]", env, true}, {"spec.containers[name=*a*p*p*p]", env, false}, {"spec.containers[name=a*x*p]", env, false}, {`spec.containers[name="app"].env[*].value`, env, true},
		{"spec.containers[name=other]", env, false}, {"spec.containers[name=app,image=x]", env, false}, {"spec.initContainers[*]", env, false},
		{"spec.containers[*].env[*].value.more", env, false}, {"*.*[*]", env, true}, {"s*c.con*ers", env, true}, {"spec[*]", env, true},
		{"spec.ports[port=80]", port, true}, {"spec.ports[protocol=TCP,port=80].nodePort", port, true}, {`spec.ports[port="80"]`, port, true},
		{"spec.ports[port=8]", port, false}, {"spec.ports[=80]", port, false},
		{`metadata.annotations["sidecar.istio.io/status"]`, note, true}, {`metadata.annotations["sidecar.istio.io/*"]`, note, true},
		{`metadata.annotations["*"]`, note, true}, {`metadata.annotations["sidecar.istio.io/\*"]`, note, false}, {"metadata.annotations[*]", note, true},
		{`metadata.finalizers[="example.com/hold"]`, fin, true}, {"metadata.finalizers[=example.com/*]", fin, true}, {"metadata.finalizers[=other]", fin, false},
		{"spec.rules[2]", at, true}, {"spec.rules[*].host", at, true}, {"spec.rules[1]", at, false}, {".spec.rules", at, true},
	} {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := p.covers(tt.path); got != tt.want {
			t.Errorf("%s covers %s: %t, want %t", tt.pattern, tt.path, got, tt.want)
		}
	}
}

func TestPathPatternMeets(t *testing.T) {
	p, err := ParsePattern("metadata.ownerReferences[*].uid")
	if err != nil {
		t.Fatal(err)
	}
	for want, q := range map[bool]path{true: steps(t, "f:metadata"), false: steps(t, "f:spec")} {
		if p.meets(q) != want {
			t.Errorf("%s meets %s: %t", p, q, !want)
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, in := range []string{
		"", ".", "a.", "a..b", "a[", "a[]", "a[*", "a[**]", "a[b]", "a[b=]", "a[b=c", "a[=]", "a[b=c,]", `a["b]`, `a["b"`, `a["b\`, `a["\u12"]`, `a["\ud800"]`,
		"a b", "a/b", "a]", "[", "a[b*=c]", "a[01]", "a[-1]", "a[99999999999]", "a[=b]c", "a\xff", strings.Repeat("a", maxPattern+1),
	} {
		if p, err := ParsePattern(in); err == nil {
			t.Errorf("%.40q was read as %+v", in, p)
		}
	}
	if (PathPattern{}).covers(steps(t, "f:a")) || (PathPattern{}).meets(steps(t, "f:a")) {
		t.Error("the zero pattern covers something")
	}
}

func TestPathsReadBackAsPatterns(t *testing.T) {
	for want, p := range map[string]path{
		`spec.containers[name="a\"b\\c\*"].env`:        steps(t, "f:spec", "f:containers", `k:{"name":"a\"b\\c*"}`, "f:env"),
		`metadata.labels["a.b/c"][="x"][="\u0007"][7]`: steps(t, "f:metadata", "f:labels", "f:a.b/c", `v:"x"`, `v:"\u0007"`, "i:7"),
		`a[k=1,l=true,m=null][=1.5]`:                   steps(t, "f:a", `k:{"m":null,"l":true,"k":1.0}`, "v:1.5"),
		`[""].x`:                                       steps(t, "f:", "f:x"),
	} {
		if d := cmp.Diff(want, p.String()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		back, err := ParsePattern(p.String())
		if err != nil || !back.covers(p) || len(back.parts) != len(p) {
			t.Errorf("%s does not read back: %+v, %v", p, back, err)
		}
	}
}

// FuzzParsePattern: a pattern that reads covers something of its own length or nothing at all, and
// what a path prints reads back as a pattern that covers the path.
func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{"spec.a[*].b", `m["x\u0041*"]`, "a[k=v,l=*][=3][2]", "*", "[\"\"]"} {
		f.Add(s, "name", `value"*\`)
	}
	f.Fuzz(func(t *testing.T, pattern, name, value string) {
		if p, err := ParsePattern(pattern); err == nil && (p.String() != pattern || len(p.parts) == 0) {
			t.Fatalf("%q reads as %+v", pattern, p)
		}
		if !validText(name) || !validText(value) {
			return
		}
		q := path{elem("f:" + name), appendKey(elem("k:"), []byte("k"), append([]byte("s"), value...)), append(elem("v:s"), value...)}
		back, err := ParsePattern(q.String())
		if err != nil {
			if len(q.String()) <= maxPattern {
				t.Fatalf("%s does not read back: %v", q, err)
			}
			return
		}
		if !back.covers(q) {
			t.Fatalf("%s does not cover itself", q)
		}
	})
}

func validText(s string) bool { return strings.ToValidUTF8(s, "") == s }
