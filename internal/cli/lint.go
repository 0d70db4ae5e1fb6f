package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// LintOptions are the settings of `fairway lint`.
type LintOptions struct {
	Dir        string
	Kubeconfig string
	Own        string
}

// Problem is one thing that lint has to say. A warning alone does not fail it.
type Problem struct {
	Where   string `json:"where"` // "namespace shop, tier production", or empty
	Kind    string `json:"kind"`
	Warning bool   `json:"warning,omitempty"`
	Text    string `json:"text"`
}

func lintCommand(rooms Rooms) *cobra.Command {
	o, format := LintOptions{}, ""
	c := &cobra.Command{
		Use:   "lint [--dir DIR | --kubeconfig FILE]",
		Short: "Find rules that the people there are can never meet, and kinds that are not in force",
		Long: "Find rules that nobody can meet.\n\nFor each gated tier and binding, and for every possible author, lint proves that the approvals can be given\n" +
			"by the people there are. Where not, it names the author and the missing role. A person without whom\nnothing can be admitted is a warning. So are ways out: break-glass and roll-back must be open to the people\nthere are, and not hang on one of them.\nWhat an API server would refuse in the files, a misspelt word above all, is named; its rules in CEL are not tried.\n\n" +
			"Exit codes: 0 all can be met, 1 something cannot, 2 usage, 3 cannot tell.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("output %q is neither text nor json", format)
			}
			problems, err := rooms.Lint(c.Context(), o)
			if err != nil {
				return failed(ExitCannotTell, err)
			}
			return lintResult(c, problems, format)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "", "read kinds from the YAML files in this directory")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "read kinds from this cluster; empty, and no --dir: the one that kubectl would ask")
	f.StringVar(&o.Own, "fairway-namespace", "fairway-system", "Fairway's own namespace")
	f.StringVarP(&format, "output", "o", "text", "text or json")
	c.MarkFlagsMutuallyExclusive("dir", "kubeconfig")
	return c
}

func lintResult(c *cobra.Command, problems []Problem, format string) error {
	failed := false
	for _, p := range problems {
		failed = failed || !p.Warning
	}
	var exit error
	if failed {
		exit = &Exit{Code: ExitNo}
	}
	out := c.OutOrStdout()
	if format == "json" {
		if err := writeJSON(out, problems); err != nil {
			return err
		}
		return exit
	}
	for _, p := range problems {
		level := "error"
		if p.Warning {
			level = "warning"
		}
		where := ""
		if p.Where != "" {
			where = p.Where + ": "
		}
		if _, err := fmt.Fprintf(out, "%s: %s%s\n", level, shown(where), lines(p.Text)); err != nil {
			return err
		}
	}
	if len(problems) == 0 {
		if _, err := fmt.Fprintln(out, "every rule can be met, for every author"); err != nil {
			return err
		}
	}
	return exit
}

// StampOptions are the settings of `fairway stamp`.
type StampOptions struct {
	Clone      string
	Revision   string
	Repository string
	Source     string
	Manifests  []byte
}

func stampCommand(rooms Rooms) *cobra.Command {
	o := StampOptions{}
	c := &cobra.Command{
		Use:   "stamp FILE --repository NAME --source NAME",
		Short: "Write on manifests which repository, commit and source they come from",
		Long: "Write on manifests which repository, commit and source they come from, and print them.\n\nFILE holds YAML or JSON documents, - is standard input. The stamp selects the commit that Fairway compares\n" +
			"with and explains the verdict. It proves nothing.",
		Example: "  kustomize build production | fairway stamp - --repository apps --source shop | kubectl apply --server-side -f -",
		Args:    one("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Manifests, err = readFile(c.InOrStdin(), args[0]); err != nil {
				return failed(ExitUsage, err)
			}
			stamped, err := rooms.Stamp(c.Context(), o)
			return printed(c.OutOrStdout(), stamped, err)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Clone, "directory", "C", ".", "the clone that the manifests were rendered in")
	f.StringVar(&o.Revision, "commit", "HEAD", "the commit that they were rendered at")
	f.StringVar(&o.Repository, "repository", "", "name of the Repository")
	f.StringVar(&o.Source, "source", "", "name of the source in the namespace's binding")
	_ = c.MarkFlagRequired("repository") // the flag exists
	_ = c.MarkFlagRequired("source")     // likewise
	return c
}
