package store

import (
	"errors"
	"net/url"
	"strings"

	"github.com/fairway-dev/fairway/api/v1alpha1"
	"github.com/fairway-dev/fairway/internal/tier"
)

// forgeOf compiles a forge. What the API server refuses is refused here too: a directory of files has
// no API server before it.
func forgeOf(in v1alpha1.Forge) (tier.Forge, error) {
	out := tier.Forge{
		Kind: tier.ForgeKind(in.Kind), URL: strings.TrimSuffix(in.URL, "/"), Project: in.Project,
		Private: in.PrivateAddresses == v1alpha1.PrivateAddressesAllow,
	}
	switch out.Kind {
	case tier.GitHub, tier.GitLab, tier.Gitea:
	default:
		return out, errors.New("it is of no known kind")
	}
	u, err := url.Parse(out.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return out, errors.New("its url is not https://host or https://host/path, without user name, query or fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !out.Private) {
		return out, errors.New("its url is not https://")
	}
	if parts := strings.Split(out.Project, "/"); len(parts) < 2 || strings.ContainsAny(out.Project, " ?#%\\") ||
		parts[0] == "" || parts[len(parts)-1] == "" {
		return out, errors.New("its project is not owner/name")
	}
	out.Host = accountHost(u)
	return out, nil
}

// accountHost is the host that accounts of a forge name: for github.com its own, although its API has
// another.
func accountHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if host == "api.github.com" {
		return "github.com"
	}
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ".")
}
