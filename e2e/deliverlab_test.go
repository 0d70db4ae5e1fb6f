package e2e

import (
	"os/exec"
	"strings"
)

// checkout brings the clone to a commit, as a pipeline does before it delivers.
func (l *serveLab) checkout(commit string) {
	l.t.Helper()
	if err := l.shop.Fetch(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.CommandContext(l.t.Context(), "git", "-C", l.shop.Clone(), "checkout", "--quiet", "--detach", commit)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("checking out %s: %v\n%s", commit, err, out)
	}
}

// says holds that a program that delivers failed, by Fairway's word.
func (l *serveLab) says(err error, words ...string) {
	l.t.Helper()
	if err == nil {
		l.t.Fatalf("it went through, want a refusal that says %q", words)
	}
	for _, word := range append(words, "fairway.dev") {
		if !strings.Contains(err.Error(), word) {
			l.t.Fatalf("without %q:\n%v", word, err)
		}
	}
}
