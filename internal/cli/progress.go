package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows that something goes on, where a terminal looks on; stop takes it away. In a pipe
// it is quiet.
func progress(errs io.Writer, what string) (stop func()) {
	file, ok := errs.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) { //nolint:gosec // a file descriptor fits
		return func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(errs),
		progressbar.OptionSpinnerType(14), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(65*time.Millisecond))
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				_ = bar.Finish() // a spinner that stays costs nothing
				return
			case <-tick.C:
				_ = bar.Add(1)
			}
		}
	}()
	return func() { close(ended); <-done }
}
