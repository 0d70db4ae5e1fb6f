package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// resolved answers every look-up with these addresses.
func resolved(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) ([]netip.Addr, error) {
		var all []netip.Addr
		for _, a := range addrs {
			all = append(all, netip.MustParseAddr(a))
		}
		return all, nil
	}
}

// TestT37URLs holds which URLs are refused before anything is connected to.
func TestT37URLs(t *testing.T) {
	for _, url := range []string{
		"https://git.example.com/org/repo.git", "https://git.example.com:8443/org/repo", "https://10.1.2.3/repo",
		"https://[2001:db8::1]:8443/repo", "ssh://git@git.example.com/org/repo", "ssh://git.example.com:2222/repo",
		"git@git.example.com:org/repo.git", "git@git.example.com:/srv/repo", "file:///srv/git/repo.git",
	} {
		if _, err := parseURL(url, false); err != nil {
			t.Errorf("%q is refused: %v", url, err)
		}
	}
	for _, url := range []string{
		"", " ", "-", "--upload-pack=touch /tmp/x", "-oProxyCommand=x", "ext::sh -c x", "ext::sh%20-c%20x", "fd::3",
		"https::https://x/y", "transport::address", "http://git.example.com/repo", "git://git.example.com/repo", "ftp://x/y", "ftps://x/y",
		"HTTPS://git.example.com/repo", "https:/git.example.com/repo", "https:git.example.com/repo", "https:///repo",
		"https://user:secret@git.example.com/repo", "https://token@git.example.com/repo", "ssh://git:secret@git.example.com/repo",
		"https://git.example.com", "https://git.example.com/", "https://git.example.com/repo?x=y", "https://git.example.com/repo#x",
		"https://git.example.com/repo?", "https://-oProxyCommand=x/repo", "ssh://-oProxyCommand=x/repo", "ssh://-l@host/repo", "ssh://git@-x/repo",
		"ssh://git@host/-x", "ssh://git@host/~root/x", "git@-oProxyCommand=x:repo", "-l@host:repo", "git@host:-x", "git@host:~x", "git@host:", "host:repo",
		"git@host", "repo", "/srv/repo", "../repo", "C:\\repo", "https://git.example.com/a b", "https://git.example.com/a\nb",
		"https://git.example.com/\x00", "https://gìt.example.com/repo", "https://git.example.com\\@evil.example.com/repo",
		"https://git.example.com:/repo", "https://git.example.com:x/repo", "https://git..example.com/repo", "https://git_x/repo",
		"https://2852039166/repo", "https://0xa9fea9fe/repo", "https://0251.0376.0251.0376/repo", "https://169.254.43518/repo",
		"https://[fe80::1%25eth0]/repo", "https://[::1/repo", "https://[git.example.com]/repo",
		"file://host/srv/repo", "file://-x", "file:///srv/../etc", "file:///srv/%2e%2e/etc", "file://", "file:srv", "file:///srv//x",
	} {
		if got, err := parseURL(url, false); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %+v, error %v, want ErrURL", url, got, err)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token@") {
			t.Errorf("%q: error tells the credentials: %v", url, err)
		}
	}
}

// TestT37Addresses holds where no forge can be, in the URL or behind its name.
func TestT37Addresses(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"224.0.0.1", "ff02::1", "255.255.255.255",
	} {
		host := a
		if strings.Contains(a, ":") {
			host = "[" + a + "]"
		}
		for _, url := range []string{"https://" + host + "/repo", "ssh://git@" + host + "/repo", "https://rebound.example.com/repo"} {
			u, err := parseURL(url, false)
			if err != nil {
				t.Fatalf("%s: %v", url, err)
			}
			// The second address of a name counts as much as the first.
			opts := Options{Resolve: resolved("93.184.216.34", a), Credentials: Credentials{SSHKeyFile: "/k", KnownHostsFile: "/h"}}
			if _, err := u.reach(t.Context(), opts); !errors.Is(err, ErrURL) {
				t.Errorf("%s at %s: error %v, want ErrURL", url, a, err)
			}
		}
	}
}

