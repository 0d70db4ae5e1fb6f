package gitrepo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// transport is what git is given, in its environment, to reach one remote and no other.
type transport struct {
	url      string
	settings []setting
	env      []string
}

// checkOptions refuses credentials that do not fit, before anything is done with them.
func checkOptions(u remoteURL, o Options) error {
	c := o.Credentials
	switch {
	case (c.Username != "" || c.Password != "") && u.scheme != "https" && u.scheme != "http":
		return errors.New("credentials: user name and password are for https")
	case u.scheme == "ssh" && (!sshPath(c.SSHKeyFile) || !sshPath(c.KnownHostsFile)):
		return errors.New("credentials: ssh needs the absolute paths of a key and of known hosts, of plain characters")
	case strings.ContainsAny(c.Username, ":\r\n\x00"):
		return errors.New("credentials: user name has a character that it cannot have")
	}
	for _, b := range o.Branches {
		if !refName("refs/heads/" + b) {
			return fmt.Errorf("branch %q: not a branch's name", b)
		}
	}
	if o.Proxy != "" {
		if p, err := url.Parse(o.Proxy); err != nil || p.Host == "" {
			return errors.New("proxy: not a URL") // it may hold a password
		}
	}
	return nil
}

// sshPath accepts paths that neither a shell nor the configuration syntax of ssh reads into.
func sshPath(p string) bool {
	return filepath.IsAbs(p) &&
		strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@") == ""
}

// secrets are what must never be seen in what git says.
func secrets(o Options) []string {
	var all []string
	if p := o.Credentials.Password; p != "" {
		all = append(all, p, basicAuth(o.Credentials), url.QueryEscape(p), url.PathEscape(p))
	}
	if p, err := url.Parse(o.Proxy); err == nil && p.User != nil {
		if password, ok := p.User.Password(); ok && password != "" {
			all = append(all, password, url.QueryEscape(password))
		}
	}
	return all
}

func basicAuth(c Credentials) string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
}

// reach makes ready to reach the remote: one protocol, no redirects, and for https the addresses
// that were looked at, so that a second look-up cannot give others.
func (u remoteURL) reach(ctx context.Context, o Options) (transport, error) {
	t := transport{url: u.given, env: []string{"GIT_ALLOW_PROTOCOL=" + u.scheme}}
	switch u.scheme {
	case "ssh":
		if _, err := u.addresses(ctx, o); err != nil {
			return t, err
		}
		t.env = append(t.env, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND="+sshCommand(o.Credentials))
	case "https", "http":
		return u.reachHTTP(ctx, o, t)
	}
	return t, nil
}

func sshCommand(c Credentials) string {
	return "ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o IdentityFile=" + c.SSHKeyFile +
		" -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + c.KnownHostsFile + " -o GlobalKnownHostsFile=/dev/null" +
		" -o UpdateHostKeys=no -o PreferredAuthentications=publickey -o ForwardAgent=no -o ClearAllForwardings=yes" +
		" -o ControlPath=none -o PermitLocalCommand=no -o ConnectTimeout=15"
}

func (u remoteURL) reachHTTP(ctx context.Context, o Options, t transport) (transport, error) {
	t.settings = append(t.settings, setting{"http.followRedirects", "false"}, setting{"http.sslVerify", "true"},
		setting{"http.lowSpeedLimit", "1000"}, setting{"http.lowSpeedTime", "20"}, setting{"http.proxy", o.Proxy})
	if o.CAFile != "" {
		t.settings = append(t.settings, setting{"http.sslCAInfo", o.CAFile})
	}
	if o.Proxy == "" {
		addrs, err := u.addresses(ctx, o)
		if err != nil {
			return t, err
		}
		t.settings = append(t.settings, setting{"http.curloptResolve", u.pin(addrs)})
	}
	if c := o.Credentials; c.Username != "" || c.Password != "" {
		origin, _, _ := strings.Cut(strings.TrimPrefix(u.given, u.scheme+"://"), "/")
		t.settings = append(t.settings, setting{
			"http." + u.scheme + "://" + origin + "/.extraHeader", "Authorization: Basic " + basicAuth(c)})
	}
	return t, nil
}

// pin is the entry of curl's resolver that maps the host to what it was looked up to be.
func (u remoteURL) pin(addrs []netip.Addr) string {
	port := u.port
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.scheme]
	}
	var list []string
	for _, a := range addrs {
		s := a.String()
		if a.Is6() {
			s = "[" + s + "]"
		}
		list = append(list, s)
	}
	return u.host + ":" + port + ":" + strings.Join(list, ",")
}
