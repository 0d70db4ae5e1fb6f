package tier

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

const (
	// maxSteps bounds the program of a pattern, about in instructions of package regexp. Compiling takes as
	// long as the program, matching as long as program times value, and counted repetition makes ten thousands
	// of a line of text.
	maxSteps = 1000
	// maxValue bounds the value of a trailer that is looked at, in bytes.
	maxValue = 1024
)

// TrailerRule asks for a trailer in the message of each commit that lands a change.
type TrailerRule struct {
	Key     string
	Pattern Pattern
	Message string // what to write, for people
}

// Matches reports whether a trailer satisfies the rule. Keys are compared without regard to letter
// case, as git does.
func (r TrailerRule) Matches(key, value string) bool {
	return strings.EqualFold(key, r.Key) && r.Pattern.matches(value)
}

// Pattern is an expression that a whole value must match. The zero Pattern matches nothing.
type Pattern struct {
	text  string
	whole *regexp.Regexp
}

// ParsePattern reads an RE2 expression (https://github.com/google/re2/wiki/Syntax). One that would take too
// long to match is an error (T-46): whoever may write commits then cannot stop whoever reads them.
func ParsePattern(text string) (Pattern, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return Pattern{}, fmt.Errorf("reading the expression: %w", err)
	}
	if n := steps(parsed); n > maxSteps {
		return Pattern{}, fmt.Errorf("the expression takes %d steps, and may take %d: count to less in its repetitions", n, maxSteps)
	}
	whole, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return Pattern{}, fmt.Errorf("compiling the expression: %w", err)
	}
	return Pattern{text: text, whole: whole}, nil
}

// steps are about the instructions of an expression's program, told without making it.
func steps(r *syntax.Regexp) int {
	n := 1
	if r.Op == syntax.OpLiteral {
		n = len(r.Rune)
	}
	for _, sub := range r.Sub {
		n += 1 + steps(sub)
	}
	if r.Op == syntax.OpRepeat {
		n *= max(r.Min+1, r.Max)
	}
	return n
}

// String is the expression as it was written.
func (p Pattern) String() string { return p.text }

func (p Pattern) matches(value string) bool {
	return p.whole != nil && len(value) <= maxValue && p.whole.MatchString(value)
}

// same reports whether two patterns are written alike.
func (p Pattern) same(q Pattern) bool {
	return p.text == q.text && (p.whole == nil) == (q.whole == nil)
}
