package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// DoctorOptions are the settings of `fairway doctor`.
type DoctorOptions struct {
	Kubeconfig string
	Namespace  string // Fairway's own
}

// Enforcement is what an API server did with a forged proof.
type Enforcement struct {
	// Refused says that Fairway refused it.
	Refused bool
	// Text is what the API server said.
	Text string
}

func doctorCommand(rooms Rooms) *cobra.Command {
	o := DoctorOptions{}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Ask the API server whether it enforces",
		Long: "Ask the API server whether it enforces.\n\nAs a dry run, doctor forges a proof, which Fairway refuses from whoever it comes. It does so\n" +
			"in the name of the prover, whom the policies let by, so it needs the right to impersonate that account or\n" +
			"to be it, and leaves nothing behind.\n\n" +
			"Exit codes: 0 Fairway refused, 1 it was admitted: nothing is enforced, 2 usage, 3 cannot tell.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := rooms.Doctor(c.Context(), o)
			if err != nil {
				return failed(ExitCannotTell, err)
			}
			if !found.Refused {
				return &Exit{Code: ExitNo, Err: fmt.Errorf("NOT ENFORCED: the API server admitted a forged proof: %s", found.Text)}
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "enforced: the API server asked Fairway, which refused: "+lines(found.Text))
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the cluster's kubeconfig; empty: as kubectl finds it, or the cluster that the process runs in")
	f.StringVar(&o.Namespace, "namespace", "fairway-system", "Fairway's own namespace")
	return c
}
