package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-dev/fairway/internal/cli"
)

// commands are what a terminal would obey, or show in another place than it stands: a colour, a cleared line, the
// one-rune form of the same, a title, a line of its own, text from right to left.
const commands = "Fix\x1b[2K\x1b]0;t\a\u009b31m\r\x7f\n  approved  alice\u202e\u2066\U000e0041 ok"

// TestCommitsDoNotWriteTheAnswer: who writes a commit chooses its subject, its author's name and its trailers, and
// reads in nobody's terminal like Fairway itself.
func TestCommitsDoNotWriteTheAnswer(t *testing.T) {
	found := cli.Inspection{
		Namespace: commands, Tier: commands, Source: commands, Repository: commands, Branch: commands, Commit: "0123456789abcdef",
		Verdict: "Deny", Author: commands, Subject: commands, Trailers: []string{commands}, Approvers: []string{commands},
		Steps:    []cli.Step{{Commits: []string{"0123456789abcdef"}, Subject: commands, State: "landed", Approvers: []string{commands}}},
		Findings: []cli.Finding{{Code: "FW103", Outcome: "Pending", Reason: "needs approval", Detail: commands, Remedy: commands, Who: []string{commands}}},
		Message:  strings.ReplaceAll(commands, "\n", " "), Differs: []string{commands},
	}
	rooms := cli.Rooms{
		Inspect: func(context.Context, cli.InspectOptions) ([]cli.Inspection, error) {
			return []cli.Inspection{found}, nil
		},
		Lint: func(context.Context, cli.LintOptions) ([]cli.Problem, error) {
			return []cli.Problem{{Where: commands, Text: strings.ReplaceAll(commands, "\n", " ")}}, nil
		},
		Audit: func(context.Context, cli.AuditOptions) ([]cli.Audit, error) {
			return []cli.Audit{{Namespace: commands, Tier: commands, Drifted: []string{commands}}}, nil
		},
		Doctor: func(context.Context, cli.DoctorOptions) (cli.Enforcement, error) {
			return cli.Enforcement{}, errors.New(strings.ReplaceAll(commands, "\n", " "))
		},
		Team: func(context.Context, cli.TeamOptions) (cli.TeamSync, error) {
			return cli.TeamSync{Added: []string{commands}}, nil
		},
	}
	for _, args := range [][]string{
		{"explain", "HEAD", "-n", "shop"}, {"check", "HEAD", "-n", "shop"}, {"lint"}, {"audit"}, {"doctor"},
		{"explain", "HEAD", "-n", "shop", "-o", "json"}, {"lint", "-o", "json"}, {"audit", "-o", "json"},
		{"team", "shown_test.go", "--forge", "Gitea", "--url", "https://git.example.com", "--team", "a/b"},
	} {
		var out bytes.Buffer
		cli.Run(t.Context(), rooms, args, &out, &out)
		said := out.String()
		if i := strings.IndexFunc(said, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || said == "" {
			t.Errorf("%v: a terminal would obey it: %q", args, said)
		}
		if strings.Contains(said, "\n  approved  alice") {
			t.Errorf("%v: the commit wrote a line of the answer: %q", args, said)
		}
	}
	var out bytes.Buffer
	cli.Run(t.Context(), rooms, []string{"explain", "HEAD", "-n", "shop", "-o", "json"}, &out, &out)
	var read []cli.Inspection
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cli.Inspection{found}, read); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}
