package chart

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// pasted is a block of commands that a reader of docs/install.md pastes.
var pasted = regexp.MustCompile("(?ms)^```bash\n(.*?)^```$")

// TestInstallPage runs docs/install.md from the first to the last command, with the real Helm, kubectl,
// git and cert-manager. What stands for the reader's surroundings is a repository on this machine, and a
// helm that takes the chart from the tree and tells it where this machine's gates are.
func TestInstallPage(t *testing.T) {
	l := startLab(t, "fairway-system")
	l.certManager()
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range pasted.FindAllSubmatch(page, -1) {
		script.Write(block[1])
	}
	work := t.TempDir()
	fleet := filepath.Join(t.TempDir(), "fleet.git")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", fleet).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script.String())
	shell.Dir = work
	shell.Env = append(os.Environ(),
		"PATH="+l.tools()+":"+os.Getenv("PATH"), "KUBECONFIG="+l.config, "HOME="+work, "FLEET=file://"+fleet,
		"GIT_CONFIG_NOSYSTEM=1", "HELM_CACHE_HOME="+l.home, "HELM_CONFIG_HOME="+l.home, "HELM_DATA_HOME="+l.home)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Run(); err != nil {
		t.Fatalf("%v; the page's commands:\n%s\ntheir output:\n%s", err, script.String(), out.String())
	}
	// What the reader is promised to see, in this order.
	rest := out.String()
	for _, said := range []string{
		"Succeeded",            // helm test
		"configmap/settings ",  // what Git renders
		"FW202 ContentDiffers", // what it does not
		"FW10",                 // a commit that nobody approved
		"configmap/settings ",  // the same one, approved
		"red",
		`release "fairway" uninstalled`,
		`namespace "shop" deleted`,
	} {
		_, after, found := strings.Cut(rest, said)
		if !found {
			t.Fatalf("after the rest the commands did not say %q; their output:\n%s", said, out.String())
		}
		rest = after
	}
	l.unblocked()
}

// tools is a folder of the programs that the page needs.
func (l *lab) tools() string {
	l.t.Helper()
	bin := l.t.TempDir()
	program, err := product()
	if err != nil {
		l.t.Fatal(err)
	}
	binaries, err := controlplane.Binaries(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	helm, err := helmBinary()
	if err != nil {
		l.t.Fatal(err)
	}
	chart, err := filepath.Abs(chartFolder)
	if err != nil {
		l.t.Fatal(err)
	}
	for name, target := range map[string]string{"fairway": program, "kubectl": filepath.Join(binaries, "kubectl")} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			l.t.Fatal(err)
		}
	}
	wrapper := fmt.Sprintf(`#!/bin/bash
args=("${@/#oci:*/%s}")
if [ "$1" = install ]; then args+=(--set webhook.url=https://%s --set prover.interval=1s); fi
exec %s "${args[@]}"
`, chart, l.balancer.Address(), helm)
	if err := os.WriteFile(filepath.Join(bin, "helm"), []byte(wrapper), 0o700); err != nil { //nolint:gosec // it is run
		l.t.Fatal(err)
	}
	return bin
}
