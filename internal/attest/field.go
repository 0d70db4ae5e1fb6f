package attest

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// maxField is the most bytes that one text of a statement may measure.
const maxField = 2048

// fields collects the first thing that is wrong with a predicate.
type fields struct{ problem string }

func (f *fields) require(ok bool, problem string) {
	if f.problem == "" && !ok {
		f.problem = problem
	}
}

// text asks for a text of one printable line.
func (f *fields) text(name, value string) {
	f.require(value != "", name+" is missing")
	f.require(len(value) <= maxField, name+" is longer than 2048 bytes")
	f.require(printable(value), name+" holds a character that is no text")
}

// optional is text that may be missing.
func (f *fields) optional(name, value string) {
	if value != "" {
		f.text(name, value)
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

// id asks for a full object id of git, lower case.
func (f *fields) id(name, value string) {
	f.require((len(value) == 40 || len(value) == 64) && isHex(value), name+" is not a full object id")
}

func (f *fields) sha256(name, value string) {
	f.require(len(value) == 64 && isHex(value), name+" is not a SHA-256 in hex")
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// repository asks for a URL that carries no credentials, since statements are published. The user
// name of an ssh URL is part of the address.
func (f *fields) repository(value string) {
	f.text("repository", value)
	u, err := url.Parse(value)
	if err != nil { // such as user@host:path, which holds no password
		f.require(!strings.Contains(value, "://"), "repository is not a URL")
		return
	}
	_, password := u.User.Password()
	f.require(!password && (u.User == nil || u.Scheme == "ssh"), "repository carries credentials")
}

func (f *fields) time(name string, value time.Time) {
	f.require(!value.IsZero() && value.Year() >= 2000 && value.Year() < 2200, name+" is missing or out of range")
}

// nonce asks for enough characters to be unguessable.
func (f *fields) nonce(value string) {
	f.text("nonce", value)
	f.require(len(value) >= 16 && len(value) <= 128, "nonce is not of 16 to 128 characters")
}

// whole is a time as statements write it: UTC, whole seconds.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
