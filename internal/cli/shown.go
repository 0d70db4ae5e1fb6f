package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// longest is how much of one text from outside is shown, in characters.
const longest = 500

// shown makes a text that somebody else chose (the subject of a commit, a name, a path) fit for a terminal: one
// line, cut, and without what a terminal takes for a command or shows in another order. Who writes a commit must not
// write the answer about it.
func shown(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == longest {
			b.WriteString("…")
			break
		}
		n++
		b.WriteRune(printable(r))
	}
	return b.String()
}

// printable is the rune itself, or what stands for one that cannot be seen.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// lines is shown for a text of several lines, which stay lines, whole.
func lines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return printable(r)
	}, s)
}

// escaped is a JSON text in which each rune that cannot be seen is written by its number.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// allShown is shown for each of some texts.
func allShown(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = shown(s)
	}
	return out
}
