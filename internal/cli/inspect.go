package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// InspectOptions are the settings of `fairway check` and `fairway explain`.
type InspectOptions struct {
	Clone      string // the clone that holds the revision
	Remote     string // whose branches are looked at; empty: the clone's own
	Revision   string
	Dir        string // world as YAML files
	Kubeconfig string // world in a cluster
	Own        string // Fairway's namespace
	Namespace  string
	Repository string // name of the Repository that the clone is of; empty: the only one
	Object     string // file of a live object to compare (explain)
}

// Inspection is what one source of a namespace makes of a revision. It is the JSON of
// `fairway check -o json` and `fairway explain -o json`; fields are only ever added.
type Inspection struct {
	Namespace  string    `json:"namespace"`
	Tier       string    `json:"tier"`
	Source     string    `json:"source"`
	Repository string    `json:"repository"`
	Branch     string    `json:"branch"`
	Commit     string    `json:"commit"`
	Ahead      bool      `json:"ahead,omitempty"` // judged as if it had landed now
	Verdict    string    `json:"verdict"`
	Author     string    `json:"author"`
	When       time.Time `json:"when"`
	Subject    string    `json:"subject"`
	Trailers   []string  `json:"trailers,omitempty"`
	Approvers  []string  `json:"approvers,omitempty"`
	Objects    int       `json:"objects"`
	Base       string    `json:"base"`
	Steps      []Step    `json:"steps,omitempty"`
	Findings   []Finding `json:"findings"`
	Message    string    `json:"message"`
	Differs    []string  `json:"differs,omitempty"` // fields of Object, paths only
}

// Step is one piece of the history that was looked at.
type Step struct {
	Commits   []string `json:"commits"`
	Subject   string   `json:"subject"`
	State     string   `json:"state"` // "untouched", "undone", "landed" or "uncovered"
	Approvers []string `json:"approvers,omitempty"`
}

