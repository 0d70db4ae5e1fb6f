package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// AuditOptions are the settings of `fairway audit`.
type AuditOptions struct {
	Kubeconfig string
	Own        string // Fairway's namespace
	Namespace  string // empty: every gated one
}

// Audit is what lives in one namespace, held against what was proven. It is the JSON of
// `fairway audit -o json`; fields are only ever added. Objects are "Kind namespace/name".
type Audit struct {
	Namespace string    `json:"namespace"`
	Tier      string    `json:"tier"`
	At        time.Time `json:"at"`
	Bound     int       `json:"bound"`               // objects as they were delivered
	Behind    []string  `json:"behind,omitempty"`    // as an older delivered commit has them
	Drifted   []string  `json:"drifted,omitempty"`   // as no delivered commit has them
	Missing   []string  `json:"missing,omitempty"`   // proven, and not there
	Inherited []string  `json:"inherited,omitempty"` // there, and no proof speaks of them
	Unread    []string  `json:"unread,omitempty"`    // kinds that could not be read
}

func auditCommand(rooms Rooms) *cobra.Command {
	o, format := AuditOptions{}, ""
	c := &cobra.Command{
		Use:   "audit [--kubeconfig FILE] [-n NAMESPACE]",
		Short: "Hold what lives in gated namespaces against what was proven",
		Long: "Hold what lives in gated namespaces against what was proven: drift, objects that were there before,\n" +
			"and what was admitted while Fairway was away. It needs the right to read Fairway's keys.\n\n" +
			"Exit codes: 0 everything is accounted for, 1 something is not, 2 usage, 3 cannot tell.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("output %q is neither text nor json", format)
			}
			stop := progress(c.ErrOrStderr(), "auditing")
			audits, err := rooms.Audit(c.Context(), o)
			stop()
			if err != nil {
				return failed(ExitCannotTell, err)
			}
			return auditResult(c.OutOrStdout(), audits, format)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the cluster's kubeconfig; empty: as kubectl finds it, or the cluster that the process runs in")
	f.StringVar(&o.Own, "fairway-namespace", "fairway-system", "Fairway's own namespace")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "audit this namespace alone")
	f.StringVarP(&format, "output", "o", "text", "text or json")
	return c
}

func auditResult(out io.Writer, audits []Audit, format string) error {
	code := ExitYes
	for _, a := range audits {
		switch {
		case len(a.Unread) > 0:
			code = max(code, ExitCannotTell)
		case len(a.Drifted)+len(a.Missing)+len(a.Inherited) > 0:
			code = max(code, ExitNo)
		}
	}
	var exit error
	if code != ExitYes {
		exit = &Exit{Code: code}
	}
	if format == "json" {
		if err := writeJSON(out, audits); err != nil {
			return err
		}
		return exit
	}
	var b strings.Builder
	if len(audits) == 0 {
		b.WriteString("no gated namespace has a binding, so nothing was held against anything\n")
	}
	for _, a := range audits {
		fmt.Fprintf(&b, "%s, tier %s: %d as delivered, %d behind, %d drifted, %d missing, %d inherited\n",
			shown(a.Namespace), shown(a.Tier), a.Bound, len(a.Behind), len(a.Drifted), len(a.Missing), len(a.Inherited))
		for _, part := range []struct {
			word    string
			objects []string
		}{{"drifted", a.Drifted}, {"missing", a.Missing}, {"inherited", a.Inherited}, {"behind", a.Behind}, {"unread", a.Unread}} {
			for _, object := range part.objects {
				fmt.Fprintf(&b, "  %-10s %s\n", part.word, shown(object))
			}
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return exit
}
