package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// kubectl runs the real kubectl as a user who may do anything that RBAC can allow, and returns what it
// printed. Its error holds what it complained of.
func (l *serveLab) kubectl(user, in string, args ...string) (string, error) {
	l.t.Helper()
	binaries, err := controlplane.Binaries(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	config := l.kubeconfig(user)
	home := filepath.Dir(config)
	cmd := exec.CommandContext(l.t.Context(), filepath.Join(binaries, "kubectl"), append([]string{"--kubeconfig", config}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "EDITOR="+filepath.Join(l.dir, "editor"), "KUBE_EDITOR=")
	cmd.Stdin = strings.NewReader(in)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out.String(), nil
}

// kubeconfig is the file of a user, in a home folder of the user's own.
func (l *serveLab) kubeconfig(user string) string {
	l.t.Helper()
	config := filepath.Join(l.dir, "home-"+user, "config")
	if _, err := os.Stat(config); err == nil {
		return config
	}
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := controlplane.WriteKubeconfig(config, l.config(user)); err != nil {
		l.t.Fatal(err)
	}
	return config
}

// editor makes the EDITOR of kubectl edit: a script that replaces one text by another.
func (l *serveLab) editor(old, replacement string) {
	l.t.Helper()
	script := fmt.Sprintf("#!/bin/sh\nsed -i 's/%s/%s/' \"$1\"\n", old, replacement)
	if err := os.WriteFile(filepath.Join(l.dir, "editor"), []byte(script), 0o700); err != nil { //nolint:gosec // kubectl runs it
		l.t.Fatal(err)
	}
}

// printed holds that kubectl went through.
func (l *serveLab) printed(out string, err error) string {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("refused, want admitted: %v", err)
	}
	return out
}

// told holds that kubectl ended with an error because Fairway refused, and printed the reason.
func (l *serveLab) told(reason string) func(string, error) {
	l.t.Helper()
	return func(_ string, err error) {
		l.t.Helper()
		switch {
		case err == nil:
			l.t.Errorf("admitted, want refused for %q", reason)
		case !strings.Contains(err.Error(), `.fairway.dev" denied the request`) || !strings.Contains(err.Error(), reason):
			l.t.Errorf("got %v, want a refusal by Fairway for %q", err, reason)
		}
	}
}

// stampedBy is a manifest that fairway stamp has marked with a commit, as a pipeline runs it.
func (l *serveLab) stampedBy(text, commit, source string) string {
	l.t.Helper()
	if err := l.shop.Fetch(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.dir, "manifest.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return l.fairway("stamp", file, "-C", l.shop.Clone(), "--commit", commit, "--repository", "apps", "--source", source)
}

// ship applies a stamped manifest on the server side, as a pipeline does.
func (l *serveLab) ship(stamped string) (string, error) {
	l.t.Helper()
	return l.kubectl("deployer", stamped, "apply", "--server-side", "--field-manager=deployer", "-f", "-")
}

// takeOver is ship for fields that somebody else set before.
func (l *serveLab) takeOver(stamped string) (string, error) {
	l.t.Helper()
	return l.kubectl("deployer", stamped, "apply", "--server-side", "--force-conflicts", "--field-manager=deployer", "-f", "-")
}

// git runs git in the remote of the shop, as whoever runs the forge can.
func (l *serveLab) git(in string, args ...string) string {
	l.t.Helper()
	return l.gitIn(l.shop.Repo.Dir, in, args...)
}

func (l *serveLab) gitIn(dir, in string, args ...string) string {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, complaint.String())
	}
	return strings.TrimSpace(out.String())
}
