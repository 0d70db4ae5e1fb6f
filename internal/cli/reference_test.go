package cli_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/fairway-dev/fairway/internal/cli"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md anew")

// TestReferenceIsFresh holds docs/reference/cli.md against what the commands say of themselves.
func TestReferenceIsFresh(t *testing.T) {
	const path = "../../docs/reference/cli.md"
	var want bytes.Buffer
	want.WriteString("# Command line\n\nWhat `fairway COMMAND --help` says, made from the commands themselves.\n\n" +
		"Exit codes of every command: 0 yes, 1 no, 2 usage or configuration, 3 cannot tell.\n\n" +
		"With `-o json` the answer stands on standard output, as a list to which fields are only ever added. What went\n" +
		"wrong is a line on standard error, and the exit code; standard output is empty then. Nothing is coloured, and\n" +
		"what shows that something goes on does so on a terminal alone. `fairway completion SHELL` writes completions.\n")
	document(&want, cli.New(cli.Rooms{}))
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(have)); diff != "" {
		t.Errorf("docs/reference/cli.md is stale; run go test ./internal/cli -update (-want +have):\n%s", diff)
	}
}

func document(out *bytes.Buffer, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		if sub.HasSubCommands() {
			document(out, sub)
			continue
		}
		about := sub.Long
		if about == "" {
			about = sub.Short + "."
		}
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n```\n%s\n```\n", sub.CommandPath(), about, strings.TrimSpace(sub.UsageString()))
	}
}

// TestEveryCommandSaysWhatItIs holds that nothing on the command line is without a word of help.
func TestEveryCommandSaysWhatItIs(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s does not say what it does", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(cli.New(cli.Rooms{}))
}
