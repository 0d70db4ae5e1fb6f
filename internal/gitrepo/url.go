package gitrepo

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// remoteURL is a repository's URL that may be handed to git: one of four schemes, with a host that
// is a host, and nothing that git or ssh could take for an option or a helper (threat T-37).
type remoteURL struct {
	given  string
	scheme string // https, ssh, file, or http on this machine
	host   string // without port and brackets
	port   string // empty where the scheme's own
}

// parseURL accepts https://host/path, ssh://[user@]host/path, user@host:path and file:///path.
func parseURL(given string, loopback bool) (remoteURL, error) {
	refuse := func(why string) (remoteURL, error) {
		return remoteURL{}, fmt.Errorf("%w: %s: %q", ErrURL, why, withoutUserinfo(given))
	}
	if strings.ContainsFunc(given, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }) {
		return refuse("has a character that is not printable ASCII")
	}
	scheme, _, full := strings.Cut(given, "://")
	if given == "" || given[0] == '-' || strings.Contains(scheme, "::") {
		return refuse("is empty, an option or the name of a helper")
	}
	if !full {
		return parseSCP(given, refuse)
	}
	u, err := url.Parse(given)
	if err != nil || u.Opaque != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return refuse("is not a scheme, a host and a path")
	}
	r := remoteURL{given: given, scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	_, password := u.User.Password()
	switch {
	case scheme != u.Scheme:
		return refuse("has a scheme in capitals")
	case u.Scheme == "file":
		if u.Host != "" || u.User != nil || strings.Contains(given, "%") || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") {
			return refuse("is not file:// and a clean absolute path")
		}
		return r, nil
	case u.Scheme == "ssh" && !password && (u.User == nil || userName(u.User.Username())):
	case (u.Scheme == "https" || u.Scheme == "http" && loopback) && u.User == nil:
	case u.User != nil:
		return refuse("carries credentials")
	default:
		return refuse("has a scheme that is not https, ssh or file")
	}
	if !hostName(r.host) || strings.Trim(r.port, "0123456789") != "" || strings.HasSuffix(u.Host, ":") {
		return refuse("has a host that is not a name or an address")
	}
	if len(u.Path) < 2 || strings.HasPrefix(u.Path, "/-") || strings.HasPrefix(u.Path, "/~") {
		return refuse("has no path, or one that begins with an option")
	}
	return r, nil
}

// parseSCP reads user@host:path, the short form of ssh.
func parseSCP(given string, refuse func(string) (remoteURL, error)) (remoteURL, error) {
	user, rest, ok := strings.Cut(given, "@")
	host, p, found := strings.Cut(rest, ":")
	if !ok || !found || !userName(user) || !hostName(strings.ToLower(host)) || strings.Contains(host, "[") {
		return refuse("is not a URL, nor user@host:path")
	}
	if p == "" || p[0] == '-' || p[0] == '~' {
		return refuse("has no path, or one that begins with an option")
	}
	return remoteURL{given: given, scheme: "ssh", host: strings.ToLower(host)}, nil
}

func userName(s string) bool {
	return s != "" && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// hostName accepts an address in its one usual form, or a name. What only some resolvers take for
// an address, such as 2852039166, 0x7f.1 or 010.0.0.1, is neither.
func hostName(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == ""
	}
	if s == "" || len(s) > 253 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if l == "" || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

// addresses are those of the URL's host, all of them fit to be connected to.
func (u remoteURL) addresses(ctx context.Context, opts Options) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(u.host); err == nil {
		addrs = append(addrs, a)
	} else {
		resolve := opts.Resolve
		if resolve == nil {
			resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			}
		}
		if addrs, err = resolve(ctx, u.host); err != nil {
			return nil, fmt.Errorf("resolving host %q: %w", u.host, err)
		}
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
		if why := forbidden(addrs[i], opts.AllowLoopback); why != "" {
			return nil, fmt.Errorf("%w: host %q is %s: %s", ErrURL, u.host, why, a)
		}
		if u.scheme == "http" && !addrs[i].IsLoopback() {
			return nil, fmt.Errorf("%w: http to another machine: host %q", ErrURL, u.host)
		}
	}
	return addrs, nil
}

// forbidden says why no forge can be at an address: the machine itself, its link, or where clouds
// serve the credentials of the machine. Private networks are where many forges are.
func forbidden(a netip.Addr, loopback bool) string {
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch a.String() {
	case "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "255.255.255.255":
		return "a service of the machine's provider"
	}
	switch {
	case a.IsLoopback() && !loopback:
		return "this machine"
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.Is4() && a.As4()[0] == 0:
		return "no address of another machine beyond the link"
	}
	return ""
}
