package forge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ErrHost is when a request would have gone to a host other than the forge's, or to an address that no forge
// of this Repository can be at. The token stays here.
var ErrHost = errors.New("not the host that the credentials are for")

// The bounds of one request.
const (
	mostBytes      = 8 << 20
	requestTimeout = 30 * time.Second
	mostRedirects  = 3
)

// Access is how to reach one forge: its host, and what proves to it who asks.
type Access struct {
	URL   string // https://host/ with the path below which the forge stands
	Token Secret
	// AllowPrivate lets the host be at an address of a private network.
	AllowPrivate bool
	// AllowLoopback lets it be this machine: for tests and labs. With it the URL may be of http, and then
	// leads to this machine, or to a private network where that is allowed, and nowhere else.
	AllowLoopback bool
	Roots         *x509.CertPool // default: the system's
	Proxy         *url.URL       // with a proxy, a host's addresses are the proxy's to judge
	Metrics       *Metrics       // default: none
	Now           func() time.Time
}

// Base is the URL, checked.
func (a Access) Base() (*url.URL, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, errors.New("forge URL cannot be read")
	}
	secure := u.Scheme == "https" || u.Scheme == "http" && a.AllowLoopback
	if !secure || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, fmt.Errorf("forge URL %q is not https://host/path", u.Redacted())
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// Client is an HTTP client that speaks to the forge alone. It adds the token, follows redirects on
// the forge's own host only, bounds time and size of every answer and refuses one that is not plain
// JSON, asks again only for what changed (ETag), and stops asking while the forge wants it to.
func (a Access) Client(kind Kind) (*http.Client, error) {
	base, err := a.Base()
	if err != nil {
		return nil, err
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	inner := &http.Transport{
		DialContext:            a.dialer().DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: a.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  requestTimeout,
		MaxResponseHeaderBytes: 256 << 10,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		ForceAttemptHTTP2:      true,
	}
	if a.Proxy != nil {
		inner.Proxy = http.ProxyURL(a.Proxy)
	}
	return &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: sameHost(base),
		Transport: &courier{
			base: base, token: a.Token, inner: inner, now: a.Now,
			book: newBook(), pace: &pace{host: base.Host}, count: a.Metrics.of(kind),
		},
	}, nil
}

// sameHost follows a redirect (a renamed repository's) on the forge's own host.
func sameHost(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if len(via) > mostRedirects {
			return errors.New("too many redirects")
		}
		if !isAt(base, req.URL) {
			return fmt.Errorf("redirected: %w", ErrHost)
		}
		return nil
	}
}

// isAt reports whether a URL is on the forge's host and port, by its scheme.
func isAt(base, u *url.URL) bool {
	return u.Scheme == base.Scheme && strings.EqualFold(u.Host, base.Host) && u.User == nil
}

// dialer looks at the address that a connection is really made to, after every look-up, so that a
// name that changes its address meanwhile gains nothing.
func (a Access) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 10 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: address %q", ErrHost, address)
			}
			why := a.forbids(to.Addr())
			if at := to.Addr().Unmap(); why == "" && strings.HasPrefix(a.URL, "http:") && !at.IsLoopback() && !at.IsPrivate() {
				why = "beyond the private network, where a token is not sent without TLS"
			}
			if why != "" {
				return &barredError{to.Addr().String(), why}
			}
			return nil
		},
	}
}

// forbids says why the forge cannot be at an address.
func (a Access) forbids(at netip.Addr) string {
	at = at.Unmap()
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(at) {
		b := at.As16()
		at = netip.AddrFrom4([4]byte(b[12:]))
	}
	shared := netip.MustParsePrefix("100.64.0.0/10")
	switch {
	case at.IsLoopback():
		if a.AllowLoopback {
			return ""
		}
		return "this machine"
	case at.IsUnspecified(), at.IsMulticast(), at.IsLinkLocalUnicast(), at.Is4() && at.As4()[0] == 0, at.Is4() && at.As4()[0] >= 240:
		return "no address of another machine beyond the link"
	case isProvider(at):
		return "a service of the machine's provider"
	case (at.IsPrivate() || shared.Contains(at)) && !a.AllowPrivate && a.Proxy == nil:
		return "in a private network, which the Repository does not allow"
	}
	return ""
}

// isProvider: clouds serve the credentials of a machine there.
func isProvider(at netip.Addr) bool {
	switch at.String() {
	case "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254":
		return true
	}
	return false
}
