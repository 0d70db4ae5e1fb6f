package policy

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// quoteLimit is how many characters of one foreign text are shown.
const quoteLimit = 80

// reasonLimit is how many of a reason that a room of ours gives, and that holds foreign texts in its turn.
const reasonLimit = 400

// Quote makes text from outside fit to stand in a message: one line, printable, cut, and in double
// quotes that nothing inside can close. What Flux and kubectl take for an immutable-field error,
// on which they delete and re-create the object, cannot come out of it, nor out of several
// quoted pieces side by side, since a quotation mark ends each of them.
func Quote(s string) string { return quoteUpTo(s, quoteLimit) }

// quoteReason is Quote for a reason that a room of ours gives: its end says what to do.
func quoteReason(s string) string { return quoteUpTo(s, reasonLimit) }

func quoteUpTo(s string, limit int) string {
	var b strings.Builder
	b.WriteByte('"')
	shown, space := 0, false
	for _, r := range s {
		if shown == limit {
			b.WriteString("…")
			break
		}
		r = visible(r)
		if r == ' ' && space {
			continue
		}
		space = r == ' '
		b.WriteRune(r)
		shown++
	}
	b.WriteByte('"')
	return defuse(b.String())
}

// visible is the rune itself where it is plain to see, and a space or apostrophe where it is not.
func visible(r rune) rune {
	switch {
	case r == '"':
		return '\''
	case r == unicode.ReplacementChar || !unicode.IsPrint(r):
		return ' '
	}
	return r
}

// plain leaves a text alone that is made of the characters of names and ids, and quotes any other.
func plain(s string) string {
	if s == "" || len(s) > quoteLimit {
		return Quote(s)
	}
	for _, r := range s {
		if !isNameRune(r) {
			return Quote(s)
		}
	}
	return s
}

// linkLimit is how long an address may be that is shown whole: a part of one leads nowhere.
const linkLimit = 200

// link leaves the address of a page alone that is made of plain characters, so that it can be followed,
// and quotes any other.
func link(address string) string {
	if len(address) > linkLimit || !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") ||
		strings.ContainsFunc(address, func(r rune) bool { return !isNameRune(r) }) {
		return Quote(address)
	}
	return address
}

// typed is the address of a repository as somebody would type it in a command; empty where it is long, would have
// to be quoted, or might hold a password.
func typed(address string) string {
	scheme, rest, is := strings.Cut(address, "://")
	if !is {
		scheme, rest = "ssh", address
	}
	at := strings.LastIndex(rest, "@")                                         // a password may hold whatever else ends a host
	secret := at >= 0 && (scheme != "ssh" || strings.Contains(rest[:at], ":")) // a user name of other schemes may be a token
	if len(address) > linkLimit/2 || secret || strings.ContainsFunc(address, func(r rune) bool { return !isNameRune(r) }) {
		return ""
	}
	return address
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:/@+", r)
}

// short is a commit as people name it.
func short(commit string) string {
	if len(commit) > 7 {
		commit = commit[:7]
	}
	if commit == "" {
		return "(no commit)"
	}
	return plain(commit)
}

// nameLimit is how many names are written out.
const nameLimit = 6

// list writes names out, at most nameLimit of them; "team x" stays as it is.
func list(names []string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		team, ok := strings.CutPrefix(n, "team ")
		if parts[i] = plain(team); ok {
			parts[i] = "team " + parts[i]
		}
	}
	return join(parts)
}

// join joins texts of our own, at most nameLimit of them.
func join(parts []string) string {
	if len(parts) <= nameLimit {
		return strings.Join(parts, ", ")
	}
	return strings.Join(parts[:nameLimit], ", ") + " and " + strconv.Itoa(len(parts)-nameLimit) + " more"
}

// immutable matches what GitOps engines take for an immutable-field error, in any letter case.
var immutable = regexp.MustCompile(`(?i)is\simmutable|immutable\sfield`)

// defuse joins with a hyphen the words that would be taken for an immutable-field error. Only
// white space is replaced, so no new match can come about.
func defuse(s string) string {
	if !mentionsImmutable(s) {
		return s
	}
	for immutable.MatchString(s) {
		s = immutable.ReplaceAllStringFunc(s, func(m string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) {
					return '-'
				}
				return r
			}, m)
		})
	}
	return s
}

// mentionsImmutable is the cheap question that keeps the expression off the common path. No letter
// of the word has a second lower or upper form beyond ASCII, so ASCII folding finds them all.
func mentionsImmutable(s string) bool {
	const word = "immutable"
	for i := 0; i+len(word) <= len(s); i++ {
		if (s[i] == 'i' || s[i] == 'I') && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// cut shortens a text to at most n characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
