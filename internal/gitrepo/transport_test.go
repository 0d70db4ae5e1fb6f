package gitrepo

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// serve offers a forge over https, as git.example.com, to one user.
func serve(t *testing.T, f *forge) (address string, opts Options) {
	t.Helper()
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(f.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=robot",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		InheritEnv: []string{"PATH"},
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "robot" || password != "hunter2" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// httptest's certificate is for example.com.
	return "https://example.com:" + u.Port() + "/" + filepath.Base(f.dir) + "/.git", Options{
		Branches: []string{"main"}, CAFile: ca, AllowLoopback: true,
		Credentials: Credentials{Username: "robot", Password: "hunter2"},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
}

func TestHTTPS(t *testing.T) {
	f := newForge(t)
	f.git("config", "http.receivepack", "true")
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	address, opts := serve(t, f)
	open := func(change func(*Options)) *Mirror {
		o := opts
		change(&o)
		m, err := Open(t.TempDir(), address, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		return m
	}
	m := open(func(*Options) {})
	if moved, err := m.Fetch(ctx(t)); err != nil || len(moved) != 1 || moved[0].After != c0 {
		t.Fatalf("Fetch = %v, %v", moved, err)
	}
	ref := ApprovalRefs + "prover"
	if _, err := m.Append(ctx(t), ref, "m", map[string][]byte{"a": []byte("b")}, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Push(ctx(t), "", ref); err != nil {
		t.Errorf("Push: %v", err)
	}
	if err := m.Push(ctx(t), "https://elsewhere.example.com/x", ref); err == nil {
		t.Error("a mirror pushes elsewhere")
	}
	if got, err := m.ref(ctx(t), ref); err != nil || got != f.git("rev-parse", ref) {
		t.Errorf("pushed %s, %v", got, err)
	}
	for name, wrong := range map[string]func(*Options){
		"wrong password":        func(o *Options) { o.Credentials.Password = "wrong-s3cret" },
		"no password":           func(o *Options) { o.Credentials = Credentials{} },
		"unknown authority":     func(o *Options) { o.CAFile = "" },
		"this machine, unasked": func(o *Options) { o.AllowLoopback = false },
	} {
		_, err := open(wrong).Fetch(ctx(t))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// ssh is run with the mirror's own key and hosts, and with nothing of the user's.
func TestSSH(t *testing.T) {
	f := newForge(t)
	c0 := f.commit("0", ground)
	f.set("refs/heads/main", c0)
	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	// Stands for the remote side: notes how it was called and runs the command that was asked for.
	script := "#!/bin/sh\necho \"$@\" >> " + log + "\nfor last; do :; done\nunset GIT_DIR\nexec sh -c \"$last\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent")
	m, err := Open(t.TempDir(), "ssh://git@git.example.com:2222"+f.dir, Options{
		Branches: []string{"main"}, Resolve: resolved("10.1.2.3"),
		Credentials: Credentials{SSHKeyFile: "/etc/fairway/id", KnownHostsFile: "/etc/fairway/known_hosts"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if moved, err := m.Fetch(ctx(t)); err != nil || len(moved) != 1 || moved[0].After != c0 {
		t.Fatalf("Fetch = %v, %v", moved, err)
	}
	called, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"-F none", "BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ForwardAgent=no",
		"IdentityFile=/etc/fairway/id", "UserKnownHostsFile=/etc/fairway/known_hosts", "-p 2222 git@git.example.com git-upload-pack",
	} {
		if !strings.Contains(string(called), want) {
			t.Errorf("ssh was called without %q: %s", want, called)
		}
	}
}

func TestProxyCredentialsAreNeverSeen(t *testing.T) {
	m, err := Open(t.TempDir(), "https://git.example.com/repo", Options{
		Branches: []string{"main"}, Proxy: "http://user:hunter2@127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Fetch(ctx(t)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestRedact(t *testing.T) {
	g := &git{secrets: []string{"hunter2"}}
	said := "fatal: 'https://user:pass@host/repo': hunter2\nremote: ssh://git:x@y@host \x1b[31mred"
	got := (&gitError{command: "fetch", err: context.Canceled, said: g.redact(said)}).Error()
	for _, never := range []string{"user", "pass@", "hunter2", "git:x", "\x1b", "\n"} {
		if strings.Contains(got, never) {
			t.Errorf("%q has %q", got, never)
		}
	}
	if !strings.Contains(got, "host/repo") {
		t.Errorf("%q does not say where", got)
	}
}

// TestT38RemoteIsNotQuoted: a remote that gives back what it was asked with, in a form that nobody would
// recognise, is not passed on; what git says itself is.
func TestT38RemoteIsNotQuoted(t *testing.T) {
	const coded = "dXNlcjpodW50ZXIy"
	g := &git{secrets: []string{"hunter2"}}
	for said, want := range map[string]string{
		"remote: " + coded + "\nfatal: Could not read from remote repository.":                  "fatal: Could not read from remote repository.",
		"remote: a\rremote: " + coded + "\nfatal: early EOF":                                    "fatal: early EOF",
		"fatal: remote error: " + coded:                                                         "fatal: remote error",
		"fatal: protocol error: bad line length character: " + coded[:4]:                        "fatal: protocol error: bad line length character",
		"fatal: unable to update url base from redirection:\n  asked: x\n   redirect: " + coded: "redirect",
		strings.Repeat(coded, mostSaid/len(coded)) + "\nfatal: early EOF":                       "fatal: early EOF",
	} {
		var kept tail
		_, _ = kept.Write([]byte(said))
		got := (&gitError{command: "fetch", err: context.Canceled, said: g.redact(string(kept))}).Error()
		if strings.Contains(got, coded[:4]) || !strings.Contains(got, want) {
			t.Errorf("%q is told as %q, want %q in it and nothing of the remote's", said, got, want)
		}
	}
}

// TestCloneTrustsTheUsersAuthority: whoever works behind an authority of their own tells git so by its variables, and a
// statement still reaches the remote. A variable that has git trust anybody is not passed on.
func TestCloneTrustsTheUsersAuthority(t *testing.T) {
	f := newForge(t)
	f.git("config", "http.receivepack", "true")
	f.set("refs/heads/main", f.commit("0", ground))
	address, opts := serve(t, f)
	address = strings.Replace(address, "https://example.com", "https://robot:hunter2@127.0.0.1", 1)
	ref := ApprovalRefs + "alice"
	for _, tt := range []struct {
		name, variable, value string
		reaches               bool
	}{
		{"told nothing", "GIT_TRACE", "0", false},
		{"told to trust anybody", "GIT_SSL_NO_VERIFY", "1", false},
		{"told of the authority", "GIT_SSL_CAINFO", opts.CAFile, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(tt.variable, tt.value)
			err := f.clone().FetchLog(ctx(t), address, ref)
			if (err == nil) != tt.reaches || err != nil && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("FetchLog: %v", err)
			}
		})
	}
}
