package gitrepo

import (
	"strconv"
	"strings"
	"time"

	"github.com/fairway-dev/fairway/internal/change"
)

// parseIdent reads "Name <address> seconds zone" as strictly as git fsck does. It returns why a
// line is refused.
func parseIdent(line string) (p change.Person, refused string) {
	name, rest, ok := strings.Cut(line, "<")
	if !ok || strings.Contains(name, ">") || (name != "" && !strings.HasSuffix(name, " ")) || name == "" {
		return p, "name is not followed by one address in <>"
	}
	address, rest, ok := strings.Cut(rest, ">")
	if !ok || strings.Contains(address, "<") || !strings.HasPrefix(rest, " ") {
		return p, "address is not one pair of <>, followed by a space"
	}
	seconds, zone, ok := strings.Cut(rest[1:], " ")
	when, refused := parseSeconds(seconds)
	if refused != "" {
		return p, refused
	}
	if !ok || len(zone) != 5 || (zone[0] != '+' && zone[0] != '-') || strings.Trim(zone[1:], "0123456789") != "" {
		return p, "time zone is not a sign and four digits"
	}
	return change.Person{Name: clean(strings.TrimRight(name, gitSpace)), Email: clean(address), When: when}, ""
}

func parseSeconds(s string) (t time.Time, refused string) {
	if s == "" || strings.Trim(s, "0123456789") != "" || (len(s) > 1 && s[0] == '0') {
		return t, "date is not a plain number of seconds"
	}
	const year10000 = 253402300800
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n >= year10000 {
		return t, "date is beyond the year 9999"
	}
	return time.Unix(n, 0).UTC(), ""
}

// clean makes text valid UTF-8: what a commit spells is for people, and must fit in JSON.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
