package controlplane

import (
	"errors"
	"os/exec"
)

// Exited reports whether the program has ended, and with which exit code; -1 where a signal ended it.
func (p *Program) Exited() (code int, over bool) {
	select {
	case <-p.process.done:
	default:
		return 0, false
	}
	var exit *exec.ExitError
	switch {
	case errors.As(p.process.err, &exit):
		return exit.ExitCode(), true
	case p.process.err != nil:
		return -1, true
	}
	return 0, true
}
