package tier

import (
	"strings"
	"testing"
)

// pattern is one that can be read.
func pattern(text string) Pattern {
	p, err := ParsePattern(text)
	if err != nil {
		panic(err)
	}
	return p
}

func TestTrailerMatchesAsAWhole(t *testing.T) {
	for _, c := range []struct {
		pattern, key, value string
		want                bool
	}{
		{`[A-Z]+-\d+`, "Ticket", "SHOP-1", true},
		{`[A-Z]+-\d+`, "ticket", "SHOP-1", true},
		{`[A-Z]+-\d+`, "Ticket", "SHOP-1 and more", false},
		{`[A-Z]+-\d+`, "Ticket", "x SHOP-1", false},
		{`[A-Z]+-\d+`, "Tickets", "SHOP-1", false},
		{`a|ab`, "Ticket", "ab", true}, // the first alternative matches less than the whole
		{`(?m)^SHOP-1$`, "Ticket", "SHOP-1\nanything", false},
		{`SHOP-1$|x`, "Ticket", "SHOP-1", true},
		{`x)|(?:y`, "Ticket", "y", false},
		{`.*`, "Ticket", "", true},
		{`.*`, "Ticket", strings.Repeat("a", 1024), true},
		{`.*`, "Ticket", strings.Repeat("a", 1025), false},
		{`(`, "Ticket", "", false},
	} {
		pattern, err := ParsePattern(c.pattern)
		if err != nil {
			if c.want {
				t.Errorf("%s: %v", c.pattern, err)
			}
			continue
		}
		if got := (TrailerRule{Key: "Ticket", Pattern: pattern}).Matches(c.key, c.value); got != c.want {
			t.Errorf("%s, %s: %q is %v, want %v", c.pattern, c.key, c.value, got, c.want)
		}
	}
	if (TrailerRule{Key: "Ticket"}).Matches("Ticket", "SHOP-1") {
		t.Error("a rule without a pattern matches")
	}
}

// TestT46APatternIsBounded: counted repetition, which multiplies, is what makes a short expression long.
func TestT46APatternIsBounded(t *testing.T) {
	for text, want := range map[string]string{
		`[A-Z]{2,10}-[0-9]{1,7}`:                              "",
		`https://[a-z.]{1,100}/[A-Za-z0-9_/-]{1,200}`:         "",
		strings.Repeat(`(.{0,999})`, 24):                      "the expression takes 72",
		`((((a{1,10}){1,10}){1,10}){1,10})`:                   "invalid repeat count",
		strings.Repeat(`\pL{999}`, 32):                        "the expression takes 96",
		strings.Repeat(`(`, 2000) + strings.Repeat(`)`, 2000): "expression nests too deeply",
		`(?P<a>a){1001}`:                                      "invalid repeat count",
		"\xff":                                                "invalid UTF-8",
	} {
		_, err := ParsePattern(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.40s: got %v, want %q", text, err, want)
		}
	}
}

// BenchmarkT46Worst matches the longest value against a program that is as long as it may be.
func BenchmarkT46Worst(b *testing.B) {
	p := pattern(strings.Repeat(`(.{0,19})`, 16))
	value := strings.Repeat("a", maxValue)
	for b.Loop() {
		if p.matches(value) {
			b.Fatal("it matches")
		}
	}
}
