package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// failed carries an error out of a command under the exit code given, unless it brings one of its own.
func failed(code int, err error) error {
	var exit *Exit
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return &Exit{Code: code, Err: err}
}

// told is what to print of an error of command c: to somebody who called it wrongly, also how it is called.
func told(c *cobra.Command, err error) string {
	var exit *Exit
	text := err.Error()
	if errors.As(err, &exit) || text == "" {
		return text
	}
	return text + "\nUsage: " + c.UseLine() + "\nMore:  " + c.CommandPath() + " --help"
}

// one takes exactly one argument, which is called name.
func one(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("%s is missing", name)
		case 1:
			return nil
		}
		return fmt.Errorf("one %s is taken, not %d: %q", name, len(args), args)
	}
}

// known refuses what is no command, and names those that were meant.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q of %s", args[0], c.CommandPath())
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if meant := c.SuggestionsFor(args[0]); len(meant) > 0 {
		text += "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return errors.New(text)
}
