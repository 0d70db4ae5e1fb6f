package cli

import "github.com/spf13/cobra"

// RetireOptions are the settings of `fairway retire`.
type RetireOptions struct {
	Kubeconfig string
	Namespace  string   // Fairway's own
	Webhook    string   // name of the webhook configuration
	Guards     []string // names of the policy bindings that guard it
	Prover     string   // service account of the provers that are told; empty: every prover in the namespace
}

func retireCommand(rooms Rooms) *cobra.Command {
	o := RetireOptions{}
	c := &cobra.Command{
		Use:   "retire",
		Short: "Take enforcement away before Fairway is uninstalled",
		Long: "Take enforcement away before Fairway is uninstalled, in the order that blocks nobody: first the bindings of\n" +
			"the policies that guard the webhook configuration, then, after telling the prover for a minute not to make\n" +
			"it again, the webhook configuration. The chart's uninstall runs it. Nothing is judged from then on.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return failed(ExitNo, rooms.Retire(c.Context(), o, c.OutOrStdout()))
		},
	}
	f := c.Flags()
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the cluster's kubeconfig; empty: the cluster that the process runs in")
	f.StringVar(&o.Namespace, "namespace", "fairway-system", "Fairway's own namespace")
	f.StringVar(&o.Webhook, "webhook-name", "fairway", "name of the webhook configuration")
	f.StringSliceVar(&o.Guards, "guard", nil, "name of a ValidatingAdmissionPolicyBinding that guards it; may be repeated")
	f.StringVar(&o.Prover, "prover", "", "service account of the provers that leave the configuration alone for the minute; empty: every prover, also of an install that follows")
	return c
}
