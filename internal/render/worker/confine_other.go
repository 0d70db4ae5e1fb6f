//go:build !linux

package worker

import (
	"errors"
	"time"
)

// confine refuses: only Linux is known to hold the limits.
func confine(uint64, time.Duration) error {
	return errors.New("a worker runs on Linux only")
}
