package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// ApproveOptions are the settings of `fairway approve`.
type ApproveOptions struct {
	Dir        string // the clone
	Revision   string // what is approved: a branch or a commit
	Base       string // where it was forked from; empty: found out
	Repository string // canonical URL that the approval names
	Branch     string // that it may land on
	Tiers      []string
	Remote     string // that the approval is sent to; empty: kept here
	Key        string // file of the signing key
	As         string // principal
	Withdraw   bool
}

// Approved is what was said.
type Approved struct {
	Statement   string // commit on the approval ref
	Decision    string
	Head        string
	MergeBase   string
	RawDiffID   string
	Fingerprint string
	Pushed      bool
}

func approveCommand(rooms Rooms) *cobra.Command {
	o := ApproveOptions{}
	c := &cobra.Command{
		Use:   "approve REVISION --repository URL --key FILE --as PRINCIPAL",
		Short: "Sign an approval of a branch or commit and send it with git",
		Long: "Sign an approval of the change that REVISION brings, and push it to refs/fairway/approvals/PRINCIPAL.\n\n" +
			"What is approved is the exact difference between REVISION and the commit it was forked from. It counts\n" +
			"for that content, in that repository, on that branch, and for nothing else. It can be given after the\n" +
			"change landed too. --withdraw takes it back until the change is delivered.",
		Args: one("REVISION"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Revision = args[0]
			done, err := rooms.Approve(c.Context(), o)
			if err != nil {
				return failed(ExitCannotTell, err)
			}
			out := c.OutOrStdout()
			_, err = fmt.Fprintf(out, "%s %s..%s\n  content %s\n  key     %s\n  at      %s\n",
				done.Decision, done.MergeBase[:12], done.Head[:12], done.RawDiffID, done.Fingerprint, done.Statement)
			if err == nil && !done.Pushed {
				_, err = fmt.Fprintln(out, "not sent: push refs/fairway/approvals/"+o.As+" yourself")
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Dir, "directory", "C", ".", "the clone to work in")
	f.StringVar(&o.Repository, "repository", "", "URL of the repository, or one of its aliases, as the Repository object spells it")
	f.StringVar(&o.Branch, "branch", "main", "the branch that the change lands on")
	f.StringVar(&o.Base, "base", "", "the commit that the change was forked from; found out where left out")
	f.StringSliceVar(&o.Tiers, "tier", nil, "limit the approval to this tier; may be repeated")
	f.StringVar(&o.Remote, "remote", "origin", "remote to send the approval to; empty: keep it in this clone")
	f.StringVar(&o.Key, "key", "", "file of your signing key: SSH private key, SSH public key held by ssh-agent, or OpenPGP secret key")
	f.StringVar(&o.As, "as", "", "your name in your Team")
	f.BoolVar(&o.Withdraw, "withdraw", false, "take an earlier approval of the same change back")
	for _, name := range []string{"repository", "key", "as"} {
		_ = c.MarkFlagRequired(name) // the flag exists
	}
	return c
}
