package tier

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// FuzzT46Pattern: whatever somebody writes as a pattern, it is refused, or its program is about as long as its steps
// say, and a value that does not match as a whole is not taken.
func FuzzT46Pattern(f *testing.F) {
	for _, text := range []string{
		`[A-Z]+-\d+`, `a|ab`, `(?m)^x$`, `x)|(?:y`, `(`, `.*`, `((a{1,10}){1,10}){1,10}`, `\pL{999}`, `(?i)straße`, `(?U)a*?`, `\Qa.b\E`, `(?s:.)`, "\xff", `(?P<n>a){3}`, `[[:^alpha:]]{0,99}`, `(|a|)*`, `a{,3}`, `x**`,
	} {
		f.Add(text, "SHOP-1")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := ParsePattern(text)
		if err != nil {
			if p.matches(value) {
				t.Fatalf("%q is refused, and matches", text)
			}
			return
		}
		parsed, err := syntax.Parse(`\A(?:`+text+`)\z`, syntax.Perl)
		if err != nil {
			t.Fatalf("%q stands alone, and not as a whole: %v", text, err)
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if most := 2*maxSteps + 16; len(program.Inst) > most {
			t.Fatalf("%q has %d instructions", text, len(program.Inst))
		}
		if p.matches(value + strings.Repeat("a", maxValue+1)) {
			t.Fatalf("%q matches a value that is too long", text)
		}
		p.matches(value)
	})
}
