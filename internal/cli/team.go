package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// TeamOptions are the settings of `fairway team`.
type TeamOptions struct {
	Forge   string // GitHub, GitLab or Gitea
	URL     string // of the forge's front page
	Team    string // organisation/team, on GitLab a group
	Token   string // empty: what everybody may read
	Private bool   // the forge may be at a private address
	Current []byte // the Team as it is written now, as YAML
}

// TeamSync is a Team brought up to date with a team of a forge.
type TeamSync struct {
	Manifest []byte   // the Team as YAML
	Added    []string // names of principals
	Removed  []string // likewise
}

func teamCommand(rooms Rooms) *cobra.Command {
	o, token := TeamOptions{}, ""
	c := &cobra.Command{
		Use:   "team FILE --forge KIND --url URL --team ORGANISATION/TEAM",
		Short: "Bring a Team up to date with a team on a forge, for people to review",
		Long: "Bring a Team up to date with a team on a forge, and print it.\n\nFILE holds the Team as it is, - is standard input. Who is in the forge's team and has no principal gets one\n" +
			"that holds their account, by its immutable id, and no key; who is not in it any more is left out; the\n" +
			"others stay as they are. Where it was read from, and when, is recorded in an annotation.\n\n" +
			"Nothing is applied: what a forge says of its teams is no evidence. Commit what is printed, and have it\n" +
			"reviewed like any other change of a Team. Names of principals are made from logins: look at them.",
		Example: "  fairway team teams/shop.yaml --forge Gitea --url https://git.example.com --team acme/shop --token-file token > new.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Current, err = readFile(c.InOrStdin(), args[0]); err != nil {
				return err
			}
			if token != "" {
				held, err := readFile(c.InOrStdin(), token)
				if err != nil {
					return err
				}
				o.Token = strings.TrimSpace(string(held))
			}
			synced, err := rooms.Team(c.Context(), o)
			if err != nil {
				return &Exit{Code: ExitCannotTell, Err: err}
			}
			return synced.print(c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Forge, "forge", "", "GitHub, GitLab or Gitea (Forgejo is one)")
	f.StringVar(&o.URL, "url", "", "the forge's front page, as in Repository.spec.forge.url")
	f.StringVar(&o.Team, "team", "", "organisation/team; on GitLab the group")
	f.StringVar(&token, "token-file", "", "file that holds a token which may read the team")
	f.BoolVar(&o.Private, "private-addresses", false, "the forge may be at a private or loopback address")
	for _, name := range []string{"forge", "url", "team"} {
		_ = c.MarkFlagRequired(name) // the flag exists
	}
	return c
}

// print writes the Team, and what is new in it beside that.
func (s TeamSync) print(out, beside io.Writer) error {
	for _, change := range []struct {
		verb  string
		names []string
	}{{"added", s.Added}, {"removed", s.Removed}} {
		for _, name := range change.names {
			if _, err := fmt.Fprintf(beside, "%s: %s\n", change.verb, shown(name)); err != nil {
				return err
			}
		}
	}
	return printed(out, s.Manifest, nil)
}
