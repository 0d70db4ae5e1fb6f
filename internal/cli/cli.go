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
	// Serve runs the role that the options name.
	Serve func(ctx context.Context, o ServeOptions) error
	// RenderWorker speaks to the program that started it, on standard input and output.
	RenderWorker func(ctx context.Context) error
	Approve      func(ctx context.Context, o ApproveOptions) (Approved, error)
	// Inspect judges a revision for each source of a namespace that delivers it.
	Inspect func(ctx context.Context, o InspectOptions) ([]Inspection, error)
	Lint    func(ctx context.Context, o LintOptions) ([]Problem, error)
	// Doctor asks an API server whether it enforces.
	Doctor func(ctx context.Context, o DoctorOptions) (Enforcement, error)
	// Retire takes enforcement away and writes down what it removed.
	Retire func(ctx context.Context, o RetireOptions, out io.Writer) error
	Audit  func(ctx context.Context, o AuditOptions) ([]Audit, error)
	Stamp  func(ctx context.Context, o StampOptions) ([]byte, error)
	// Team brings a Team up to date with a team on a forge.
	Team func(ctx context.Context, o TeamOptions) (TeamSync, error)
	// Rollback signs a way back and returns the commit that keeps the statement.
	Rollback func(ctx context.Context, o RollbackOptions) (string, error)
	// BreakGlassRequest and BreakGlassApprove return the BreakGlass object as YAML.
	BreakGlassRequest func(ctx context.Context, o BreakGlassOptions) ([]byte, error)
	BreakGlassApprove func(ctx context.Context, object []byte, key string) ([]byte, error)
}

// RenderWorker is the hidden command that renders one source for the program that started it.
const RenderWorker = "render-worker"

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
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitYes
	}
	if text := told(c, err); text != "" {
		_, _ = fmt.Fprintln(errs, "fairway: "+lines(text))
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
		Version:       Version(rooms.Version),
		Args:          known,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		checkCommand(rooms), explainCommand(rooms), lintCommand(rooms), doctorCommand(rooms), retireCommand(rooms), auditCommand(rooms), stampCommand(rooms), teamCommand(rooms),
		approveCommand(rooms), rollbackCommand(rooms), breakGlassCommand(rooms),
		serveCommand(rooms), gateCommand(rooms), proverCommand(rooms), versionCommand(rooms), renderWorkerCommand(rooms),
	)
	return root
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
