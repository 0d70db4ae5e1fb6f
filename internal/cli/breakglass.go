package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// BreakGlassOptions are the settings of `fairway breakglass`.
type BreakGlassOptions struct {
	Name         string // of the BreakGlass; empty: made up
	Namespace    string
	NamespaceUID string
	User         string
	Reason       string
	Ticket       string
	From         time.Time
	For          time.Duration
	Key          string
}

func breakGlassCommand(rooms Rooms) *cobra.Command {
	c := &cobra.Command{
		Use:   "breakglass",
		Short: "Ask for, or agree to, a way through in an emergency",
		Long: "Ask for, or agree to, a way through in an emergency.\n\nTwo people sign: one asks, another agrees. What they sign is a BreakGlass object, which is then\n" +
			"applied like any other. It opens one namespace to one user for a short time, and every use is recorded.",
		Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(breakGlassRequestCommand(rooms), breakGlassApproveCommand(rooms))
	return c
}

func breakGlassRequestCommand(rooms Rooms) *cobra.Command {
	o := BreakGlassOptions{}
	c := &cobra.Command{
		Use:   "request -n NAMESPACE --namespace-uid UID --user USER --reason TEXT --ticket ID --key FILE",
		Short: "Sign a request and print the BreakGlass object",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.From = time.Now()
			object, err := rooms.BreakGlassRequest(c.Context(), o)
			return printed(c.OutOrStdout(), object, err)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace to open")
	f.StringVar(&o.NamespaceUID, "namespace-uid", "", "its UID: kubectl get ns NAME -o jsonpath={.metadata.uid}")
	f.StringVar(&o.Name, "name", "", "name of the object; made up where left out")
	f.StringVar(&o.User, "user", "", "the Kubernetes user who will work")
	f.StringVar(&o.Reason, "reason", "", "what is wrong and what will be done")
	f.StringVar(&o.Ticket, "ticket", "", "the incident")
	f.DurationVar(&o.For, "for", time.Hour, "how long it is open")
	f.StringVar(&o.Key, "key", "", "file of your signing key")
	for _, name := range []string{"namespace", "namespace-uid", "user", "reason", "ticket", "key"} {
		_ = c.MarkFlagRequired(name) // the flag exists
	}
	return c
}

func breakGlassApproveCommand(rooms Rooms) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "approve FILE --key FILE",
		Short: "Sign somebody else's request and print the object with your signature in it",
		Long:  "Sign somebody else's request and print the object with your signature in it. FILE is the BreakGlass\nobject, - is standard input. Read it first: you agree to its reason, user and window.",
		Args:  one("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			raw, err := readFile(c.InOrStdin(), args[0])
			if err != nil {
				return failed(ExitUsage, err)
			}
			object, err := rooms.BreakGlassApprove(c.Context(), raw, key)
			return printed(c.OutOrStdout(), object, err)
		},
	}
	c.Flags().StringVar(&key, "key", "", "file of your signing key")
	_ = c.MarkFlagRequired("key") // the flag exists
	return c
}

// RollbackOptions are the settings of `fairway rollback`.
type RollbackOptions struct {
	Dir          string
	Commit       string // to go back to
	Namespace    string
	NamespaceUID string
	Repository   string // canonical URL
	Branch, Path string
	Source       string // name of the source, which the name of the proof begins with
	Reason       string
	Ticket       string
	For          time.Duration
	Remote       string
	Key, As      string
}

func rollbackCommand(rooms Rooms) *cobra.Command {
	o := RollbackOptions{}
	c := &cobra.Command{
		Use: "rollback COMMIT -n NAMESPACE --namespace-uid UID --repository URL --source NAME " +
			"--reason TEXT --ticket ID --key FILE --as PRINCIPAL",
		Short: "Sign that a namespace may go back to a commit that was delivered there before",
		Args:  one("COMMIT"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Commit = args[0]
			at, err := rooms.Rollback(c.Context(), o)
			if err != nil {
				return failed(ExitCannotTell, err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s may go back to %s for %s\n  at %s\n", o.Namespace, o.Commit, o.For, at)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Dir, "directory", "C", ".", "the clone to work in")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace that goes back")
	f.StringVar(&o.NamespaceUID, "namespace-uid", "", "its UID: kubectl get ns NAME -o jsonpath={.metadata.uid}")
	f.StringVar(&o.Repository, "repository", "", "URL of the repository, or one of its aliases, as the Repository object spells it")
	f.StringVar(&o.Branch, "branch", "main", "branch of the source")
	f.StringVar(&o.Path, "path", ".", "path of the source")
	f.StringVar(&o.Source, "source", "", "name of the source in the namespace's binding")
	f.StringVar(&o.Reason, "reason", "", "why")
	f.StringVar(&o.Ticket, "ticket", "", "the incident")
	f.DurationVar(&o.For, "for", 4*time.Hour, "how long this may be used")
	f.StringVar(&o.Remote, "remote", "origin", "remote to send the statement to; empty: keep it in this clone")
	f.StringVar(&o.Key, "key", "", "file of your signing key")
	f.StringVar(&o.As, "as", "", "your name in your Team")
	for _, name := range []string{"namespace", "namespace-uid", "repository", "source", "reason", "ticket", "key", "as"} {
		_ = c.MarkFlagRequired(name) // the flag exists
	}
	return c
}

func printed(out io.Writer, object []byte, err error) error {
	if err != nil {
		return failed(ExitUsage, err)
	}
	_, err = out.Write(object)
	return err
}

func readFile(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name) //nolint:gosec // the user names it
}
