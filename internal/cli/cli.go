// Package cli is Fairway's command line. It reads flags, calls the rooms that main hands it, and
// prints what they found. It decides nothing.
//
// Exit codes are part of the product: 0 yes, 1 no, 2 usage or configuration, 3 cannot tell.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	ExitYes        = 0
	ExitNo         = 1
	ExitUsage      = 2
	ExitCannotTell = 3
)

// Rooms are what the commands call. Main wires them.
type Rooms struct {
	// Version is what the build was told it is; empty: what the Go toolchain knows of it.
	Version string
	Serve   func(ctx context.Context, o ServeOptions) error
	// RenderWorker speaks to the program that started it, on standard input and output.
	RenderWorker func(ctx context.Context) error
	Approve      func(ctx context.Context, o ApproveOptions) (Approved, error)
	// Inspect judges a revision for each source of a namespace that delivers it.
	Inspect func(ctx context.Context, o InspectOptions) ([]Inspection, error)
	Lint    func(ctx context.Context, o LintOptions) ([]Problem, error)
	Audit   func(ctx context.Context, o AuditOptions) ([]Audit, error)
	Stamp   func(ctx context.Context, o StampOptions) ([]byte, error)
	// Rollback signs a way back and returns the commit that keeps the statement.
	Rollback func(ctx context.Context, o RollbackOptions) (string, error)
	// BreakGlassRequest and BreakGlassApprove return the BreakGlass object as YAML.
	BreakGlassRequest func(ctx context.Context, o BreakGlassOptions) ([]byte, error)
	BreakGlassApprove func(ctx context.Context, object []byte, key string) ([]byte, error)
}

// RenderWorker is the hidden command that renders one source for the program that started it.
const RenderWorker = "render-worker"

// ServeOptions are the settings of `fairway serve`.
type ServeOptions struct {
	Dir        string        // without a cluster: kinds as YAML files
	Kubeconfig string        // against a cluster; empty: in-cluster
	Namespace  string        // Fairway's own
	Listen     string        // host:port of the webhook
	TLSDir     string        // holds tls.crt, tls.key and ca.crt
	SelfSigned bool          // make them where they are missing
	TLSNames   []string      // names and addresses of a self-signed certificate
	StateDir   string        // mirrors and keys
	Interval   time.Duration // longest between two looks at a repository; 0: its own
	// AuditInterval is the time between two audits of a cluster that nothing asked for.
	AuditInterval time.Duration
	// SealRepository and SealKey are what the sealing write must name (ruling 9).
	SealRepository, SealKey string
	Verbose                 bool
	// TraceEndpoint is the URL of an OTLP/HTTP collector; empty: no traces. TraceRatio is how many of the
	// requests that the API server does not trace are traced anyway.
	TraceEndpoint string
	TraceRatio    float64
	Log           io.Writer
}

// Exit carries an exit code out of a command. Its text is printed to standard error unless empty.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap is the reason.
func (e *Exit) Unwrap() error { return e.Err }

// Run runs a command line and returns its exit code.
func Run(ctx context.Context, rooms Rooms, args []string, out, errs io.Writer) int {
	root := New(rooms)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitYes
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintln(errs, "fairway: "+text)
	}
	var exit *Exit
	if errors.As(err, &exit) {
		return exit.Code
	}
	return ExitUsage
}

// New is the root command.
func New(rooms Rooms) *cobra.Command {
	root := &cobra.Command{
		Use:           "fairway",
		Short:         "Environment tiers for GitOps: fast where it may be, proven where it must be",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(
		checkCommand(rooms), explainCommand(rooms), lintCommand(rooms), auditCommand(rooms), stampCommand(rooms),
		approveCommand(rooms), rollbackCommand(rooms), breakGlassCommand(rooms),
		serveCommand(rooms), versionCommand(rooms), renderWorkerCommand(rooms),
	)
	return root
}

func versionCommand(rooms Rooms) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), Version(rooms.Version))
			return err
		},
	}
}

// Version is the version of the binary: what the build was told, else what the toolchain recorded.
func Version(told string) string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case !ok:
		return "fairway " + told
	case told == "":
		told = info.Main.Version
	}
	return "fairway " + told + " " + info.GoVersion
}

func renderWorkerCommand(rooms Rooms) *cobra.Command {
	return &cobra.Command{
		Use: RenderWorker, Short: "Render one source for the program that started this one", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := rooms.RenderWorker(c.Context()); err != nil {
				return &Exit{Code: ExitNo, Err: err}
			}
			return nil
		},
	}
}

func serveCommand(rooms Rooms) *cobra.Command {
	o := ServeOptions{}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run gate and prover in one process, against a cluster or a directory",
		Long: "Run gate and prover in one process.\n\nWith --dir the tiers, bindings, teams, repositories and namespaces are YAML files in a directory,\n" +
			"and no cluster is needed. Without it they are read from the cluster of --kubeconfig, or the one\nthat the process runs in.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = c.ErrOrStderr()
			return rooms.Serve(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "", "read kinds from the YAML files in this directory instead of a cluster")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the cluster's kubeconfig; empty: the cluster that the process runs in")
	f.StringVar(&o.Namespace, "namespace", "fairway-system", "Fairway's own namespace")
	f.StringVar(&o.Listen, "listen", ":9443", "address of the webhook")
	f.StringVar(&o.TLSDir, "tls-dir", "", "directory with tls.crt and tls.key, which are read again when they change")
	f.BoolVar(&o.SelfSigned, "self-signed", false, "make tls.crt, tls.key and ca.crt in --tls-dir where they are missing")
	f.StringSliceVar(&o.TLSNames, "tls-name", []string{"localhost", "127.0.0.1"}, "names and addresses of the self-signed certificate")
	f.StringVar(&o.StateDir, "state-dir", "", "directory for mirrors and keys; it must outlive a restart")
	f.DurationVar(&o.Interval, "interval", 0, "longest time between two looks at a repository; 0: its own pollInterval")
	f.DurationVar(&o.AuditInterval, "audit-interval", 10*time.Minute, "time between two audits of a cluster; one also follows each new proof")
	f.StringVar(&o.SealRepository, "seal-repository", "", "URL of the repository that the cluster binding must name to seal the install")
	f.StringVar(&o.SealKey, "seal-key", "", "fingerprint (SHA256:…) of a key that one of its owners must hold to seal the install")
	f.StringVar(&o.TraceEndpoint, "trace-endpoint", "", "URL of an OTLP/HTTP collector for traces (http://collector:4318/v1/traces); empty: none are made")
	f.Float64Var(&o.TraceRatio, "trace-ratio", 0.01, "how many of the traces that nobody upstream decided on are kept, 0 to 1")
	f.BoolVarP(&o.Verbose, "verbose", "v", false, "log one line for each decision")
	_ = c.MarkFlagRequired("tls-dir")   // the flag exists
	_ = c.MarkFlagRequired("state-dir") // likewise
	return c
}
