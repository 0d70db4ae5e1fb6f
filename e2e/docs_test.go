package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/e2e/controlplane"
)

// docs are the pages whose commands people type. A block marked sh is run here; what only shows what a
// terminal looks like, or needs a cluster of the reader's own, is marked console.
var docs = []string{"README.md", "docs/*.md", "docs/engines/*.md", "config/samples/*.md", ".github/*.md"}

// fenced is one block of a page: its mark and its text.
var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// TestDocsCommands runs the commands of each page, top to bottom in one shell, in a folder of its own
// that sees the repository's files, with fairway and kubectl on the path and a control plane behind
// them. Targets of make are not run from within a test: continuous integration must run them.
func TestDocsCommands(t *testing.T) {
	binaries, err := controlplane.Binaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		targets, script := commands(blocks(t, page, "sh"))
		for _, target := range targets {
			if !slices.Contains(ciTargets(t), target) {
				t.Errorf("%s shows make %s, which continuous integration does not run", page, target)
			}
		}
		if script == "" {
			continue
		}
		t.Run(page, func(t *testing.T) { runPage(t, binaries, script) })
	}
}

// runPage runs one page's commands.
func runPage(t *testing.T, binaries, script string) {
	dir, config, path := folder(t), filepath.Join(t.TempDir(), "kubeconfig"), binaries
	if strings.Contains(script, "fairway ") {
		path += ":" + fairway(t)
	}
	if err := cluster(t).Kubeconfig(config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	shell.Dir = dir
	// Git and kubectl read nothing of whoever runs the test.
	shell.Env = append(os.Environ(),
		"PATH="+path+":"+os.Getenv("PATH"),
		"KUBECONFIG="+config, "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Reader", "GIT_AUTHOR_EMAIL=reader@example.com",
		"GIT_COMMITTER_NAME=Reader", "GIT_COMMITTER_EMAIL=reader@example.com",
	)
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	// What the page started in the background ends with it.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.WaitDelay = 5 * time.Second
	err := shell.Run()
	if shell.Process != nil {
		_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // most pages have left nothing
	}
	if err != nil {
		t.Errorf("%v; the commands:\n%s\ntheir output:\n%s", err, script, out.String())
	}
}

// TestDocsLinks holds that what a page links to within the repository exists.
func TestDocsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, page := range append(pages(t), glob(t, "docs/adr/*.md")...) {
		text, err := os.ReadFile(filepath.Join("..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllSubmatch(text, -1) {
			target := string(found[1])
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			}
		}
	}
}

// TestDocsNameCommands holds that each command that a page names exists, and that the README names all.
func TestDocsNameCommands(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), filepath.Join(fairway(t), "fairway"), "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]bool{}
	_, list, _ := strings.Cut(string(help), "Available Commands:\n")
	for line := range strings.Lines(list) {
		words := strings.Fields(line)
		if len(words) == 0 {
			break
		}
		exists[words[0]] = true
	}
	named := regexp.MustCompile("`fairway ([a-z]+)")
	said := map[string]bool{"completion": true, "help": true, "version": true} // what every program has
	for _, page := range append(pages(t), glob(t, "docs/adr/*.md")...) {
		text, err := os.ReadFile(filepath.Join("..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllSubmatch(text, -1) {
			command := string(found[1])
			if !exists[command] {
				t.Errorf("%s names fairway %s, which does not exist", page, command)
			}
			said[command] = said[command] || page == "README.md"
		}
	}
	for command := range exists {
		if !said[command] {
			t.Errorf("the README does not name fairway %s", command)
		}
	}
}

// TestCommands holds how blocks become a script.
func TestCommands(t *testing.T) {
	targets, script := commands([]string{"# a comment\nmake test\nfairway version\n", "make demo PKG=x\nkubectl apply \\\n  -f x\n"})
	if diff := cmp.Diff([]string{"test", "demo"}, targets); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("# a comment\nfairway version\nkubectl apply \\\n  -f x\n", script); diff != "" {
		t.Errorf("script (-want +got):\n%s", diff)
	}
	if _, script := commands([]string{"# a comment\nmake test\n"}); script != "" {
		t.Errorf("a page of make targets has the script %q, want none", script)
	}
}

// commands takes the targets of make out of the blocks and joins the rest to one script; it is empty if
// there is nothing to run.
func commands(blocks []string) (targets []string, script string) {
	runs := false
	for _, line := range strings.SplitAfter(strings.Join(blocks, ""), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "make" {
			targets = append(targets, words[1])
			continue
		}
		runs = runs || len(words) > 0 && !strings.HasPrefix(words[0], "#")
		script += line
	}
	if !runs {
		return targets, ""
	}
	return targets, script
}

// blocks returns the text of a page's blocks of one mark.
func blocks(t *testing.T, page, mark string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range fenced.FindAllSubmatch(text, -1) {
		if string(block[1]) == mark {
			found = append(found, string(block[2]))
		}
	}
	return found
}

// ciTargets are the targets of make that .ci/run runs.
func ciTargets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^for target in (.*); do$`).FindSubmatch(text)
	if found == nil {
		t.Fatal(".ci/run does not say its targets")
	}
	return strings.Fields(string(found[1]))
}

func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range docs {
		found = append(found, glob(t, pattern)...)
	}
	if !slices.Contains(found, "README.md") {
		t.Fatal("the README was not found")
	}
	return found
}

// glob returns the paths below the repository's root that match.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", pattern))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], "../")
	}
	return found
}

// folder makes an empty folder with the repository's files linked into it, so that a page may read them
// and what it writes stays out of the repository.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config", "charts", "docs", "examples"} {
		target, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(target); err != nil {
			continue
		}
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fairway returns the folder of the command, which is built once: a page types it many times.
func fairway(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}
