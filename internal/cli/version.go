package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Stamp is what a binary knows of where it comes from.
type Stamp struct {
	// Version is what the build was told, a tag in releases; else what the toolchain recorded; may be empty.
	Version string `json:"version"`
	// Go is the toolchain's version.
	Go string `json:"go"`
	// Platform is GOOS/GOARCH.
	Platform string `json:"platform"`
}

// stamp reads it from the binary; told is what the linker was told.
func stamp(told string) Stamp {
	if info, ok := debug.ReadBuildInfo(); ok && told == "" {
		told = info.Main.Version
	}
	return Stamp{Version: told, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Version is the version of the binary in a line.
func Version(told string) string {
	s := stamp(told)
	return "fairway " + s.Version + " " + s.Go
}

func versionCommand(rooms Rooms) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch format {
			case "text":
				_, err := fmt.Fprintln(c.OutOrStdout(), Version(rooms.Version))
				return err
			case "json":
				return writeJSON(c.OutOrStdout(), stamp(rooms.Version))
			}
			return fmt.Errorf("output %q is neither text nor json", format)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return c
}