// The addresses that were looked at are those that are connected to: a second look-up has no say.
func TestT37AddressesArePinned(t *testing.T) {
	u, err := parseURL("https://git.example.com/org/repo", false)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := u.reach(t.Context(), Options{Resolve: resolved("10.1.2.3", "2001:db8::1")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range tr.settings {
		got[s.key] = s.value
	}
	if want := "git.example.com:443:10.1.2.3,[2001:db8::1]"; got["http.curloptResolve"] != want {
		t.Errorf("pin %q, want %q", got["http.curloptResolve"], want)
	}
	if got["http.followRedirects"] != "false" || !strings.Contains(fmt.Sprint(tr.env), "GIT_ALLOW_PROTOCOL=https") {
		t.Errorf("settings %v, environment %v", got, tr.env)
	}
}

func TestPlainHTTPOnlyOnThisMachine(t *testing.T) {
	u, err := parseURL("http://git.example.com/repo", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.reach(t.Context(), Options{AllowLoopback: true, Resolve: resolved("10.1.2.3")}); !errors.Is(err, ErrURL) {
		t.Errorf("http to another machine: error %v, want ErrURL", err)
	}
	if _, err := u.reach(t.Context(), Options{AllowLoopback: true, Resolve: resolved("127.0.0.1")}); err != nil {
		t.Errorf("http to this machine: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		opts Options
	}{
		"password for ssh":           {"ssh://git@h.example/r", Options{Credentials: Credentials{Password: "hunter2", SSHKeyFile: "/k", KnownHostsFile: "/h"}}},
		"password for file":          {"file:///r", Options{Credentials: Credentials{Password: "hunter2"}}},
		"ssh without known hosts":    {"ssh://git@h.example/r", Options{Credentials: Credentials{SSHKeyFile: "/k"}}},
		"ssh without key":            {"ssh://git@h.example/r", Options{Credentials: Credentials{KnownHostsFile: "/h"}}},
		"ssh key that is a command":  {"ssh://git@h.example/r", Options{Credentials: Credentials{SSHKeyFile: "/k -oProxyCommand=x", KnownHostsFile: "/h"}}},
		"ssh key with a token":       {"ssh://git@h.example/r", Options{Credentials: Credentials{SSHKeyFile: "/k%h", KnownHostsFile: "/h"}}},
		"relative ssh key":           {"ssh://git@h.example/r", Options{Credentials: Credentials{SSHKeyFile: "k", KnownHostsFile: "/h"}}},
		"user name with a colon":     {"https://h.example/r", Options{Credentials: Credentials{Username: "a:b", Password: "hunter2"}}},
		"user name with a line feed": {"https://h.example/r", Options{Credentials: Credentials{Username: "a\nX: b", Password: "hunter2"}}},
		"branch that is an option":   {"https://h.example/r", Options{Branches: []string{"-x"}}},
		"branch that is a pattern":   {"https://h.example/r", Options{Branches: []string{"release/*"}}},
		"branch with a line feed":    {"https://h.example/r", Options{Branches: []string{"a\n+refs/replace/*"}}},
		"branch that is a refspec":   {"https://h.example/r", Options{Branches: []string{"a:refs/replace/b"}}},
		"proxy that is no URL":       {"https://h.example/r", Options{Proxy: "hunter2"}},
	} {
		m, err := Open(t.TempDir(), c.url, c.opts)
		if err == nil {
			t.Errorf("%s is accepted", name)
			err = m.Close()
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error tells the secret: %v", name, err)
		}
	}
}

// FuzzParseURL: whatever is accepted cannot be taken for an option, and says where it leads.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://h/r", "ssh://git@h/r", "git@h:r", "file:///r", "ext::x", "--upload-pack=x", "https://a@b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s, false)
		if err != nil {
			return
		}
		if s[0] == '-' || strings.ContainsAny(s, " \n\x00\\") || u.scheme == "http" || u.given != s {
			t.Errorf("accepted %q as %+v", s, u)
		}
		if u.scheme != "file" && (u.host == "" || u.host[0] == '-') {
			t.Errorf("accepted %q with host %q", s, u.host)
		}
	})
}
