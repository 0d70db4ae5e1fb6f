package tier

import (
	"slices"
	"strings"
)

// Claim is an entry of a user's extra, and what it may hold.
type Claim struct {
	Key    string
	Values []string // at least one of them
}

// Delivers reports whether a user, with the extra that the API server was given for them, is one of those
// who deliver a source. Where nobody is listed, everybody is.
func (v Via) Delivers(user string, extra map[string][]string) bool {
	if len(v.Users) > 0 && !slices.Contains(v.Users, user) {
		return false
	}
	for _, c := range v.Claims {
		if !slices.ContainsFunc(extra[c.Key], func(said string) bool { return slices.Contains(c.Values, said) }) {
			return false
		}
	}
	return true
}

// Deliverers are those who deliver a source, for people.
func (v Via) Deliverers() string {
	var claims []string
	for _, c := range v.Claims {
		claims = append(claims, c.Key+" "+strings.Join(c.Values, " or "))
	}
	who := strings.Join(v.Users, ", ")
	if len(claims) > 0 {
		who = strings.TrimPrefix(who+" with a token of "+strings.Join(claims, " and "), " with ")
	}
	return who
}

// ByHelm reports whether Helm itself delivers a source, on the command line or in Flux's controller: it
// marks what it applies and keeps its releases in Secrets.
func (v Via) ByHelm() bool { return v.Engine == "Helm" || v.Engine == "HelmRelease" }