// Finding is what one rule says.
type Finding struct {
	Code    string   `json:"code"`
	Outcome string   `json:"outcome"`
	Reason  string   `json:"reason"`
	Detail  string   `json:"detail,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
	Who     []string `json:"who,omitempty"`
}

func checkCommand(rooms Rooms) *cobra.Command {
	o, format := InspectOptions{}, ""
	c := &cobra.Command{
		Use:   "check REVISION -n NAMESPACE [--dir DIR | --kubeconfig FILE]",
		Short: "Say whether a revision would be admitted to a namespace, before it is merged",
		Long: "Say whether a revision would be admitted to a namespace.\n\nREVISION is a branch or commit in the clone that you are in. One that has not landed is judged as if it\n" +
			"were merged now. Approvals are those that the clone holds: git fetch origin 'refs/fairway/*:refs/fairway/*'\n\n" +
			"Exit codes: 0 it would be, 1 it would not, 2 usage, 3 cannot tell.",
		Args: one("REVISION"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Revision = args[0]
			found, err := inspected(c, rooms, o, format)
			if err != nil {
				return err
			}
			if format == "json" {
				return errors.Join(writeJSON(c.OutOrStdout(), found), verdictExit(found))
			}
			for _, i := range found {
				mark, text := "no ", i.Message
				if i.Verdict == "Allow" {
					mark, text = "yes", admitted(i)
				}
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%s  %s in %s (tier %s, source %s): %s\n", mark, short(i.Commit), shown(i.Namespace), shown(i.Tier), shown(i.Source), lines(text)); err != nil {
					return err
				}
			}
			return verdictExit(found)
		},
	}
	inspectFlags(c, &o, &format)
	return c
}

func explainCommand(rooms Rooms) *cobra.Command {
	o, format := InspectOptions{}, ""
	c := &cobra.Command{
		Use:   "explain REVISION -n NAMESPACE [--dir DIR | --kubeconfig FILE]",
		Short: "Say who changed what, when and why, who approved it, and what is missing",
		Args:  one("REVISION"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Revision = args[0]
			found, err := inspected(c, rooms, o, format)
			if err != nil {
				return err
			}
			if format == "json" {
				return writeJSON(c.OutOrStdout(), found)
			}
			for _, i := range found {
				if err := explain(c.OutOrStdout(), i); err != nil {
					return err
				}
			}
			return nil
		},
	}
	inspectFlags(c, &o, &format)
	c.Flags().StringVarP(&o.Object, "filename", "f", "", "a live object (kubectl get -o json --show-managed-fields): name the fields that differ from Git")
	return c
}

func inspectFlags(c *cobra.Command, o *InspectOptions, format *string) {
	f := c.Flags()
	f.StringVarP(&o.Clone, "directory", "C", ".", "the clone to work in")
	f.StringVar(&o.Remote, "remote", "origin", "remote whose branches count; empty: the clone's own")
	f.StringVar(&o.Dir, "dir", "", "read tiers, bindings and teams from the YAML files in this directory")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "read them from this cluster; empty, and no --dir: the one that kubectl would ask")
	f.StringVar(&o.Own, "fairway-namespace", "fairway-system", "Fairway's own namespace")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace that the revision shall reach")
	f.StringVar(&o.Repository, "repository", "", "name of the Repository that the clone is of, where the namespace has sources of several")
	f.StringVarP(format, "output", "o", "text", "text or json")
	_ = c.MarkFlagRequired("namespace") // the flag exists
	c.MarkFlagsMutuallyExclusive("dir", "kubeconfig")
}

func inspected(c *cobra.Command, rooms Rooms, o InspectOptions, format string) ([]Inspection, error) {
	if format != "text" && format != "json" {
		return nil, fmt.Errorf("output %q is neither text nor json", format)
	}
	stop := progress(c.ErrOrStderr(), "judging")
	defer stop()
	found, err := rooms.Inspect(c.Context(), o)
	if err != nil {
		return nil, failed(ExitCannotTell, err)
	}
	return found, nil
}

// admitted says why nothing is missing.
func admitted(i Inspection) string {
	if len(i.Approvers) == 0 {
		return "would be admitted"
	}
	return "would be admitted, approved by " + strings.Join(allShown(i.Approvers), ", ")
}

// verdictExit is the exit code of the worst verdict.
func verdictExit(found []Inspection) error {
	code := ExitYes
	for _, i := range found {
		switch i.Verdict {
		case "Allow":
		case "Unknown":
			code = max(code, ExitCannotTell)
		default:
			code = max(code, ExitNo)
		}
	}
	if code == ExitYes {
		return nil
	}
	return &Exit{Code: code}
}

// writeJSON writes a value so that a terminal can show it: what cannot be seen is escaped, which JSON reads as the same.
func writeJSON(out io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(out, escaped(b.String()))
	return err
}

// explain prints one inspection as a story: what, who, when, why, by whom, and what is missing.
func explain(out io.Writer, i Inspection) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s, tier %s: %s\n", short(i.Commit), shown(i.Namespace), shown(i.Tier), i.Verdict)
	fmt.Fprintf(&b, "  what      %s (%s of source %s, %s branch %s)\n", shown(i.Subject), objects(i.Objects), shown(i.Source), shown(i.Repository), shown(i.Branch))
	fmt.Fprintf(&b, "  who       %s\n  when      %s\n", shown(i.Author), i.When.UTC().Format(time.RFC3339))
	for _, t := range i.Trailers {
		fmt.Fprintf(&b, "  why       %s\n", shown(t))
	}
	approved := "nobody"
	if len(i.Approvers) > 0 {
		approved = strings.Join(allShown(i.Approvers), ", ")
	}
	fmt.Fprintf(&b, "  approved  %s\n", approved)
	fmt.Fprintf(&b, "  since     %s\n", short(i.Base))
	for _, s := range i.Steps {
		line := s.State
		if len(s.Approvers) > 0 {
			line += ", approved by " + strings.Join(allShown(s.Approvers), ", ")
		}
		fmt.Fprintf(&b, "            %s  %s (%s)\n", short(s.Commits[len(s.Commits)-1]), shown(s.Subject), line)
	}
	for _, f := range i.Findings {
		if f.Outcome == "Allow" {
			continue
		}
		fmt.Fprintf(&b, "  missing   [%s] %s: %s\n", f.Code, f.Reason, shown(f.Detail))
		if len(f.Who) > 0 {
			fmt.Fprintf(&b, "            who can: %s\n", strings.Join(allShown(f.Who), ", "))
		}
		if f.Remedy != "" {
			fmt.Fprintf(&b, "            next: %s\n", shown(f.Remedy))
		}
	}
	for _, path := range i.Differs {
		fmt.Fprintf(&b, "  differs   %s\n", shown(path))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

func short(id string) string { return id[:min(len(id), 12)] }
